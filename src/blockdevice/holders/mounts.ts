import type { Holder } from '../../core/errors.ts';
import type { MountEntry } from '../mountinfo.ts';

export type MountHolder = Extract<Holder, { readonly kind: 'mount' }>;

/**
 * Describes a mount of bofh's mount namespace as a holder of its device. The root filesystem has no
 * `free`, because it is mounted until the host shuts down.
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
