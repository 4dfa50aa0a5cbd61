import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { type Bytes, formatSize } from '../core/units.ts';
import { autoextendThreshold } from './commands.ts';
import { fullLimit } from './filling.ts';
import type { LogicalVolume, VolumeGroup } from './objects.ts';

/** lvs rounds to two digits: so much may be what it shows as nothing. */
const rounding = 0.01;

/**
 * RefusedError when a pool has no room for so many bytes in one of its volumes. What that has in the pool already is taken for
 * room: of blocks that it shares with a snapshot lvm does not tell, so what is refused here would not have gone in any case.
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
  // A pool that lvm makes larger by itself has what is free in its group as well.
  if (needed <= room + group.free && (await host.run(autoextendThreshold())) < 100) return;
  throw new RefusedError(
    `the pool ${pool.fullName} has room for ${formatSize(room)} until it is ${fullLimit} % full (data ${pool.data} %), and ${what} needs at least ${formatSize(needed)} more in it: it is not begun`,
    {
      remedy: `give it room: bofh lvm pool resize ${pool.fullName} --size +${Math.ceil((needed - room) / mebibyte)}m; or remove what lies in it`,
    },
  );
}

const mebibyte = 1024 ** 2;
