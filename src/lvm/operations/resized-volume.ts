import * as z from 'zod/mini';
import { sizeTooSmall, inWords, remedyFor, usersBeyond } from '../../blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import { type Holder, RefusedError } from '../../core/errors.ts';
import type { Bytes } from '../../core/units.ts';
import { lvmVersion } from '../commands.ts';
import { changeTags, lvextend, lvreduce, type Place } from '../lv-commands.ts';
import { pvSegments, pvs } from '../report-commands.ts';
import { reported } from '../unreadable.ts';
import { isClassicSnapshot, isThin, isThinPool } from '../filling.ts';
import { dependentHolders, everyHolderOf, holdersOf, udevOf, type VolumeAmong } from '../reads.ts';
import type { LogicalVolume, PvSegment } from '../objects.ts';
import { known, type KnownVolume, knownVolume } from './known-volume.ts';
import { present } from '../../core/present.ts';
import { memberWith, whileAllocatable } from './known-pvs.ts';
import { whileActive } from './volume-content.ts';
import { byLvm, spreadType } from '../spread.ts';

const bytes = z.number().check(z.int(), z.positive());

/** Journal data of a volume that is resized. */
export const resizeUndo = z.extend(knownVolume, {
  from: bytes,
  to: bytes,
  extentSize: bytes,
  /** For a shrink: the extents that are cut off, in order. Undo takes exactly these. */
  cut: z.array(
    z.strictObject({
      pvUuid: z.string(),
      /** Path of the device at that time: only shown. */
      device: z.string(),
      start: z.int(),
      count: z.int(),
    }),
  ),
  /** Its thin pool: the volume has no extents of its own, and keeps its blocks when it shrinks. */
  pool: z.exactOptional(z.strictObject({ name: z.string(), uuid: z.string() })),
  /**
   * The origin of a classic snapshot: the size is then the space for changes, and lvm may have
   * filled the new part.
   */
  origin: z.exactOptional(z.string()),
  /**
   * Set if the volume is a snapshot or under DRBD: it could not shrink again, so it grows after the
   * commit.
   */
  when: z.exactOptional(z.literal('after the commit')),
  /** Set on a volume that already has the size, because nothing else shows that the step ran. */
  tag: z.string(),
});

export type ResizeUndo = z.infer<typeof resizeUndo>;

/** RefusedError for a volume with dependents, or whose size is not just that of its own extents. */
export function refuseKind(of: VolumeAmong): void {
  const { lv } = of;
  const isWhole = lv.layout.join() === 'linear' || spreadType(lv) !== undefined;
  const isPlain = isWhole && !lv.role.includes('snapshot');
  if (
    (!isPlain && !isPlainThin(lv, of.all) && !isClassicSnapshot(lv)) ||
    lv.role.includes('private') ||
    lv.merging
  ) {
    const why =
      isThin(lv) && lv.origin !== undefined && !lv.merging
        ? `its origin ${lv.origin.name} is outside its pool`
        : `it is not a linear, striped, raid1 or thin volume, nor a classic snapshot (${[...lv.layout, ...lv.role].join(', ')})`;
    throw new RefusedError(`bofh does not resize ${lv.fullName}: ${why}`, {
      remedy: isThinPool(lv) ? `bofh lvm pool resize ${lv.fullName} --size +SIZE` : byLvm(lv),
    });
  }
  refuseDependents(of);
}

/** Whether all blocks of a thin volume are in its pool, and none in an external origin. */
function isPlainThin(lv: LogicalVolume, all: readonly LogicalVolume[]): boolean {
  if (!isThin(lv)) return false;
  const origin = all.find(({ uuid }) => uuid === lv.origin?.uuid);
  return lv.origin === undefined || origin?.pool?.uuid === lv.pool.uuid;
}

// lvm2 2.03.16 refuses an active origin; the snapshots of an inactive one would have another size.
function refuseDependents(of: VolumeAmong): void {
  const holders = dependentHolders(of);
  if (holders.length === 0) return;
  throw new RefusedError(`${of.lv.fullName} has snapshots: ${inWords(holders)}`, {
    remedy: remedyFor(holders),
    holders,
  });
}

/** RefusedError if a holder of the volume may use space beyond that size. */
export async function refuseHeldBeyond(host: ReadHost, of: VolumeAmong, size: Bytes): Promise<void> {
  const held = await holdersOf(host, of);
  if (held.length === 0) return;
  // The device is open, but has no holder in the kernel: a process reads or writes the device
  // itself.
  const beyondIt = held.every(({ kind }) => kind === 'unknown') ? held : await beyond(host, of.lv, size);
  if (beyondIt.length === 0) return;
  const listed = new Set(held.map(({ words }) => words));
  const content = beyondIt.filter(({ words }) => !listed.has(words));
  throw sizeTooSmall(of.lv.fullName, size, [...content, ...(await everyHolderOf(host, of))]);
}

/** Returns the holders that may use space beyond a size; an inactive volume has none. */
export async function beyond(host: ReadHost, lv: LogicalVolume, size: Bytes): Promise<readonly Holder[]> {
  return lv.active === false ? [] : usersBeyond(host, lv.dmPath, size);
}

/** Returns the extents from that byte to the end of a volume, in order. RefusedError if unknown. */
export async function tailOf(
  host: ReadHost,
  lv: LogicalVolume,
  { from, extentSize }: { readonly from: Bytes; readonly extentSize: Bytes },
): Promise<ResizeUndo['cut']> {
  const first = from / extentSize;
  const own = (await reported(host, pvSegments()))
    .flatMap(({ of, ...run }) => (of?.lvUuid === lv.uuid ? [{ ...run, lvStart: of.lvStart }] : []))
    .toSorted((a, b) => a.lvStart - b.lvStart);
  const paths = new Map((await reported(host, pvs())).map(({ uuid, path }) => [uuid, path]));
  const cut = own.flatMap(({ pvUuid, start, extents, lvStart }) => {
    const skipped = Math.max(0, first - lvStart);
    const device = paths.get(pvUuid) ?? 'a missing device';
    return skipped >= extents ? [] : [{ pvUuid, device, start: start + skipped, count: extents - skipped }];
  });
  if (cut.reduce((sum, { count }) => sum + count, 0) * extentSize !== lv.size - from)
    throw new RefusedError(`it is unknown where the last extents of ${lv.fullName} are`, {
      remedy: `look at it: pvs --segments -o +lv_name,seg_start_pe; then run the command again`,
    });
  return cut;
}

/** Extends the volume. */
export async function grow(host: ChangeHost, of: ResizeUndo, to: Bytes, onto?: Place): Promise<void> {
  const { lv } = await known(host, of);
  const extents = to / of.extentSize;
  const place = present({ onto });
  await host.run(lvextend({ vg: lv.vg, name: lv.name, extents, ...place, ...(await udevOf(host)) }));
  await expectSize(host, of, to);
}

/**
 * Shrinks the volume; on the way `back` only if the added part is unused, also while the volume is
 * inactive.
 */
export async function shrink(
  host: ChangeHost,
  of: ResizeUndo,
  to: Bytes,
  way: 'forth' | 'back' = 'forth',
): Promise<void> {
  const among = await known(host, of);
  refuseDependents(among);
  const { lv } = among;
  if (way === 'back') {
    const active = lv.active === false ? true : lv.active;
    const users = await whileActive(host, lv, () => beyond(host, { ...lv, active }, to));
    if (users.length > 0) throw sizeTooSmall(lv.fullName, to, users);
  }
  const fs = await fsOption(host);
  const extents = to / of.extentSize;
  await host.run(lvreduce({ vg: lv.vg, name: lv.name, extents, fs, ...(await udevOf(host)) }));
  await expectSize(host, of, to);
}

/**
 * Restores the same extents, one run after the other: lvm would reorder several at once. A thin
 * volume still has its blocks, whatever `issue_discards` says (2.03.16: "maps 64.00 MiB while the
 * size is only 32.00 MiB").
 */
export async function growBack(host: ChangeHost, of: ResizeUndo): Promise<void> {
  if (of.pool !== undefined) {
    await grow(host, of, of.from);
    return;
  }
  let to = of.to;
  for (const run of of.cut) {
    to += run.count * of.extentSize;
    const { lv } = await known(host, of);
    if (lv.size >= to) continue;
    await refuseTakenExtents(host, of, run);
    const pv = await memberWith(host, run.pvUuid, { ...of, vg: lv.vg });
    const place = { path: pv.path, start: run.start, count: run.count };
    await whileAllocatable(host, pv, () => grow(host, of, to, place));
  }
}

async function refuseTakenExtents(
  host: ReadHost,
  { vg, name }: KnownVolume,
  { pvUuid, start, count }: ResizeUndo['cut'][number],
): Promise<void> {
  const inside = (run: PvSegment): boolean =>
    run.pvUuid === pvUuid && run.start < start + count && start < run.start + run.extents;
  const takers = (await reported(host, pvSegments())).filter(inside).flatMap(({ of }) => of?.lvUuid ?? []);
  if (takers.length === 0) return;
  throw new RefusedError(
    `${vg}/${name} cannot get its previous extents back: the extents ${start} to ${start + count - 1} of the physical volume ${pvUuid} now belong to other volumes (uuid ${takers.join(', ')})`,
    {
      remedy: `move them: pvmove --alloc anywhere DEVICE:${start}-${start + count - 1}; or remove the other volumes; then: bofh recover`,
    },
  );
}

/** Sets the tag on a volume that already has its size, to record that the step ran. */
export async function mark(host: ChangeHost, of: ResizeUndo): Promise<void> {
  const { lv } = await known(host, of);
  await host.run(
    changeTags({ vg: lv.vg, name: lv.name, uuid: lv.uuid, add: [of.tag], ...(await udevOf(host)) }),
  );
}

/** Removes the tag again. */
export async function unmark(host: ChangeHost, of: ResizeUndo): Promise<void> {
  const { lv } = await known(host, of);
  if (!lv.tags.includes(of.tag)) return;
  await host.run(
    changeTags({ vg: lv.vg, name: lv.name, uuid: lv.uuid, remove: [of.tag], ...(await udevOf(host)) }),
  );
}

// lvresize accepts no --select, so the uuid is checked afterwards, too.
async function expectSize(host: ReadHost, of: ResizeUndo, size: Bytes): Promise<void> {
  const { lv } = await known(host, of);
  if (lv.size === size) return;
  throw new RefusedError(`${lv.fullName} (uuid ${lv.uuid}) has ${lv.size} bytes instead of ${size}`, {
    remedy: `look at it: lvs --units b -o +lv_uuid ${lv.vg}; then run the command again`,
  });
}

/** `--fs` is new in 2.03.17 (WHATS_NEW); older lvreduce does not check for a filesystem. */
async function fsOption(host: ReadHost): Promise<'ignore' | 'unknown to it'> {
  const [major = 0, minor = 0, patch = 0] = (await host.run(lvmVersion())).split('.').map(Number);
  const isNew = major > 2 || (major === 2 && (minor > 3 || (minor === 3 && patch >= 17)));
  return isNew ? 'ignore' : 'unknown to it';
}
