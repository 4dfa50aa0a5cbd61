import type { Holder } from '../../core/errors.ts';
import type { MountEntry } from '../mountinfo.ts';

export type MountHolder = Extract<Holder, { readonly kind: 'mount' }>;

/**
 * Describes a mount of bofh's mount namespace as a holder of its device. The mount of the root
 * filesystem ends only with the host.
 */
export function describeMount({ path, id }: MountEntry): MountHolder {
  return {
    kind: 'mount',
    path,
    mountId: id,
    words: `mounted on ${path} (mount ${id})`,
    ...(path === '/' ? {} : { free: ['umount', path] }),
  };
}
