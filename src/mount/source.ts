import { posix } from 'node:path';
import { type MountEntry, numberAt } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import { isOf } from './step-mount.ts';
import { mountOver } from './table.ts';
import { isWithin } from '../blockdevice/path.ts';

/**
 * Returns the device from which exactly this mount could be mounted again; undefined if there is
 * none: a directory of a filesystem, or one without a device (tmpfs, NFS, FUSE).
 */
export async function deviceBehind(host: ReadHost, entry: MountEntry): Promise<string | undefined> {
  if (entry.type.startsWith('fuse') || entry.root !== rootOfDevice(entry)) return undefined;
  const named = entry.source.startsWith('/') ? await numberAt(host, entry.source) : undefined;
  if (named !== undefined && (await isOf(host, entry, named))) return entry.source;
  // The source is free text: the kernel calls the first root /dev/root, which is not a device node.
  const link = `/sys/dev/block/${entry.device}`;
  if ((await host.stat(link)) === undefined) return undefined;
  const node = `/dev/${posix.basename(await host.readLink(link))}`;
  return (await numberAt(host, node)) === entry.device ? node : undefined;
}

/**
 * Returns which root a mount of the device shows: the subvolume that btrfs names in the options,
 * otherwise the top.
 */
function rootOfDevice({ type, superOptions }: MountEntry): string {
  if (type !== 'btrfs') return '/';
  return /(?:^|,)subvol=(?<path>[^,]+)/.exec(superOptions)?.groups?.path ?? '/';
}

/** Returns the directory through which a visible mount shows this directory of a filesystem. */
export function shownBy(
  entries: readonly MountEntry[],
  { number, root }: { readonly number: string; readonly root: string },
): string | undefined {
  const places = entries
    .filter((entry) => entry.device === number && isWithin(root, entry.root))
    .map((entry) => ({ id: entry.id, path: posix.join(entry.path, posix.relative(entry.root, root)) }));
  return places.find(({ id, path }) => mountOver(entries, path)?.id === id)?.path;
}
