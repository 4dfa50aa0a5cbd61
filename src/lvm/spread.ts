import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import { type LaidOutGroup, layout } from './layout.ts';
import type { LogicalVolume } from './objects.ts';

/** How a volume lies that has several devices at each place of it. */
export interface Spread {
  readonly type: 'striped' | 'raid1';
  /** How many: stripes, or copies with the first one. */
  readonly areas: number;
}

/** What kind of spread it has; undefined: it is linear, or of a sort that bofh does not resize. */
export function spreadType({ layout: words }: LogicalVolume): Spread['type'] | undefined {
  if (words.join() === 'striped') return 'striped';
  return words.join() === 'raid,raid1' ? 'raid1' : undefined;
}

/** Undefined when it is not the same all along: lvm would make it larger as its last part is. */
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

/** The spread of a volume, asked from lvm; undefined: it is not spread. RefusedError when it is not the same all along. */
export async function spreadOf(host: ReadHost, lv: LogicalVolume): Promise<Spread | undefined> {
  if (spreadType(lv) === undefined) return undefined;
  const group = (await host.run(layout())).groups.find(({ uuid }) => uuid === lv.vgUuid);
  const spread = group === undefined ? undefined : spreadAmong(group, lv);
  if (spread !== undefined) return spread;
  throw new RefusedError(`${lv.fullName} does not lie alike on its devices from end to end`, {
    remedy: `look at it: lvs --segments -o +devices ${lv.fullName}; lvresize knows how: man lvresize`,
  });
}

/** Its size is a multiple of this: stripes are whole. */
export function unitOf(spread: Spread | undefined, extentSize: Bytes): Bytes {
  return spread?.type === 'striped' ? extentSize * spread.areas : extentSize;
}

/** What it takes of its group for so much of its own. */
export function takenFor(spread: Spread | undefined, bytes: Bytes): Bytes {
  return spread?.type === 'raid1' ? bytes * spread.areas : bytes;
}

/** How much larger it may become at most, when each of its areas is to lie on devices that no other has at that place. */
export function roomFor(spread: Spread | undefined, free: readonly Bytes[], unit: Bytes): Bytes {
  const areas = spread?.areas ?? 1;
  const own = spread?.type === 'striped' ? areas : 1;
  const step = unit / own;
  // So much of each area at most: what one device has beyond it is of no use to the others.
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

/** Why a spread volume is not made smaller: its undo could not put the same extents into the same place of it. */
export function whyNotSmaller({ fullName }: LogicalVolume, type: Spread['type']) {
  return {
    why: `it is ${type === 'raid1' ? 'a raid1' : 'striped'}, which bofh makes larger only: its very extents could not be given back`,
    remedy: `lvreduce does it, and takes nothing back: man lvreduce; lvs --segments -o +devices ${fullName}`,
  };
}

/** Why a raid1 does not get larger: a copy is missing, or is still being made. Undefined: it may. */
export function whyNotSynced({ fullName, active, synced, health }: LogicalVolume) {
  if (health === undefined && synced === 100) return undefined;
  if (health === undefined && active !== true)
    return {
      why: `${fullName} is not active, and whether its copies are alike cannot be told`,
      remedy: `bofh lvm activate ${fullName}; then give the command again`,
    };
  return {
    why: `the copies of ${fullName} are not alike (${health ?? `${synced ?? 'nobody knows how much'} % in sync`})`,
    remedy: `see how far they are: bofh lvm list ${fullName.split('/')[0] ?? ''}; then give the command again`,
  };
}
