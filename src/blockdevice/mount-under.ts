import { posix } from 'node:path';
import type { Mounted } from '../atomic/operation.ts';
import type { ReadHost } from '../command/index.ts';
import { present } from '../core/present.ts';
import { type MountEntry, mountEntries, mountOver } from './mountinfo.ts';

/** Types of filesystems whose content ends with the mount. */
export const volatile: ReadonlySet<string> = new Set(['tmpfs', 'ramfs', 'rootfs']);

/**
 * Returns the mount that the directory of a path is in. Undefined for the filesystem of `/`, and for one in
 * memory, whose content ends with the mount.
 */
export async function mountUnder(host: ReadHost, path: string): Promise<Mounted | undefined> {
  const mount = await mountAt(host, posix.dirname(path));
  if (mount === undefined || mount.path === '/' || volatile.has(mount.type)) return undefined;
  const stat = await host.stat(mount.path);
  const { inode, birth } = stat ?? {};
  return {
    ...{ path: mount.path, type: mount.type },
    // overlayfs numbers its directories at each mount; exfat calls the time of the mount the birth of its root.
    ...present({ inode: mount.type === 'overlay' ? undefined : inode }),
    ...present({ birth: mount.type === 'exfat' ? undefined : birth }),
  };
}

/** Returns the mount that a path leads into, through symbolic links. */
export async function mountAt(host: ReadHost, path: string): Promise<MountEntry | undefined> {
  return mountOver(await mountEntries(host), await resolved(host, path));
}

/** Returns the path with symbolic links resolved, as far as it exists. */
async function resolved(host: ReadHost, path: string, links = 0): Promise<string> {
  if (path === '/') return path;
  const parent = await resolved(host, posix.dirname(path), links);
  const at = posix.join(parent, posix.basename(path));
  const stat = await host.stat(at);
  if (stat?.kind !== 'symlink' || links > 40) return at;
  return await resolved(host, posix.resolve(parent, await host.readLink(at)), links + 1);
}
