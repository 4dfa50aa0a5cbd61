import { type MountEntry, mountEntries } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { realPath } from './paths.ts';
import { mountsAt } from './table.ts';

export { mount as mountCommand, type MountRequest } from './commands.ts';
export { makePrivateMounts, realPath } from './paths.ts';
export { type Mounter, MountPool } from './pool.ts';
export { unmount } from './unmount.ts';

/** Every mount that the host's processes see by default, as the kernel tells it. */
export async function mounts(host: ReadHost): Promise<readonly MountEntry[]> {
  return mountEntries(host);
}

/** Is something mounted on this directory? Symbolic links are followed; CommandError `not-found` when it is missing. */
export async function isMountpoint(host: ReadHost, path: string): Promise<boolean> {
  return mountsAt(await mountEntries(host), await realPath(host, path)).length > 0;
}
