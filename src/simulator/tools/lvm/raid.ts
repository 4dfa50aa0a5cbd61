import { findLv, freeExtents } from '../../world/devices.ts';
import { one, type Options, readOptions, unmodelled } from '../../options.ts';
import type { ExtentRun, LogicalVolume, VolumeGroup } from '../../world/parts.ts';
import type { World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { activateLv, allocate, commit, cutRuns, joined } from './volumes.ts';

type Answer = ReturnType<ToolModel>;

/**
 * `lvconvert --type raid1 --mirrors 1` and `--mirrors 0`, for a volume with one copy or two (lvm2
 * 2.03.16).
 */
export function lvconvertCopies(call: ToolCall): Answer {
  const options = readOptions(call, { flags: ['--yes'], values: ['--type', '--mirrors', '--config'] });
  const [full = '', ...paths] = options.words;
  const [vgName = '', name = ''] = full.split('/');
  const found = findLv(call.world, vgName, name);
  const pvs = paths.map((path) => found?.vg.pvs.find((pv) => pv.path === path));
  if (found === undefined) return failed(5, `  Failed to find logical volume "${full}"`);
  if (!options.flags.has('--yes') || pvs.length === 0 || pvs.includes(undefined))
    throw unmodelled(call, 'it answers its question with --yes, and names devices of the group');
  const { vg, lv } = found;
  const on = pvs.flatMap((pv) => pv?.uuid ?? []);
  if (!call.world.active.has(lv.uuid))
    return failed(5, `  ${full} must be active to perform this operation.`);
  const answer = addsCopy(call, options)
    ? addCopy(call.world, vg, { lv, on })
    : dropCopy(call, vg, { lv, on });
  return answer ?? ok(`  Logical volume ${full} successfully converted.\n`);
}

function addsCopy(call: ToolCall, options: Options): boolean {
  const [type, mirrors] = [one(options, '--type'), one(options, '--mirrors')];
  if (type === 'raid1' && mirrors === '1') return true;
  if (type === undefined && mirrors === '0') return false;
  throw unmodelled(call, 'it converts only between one copy and two');
}

interface Meant {
  readonly lv: LogicalVolume;
  /** UUIDs of physical volumes. */
  readonly on: readonly string[];
}

/**
 * Adds a copy. Each copy gets a metadata volume (rmeta) of one extent. The simulated kernel syncs
 * the new copy at once.
 */
function addCopy(world: World, vg: VolumeGroup, { lv, on }: Meant): Answer | undefined {
  const [target = ''] = on;
  const [own] = lv.runs ?? [];
  const room = vg.pvs.find(({ uuid }) => uuid === target)?.extents ?? 0;
  const before = freeExtents(vg);
  const list = own === undefined ? [] : allocate(vg, 1, { pv: own.pv, start: 0, count: Infinity });
  const copy = allocate(vg, lv.extents + 1, { pv: target, start: 0, count: room });
  const got = copy.reduce((sum, { count }) => sum + count, 0);
  const missing = lv.extents + 1 - got;
  if (before < lv.extents + 2 || list.length === 0 || missing > 0)
    return failed(
      5,
      `  Insufficient suitable allocatable extents for logical volume : ${lv.extents + 1} more required`,
    );
  const [first, ...rest] = copy;
  const [meta, image] =
    first === undefined
      ? [[], []]
      : [[{ ...first, count: 1 }], [{ ...first, start: first.start + 1, count: first.count - 1 }, ...rest]];
  const parts: readonly (readonly [string, string, readonly ExtentRun[]])[] = [
    ['rimage_0', 'image', lv.runs ?? []],
    ['rmeta_0', 'metadata', list],
    ['rimage_1', 'image', image.filter(({ count }) => count > 0)],
    ['rmeta_1', 'metadata', meta],
  ];
  const made = parts.map(([part, role, runs]) => ({
    ...{ uuid: world.ids.lvmUuid(), name: `${lv.name}_${part}`, tags: [], autoactivation: true },
    ...{ extents: runs.reduce((sum, { count }) => sum + count, 0), runs, role: `private,raid,${role}` },
  }));
  vg.hidden = [...(vg.hidden ?? []), ...made];
  for (const each of made) activateLv(world, each);
  lv.runs = [];
  lv.layout = 'raid,raid1';
  lv.areas = 2;
  lv.moreExtents = lv.extents + 2;
  lv.synced = 100;
  commit(vg);
  return undefined;
}

/**
 * Adds `more` extents to a volume, and to each further copy. Returns how many extents are missing (0: done); if any are missing,
 * changes nothing.
 */
export function growSpread(vg: VolumeGroup, lv: LogicalVolume, more: number): number {
  const images = imagesOf(vg, lv);
  const copies = lv.layout === 'raid,raid1' ? (lv.areas ?? 1) : 1;
  const found = allocate(vg, more * copies);
  const missing = more * copies - found.reduce((sum, { count }) => sum + count, 0);
  if (missing > 0) return missing;
  if (images.length === 0) lv.runs = joined([...(lv.runs ?? []), ...found]);
  for (const image of images)
    put(vg, image, {
      runs: joined([...(image.runs ?? []), ...allocate(vg, more, onOwn(vg, image))]),
      extents: image.extents + more,
    });
  countCopies(vg, lv, more * (copies - 1));
  return 0;
}

/** Shrinks a volume and each of its copies to this number of extents, from the end. */
export function cutSpread(vg: VolumeGroup, lv: LogicalVolume, extents: number): void {
  const less = lv.extents - extents;
  const copies = lv.layout === 'raid,raid1' ? (lv.areas ?? 1) : 1;
  for (const image of imagesOf(vg, lv)) put(vg, image, { runs: cutRuns(image.runs ?? [], extents), extents });
  const all = (lv.runs ?? []).reduce((sum, { count }) => sum + count, 0);
  lv.runs = cutRuns(lv.runs ?? [], Math.max(0, all - less * copies));
  countCopies(vg, lv, -less * (copies - 1));
}

/** For a volume of a real host the extents of its copies are in `otherExtents`. */
function countCopies(vg: VolumeGroup, lv: LogicalVolume, more: number): void {
  if (lv.moreExtents === undefined) vg.otherExtents += more;
  else lv.moreExtents += more;
}

function imagesOf(vg: VolumeGroup, lv: LogicalVolume): readonly LogicalVolume[] {
  if (lv.layout !== 'raid,raid1') return [];
  return (vg.hidden ?? []).filter(
    ({ name }) => /^_rimage_\d$/.test(name.slice(lv.name.length)) && name.startsWith(lv.name),
  );
}

/** Replaces the object instead of changing it, because saved earlier states of the group share it. */
function put(vg: VolumeGroup, image: LogicalVolume, now: Pick<LogicalVolume, 'runs' | 'extents'>): void {
  vg.hidden = (vg.hidden ?? []).map((each) => (each === image ? { ...each, ...now } : each));
}

/** Returns a run of all extents of the device of a copy. */
function onOwn(vg: VolumeGroup, { runs = [] }: LogicalVolume): ExtentRun | undefined {
  const pv = vg.pvs.find(({ uuid }) => uuid === runs[0]?.pv);
  return pv === undefined ? undefined : { pv: pv.uuid, start: 0, count: pv.extents };
}

function dropCopy(call: ToolCall, vg: VolumeGroup, { lv, on }: Meant): Answer | undefined {
  const full = `${vg.name}/${lv.name}`;
  if (lv.layout !== 'raid,raid1') return ok('', `  WARNING: ${full} already has image count of 1.\n`);
  const isPart = ({ name }: LogicalVolume): boolean =>
    /^_r(?:image|meta)_\d$/.test(name.slice(lv.name.length));
  const parts = (vg.hidden ?? []).filter((each) => each.name.startsWith(lv.name) && isPart(each));
  const images = parts.filter(({ name }) => name.includes('_rimage_'));
  const kept = images.filter(({ runs = [] }) => runs.some(({ pv }) => !on.includes(pv)));
  const [only] = kept;
  if (images.length !== 2 || kept.length !== 1 || only === undefined)
    throw unmodelled(call, 'it removes only one of two copies, and needs all devices of that copy');
  vg.hidden = (vg.hidden ?? []).filter((each) => !parts.includes(each));
  for (const { uuid } of parts) call.world.active.delete(uuid);
  lv.runs = only.runs ?? [];
  // On a real host the extents of the copies are in `otherExtents`.
  if (lv.moreExtents === undefined) vg.otherExtents -= lv.extents + 2;
  delete lv.layout;
  delete lv.moreExtents;
  delete lv.areas;
  delete lv.synced;
  commit(vg);
  return undefined;
}
