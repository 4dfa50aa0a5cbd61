import { posix } from 'node:path';
import type { Mounted, MountsUnder } from '../atomic/operation.ts';
import type { ReadHost } from '../command/index.ts';
import { present } from '../core/present.ts';
import { type MountEntry, mountEntries, mountOver } from './mountinfo.ts';

/** Types of filesystems whose content ends with the mount. */
export const volatile: ReadonlySet<string> = new Set(['tmpfs', 'ramfs', 'rootfs']);

/**
 * Returns the mount that the directory of a path is in, and the mount whose mount point is the path itself, if there
 * is one.
 */
export async function mountsUnder(host: ReadHost, path: string): Promise<MountsUnder> {
  const directory = await resolved(host, posix.dirname(path));
  const point = posix.join(directory, posix.basename(path));
  // After the look at the path, which mounts what autofs has to mount.
  const entries = await mountEntries(host);
  const on = async (each: string): Promise<Mounted | undefined> => {
    const mount = mountOver(entries, each);
    return mount === undefined || mount.type === 'autofs'
      ? undefined
      : await recorded(host, without(entries, mount));
  };
  const [inside, at] = [await on(directory), await on(point)];
  return present({ inside, at: at?.path === point ? at : undefined });
}

/**
 * The mount below one that shows the same directory at the same path, as systemd makes them to protect directories
 * (`ProtectSystem=`): other processes do not have that mount.
 */
function without(entries: readonly MountEntry[], mount: MountEntry): MountEntry {
  const parent = entries.find(({ id }) => id === mount.parent);
  if (parent === undefined || parent === mount || parent.device !== mount.device) return mount;
  const shown = posix.join(parent.root, posix.relative(parent.path, mount.path));
  return shown === mount.root ? without(entries, parent) : mount;
}

async function recorded(host: ReadHost, { path, type }: MountEntry): Promise<Mounted> {
  if (path === '/' || volatile.has(type)) return { path, type, onlyHidden: true };
  const { inode, birth } = (await host.stat(path)) ?? {};
  return {
    ...{ path, type },
    // overlayfs numbers its directories at each mount; exfat calls the time of the mount the birth of its root.
    ...present({ inode: type === 'overlay' ? undefined : inode }),
    ...present({ birth: type === 'exfat' ? undefined : birth }),
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
