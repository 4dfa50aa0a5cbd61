import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import { type LaidOutGroup, layout } from './layout.ts';
import type { LogicalVolume } from './objects.ts';
import { reported } from './unreadable.ts';

/** The layout of a volume on several devices: striped or raid1. */
export interface Spread {
  readonly type: 'striped' | 'raid1';
  /** Number of stripes, or of copies including the first. */
  readonly areas: number;
}

/**
 * Returns the layout of a volume; undefined if it is linear or of a type that bofh does not resize.
 */
export function spreadType({ layout: words }: LogicalVolume): Spread['type'] | undefined {
  if (words.join() === 'striped') return 'striped';
  return words.join() === 'raid,raid1' ? 'raid1' : undefined;
}

/**
 * Returns the common layout of segments. Undefined if they differ: lvm would extend the volume with
 * the layout of its last segment.
 */
export function spreadAmong(
  { segments }: Pick<LaidOutGroup, 'segments'>,
  lv: LogicalVolume,
): Spread | undefined {
  const type = spreadType(lv);
  const own = segments.filter(({ lvUuid }) => lvUuid === lv.uuid);
  const areas = new Set(own.map(({ stripes }) => stripes));
  const [only] = areas;
  if (type === undefined || only === undefined || areas.size > 1) return undefined;
  return own.every((segment) => segment.type === type) ? { type, areas: only } : undefined;
}

/**
 * Returns the layout of a volume, read from lvm; undefined if it is linear or of a type that bofh
 * does not resize. RefusedError if its segments differ.
 */
export async function spreadOf(host: ReadHost, lv: LogicalVolume): Promise<Spread | undefined> {
  if (spreadType(lv) === undefined) return undefined;
  const group = (await reported(host, layout())).groups.find(({ uuid }) => uuid === lv.vgUuid);
  const spread = group === undefined ? undefined : spreadAmong(group, lv);
  if (spread !== undefined) return spread;
  throw new RefusedError(`${lv.fullName} has segments with different layouts`, {
    remedy: `look at it: lvs --segments -o +devices ${lv.fullName}; ${byLvm(lv)}`,
  });
}

/**
 * The remedy for a volume that bofh does not resize. fsadm(8), which --resizefs calls, supports
 * ext4, xfs and LUKS.
 */
export function byLvm({ fullName }: Pick<LogicalVolume, 'fullName'>): string {
  return `to resize it without an undo: lvresize --size SIZE ${fullName} (with the filesystem on it: lvresize --resizefs --size SIZE ${fullName})`;
}

/** Returns the unit of the size of a volume with this layout: all stripes have the same length. */
export function unitOf(spread: Spread | undefined, extentSize: Bytes): Bytes {
  return spread?.type === 'striped' ? extentSize * spread.areas : extentSize;
}

/**
 * Returns how much space a volume of this size takes in its group: for raid1, the size of all
 * copies.
 */
export function takenFor(spread: Spread | undefined, bytes: Bytes): Bytes {
  return spread?.type === 'raid1' ? bytes * spread.areas : bytes;
}

/** Returns the most by which a volume can grow if each of its areas must be on separate devices. */
export function roomFor(spread: Spread | undefined, free: readonly Bytes[], unit: Bytes): Bytes {
  const areas = spread?.areas ?? 1;
  const own = spread?.type === 'striped' ? areas : 1;
  const step = unit / own;
  // A device counts for at most the size of one area: the other areas cannot use the rest of it.
  const fits = (each: Bytes): boolean =>
    free.reduce((sum, one) => sum + Math.min(one, each), 0) >= areas * each;
  let [low, high] = [0, Math.floor(free.reduce((sum, one) => sum + one, 0) / areas / step)];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle * step)) low = middle;
    else high = middle - 1;
  }
  return low * step * own;
}

/**
 * Returns why a striped or raid1 volume cannot shrink: undo could not take back the same extents at
 * the same place.
 */
export function whyNotSmaller({ fullName }: LogicalVolume, type: Spread['type']) {
  return {
    why: `it is ${type === 'raid1' ? 'a raid1' : 'striped'}, which bofh only grows: an undo could not restore the same extents`,
    remedy: `lvreduce can shrink it, without an undo: man lvreduce; lvs --segments -o +devices ${fullName}`,
  };
}

/** Returns why a raid1 cannot grow: a copy is missing or still being synced. Undefined: it can. */
export function whyNotSynced({ fullName, active, synced, health }: LogicalVolume) {
  if (health === undefined && synced === 100) return undefined;
  if (health === undefined && active !== true)
    return {
      why: `${fullName} is not active, so it is unknown whether its copies are identical`,
      remedy: `bofh lvm activate ${fullName}; then run the command again`,
    };
  return {
    why: `the copies of ${fullName} may differ (${health ?? (synced === undefined ? 'lvm does not report how far they are in sync' : `${synced} % in sync`)})`,
    remedy: `see how far they are: bofh lvm list; then run the command again`,
  };
}
