import {
  contentInWords,
  deviceNode,
  identityOf,
  recognise,
  type Signature,
} from '../../blockdevice/index.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { pvs } from '../report-commands.ts';
import { reported } from '../unreadable.ts';
import type { PhysicalVolume } from '../objects.ts';

/** The type that blkid reports for a physical volume. */
const label = 'LVM2_member';

/** Returns the uuid of a physical volume, from its signature. */
export function pvUuidIn(found: Signature | undefined): string | undefined {
  return found?.type === label ? found.uuid : undefined;
}

/** Returns the physical volume with a uuid, as lvm sees it; undefined if lvm does not see it. */
export async function pvOf(host: ReadHost, uuid: string): Promise<PhysicalVolume | undefined> {
  return (await reported(host, pvs())).find((pv) => pv.uuid === uuid);
}

/**
 * Returns the physical volume on a device. RefusedError if the device has other content, or if lvm
 * does not see it there (a filter, a devices file) or sees it on another device with the same
 * content.
 */
export async function pvOn(
  host: ReadHost,
  device: string,
): Promise<PhysicalVolume & { readonly path: string }> {
  const found = await recognise(host, device);
  const uuid = pvUuidIn(found);
  if (uuid === undefined)
    throw new RefusedError(`${device} is not a physical volume: it holds ${contentInWords(found)}`, {
      remedy:
        found === undefined && !(await identityOf(host, device)).identity.startsWith('LVM-')
          ? `create one on it: bofh lvm pv create ${device}`
          : 'see every physical volume: bofh lvm pv list',
    });
  const pv = await pvOf(host, uuid);
  const path = pv?.path;
  const node = (await deviceNode(host, device)).number;
  if (pv === undefined || path === undefined || (await deviceNode(host, path)).number !== node)
    throw new RefusedError(
      `${device} has the label of the physical volume ${uuid}, which lvm ${path === undefined ? 'does not see' : `sees on ${path}`}`,
      { remedy: `see what lvm leaves out, and why: pvs --all; lvmconfig devices; blkid -p ${device}` },
    );
  return { ...pv, path };
}
