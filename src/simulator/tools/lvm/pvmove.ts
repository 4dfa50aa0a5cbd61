import { findLv } from '../../world/devices.ts';
import { one, readOptions, unmodelled } from '../../options.ts';
import type { ExtentRun, LogicalVolume, VolumeGroup } from '../../world/parts.ts';
import type { World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { activateLv, commit, freeRuns, joined, placeOf } from './volumes.ts';

/** pvmove of one run of one volume, completely, and `--abort` (lvm2 2.03.16). */
export const pvMoves: Readonly<Record<string, ToolModel>> = { pvmove };

function pvmove(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  const options = readOptions(call, {
    flags: ['--abort'],
    values: ['--name', '--interval', '--config'],
  });
  const [source = '', target = '', ...more] = options.words;
  if (options.flags.has('--abort')) return abort(call, source);
  const [vgName = '', name = ''] = (one(options, '--name') ?? '').split('/');
  const found = findLv(world, vgName, name);
  const vg = world.lvm.find((each) => each.name === vgName);
  if (more.length > 0 || name === '' || vg === undefined)
    throw unmodelled(call, 'it moves one run of one volume to another');
  const lv = found?.lv ?? vg.hidden?.find((each) => each.name === name);
  if (lv === undefined) return failed(5, `  Logical volume ${name} not found.`);
  const [from, to] = [placeOf(vg, source), placeOf(vg, target)];
  if (from === undefined || to?.count !== from.count)
    throw unmodelled(call, 'it takes two runs of the same length');
  if (!isWithin(lv.runs ?? [], from)) return failed(5, `  No data to move for ${vgName}.`);
  if (vg.pvs.find(({ uuid }) => uuid === to.pv)?.allocatable === 'no')
    return failed(
      5,
      `  WARNING: Physical volume ${target.split(':')[0] ?? ''} not allocatable.\n  No specified PVs have space available.`,
    );
  if (!isWithin(freeRuns(vg), to))
    return failed(
      5,
      `  Insufficient suitable allocatable extents for logical volume : ${to.count} more required`,
    );
  // lvm activates the volume for the move, and leaves it active.
  activateLv(world, lv);
  lv.runs = joined(replaced(lv.runs ?? [], from, to));
  commit(vg);
  return ok(`  ${source.split(':')[0] ?? ''}: Moved: 100.00%\n`);
}

/** Starts a move and interrupts it: the volume then has both the old extents and the new ones. */
export function beginMove(world: World, vg: VolumeGroup, lv: LogicalVolume, way: Way): void {
  lv.runs = replaced(lv.runs ?? [], way.from, way.from).map((run) =>
    run.pv === way.from.pv && run.start === way.from.start ? { ...run, moving: true as const } : run,
  );
  const name = 'pvmove0';
  const made: LogicalVolume = {
    ...{ uuid: world.ids.lvmUuid(), name, extents: way.to.count, tags: [], autoactivation: true },
    ...{ layout: 'mirror', role: 'private,pvmove', runs: [way.from, way.to] },
  };
  vg.lvs = [...vg.lvs, made];
  activateLv(world, made);
  commit(vg);
}

interface Way {
  readonly from: ExtentRun;
  readonly to: ExtentRun;
}

function abort(call: ToolCall, path: string): ReturnType<ToolModel> {
  const { world } = call;
  const vg = world.lvm.find(({ pvs }) => pvs.some((pv) => pv.path === path));
  if (vg === undefined) throw unmodelled(call, 'it aborts on a device of a group');
  const pv = vg.pvs.find((each) => each.path === path)?.uuid;
  const move = vg.lvs.find(({ role, runs = [] }) => role === 'private,pvmove' && runs[0]?.pv === pv);
  if (move === undefined) return ok(`  ${path}: No pvmove in progress - already finished or aborted.\n`);
  vg.lvs = vg.lvs.filter((lv) => lv !== move);
  world.active.delete(move.uuid);
  for (const lv of vg.lvs)
    lv.runs = joined((lv.runs ?? []).map(({ pv: of, start, count }) => ({ pv: of, start, count })));
  commit(vg);
  return ok();
}

function isWithin(runs: readonly ExtentRun[], { pv, start, count }: ExtentRun): boolean {
  return runs.some((run) => run.pv === pv && run.start <= start && start + count <= run.start + run.count);
}

/** Returns the runs of a volume with `from` replaced by `to`. */
function replaced(runs: readonly ExtentRun[], from: ExtentRun, to: ExtentRun): readonly ExtentRun[] {
  return runs.flatMap((run) => {
    if (!isWithin([run], from)) return [run];
    const before = { ...run, count: from.start - run.start };
    const end = from.start + from.count;
    const after = { ...run, start: end, count: run.start + run.count - end };
    return [before, to, after].filter(({ count }) => count > 0);
  });
}
