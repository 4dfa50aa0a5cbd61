import {
  checkOverwrite,
  identityOf,
  type Overwrite,
  replaceable,
  type Signature,
  sizeOfMedium,
} from '../../blockdevice/index.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { type Bytes, formatSize } from '../../core/units.ts';

// lvm.conf devices/pv_min_size: 2048 KiB (2.03.16).
const smallest: Bytes = 2 * 1024 ** 2;

/**
 * RefusedError for a device that cannot become a physical volume, has a partition table, or has
 * content that may not be overwritten. Returns its content.
 */
export async function checkNewPv(
  host: ReadHost,
  asked: {
    readonly device: string;
    readonly overwrite?: Overwrite;
    readonly when: 'before the locks' | 'under the locks';
  },
): Promise<Signature | undefined> {
  const { device, overwrite, when } = asked;
  checkOverwrite(overwrite);
  const unfit = (): Promise<void> => refuseUnfit(host, device);
  return replaceable(host, { device, overwrite, when, unfit, emptyTable: 'refused' });
}

async function refuseUnfit(host: ReadHost, device: string): Promise<void> {
  if ((await identityOf(host, device)).identity.startsWith('LVM-'))
    throw new RefusedError(
      `${device} is itself a logical volume: lvm does not use a logical volume as a physical volume`,
      {
        remedy:
          'name a disk, a partition, an array or a mapping (lvm.conf, devices/scan_lvs, has the reasons)',
      },
    );
  const bytes = await sizeOfMedium(host, device);
  if (bytes < smallest)
    throw new RefusedError(
      `${device} has ${formatSize(bytes)}; a physical volume needs ${formatSize(smallest)}`,
      { code: 'invalid', remedy: 'use a larger device' },
    );
}
