import { freeMinor, openers, ownExtents } from '../../world/devices.ts';
import type { ExtentRun, LogicalVolume, PhysicalVolume, VolumeGroup } from '../../world/parts.ts';
import { current } from '../../world/drbd.ts';
import { copyContent, type World } from '../../world/world.ts';
import { isClassicSnapshot } from '../../world/layers.ts';

/** Creates a volume as lvcreate does; also for an administrator. */
export function createLv(
  world: World,
  vg: VolumeGroup,
  make: Pick<
    LogicalVolume,
    | 'name'
    | 'extents'
    | 'tags'
    | 'layout'
    | 'role'
    | 'pool'
    | 'data'
    | 'metadata'
    | 'synced'
    | 'moreExtents'
    | 'areas'
  > & { readonly origin?: string },
): LogicalVolume {
  const runs = allocate(vg, ownExtents(make));
  const lv: LogicalVolume = { uuid: world.ids.lvmUuid(), autoactivation: true, ...make, runs };
  vg.lvs = [...vg.lvs, lv];
  commit(vg);
  // lvcreate wipes signatures in the extents.
  for (const contents of [world.live, world.durable]) contents.set(`lv:${lv.uuid}`, {});
  if (make.origin !== undefined) {
    const origin = world.live.get(`lv:${make.origin}`);
    if (origin !== undefined)
      for (const contents of [world.live, world.durable])
        contents.set(`lv:${lv.uuid}`, copyContent(current(world, { storage: `lv:${make.origin}` }, origin)));
  }
  activateLv(world, lv);
  return lv;
}

/**
 * Returns free extents, the first ones first, or those of the run `onto`. Returns fewer than
 * requested if there are no more.
 */
export function allocate(vg: VolumeGroup, count: number, onto?: ExtentRun): readonly ExtentRun[] {
  const found: ExtentRun[] = [];
  let missing = count;
  for (const free of freeRuns(vg)) {
    if (onto !== undefined && onto.pv !== free.pv) continue;
    if (vg.pvs.find(({ uuid }) => uuid === free.pv)?.allocatable === 'no') continue;
    const start = Math.max(free.start, onto?.start ?? 0);
    const end = Math.min(free.start + free.count, onto === undefined ? Infinity : onto.start + onto.count);
    const here = Math.min(missing, end - start);
    if (here <= 0) continue;
    found.push({ pv: free.pv, start, count: here });
    missing -= here;
  }
  return found;
}

/** Returns the runs of free extents. */
export function freeRuns(vg: VolumeGroup): readonly ExtentRun[] {
  return vg.pvs.flatMap((pv) => {
    const found: ExtentRun[] = [];
    let start = 0;
    for (const run of usedRuns(vg, pv.uuid)) {
      if (run.start > start) found.push({ pv: pv.uuid, start, count: run.start - start });
      start = run.start + run.count;
    }
    return start < pv.extents ? [...found, { pv: pv.uuid, start, count: pv.extents - start }] : found;
  });
}

/**
 * Returns the used runs of a physical volume, in order. Extents that are being moved belong to the
 * volume that lvm uses for the move.
 */
export function usedRuns(
  vg: VolumeGroup,
  pv: string,
): readonly (ExtentRun & { readonly lv: string; readonly lvStart: number })[] {
  const own: (ExtentRun & { readonly lv: string; readonly lvStart: number })[] = [];
  for (const { uuid, runs = [] } of [...vg.lvs, ...(vg.hidden ?? [])]) {
    let lvStart = 0;
    for (const run of runs) {
      if (run.pv === pv && run.moving !== true) own.push({ ...run, lv: uuid, lvStart });
      lvStart += run.count;
    }
  }
  return own.sort((a, b) => a.start - b.start);
}

/** Returns the number of used extents of a physical volume. */
export function usedOn(vg: VolumeGroup, pv: Pick<PhysicalVolume, 'uuid'>): number {
  return usedRuns(vg, pv.uuid).reduce((sum, { count }) => sum + count, 0);
}

/** Removes extents from the end of a volume. */
export function cutRuns(runs: readonly ExtentRun[], extents: number): readonly ExtentRun[] {
  let left = extents;
  return runs.flatMap((run) => {
    const count = Math.min(run.count, left);
    left -= count;
    return count === 0 ? [] : [{ ...run, count }];
  });
}

/** Joins adjacent runs. */
export function joined(runs: readonly ExtentRun[]): readonly ExtentRun[] {
  const all: ExtentRun[] = [];
  for (const run of runs) {
    const last = all.at(-1);
    if (last?.pv === run.pv && last.start + last.count === run.start)
      all.splice(-1, 1, { ...last, count: last.count + run.count });
    else all.push(run);
  }
  return all;
}

/** Parses a physical extent range as typed for lvm: `/dev/vdb:10-12`. */
export function placeOf(vg: VolumeGroup, place: string): ExtentRun | undefined {
  const { path, first, last } = /^(?<path>[^:]+):(?<first>\d+)-(?<last>\d+)$/.exec(place)?.groups ?? {};
  const pv = vg.pvs.find((each) => each.path === path);
  if (pv === undefined) return undefined;
  return { pv: pv.uuid, start: Number(first), count: Number(last) - Number(first) + 1 };
}

/**
 * Activates a volume, with the lowest free minor number; in a plan, with the one that the real host
 * still has for it.
 */
export function activateLv(world: World, lv: LogicalVolume): void {
  if (world.active.has(lv.uuid)) return;
  const real = world.overlay?.volumes.get(lv.uuid)?.number.split(':')[1];
  world.active.set(lv.uuid, real === undefined ? freeMinor(world) : Number(real));
}

/** Activates a volume with its classic snapshots, as lvm does. */
export function activateWith(world: World, vg: VolumeGroup, lv: LogicalVolume): void {
  for (const each of [lv, ...classicSnapshots(vg, lv)]) activateLv(world, each);
}

export function deactivateWith(world: World, vg: VolumeGroup, lv: LogicalVolume): void {
  for (const each of [lv, ...classicSnapshots(vg, lv)]) world.active.delete(each.uuid);
}

function classicSnapshots(vg: VolumeGroup, { uuid }: LogicalVolume): readonly LogicalVolume[] {
  return vg.lvs.filter((each) => each.origin === uuid && isClassicSnapshot(each));
}

/** Removes a volume as lvremove does; also for an administrator. */
export function removeLv(world: World, vg: VolumeGroup, lv: LogicalVolume): void {
  vg.lvs = vg.lvs.filter((other) => other !== lv);
  world.active.delete(lv.uuid);
  for (const contents of [world.live, world.durable]) contents.delete(`lv:${lv.uuid}`);
  commit(vg);
}

/** Returns the message of lvextend and lvreduce. */
export function sizeChanged(
  { name: vg, extentSize }: VolumeGroup,
  name: string,
  { from, to }: { readonly from: number; readonly to: number },
): string {
  const size = (count: number): string => {
    const mib = (count * extentSize) / 1024 ** 2;
    return `${mib < 1024 ? `${mib.toFixed(2)} MiB` : `${(mib / 1024).toFixed(2)} GiB`} (${count} extents)`;
  };
  return `  Size of logical volume ${vg}/${name} changed from ${size(from)} to ${size(to)}.\n`;
}

/** Counts a change of the group's metadata. */
export function commit(vg: VolumeGroup): void {
  vg.seqno += 1;
}

/** Whether a filesystem on the volume is mounted. */
export function isMounted(world: World, { uuid }: LogicalVolume): boolean {
  return world.mounts.some(({ storage }) => storage === `lv:${uuid}`);
}

/** Whether the device of the volume is open. */
export function isOpen(world: World, lv: LogicalVolume): boolean {
  const minor = world.active.get(lv.uuid);
  return minor !== undefined && openers(world, `${world.dmMajor}:${minor}`).length > 0;
}
