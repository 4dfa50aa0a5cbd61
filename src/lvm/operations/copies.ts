import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { pvSegments, syncedImages } from '../report-commands.ts';
import { reported } from '../unreadable.ts';
import { refuseUnknownActivation, type VolumeAmong } from '../reads.ts';
import type { LogicalVolume } from '../objects.ts';

/** One copy of a raid1, and its physical volumes. */
export interface Copy {
  readonly image: LogicalVolume;
  readonly pvUuids: readonly string[];
}

/**
 * Returns the hidden parts of a volume that is, or was becoming, a raid: lvm reserves these names
 * (lvm(8), "Valid names").
 */
export function partsOf({ lv, all }: VolumeAmong): readonly LogicalVolume[] {
  return all.filter(
    ({ name }) => name.startsWith(`${lv.name}_`) && /^_r(?:image|meta)_\d+$/.test(name.slice(lv.name.length)),
  );
}

/** Returns the copies of a raid1, in order. */
export async function copiesOf(host: ReadHost, of: VolumeAmong): Promise<readonly Copy[]> {
  const images = partsOf(of).filter(({ name }) => /_rimage_\d+$/.test(name));
  const runs = await reported(host, pvSegments());
  return images
    .toSorted((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
    .map((image) => {
      const own = runs.filter((run) => run.of?.lvUuid === image.uuid);
      return { image, pvUuids: [...new Set(own.map(({ pvUuid }) => pvUuid))] };
    });
}

/** Returns the physical volumes of a linear volume. */
export async function placesOf(host: ReadHost, { uuid }: LogicalVolume): Promise<readonly string[]> {
  const own = (await reported(host, pvSegments())).filter((run) => run.of?.lvUuid === uuid);
  return [...new Set(own.map(({ pvUuid }) => pvUuid))];
}

export function isLinear({ layout }: LogicalVolume): boolean {
  return layout.join() === 'linear';
}

export function isRaid1({ layout }: LogicalVolume): boolean {
  return layout.includes('raid1');
}

/** RefusedError for a volume that lvm converts differently, or not at all. */
export function refuseUnconvertible({ lv, all }: VolumeAmong): void {
  refuseUnknownActivation(lv);
  const isPlain = (isLinear(lv) || isRaid1(lv)) && lv.role.join() === 'public';
  if (!isPlain || all.some(({ origin }) => origin?.uuid === lv.uuid))
    throw new RefusedError(
      `bofh converts only linear and raid1 volumes that have no snapshots; ${lv.fullName} is: ${[...lv.layout, ...lv.role].join(', ')}`,
      { remedy: 'convert it with lvconvert: man lvconvert; man lvmraid' },
    );
  if (lv.active !== true)
    throw new RefusedError(`${lv.fullName} is not active: lvm converts only active volumes`, {
      remedy: `bofh lvm activate ${lv.fullName}; then run the command again`,
    });
}

/** RefusedError unless each copy of a raid1 could replace the other: in sync and healthy. */
export function refuseUnsynced({ fullName, synced, health }: LogicalVolume, what: string): void {
  if (health !== undefined)
    throw new RefusedError(`${fullName} is not healthy (${health}): ${what}`, {
      remedy: `look at it: lvs -a -o +lv_health_status,devices ${fullName}; man lvmraid`,
    });
  if (synced === 100) return;
  throw new RefusedError(
    `the copies of ${fullName} are not in sync yet (${synced ?? 'unknown'} %): ${what}`,
    {
      remedy: `wait: lvs -o +copy_percent ${fullName}; then run the command again`,
    },
  );
}

/**
 * RefusedError if the copy to remove is in sync and the other one is not: after a failure of its
 * device, the other one is synced from this one. lvconvert would remove it (_raid_extract_images of
 * 2.03.16 refuses only the first image of a raid that is not in sync).
 */
export async function refuseOnlySynced(host: ReadHost, of: VolumeAmong, { image }: Copy): Promise<void> {
  const synced = await reported(host, syncedImages());
  const others = (await copiesOf(host, of)).filter((copy) => copy.image.uuid !== image.uuid);
  if (!synced.includes(image.uuid) || others.every((copy) => synced.includes(copy.image.uuid))) return;
  refuseUnsynced(of.lv, `the other copy is synced from ${image.fullName}, which is not removed`);
}
