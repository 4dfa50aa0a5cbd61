import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { type Bytes, formatSize } from '../core/units.ts';
import { autoextendThreshold } from './commands.ts';
import { fullLimit } from './filling.ts';
import type { LogicalVolume, VolumeGroup } from './objects.ts';

/** lvs rounds to two digits, so up to this percentage may be shown as 0. */
const rounding = 0.01;

/**
 * RefusedError if a pool has no space for that many bytes in one of its volumes. Blocks that the
 * volume already has count as space, because lvm does not report which of them are shared with a
 * snapshot. So a write that is refused here would certainly have failed.
 */
export async function refuseNoRoom(
  host: ReadHost,
  asked: {
    readonly pool: LogicalVolume;
    readonly thin: LogicalVolume;
    readonly group: Pick<VolumeGroup, 'free'>;
    readonly bytes: Bytes;
    readonly what: string;
  },
): Promise<void> {
  const { pool, thin, group, bytes, what } = asked;
  if (pool.data === undefined || thin.data === undefined) return;
  const needed = Math.floor(bytes - (thin.size * Math.min(100, thin.data + rounding)) / 100);
  const room = Math.ceil((pool.size * (fullLimit - pool.data + rounding)) / 100);
  if (needed <= room) return;
  // A pool that lvm extends automatically can also use the free space of its group.
  if (needed <= room + group.free && (await host.run(autoextendThreshold())) < 100) return;
  throw new RefusedError(
    `the pool ${pool.fullName} has space for ${formatSize(room)} until it is ${fullLimit} % full (data ${pool.data} %), but ${what} needs at least ${formatSize(needed)}: nothing was started`,
    {
      remedy: `give it more space: bofh lvm pool resize ${pool.fullName} --size +${Math.ceil((needed - room) / mebibyte)}m; or remove volumes from it`,
    },
  );
}

const mebibyte = 1024 ** 2;
