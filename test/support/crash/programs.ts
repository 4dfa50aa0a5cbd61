import type { Script } from './trial.ts';

const fail = (): never => {
  throw new Error('the script failed');
};

const bodies: readonly Script[] = [
  {
    name: 'one object made',
    body: (tx, t) => tx.step(t.make, { name: 'a' }),
  },
  {
    name: 'made, formatted, opened, filled',
    body: async (tx, t) => {
      await tx.step(t.make, { name: 'a' });
      const { key } = await tx.step(t.format, { name: 'a' });
      await tx.step(t.open, { name: 'a' });
      await tx.step(t.fill, { fs: key, name: 'etc' });
    },
  },
  {
    name: 'values, a file and a name',
    body: async (tx, t) => {
      await tx.step(t.setValue, { name: 'size', value: '2' });
      await tx.step(t.writeFile, { path: 'a.cfg', text: 'ours' });
      await tx.step(t.rename, { from: 'old', to: 'new' });
    },
  },
  {
    name: 'a tombstone whose name is used again, and a deferred act',
    body: async (tx, t) => {
      await tx.step(t.remove, { name: 'old' });
      await tx.step(t.make, { name: 'old' });
      await tx.step(t.wipe, { name: 'size' });
    },
  },
  {
    name: 'a temporary thing, released in between and at the end',
    body: async (tx, t) => {
      await tx.step(t.make, { name: 'a' });
      const first = await tx.temporary(t.open, { name: 'a' });
      await tx.step(t.setValue, { name: 'size', value: '2' });
      await first.release();
      await tx.temporary(t.open, { name: 'a' });
    },
  },
  {
    name: 'a scope that fails and is caught',
    body: async (tx, t) => {
      await tx.step(t.make, { name: 'a' });
      await tx
        .scope('try', async (inner) => {
          await inner.step(t.setValue, { name: 'size', value: '2' });
          await inner.step(t.writeFile, { path: 'a.cfg', text: 'ours' });
          fail();
        })
        .catch(() => undefined);
      await tx.scope('again', (inner) => inner.step(t.setValue, { name: 'size', value: '3' }));
    },
  },
  {
    name: 'two side by side, each formatted',
    body: async (tx, t) => {
      await Promise.all(
        ['a', 'b'].map(async (name) => {
          await tx.step(t.make, { name });
          await tx.step(t.format, { name });
        }),
      );
    },
  },
];

/** Each script, and the same failing at its end. */
export const programs: readonly Script[] = bodies.flatMap(({ name, body }) => [
  { name, body },
  {
    name: `${name}, then a failure`,
    body: async (tx, t, process) => {
      await body(tx, t, process);
      fail();
    },
  },
]);
