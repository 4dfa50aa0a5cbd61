import { crc32 } from 'node:zlib';
import { crash, recoverAll, words } from '../trial.ts';
import { cutPower, put } from '../world.ts';
import { trial, until, type Scenario } from './scenario.ts';

type Body = Parameters<ReturnType<typeof trial>['run']>[1];

/** What a later process does with the journals of a dead one. */
export const recoveryScenarios: readonly Scenario[] = [
  {
    name: 'an undo that fails blocks what is under it through any number of levels, and the rest goes on',
    run: async (subject) => {
      const t = trial();
      await t.runUntil(subject, layered, /committed/);
      const { ending, process } = await t.recover(subject, failing(/^stop use/));
      t.expectEnding(ending, /^StuckError.*injected: stop use/);
      const labels = process.events.map(({ label }) => label);
      for (const tried of ['close map:1', 'unmake vol:a'])
        t.expect(!labels.includes(tried), `"${tried}" was tried`);
      t.expect(t.world.disk.get('prop:size')?.value === '1', 'the rest did not go on');
      t.expectEnding((await t.recover(subject)).ending, 'done');
      t.expectBefore();
      return t.found;
    },
  },
  {
    name: 'the steps that are blocked are named, each with what stands in its way',
    run: async (subject) => {
      const t = trial();
      await t.runUntil(subject, layered, /committed/);
      const { ending } = await t.recover(subject, failing(/^stop use/));
      const error = ending.how === 'thrown' ? ending.error : undefined;
      const blocked = error instanceof subject.modules.errors.StuckError ? error.blocked : [];
      const kinds = blocked.map(({ kind, why }) => `${kind}: ${why ?? ''}`);
      t.expect(
        JSON.stringify(kinds) ===
          JSON.stringify([
            'vol.make: step 2 stands in the way',
            'map.open: step 3 stands in the way',
            'use.start: injected: stop ' + (blocked[2]?.objects[0] ?? ''),
          ]),
        kinds.join('; '),
      );
      return t.found;
    },
  },
  {
    name: 'a committed line that was written and not synced, seen by recovery, holds through a power cut',
    run: async (subject) => {
      const found: string[] = [];
      for (const synced of ['not synced', 'its sync failed'] as const)
        for (const at of [/^remove vol:gone/, /finished/, /closed/, /^rename/]) {
          const t = trial();
          if (synced === 'not synced') await t.runUntil(subject, replaced, /^fdatasync.*committed/);
          else {
            const { process } = await t.run(subject, replaced, { plan: failing(/^fdatasync.*committed/) });
            process.kill();
          }
          const first = await t.recover(subject, until(at));
          crash(t.world, 'none');
          const { ending } = await recoverAll(subject, t.world);
          t.expect(first.ending.how === 'died', 'the first recovery was not cut short');
          t.expectEnding(ending, 'done');
          const old = t.world.disk.get('vol:old');
          t.expect(old !== undefined, 'the old one is gone, the new one too');
          found.push(...t.found.map((each) => `${synced}, ${String(at)}: ${each}`));
        }
      return found;
    },
  },
  {
    name: 'a value that was set three times goes back to the first, though one line of its undo was not written',
    run: async (subject) => {
      const t = trial();
      const plan = { ...until(/^set prop:size 1/), ...failing(/^write undone 3/) };
      const { process } = await t.run(
        subject,
        async (tx, o) => {
          for (const value of ['x', 'y', 'x']) await tx.step(o.setValue, { name: 'size', value });
          throw new Error('the script failed');
        },
        { plan },
      );
      t.expect(process.dead, 'it did not come to the last undo');
      t.expectEnding((await t.recover(subject)).ending, 'done');
      t.expectBefore();
      return t.found;
    },
  },
  {
    name: 'a line whose write failed leaves nothing behind that a later one would stand before',
    run: async (subject) => {
      const t = trial();
      const torn = /^write done 1, intent 2/;
      const plan = {
        ...until(/^unmake vol:a/),
        faulty: ({ label }: { readonly label: string }) =>
          torn.test(label) ? ('after' as const) : undefined,
      };
      const { process } = await t.run(
        subject,
        async (tx, o) => {
          await tx.step(o.make, { name: 'a' });
          await tx.step(o.format, { name: 'a' });
        },
        { plan },
      );
      t.expect(process.dead, 'it did not come to the undo');
      t.expectEnding((await t.recover(subject)).ending, 'done');
      t.expectBefore();
      return t.found;
    },
  },
  {
    name: 'the work after the commit fails: the result stands, and recovery finishes it',
    run: async (subject) => {
      const t = trial();
      const { ending, process } = await t.run(subject, replaced, { plan: failing(/^remove vol:gone/) });
      const error = ending.how === 'thrown' ? ending.error : undefined;
      const stuck = error instanceof subject.modules.errors.StuckError ? error : undefined;
      t.expect(stuck?.committed === true && stuck.value === 'value', `it ended: ${words(error)}`);
      t.expect(t.world.disk.get('prop:size')?.value === 'wiped', 'what does not conflict was not finished');
      process.kill();
      t.expectEnding((await t.recover(subject)).ending, 'done');
      t.expect(
        [...t.world.disk.keys()].every((key) => !key.startsWith('vol:gone_bofh')),
        'the tombstone is still there',
      );
      t.expectBefore({ besides: ['vol:old', 'prop:size'] });
      return t.found;
    },
  },
  {
    name: 'two recoveries at once: one does it, the other finds nothing to do',
    run: async (subject) => {
      const t = trial();
      await t.runUntil(subject, layered, /committed/);
      const both = await Promise.all([t.recover(subject), t.recover(subject)]);
      for (const { ending } of both) t.expectEnding(ending, 'done');
      const undone = both.map(
        ({ process }) => process.events.filter(({ label }) => label === 'unmake vol:a').length,
      );
      t.expect(undone.toSorted().join() === '0,1', `undone ${undone.join(' and ')} times`);
      t.expectBefore();
      return t.found;
    },
  },
  {
    name: 'a recovery that starts while a journal is being born takes nothing from it',
    run: async (subject) => {
      const found: string[] = [];
      for (let turns = 0; turns < 40; turns += 1) {
        const t = trial();
        let other: Promise<unknown> | undefined;
        const body: Body = async (tx, o) => {
          other = (async () => {
            for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
            return t.recover(subject);
          })();
          await tx.step(o.make, { name: 'a' });
          await tx.step(o.setValue, { name: 'size', value: '2' });
        };
        const { ending, process } = await t.run(subject, body);
        await other;
        process.kill();
        t.expectEnding(ending, 'done');
        t.expect(t.world.disk.has('vol:a'), 'vol:a was undone');
        const left = [...t.world.files.names.keys()].filter((name) => !name.startsWith('history/'));
        t.expect(left.length === 0, `left: ${left.join(', ')}`);
        found.push(...t.found.map((each) => `after ${turns} turns: ${each}`));
      }
      return found;
    },
  },
  {
    name: 'a power cut right after success was reported changes nothing',
    run: async (subject) => {
      const t = trial();
      const { ending } = await t.run(subject, replaced);
      cutPower(t.world, 'none');
      t.expectEnding(ending, 'done');
      t.expect(t.world.disk.get('prop:size')?.value === 'wiped', 'size is not wiped');
      t.expectBefore({ besides: ['vol:old', 'prop:size'], rebooted: true });
      return t.found;
    },
  },
  {
    name: 'a power cut right after "rolled back" was reported changes nothing',
    run: async (subject) => {
      const t = trial();
      const { ending } = await t.run(subject, async (tx, o) => {
        await tx.step(o.setValue, { name: 'size', value: '2' });
        await tx.step(o.writeFile, { path: 'a.cfg', text: 'ours' });
        // Others write it to the disk meanwhile: its undo alone is not synced.
        for (const { key, thing } of t.world.unwritten) put(t.world, key, thing, 'durable');
        throw new Error('the script failed');
      });
      t.expectEnding(ending, /^RolledBackError/);
      cutPower(t.world, 'none');
      t.expectBefore({ rebooted: true });
      return t.found;
    },
  },
  {
    name: 'a bare pair of a dead process is blocked, and what does not conflict with it is undone',
    run: async (subject) => {
      const t = trial();
      await t.runUntil(
        subject,
        async (tx, o) => {
          await tx.step(o.make, { name: 'a' });
          await tx.step(o.setValue, { name: 'size', value: '2' });
          await tx.effect('bare', nothing, nothing, { claims: { needs: ['vol:a'] } });
        },
        /committed/,
      );
      t.expectEnding((await t.recover(subject)).ending, /^StuckError.*code of a process that is gone/);
      t.expectBefore({ besides: ['vol:a'] });
      t.expect(t.world.disk.has('vol:a'), 'vol:a was undone beneath it');
      return t.found;
    },
  },
  {
    name: 'after a bare pair without claims nothing older is undone',
    run: async (subject) => {
      const t = trial();
      await t.runUntil(
        subject,
        async (tx, o) => {
          await tx.step(o.make, { name: 'a' });
          await tx.effect('bare', nothing, nothing);
          await tx.step(o.setValue, { name: 'size', value: '2' });
        },
        /committed/,
      );
      t.expectEnding((await t.recover(subject)).ending, /^StuckError/);
      t.expectBefore({ besides: ['vol:a'] });
      t.expect(t.world.disk.has('vol:a'), 'vol:a was undone');
      return t.found;
    },
  },
  {
    name: 'an abandoned journal is closed, and the host is left as it is',
    run: async (subject) => {
      const t = trial();
      await t.runUntil(subject, (tx, o) => tx.step(o.make, { name: 'a' }), /committed/);
      const { process } = await t.run(subject, () => undefined);
      const { abandon, openJournals } = subject.modules.recover;
      const [open] = await openJournals(process.engine);
      await abandon(process.engine, open?.id ?? '', 'it is wanted');
      t.expect((await openJournals(process.engine)).length === 0, 'it is still open');
      t.expect(t.world.disk.has('vol:a'), 'vol:a is gone');
      return t.found;
    },
  },
  {
    name: 'an object in use is left untouched without consent, and the journal stays open',
    run: async (subject) => {
      const t = trial();
      await t.runUntil(subject, (tx, o) => tx.step(o.make, { name: 'a' }), /committed/);
      t.add('map:7', { over: t.world.disk.get('vol:a')?.uid ?? 0 });
      const { process } = await t.run(subject, () => undefined);
      const { recover, openJournals } = subject.modules.recover;
      const [open] = await openJournals(process.engine);
      const said = await recover(open?.id ?? '', { engine: process.engine, yes: false }).catch(
        (e: unknown) => e,
      );
      t.expect(/^RefusedError.*open as map:7/.test(words(said)), `it said ${words(said)}`);
      t.expect(t.world.disk.has('vol:a'), 'vol:a is gone');
      t.expect((await openJournals(process.engine)).length === 1, 'the journal is not open any more');
      return t.found;
    },
  },
  {
    name: 'a damaged line, or a kind that is not known, touches nothing',
    run: async (subject) => {
      const found: string[] = [];
      for (const damage of [flipped, renamed]) {
        const t = trial();
        await t.runUntil(subject, layered, /committed/);
        const before = JSON.stringify([...t.world.disk]);
        damage(t.world);
        const { ending } = await t.recover(subject, {});
        t.expectEnding(ending, /^JournalError.*nothing was touched/);
        t.expect(JSON.stringify([...t.world.disk]) === before, 'something was touched');
        found.push(...t.found);
      }
      return found;
    },
  },
];

const nothing = (): void => undefined;

const layered: Body = async (tx, o) => {
  await tx.step(o.make, { name: 'a' });
  const { key } = await tx.step(o.open, { name: 'a' });
  await tx.step(o.use, { name: key });
  await tx.step(o.setValue, { name: 'size', value: '2' });
};

const replaced: Body = async (tx, o) => {
  await tx.step(o.remove, { name: 'old' });
  await tx.step(o.make, { name: 'old' });
  await tx.step(o.wipe, { name: 'size' });
  return 'value';
};

function failing(label: RegExp) {
  return {
    faulty: (event: { readonly label: string }) => (label.test(event.label) ? 'before' : undefined),
  } as const;
}

type World = ReturnType<typeof trial>['world'];

/** One bit of an old line is wrong. */
function flipped(world: World): void {
  const inode = journalOf(world);
  inode.data = Buffer.from(inode.data);
  inode.data.writeUInt8(inode.data.readUInt8(300) ^ 1, 300);
}

/** As a newer bofh would write it, checksums and all. */
function renamed(world: World): void {
  const inode = journalOf(world);
  const texts = inode.data.toString().trimEnd().split('\n');
  let crc = 0;
  const lines = texts.map((text) => {
    const body = text.slice(9).replace('vol.make', 'vol.brew');
    crc = crc32(body, crc);
    return `${crc.toString(16).padStart(8, '0')} ${body}\n`;
  });
  inode.data = Buffer.from(lines.join(''));
}

function journalOf(world: World) {
  const name = [...world.files.names.keys()].find((each) => each.endsWith('.journal'));
  const inode = world.files.inodes.get(world.files.names.get(name ?? '') ?? -1);
  if (inode === undefined) throw new Error('there is no journal');
  return inode;
}
