import { RefusedError, UsageError } from '../../core/errors.ts';
import { type Bytes, formatSize } from '../../core/units.ts';
import { isThinPool } from '../filling.ts';
import type { LogicalVolume, WholeGroup } from '../objects.ts';
import { volumeNamed } from './known-volume.ts';

/**
 * Returns the thin pool of that name in a group, checked by uuid if given. RefusedError if there is
 * none.
 */
export function poolNamed(
  vg: WholeGroup,
  of: { readonly name: string; readonly uuid?: string },
): LogicalVolume {
  const lv = volumeNamed(vg, of);
  if (isThinPool(lv)) return lv;
  throw new RefusedError(`${lv.fullName} is not a thin pool (${lv.layout.join(', ')})`, {
    remedy: `see the pools: bofh lvm list; or create one: bofh lvm pool create ${vg.name}/NAME --size SIZE`,
  });
}

/** Limits of pool metadata: libdevmapper.h of 2.03.16. */
export const metadatas = { least: 2 * 1024 ** 2, most: 255 * (16384 - 64) * 4 * 1024 } as const;

/** UsageError for an invalid metadata size of a pool. */
export function checkMetadata(size: Bytes): Bytes {
  if (size >= metadatas.least && size <= metadatas.most) return size;
  throw new UsageError(`metadata of ${formatSize(size)} is not possible`, {
    remedy: 'use at least 2 MiB and at most 15.8 GiB',
  });
}
