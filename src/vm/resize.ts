import type { ReadHost } from '../command/index.ts';
import { size as deviceSize } from '../blockdevice/index.ts';
import { RefusedError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import { lvs } from '../lvm/index.ts';
import type { Site } from '../site.ts';
import { offRemedy } from '../xen/index.ts';
import { configured } from './configured.ts';
import { diskNamed, wordsOf } from './guest-file.ts';
import { volumeOf } from './remove.ts';
import { refuseSnapshots } from './snapshot-files.ts';

/** How a disk of a guest is resized. */
export interface VmResizePlan {
  /** The name of the disk in the guest: `xvda`. */
  readonly disk: string;
  readonly device: string;
  /** `device`: the content belongs to the running guest. */
  readonly what: 'stack' | 'device';
  /** Domain ID; undefined if the guest is off. */
  readonly domid: number | undefined;
}

/** Finds the disk. Throws RefusedError if a running guest has it and it would not grow. */
export async function planVmResize(
  host: ReadHost,
  of: {
    readonly site: Site;
    readonly name: string;
    readonly disk: string;
    readonly to: { readonly size: Bytes } | { readonly by: Bytes } | 'min' | 'max';
  },
): Promise<VmResizePlan> {
  const { name, to } = of;
  const { guest, domain } = await configured(host, of);
  const disk = diskNamed(guest, of.disk);
  const { vdev, path: device } = disk;
  if (device === undefined)
    throw new RefusedError(`the disk ${vdev} of ${name} is ${wordsOf(disk)}, not a device of this host`, {
      remedy: 'if DRBD replicates it: bofh drbd grow RESOURCE SIZE; see the resources: bofh drbd list',
    });
  await refuseSnapshotsOf(host, name, device);
  if (domain === undefined) return { disk: vdev, device, what: 'stack', domid: undefined };
  if (to === 'min' || (to !== 'max' && (await growthOf(host, device, to)) < 0))
    throw new RefusedError(`${name} exists as domain ${domain.id}: its disk ${vdev} can only grow`, {
      remedy: `${offRemedy(domain, name)}; then run the command again`,
    });
  return { disk: vdev, device, what: 'device', domid: domain.id };
}

/** Throws RefusedError for a linear disk in a snapshot of the guest: lvm would name only the snapshot of this volume. */
async function refuseSnapshotsOf(host: ReadHost, name: string, device: string): Promise<void> {
  const known = await lvs(host);
  const lv = await volumeOf(host, known, device);
  const has = known.some(({ origin, pool }) => origin !== undefined && origin.uuid === lv?.uuid && !pool);
  if (has) await refuseSnapshots(host, name);
}

async function growthOf(
  host: ReadHost,
  device: string,
  to: { readonly size: Bytes } | { readonly by: Bytes },
): Promise<number> {
  return 'by' in to ? to.by : to.size - (await deviceSize(host, device));
}
