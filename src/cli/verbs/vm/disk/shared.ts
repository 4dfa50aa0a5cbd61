import type { GuestDiskChange } from '../../../../vm/guest-disks.ts';
import type { VmDisk } from '../../../output/answers/index.ts';

export const disk = [
  '<disk>',
  'its name in the guest, for example xvdc, or the name that was passed to vm disk create or vm create --disk',
] as const;

export function dataOf({ name, config, disk: vdev, device, domid, effective }: GuestDiskChange): VmDisk {
  return { name, config, disk: vdev, device, domid: domid ?? null, effective };
}

/** The text for a change that takes effect later in a guest that is not off. */
export function late({
  name,
  domid,
  effective,
}: Pick<VmDisk, 'name' | 'domid' | 'effective'>): readonly string[] {
  return domid === null || effective === 'now'
    ? []
    : [`${name} is not off: it takes effect at its next start (bofh vm restart ${name})`];
}
