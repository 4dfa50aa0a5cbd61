import type { Steps } from '../../../../src/atomic/sequence/sequence.ts';
import type { Toys } from '../toys.ts';
import { put } from '../world.ts';
import { meanwhile, removeThing, renameThing, trial, type Scenario } from './scenario.ts';

/** What others do to the host while we work on it, or while our journal is open. */
export const foreignScenarios: readonly Scenario[] = [
  {
    name: 'a foreign object that takes the name between check and act survives',
    run: async (subject) => {
      const t = trial();
      let uid = 0;
      const plan = meanwhile(/^make vol:a/, () => {
        uid = t.add('vol:a', { mark: 'bofh.else.1' });
      });
      const { ending } = await t.run(subject, (tx, o) => tx.step(o.make, { name: 'a' }), { plan });
      t.expectEnding(ending, /^RolledBackError.*vol:a exists/);
      t.expectKept('vol:a', uid, { mark: 'bofh.else.1' });
      t.expectBefore({ besides: ['vol:a'] });
      return t.found;
    },
  },
  {
    name: 'a foreign object that takes the name between two steps is not worked on',
    run: async (subject) => {
      const t = trial();
      let uid = 0;
      // When the second step has been checked: only a look right before the act finds it.
      const plan = meanwhile(/^fdatasync .*intent 2/, () => {
        removeThing(t.world, 'vol:a');
        uid = t.add('vol:a', { mark: 'bofh.else.1' });
      });
      const work = async (tx: Steps, o: Toys) => {
        await tx.step(o.make, { name: 'a' });
        await tx.step(o.open, { name: 'a' });
      };
      const { ending, process } = await t.run(subject, work, { plan });
      t.expectEnding(ending, /^RolledBackError.*vol:a, which is not as this sequence left it/);
      t.expect(!process.events.some(({ label }) => label.startsWith('open ')), 'a foreign object was opened');
      t.expectKept('vol:a', uid, { mark: 'bofh.else.1' });
      t.expectBefore({ besides: ['vol:a'] });
      return t.found;
    },
  },
  {
    name: 'an object of the same name and mark but another uid is not ours',
    run: async (subject) => {
      const t = trial();
      await t.runUntil(
        subject,
        async (tx, o) => {
          await tx.step(o.make, { name: 'a' });
          await tx.step(o.setValue, { name: 'size', value: '2' });
        },
        /^set prop:size/,
      );
      const mark = t.world.disk.get('vol:a')?.mark ?? '';
      removeThing(t.world, 'vol:a');
      const uid = t.add('vol:a', { mark });
      const { ending } = await t.recover(subject);
      t.expectEnding(ending, 'done');
      t.expectKept('vol:a', uid, { mark });
      t.expectBefore({ besides: ['vol:a'] });
      return t.found;
    },
  },
  {
    name: 'another identity is chosen when the first is taken, and that object is left untouched',
    run: async (subject) => {
      const t = trial();
      let uid = 0;
      const plan = meanwhile(/^open map:1/, () => {
        uid = t.add('map:1');
      });
      const { ending } = await t.run(subject, (tx, o) => tx.step(o.open, { name: 'old' }), { plan });
      t.expectEnding(ending, 'done');
      t.expectKept('map:1', uid);
      t.expect(t.world.boot.has('map:2'), 'map:2 was not opened');
      return t.found;
    },
  },
  {
    name: 'an identity that is taken a hundred times in a row is a failure',
    run: async (subject) => {
      const t = trial();
      const plan = {
        meanwhile: ({ label }: { readonly label: string }) => {
          if (label.startsWith('open ')) t.add(label.replace('open ', ''));
        },
      };
      const { ending, process } = await t.run(subject, (tx, o) => tx.step(o.open, { name: 'old' }), { plan });
      t.expectEnding(ending, /^RolledBackError.*is taken/);
      t.expect(
        process.events.filter(({ label }) => label.startsWith('open ')).length === 100,
        'not a hundred tries',
      );
      t.expectBefore({ besides: Array.from({ length: 100 }, (_, i) => `map:${i + 1}`) });
      return t.found;
    },
  },
  {
    name: 'a container that is gone at recovery took all in it along',
    run: async (subject) => {
      const t = trial();
      await t.runUntil(subject, filled, /committed/);
      for (const key of [...t.world.disk.keys()].filter((each) => each.startsWith('fs:bofh')))
        removeThing(t.world, key);
      t.world.boot.delete('map:1');
      removeThing(t.world, 'vol:a');
      const { ending } = await t.recover(subject);
      t.expectEnding(ending, 'done');
      t.expectBefore();
      return t.found;
    },
  },
  {
    name: 'a container that others replaced is left untouched, and its former content is undone by itself',
    run: async (subject) => {
      const t = trial();
      await t.runUntil(subject, filled, /committed/);
      renameThing(t.world, 'vol:a', 'vol:kept');
      const uid = t.add('vol:a');
      t.add('fs:of-others', { over: uid });
      const { ending } = await t.recover(subject);
      t.expectEnding(ending, 'done');
      t.expectKept('vol:a', uid);
      t.expect(t.world.disk.has('fs:of-others'), 'the foreign filesystem is gone');
      t.expectBefore({ besides: ['vol:a', 'vol:kept', 'fs:of-others'] });
      return t.found;
    },
  },
  {
    name: 'a foreign object that was renamed into the name and then formatted survives',
    run: async (subject) => {
      const t = trial();
      await t.runUntil(subject, filled, /committed/);
      removeThing(t.world, 'vol:a');
      renameThing(t.world, 'vol:old', 'vol:a');
      const uid = t.world.disk.get('vol:a')?.uid ?? 0;
      t.add('fs:of-others', { over: uid });
      await t.recover(subject);
      t.expectKept('vol:a', uid);
      t.expect(t.world.disk.has('fs:of-others'), 'the foreign filesystem is gone');
      return t.found;
    },
  },
  {
    name: 'after a reboot a foreign thing under our number is left untouched',
    run: async (subject) => {
      const t = trial();
      await t.runUntil(subject, filled, /committed/, 'none');
      const uid = t.add('map:1');
      const { ending } = await t.recover(subject);
      t.expectEnding(ending, 'done');
      t.expectKept('map:1', uid);
      t.expectBefore({ rebooted: true, besides: ['map:1'] });
      return t.found;
    },
  },
  {
    name: 'what others brought up again after a reboot is named and left untouched until they end it',
    run: async (subject) => {
      const t = trial();
      await t.runUntil(subject, filled, /committed/, 'reboot');
      const { uid: over, mark } = t.world.disk.get('vol:a') ?? { uid: 0, mark: '' };
      const again = { over, mark: (mark ?? '').replace(/1$/, '3') };
      const uid = t.add('map:1', again);
      const { ending } = await t.recover(subject);
      t.expectEnding(ending, /^StuckError.*in use/);
      t.expectKept('map:1', uid, again);
      t.world.boot.delete('map:1');
      t.expectEnding((await t.recover(subject)).ending, 'done');
      t.expectBefore({ rebooted: true });
      return t.found;
    },
  },
  {
    name: 'a foreign file that appears between check and link survives, and our private one goes',
    run: async (subject) => {
      const t = trial();
      let uid = 0;
      const plan = meanwhile(/^link file:a.cfg/, () => {
        uid = t.add('file:a.cfg', { value: 'of others' });
      });
      const { ending } = await t.run(
        subject,
        (tx, o) => tx.step(o.writeFile, { path: 'a.cfg', text: 'ours' }),
        { plan },
      );
      t.expectEnding(ending, /^RolledBackError/);
      t.expectKept('file:a.cfg', uid, { value: 'of others' });
      t.expectBefore({ besides: ['file:a.cfg'] });
      return t.found;
    },
  },
  {
    name: 'an object of ours that others took a snapshot of is stuck until they remove it',
    run: async (subject) => {
      const t = trial();
      await t.runUntil(subject, filled, /committed/, 'reboot');
      const over = t.world.disk.get('vol:a')?.uid ?? 0;
      const uid = t.add('vol:snapshot', { over });
      t.expectEnding((await t.recover(subject)).ending, /^StuckError.*has snapshots/);
      t.expectKept('vol:snapshot', uid, { over });
      removeThing(t.world, 'vol:snapshot');
      t.expectEnding((await t.recover(subject)).ending, 'done');
      t.expectBefore({ rebooted: true });
      return t.found;
    },
  },
  {
    name: 'the same change, made by others right before the act, is not undone',
    run: async (subject) => {
      const t = trial();
      const plan = meanwhile(/^fdatasync .*intent 1/, () => {
        put(t.world, 'prop:size', { uid: t.world.disk.get('prop:size')?.uid ?? 0, value: '2' }, 'durable');
      });
      const { ending, process } = await t.run(
        subject,
        (tx, o) => tx.step(o.setValue, { name: 'size', value: '2' }),
        { plan },
      );
      t.expectEnding(ending, /^RolledBackError.*prop:size is 2 by now/);
      t.expect(!process.events.some(({ label }) => label.startsWith('set ')), 'it was set');
      t.expect(t.world.disk.get('prop:size')?.value === '2', 'what somebody else did was undone');
      return t.found;
    },
  },
  {
    name: 'a value that others changed meanwhile stays, and is named',
    run: async (subject) => {
      const t = trial();
      await t.runUntil(subject, (tx, o) => tx.step(o.setValue, { name: 'size', value: '2' }), /committed/);
      const uid = t.world.disk.get('prop:size')?.uid ?? 0;
      t.world.disk.set('prop:size', { uid, value: '9' });
      const { ending } = await t.recover(subject);
      t.expect(JSON.stringify(ending).includes('it is 9 now'), 'it is not named');
      t.expectKept('prop:size', uid, { value: '9' });
      return t.found;
    },
  },
];

const filled: Parameters<ReturnType<typeof trial>['run']>[1] = async (tx, o) => {
  await tx.step(o.make, { name: 'a' });
  const { key } = await tx.step(o.format, { name: 'a' });
  await tx.step(o.open, { name: 'a' });
  await tx.step(o.fill, { fs: key, name: 'etc' });
};
