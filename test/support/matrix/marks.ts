import { type Fingerprint, fingerprint, layFault } from '../rig/index.ts';
import { commandOf, heldAfterAct, prepare, rigRows, type RigRow } from './operation-trials.ts';
import { cut, outlivesCut, powerCutAt, unflushedLost } from './power.ts';
import { expectForeign, guest, run, type Stage } from './stage.ts';
import type { Trial } from './trials.ts';

/** One operation for each sort of mark. No operation of the registry has a mark of the sort `bytes` yet. */
export const marks = { planted: 'lvm.lv.create', state: 'lvm.lv.remove' } as const;

/** The power fails between the act and `done`, for an operation of each sort of mark. */
export async function markTrials(unflushed: 'kept' | 'lost'): Promise<readonly Trial[]> {
  const rows = await rigRows();
  return Object.entries(marks).flatMap(([sort, kind]) =>
    rows
      .filter((row) => row.kind === kind)
      .map((row) => ({
        group: unflushed === 'kept' ? 'one operation, power cut between act and done' : unflushedLost,
        name: `${kind} (${sort}), between act and done`,
        run: (stage: Stage) => cutAfterAct(stage, row, unflushed),
      })),
  );
}

/** With disks whose write cache is lost: what was reported is there, what was not is undone. */
export async function unflushedTrials(): Promise<readonly Trial[]> {
  const rows = await rigRows();
  const there = (kind: string, probe: string): readonly Trial[] =>
    rows
      .filter((row) => row.kind === kind)
      .map((row) => ({
        group: unflushedLost,
        name: `${kind}, right after success was reported`,
        run: (stage: Stage) => cutAfterDone(stage, row, probe),
      }));
  return [
    ...(await markTrials('lost')),
    ...there('lvm.lv.create', `lvs --noheadings -o lv_name vg0/${guest}-root`),
    ...there('file.create', `grep -x 'name = "${guest}"' /etc/xen/${guest}.cfg`),
    {
      group: unflushedLost,
      name: 'vm create, right after success was reported: every file is there',
      run: (stage) => outlivesCut(stage, 'lost'),
    },
    ...[5, 9, 13].map((n) => powerCutAt(n, 'lost')),
  ];
}

async function cutAfterAct(
  stage: Stage,
  { specimen }: RigRow,
  unflushed: 'kept' | 'lost',
): Promise<'as before'> {
  const { act } = specimen;
  if ('act' in act) throw new Error('it is held in its program, so it must start one');
  await prepare(stage, specimen);
  const before = await afterReboot(stage);
  const fault = await layFault(stage.machine, { ...act, times: 1, mode: 'act-then-hang' });
  const victim = await heldAfterAct(stage, specimen, fault);
  await cut(stage, unflushed);
  await victim.ended;
  await run(stage, 'bofh recover --yes', 0);
  const difference = before.diff(await fingerprint(stage.machine));
  if (difference !== '') throw new Error(`the host is not as a reboot would leave it:\n${difference}`);
  await takeAway(stage, specimen.clear);
  return 'as before';
}

async function cutAfterDone(stage: Stage, { specimen }: RigRow, probe: string): Promise<'as after'> {
  await prepare(stage, specimen);
  await run(stage, commandOf(specimen), 0);
  await cut(stage, 'lost');
  await run(stage, probe, 0);
  await run(stage, 'bofh recover --yes', 0);
  await run(stage, probe, 0);
  await takeAway(stage, `${specimen.clear}; lvremove -q -y vg0/${guest}-root 2>/dev/null`);
  return 'as after';
}

/** As a plain reboot leaves it, with all that is written now on the disks. */
async function afterReboot(stage: Stage): Promise<Fingerprint> {
  await stage.machine.run('sync; sync /dev/vdb');
  await cut(stage);
  await stage.machine.run('udevadm settle');
  return fingerprint(stage.machine);
}

async function takeAway(stage: Stage, clear: string): Promise<void> {
  // lvm writes past the page cache, so `sync` alone finds nothing to flush, and the next power cut would bring it back.
  await stage.machine.run(`${clear}; udevadm settle; sync; sync /dev/vdb`, { check: 'return' });
  await expectForeign(stage);
}
