import * as z from 'zod/mini';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError, UsageError } from '../../core/errors.ts';
import { formatSize, parseSize } from '../../core/units.ts';
import type { LvLayout } from '../lv-commands.ts';
import type { WholeGroup } from '../objects.ts';
import { membersOf } from './groups.ts';
import { sizeOption } from '../../core/request.ts';

/** The layout of a new volume, as a caller requests it. */
export const askedLayout = {
  /** Layout of the volume (default: linear). */
  type: z.exactOptional(z.enum(['linear', 'striped', 'raid1'])),
  /** For a striped volume: the number of devices (default: 2). */
  stripes: z.exactOptional(z.number().check(z.int(), z.minimum(2), z.maximum(128))),
  /** For a striped volume: a power of 2, at least 4 KiB (default: from lvm.conf). */
  stripeSize: z.exactOptional(sizeOption),
  /** For a raid1: the number of copies besides the first (default: 1). */
  mirrors: z.exactOptional(z.number().check(z.int(), z.minimum(1), z.maximum(9))),
};

/** The layout as journalled. */
export const knownLayout = z.union([
  z.strictObject({
    type: z.literal('striped'),
    stripes: z.number(),
    stripeSize: z.exactOptional(z.number()),
  }),
  z.strictObject({ type: z.literal('raid1'), mirrors: z.number() }),
]);

/**
 * Returns the requested layout; undefined: linear. UsageError for options that do not fit together.
 */
export function layoutOf(
  what: string,
  asked: {
    readonly type?: 'linear' | 'striped' | 'raid1' | undefined;
    readonly stripes?: number | undefined;
    readonly stripeSize?: string | number | undefined;
    readonly mirrors?: number | undefined;
    readonly pool?: string | undefined;
  },
): LvLayout | undefined {
  const { type = 'linear', stripes, stripeSize, mirrors, pool } = asked;
  if (pool !== undefined && type !== 'linear')
    throw new UsageError(`${what}: a volume in a pool has the layout of the pool: pass only its size`);
  if (type !== 'striped' && (stripes !== undefined || stripeSize !== undefined))
    throw new UsageError(`${what}: stripes need the type striped`);
  if (type !== 'raid1' && mirrors !== undefined) throw new UsageError(`${what}: mirrors need the type raid1`);
  if (type === 'raid1') return { type, mirrors: mirrors ?? 1 };
  if (type === 'linear') return undefined;
  if (stripeSize === undefined) return { type, stripes: stripes ?? 2 };
  const size = parseSize(stripeSize);
  if (size < 4096 || !Number.isInteger(Math.log2(size)))
    throw new UsageError(`${what}: a stripe size of ${formatSize(size)} is not possible`, {
      remedy: 'use a power of 2, at least 4 KiB, for example 64k',
    });
  return { type, stripes: stripes ?? 2, stripeSize: size };
}

/**
 * Returns the data extents of a volume for a requested number, rounded up to complete stripes. A
 * share (`50%FREE`) is rounded down, and must also hold the other copies and one extent of metadata
 * for each copy. RefusedError if nothing remains.
 */
export function ownExtents(layout: LvLayout | undefined, asked: number, by: 'count' | 'share'): number {
  if (layout === undefined) return asked;
  const own =
    layout.type === 'striped'
      ? layout.stripes *
        (by === 'share' ? Math.floor(asked / layout.stripes) : Math.ceil(asked / layout.stripes))
      : by === 'share'
        ? Math.floor(asked / (layout.mirrors + 1)) - 1
        : asked;
  if (own > 0) return own;
  throw new RefusedError(
    'the volume would have no extents: this share of the group is too small for its stripes or mirrors',
    {
      code: 'no-space',
      remedy: 'request a larger share; or add a device: bofh lvm vg extend VG DEVICE',
    },
  );
}

/** Returns the total number of extents that the volume uses in the group. */
export function takenExtents(layout: LvLayout | undefined, own: number): number {
  return layout?.type === 'raid1' ? (layout.mirrors + 1) * (own + 1) : own;
}

/**
 * RefusedError if too few devices of the group have free extents. Each copy and each stripe needs
 * its own device.
 */
export async function refuseFewDevices(
  host: ReadHost,
  { name, uuid }: Pick<WholeGroup, 'name' | 'uuid'>,
  layout: LvLayout | undefined,
): Promise<void> {
  if (layout === undefined) return;
  const needed = layout.type === 'raid1' ? layout.mirrors + 1 : layout.stripes;
  const usable = (await membersOf(host, uuid)).filter(
    ({ path, allocatable, free }) => path !== undefined && allocatable && free > 0,
  );
  if (usable.length >= needed) return;
  throw new RefusedError(
    `a ${layout.type} volume with this number of stripes or mirrors needs ${needed} devices; ${name} has ${usable.length} with free extents`,
    {
      code: 'no-space',
      remedy: `request fewer stripes or mirrors; or add a device: bofh lvm vg extend ${name} DEVICE`,
    },
  );
}
