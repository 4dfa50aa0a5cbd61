import type { Holder } from '../../core/errors.ts';
import type { MountEntry } from '../mountinfo.ts';

export type MountHolder = Extract<Holder, { readonly kind: 'mount' }>;

/** A mount of our mount namespace as a holder of its device. That of the root nothing ends but the end of the host. */
export function describeMount({ path, id }: MountEntry): MountHolder {
  return {
    kind: 'mount',
    path,
    mountId: id,
    words: `mounted on ${path} (mount ${id})`,
    ...(path === '/' ? {} : { free: ['umount', path] }),
  };
}
