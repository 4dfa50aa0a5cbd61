import { deviceNode, probe, recognise, type Signature } from '../../blockdevice/index.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../errors.ts';
import { pvs } from '../report-commands.ts';
import type { PhysicalVolume } from '../objects.ts';

/** What blkid calls a physical volume. */
const label = 'LVM2_member';

/** The uuid of the physical volume that a signature is of. */
export function pvUuidIn(found: Signature | undefined): string | undefined {
  return found?.type === label ? found.uuid : undefined;
}

/** The physical volume of a uuid, as lvm sees it; undefined when lvm sees none. */
export async function pvOf(host: ReadHost, uuid: string): Promise<PhysicalVolume | undefined> {
  return (await host.run(pvs())).find((pv) => pv.uuid === uuid);
}

/**
 * The physical volume on a device. RefusedError when it holds something else, when lvm does not see it there (a filter,
 * a devices file), or sees it on another device of the same content.
 */
export async function pvOn(
  host: ReadHost,
  device: string,
): Promise<PhysicalVolume & { readonly path: string }> {
  const found = await recognise(host, device);
  const uuid = pvUuidIn(found);
  if (uuid === undefined)
    throw new RefusedError(`${device} is no physical volume: it holds ${inWords(found)}`, {
      remedy: `bofh lvm pv list shows every physical volume; bofh lvm pv create ${device} makes one of a blank device`,
    });
  const pv = await pvOf(host, uuid);
  const path = pv?.path;
  const node = (await deviceNode(host, device)).number;
  if (pv === undefined || path === undefined || (await deviceNode(host, path)).number !== node)
    throw new RefusedError(
      `${device} has the label of the physical volume ${uuid}, which lvm sees ${path === undefined ? 'nowhere' : `on ${path}`}`,
      { remedy: `see what lvm leaves out, and why: pvs --all; lvmconfig devices; blkid -p ${device}` },
    );
  return { ...pv, path };
}

/** What a device holds, once it has been seen that it can be read. */
export async function contentOf(
  host: ReadHost,
  { device, when }: { readonly device: string; readonly when: 'before the locks' | 'under the locks' },
): Promise<Signature | undefined> {
  return (when === 'under the locks' ? probe : recognise)(host, device);
}

/** A signature in words: `ext4 "root", uuid 1234…`. */
export function inWords(found: Signature | undefined): string {
  if (found === undefined) return 'nothing';
  if (found.usage === 'ambivalent') return 'several signatures, and blkid cannot tell which one counts';
  const what = found.usage === 'partition-table' ? `a partition table (${found.type})` : found.type;
  const named = found.label === undefined ? '' : ` "${found.label}"`;
  const beside = found.ptType === undefined ? '' : ` and a partition table (${found.ptType})`;
  return `${what}${named}${found.uuid === undefined ? '' : `, uuid ${found.uuid}`}${beside}`;
}

/** Are these the same content? */
export function sameContent(one: Signature | undefined, other: Signature | undefined): boolean {
  const keys = ['type', 'usage', 'uuid', 'label', 'ptType'] as const;
  return keys.every((key) => one?.[key] === other?.[key]);
}
