import * as z from 'zod/mini';
import { RefusedError, UsageError } from '../../core/errors.ts';
import { option } from '../../core/option.ts';
import { formatSize, parseSize } from '../../core/units.ts';
import type { VolumeGroup } from '../objects.ts';

/** A number of extents as an option. */
export const extents = z.union([z.string(), z.number()], 'must be a number, or a share such as 50%FREE');

/**
 * Returns the requested number of extents, once the group is known. UsageError if it is not a
 * count.
 */
export function wantedExtents(
  what: string,
  {
    size,
    count,
  }: { readonly size: string | number | undefined; readonly count: string | number | undefined },
): (vg: VolumeGroup) => number {
  if ((size === undefined) === (count === undefined)) {
    const wrong =
      size === undefined ? 'size is missing: pass size or extents' : 'size: leave it out, or extents';
    throw new UsageError(option(`${what}: pass either a size or a number of extents`, wrong));
  }
  if (size !== undefined) {
    const bytes = parseSize(size);
    return ({ extentSize }) => Math.ceil(bytes / extentSize);
  }
  const { number, of } = /^(?<number>[1-9]\d{0,8})(?:%(?<of>FREE|VG))?$/.exec(String(count))?.groups ?? {};
  if (number === undefined || (of !== undefined && Number(number) > 100))
    throw new UsageError(`"${count}" is not a count of extents: write for example 25, 50%FREE or 10%VG`);
  if (of === undefined) return () => Number(number);
  return (vg) => {
    const extents = Math.floor(((of === 'FREE' ? vg.freeExtents : vg.extents) * Number(number)) / 100);
    if (extents > 0) return extents;
    throw new RefusedError(`${count} of ${vg.name} is less than one extent of ${formatSize(vg.extentSize)}`, {
      code: of === 'FREE' && vg.freeExtents === 0 ? 'no-space' : 'invalid',
      remedy: `request more, or add a device: bofh lvm vg extend ${vg.name} DEVICE`,
    });
  };
}

/** RefusedError if a group has too few free extents. */
export function refuseFull(vg: VolumeGroup, { name, extents }: { name: string; extents: number }): void {
  if (extents <= vg.freeExtents) return;
  const count = (number: number): string => `${formatSize(number * vg.extentSize)} (${number} extents)`;
  throw new RefusedError(
    `${vg.name}/${name} needs ${count(extents)}; ${vg.name} has ${count(vg.freeExtents)} free`,
    { code: 'no-space', remedy: `request less, or add a device: bofh lvm vg extend ${vg.name} DEVICE` },
  );
}
