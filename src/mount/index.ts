import { type MountEntry, mountEntries } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { realPath } from './paths.ts';
import { type CrypttabLine, parseCrypttab } from './tab/crypttab.ts';
import type { Table } from './tab/fields.ts';
import { type FstabLine, parseFstab } from './tab/fstab.ts';
import { readTable } from './tab/table-file.ts';
import { tables } from './tab/tables.ts';
import { mountsAt } from './table.ts';

export { mount as mountCommand } from './commands.ts';
export { type MountOptions, refuseSecrets } from './options.ts';
export { isOf } from './step-mount.ts';
export { directoryBeneath, makePrivateMounts, realPath } from './paths.ts';
export { type Mounter, MountPool, type PlacedRequest } from './pool.ts';
export { type Table, type UnreadLine, unreadLine } from './tab/fields.ts';
export type { CrypttabLine } from './tab/crypttab.ts';
export { type FstabLine, optionsIn, parseFstab } from './tab/fstab.ts';
export { type HeldMount, untilReleased } from './scoped.ts';
export { inOrder, mountsInFstab, mountsOfRoot, type RootTree, type TreeMount } from './tree.ts';
export { unmount } from './unmount.ts';

/**
 * Reads the lines of /etc/fstab, or of another file; empty if it does not exist. Lines that could
 * not be parsed are in `unread`.
 */
export async function fstab(host: ReadHost, path: string = tables.fstab.path): Promise<Table<FstabLine>> {
  const { content = '' } = await readTable(host, path);
  return parseFstab(content);
}

/** Like `fstab`, for /etc/crypttab. */
export async function crypttab(
  host: ReadHost,
  path: string = tables.crypttab.path,
): Promise<Table<CrypttabLine>> {
  const { content = '' } = await readTable(host, path);
  return parseCrypttab(content);
}

/** Lists every mount in the host's default mount namespace, from the kernel. */
export async function mounts(host: ReadHost): Promise<readonly MountEntry[]> {
  return mountEntries(host);
}

/**
 * Whether this directory is a mount point. Follows symbolic links; CommandError `not-found` if it
 * is missing.
 */
export async function isMountpoint(host: ReadHost, path: string): Promise<boolean> {
  return mountsAt(await mountEntries(host), await realPath(host, path)).length > 0;
}
