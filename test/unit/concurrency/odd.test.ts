import { setTimeout as delay } from 'node:timers/promises';
import { parse } from 'node:querystring';
import { describe, expect, test } from 'vitest';
import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { AtomicOperationSequence } from '../../../src/atomic/index.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import type { StuckError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { bofhOn, hostWithSource, site, vmCreate } from '../simulator/support.ts';

const run = <T>(host: SimulatedHost, body: (tx: Tx) => Promise<T>): Promise<T> =>
  withBofh(bofhOn(host), () => atomic('try', body));
const note = (tx: Tx, path: string) => tx.file.create({ path, content: 'x', mode: 0o644 });

describe('a thrown value without a text', () => {
  // What querystring.parse() gives has no prototype, and so no toString().
  const textless = (): never => {
    throw parse('error=denied') as unknown as Error;
  };

  test('causes an undo like any other', async () => {
    const host = hostWithSource();
    const before = host.snapshot();

    const error = await rejectionOf(
      run(host, async (tx) => {
        await note(tx, '/etc/note');
        textless();
      }),
    );

    expect(String(error)).toMatch(/^RolledBackError.*a value without a text/);
    expect(host.snapshot()).toBe(before);
  });

  test('does not prevent older steps from being undone when an inverse throws it', async () => {
    const host = hostWithSource();

    const error = await rejectionOf(
      run(host, async (tx) => {
        await note(tx, '/etc/note');
        await tx.effect('odd', () => undefined, textless, { claims: { makes: ['odd:1'] } });
        throw new Error('no more');
      }),
    );

    expect((error as StuckError).blocked).toMatchObject([{ why: 'a value without a text was thrown' }]);
    expect(await host.stat('/etc/note')).toBeUndefined();
  });
});

describe('an invalid name', () => {
  const names: readonly unknown[] = [undefined, 5, '', '  ', {}];

  test.each(names)('of a sequence (%o) is refused before anything is written', async (name) => {
    const host = hostWithSource();
    const bofh = bofhOn(host);

    expect(() => new AtomicOperationSequence({ engine: bofh.engine, name: name as string })).toThrow(
      /a sequence needs a name/,
    );
    await expect(withBofh(bofh, () => atomic(name as string, (tx) => note(tx, '/etc/note')))).rejects.toThrow(
      /needs a name/,
    );
    expect(await host.stat('/etc/note')).toBeUndefined();
    expect(await openJournals(bofh.engine)).toEqual([]);
  });

  test.each(names)(
    'of a scope or a call (%o) is refused, and the steps before it are undone',
    async (name) => {
      for (const part of [
        (tx: Tx) => tx.scope(name as string, async () => undefined),
        (tx: Tx) =>
          tx.effect(
            name as string,
            () => undefined,
            () => undefined,
          ),
      ]) {
        const host = hostWithSource();
        const error = await rejectionOf(
          run(host, async (tx) => {
            await note(tx, '/etc/note');
            await part(tx);
          }),
        );

        expect(String(error)).toMatch(/needs a name/);
        expect(await host.stat('/etc/note')).toBeUndefined();
      }
    },
  );
});

test('an intent that does not fit on the disk does not fail a scope of others', async () => {
  const host = hostWithSource();
  let isFull = false;
  host.faults.decide(({ tool, argv }) =>
    tool === 'store' && argv[0] === 'write' && isFull ? { mode: 'no space' } : undefined,
  );

  await run(host, async (tx) => {
    await note(tx, '/etc/first');
    const outer = tx.scope('outer', async (a) => {
      await a.scope('middle', async (b) => {
        await rejectionOf(
          b.scope('inner', async (c) => {
            isFull = true;
            await rejectionOf(note(c, '/etc/big'));
            isFull = false;
            throw new Error('it did not fit');
          }),
        );
        await note(b, '/etc/small');
      });
      throw new Error('the outer one fails');
    });
    await rejectionOf(outer);
  });

  expect(await host.stat('/etc/first')).toBeDefined();
  expect(await host.stat('/etc/small')).toBeUndefined();
});

test('recovery ends no program of a journal that it cannot parse', async () => {
  const host = hostWithSource();
  host.fault({ tool: 'tar', access: 'change', mode: 'hangs' });
  const creating = rejectionOf(vmCreate(bofhOn(host)));
  while (host.world.orphans.length === 0) await delay(10);
  host.kill();
  const after = host.restart();
  const { engine } = simulatedBofh({ host: after, site });
  const [open] = await openJournals(engine);
  const older = { ...engine, find: async () => undefined };

  await expect(recover(open?.id ?? '', { engine: older, yes: true })).rejects.toThrow(/nothing was touched/);

  expect(after.world.orphans.map(({ safe }) => safe)).toEqual([true]);
  await recover(open?.id ?? '', { engine, yes: true });
  await creating;
});

test('no inverse function is called either while a journal cannot be read', async () => {
  const host = hostWithSource();
  const path = '/var/lib/bofh/journal/0123456789ab.journal';
  host.admin.mkdir('/var/lib/bofh/journal');
  host.admin.writeFile(path, 'no journal\nat all\n', 0o600);
  let called = false;

  const error = await rejectionOf(
    run(host, (tx) =>
      tx.effect(
        'ring',
        () => {
          called = true;
        },
        () => undefined,
      ),
    ),
  );

  expect(String(error)).toMatch(/^JournalError.*0123456789ab/);
  expect(called).toBe(false);
});

test('the content of a new file stays out of the journal', async () => {
  const host = hostWithSource();
  const bofh = bofhOn(host);
  const secret = 'vncpasswd = "hunter2"\n';
  await vmCreate(bofh, { start: false });
  await run(host, async (tx) => {
    await tx.file.create({ path: '/etc/xen/secret.cfg', content: secret, mode: 0o600 });
    const lv = await tx.lvm.createLv({ vg: 'vg0', name: 'data', size: '64m' });
    const { uuid } = await tx.filesystem.create({ device: lv.path, type: 'ext4' });
    const mounted = await tx.temporary.mount.mount({ device: lv.path, mode: 'rw' });
    await tx.copy.unpack({
      source: '/srv/debian.tar',
      root: mounted.path,
      device: lv.path,
      filesystem: uuid,
      files: [{ path: 'etc/shadow', content: secret, mode: 0o600 }],
    });
  });

  const { store } = bofh.engine;
  const texts = store.names('history').map((name) => store.open(`history/${name}`)?.read().toString() ?? '');
  expect(texts.join()).toContain('/etc/xen/secret.cfg');
  expect(texts.join()).not.toContain('hunter2');
});
