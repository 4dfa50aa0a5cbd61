import { type MountEntry, mountEntries } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { realPath } from './paths.ts';
import { mountsAt } from './table.ts';

export { mount as mountCommand } from './commands.ts';
export { type MountOptions, refuseSecrets } from './options.ts';
export { directoryBeneath, makePrivateMounts, realPath } from './paths.ts';
export { type Mounter, MountPool, type PlacedRequest } from './pool.ts';
export { type HeldMount, untilReleased } from './scoped.ts';
export { isWithin } from './table.ts';
export { inOrder, mountsOfRoot, type RootTree, type TreeMount } from './tree.ts';
export { unmount } from './unmount.ts';

/** Every mount that the host's processes see by default, as the kernel tells it. */
export async function mounts(host: ReadHost): Promise<readonly MountEntry[]> {
  return mountEntries(host);
}

/** Is something mounted on this directory? Symbolic links are followed; CommandError `not-found` when it is missing. */
export async function isMountpoint(host: ReadHost, path: string): Promise<boolean> {
  return mountsAt(await mountEntries(host), await realPath(host, path)).length > 0;
}
