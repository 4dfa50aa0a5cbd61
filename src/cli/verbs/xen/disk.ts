import type { GuestDetails } from '../../../api/xen.ts';
import type { VmShow } from '../../output/answers/index.ts';

/** A disk of a guest in an answer. */
export function diskAnswer({ vdev, path, access }: GuestDetails['disks'][number]): VmShow['disks'][number] {
  return { device: vdev, path: path ?? null, access };
}
