import { posix } from 'node:path';
import {
  busyWith,
  describeMount,
  deviceNode,
  type DeviceNode,
  everyHolder,
  holders,
  inWords,
  locate,
  type MountEntry,
  mountEntries,
  probe,
  remedyFor,
} from '../blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../command/index.ts';
import { CommandError, type Holder, ParseError, RefusedError } from '../errors.ts';
import { makePrivateMounts, mountCommand, unmount } from '../mount/index.ts';
import { debugfsFeatures, debugfsRoot, emptyDirectory } from './commands.ts';
import { isNotFound } from './inside.ts';

/** A filesystem by its UUID, and the device that holds it. */
export interface Filesystem {
  readonly device: string;
  /** From `identityOf`: the device may have another path by now, and its path another device. */
  readonly identity: string;
  readonly filesystem: string;
}

/** The node of that very device; undefined when it is gone for good. RefusedError while it is only away. */
export async function nodeOf(
  host: ReadHost,
  { device, identity }: Pick<Filesystem, 'device' | 'identity'>,
): Promise<DeviceNode | undefined> {
  const path = await locate(host, { path: device, identity });
  return path === undefined ? undefined : unlessGone(deviceNode(host, path));
}

/** The device while it still holds that filesystem; undefined when the one or the other is gone. */
export async function holding(
  host: ReadHost,
  { filesystem, ...of }: Filesystem,
): Promise<(DeviceNode & { readonly type: string }) | undefined> {
  const node = await nodeOf(host, of);
  const there = node === undefined ? undefined : await unlessGone(probe(host, node.path));
  return node !== undefined && there?.uuid === filesystem ? { ...node, type: there.type } : undefined;
}

async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Where the whole filesystem of a device can be seen: mounted from its root, and not hidden by another mount. */
export async function visibleAt(host: ReadHost, number: string): Promise<readonly MountEntry[]> {
  const visible: MountEntry[] = [];
  for (const entry of await mountEntries(host)) {
    if (entry.device !== number || entry.root !== '/') continue;
    if ((await host.stat(entry.path))?.device === number) visible.push(entry);
  }
  return visible;
}

/** What lies in the root directory of a mounted filesystem, `lost+found` aside. */
export async function entriesOf(host: ReadHost, path: string): Promise<readonly string[]> {
  return (await host.readDir(path)).filter((name) => name !== 'lost+found');
}

/** Is there anything in the root of the filesystem on this device but `lost+found`? It need not be mounted. */
export async function isFilled(
  host: ReadHost,
  node: DeviceNode & { readonly type: string },
): Promise<boolean> {
  const [mounted] = await visibleAt(host, node.number);
  if (mounted !== undefined) return (await entriesOf(host, mounted.path)).length > 0;
  if (!/^ext[234]$/.test(node.type))
    throw new RefusedError(
      `cannot tell what is in the ${node.type} on ${node.path} while it is not mounted`,
      {
        remedy: `mount ${node.path}, then bofh recover`,
      },
    );
  // After a power cut the files may stand in the journal alone, and debugfs does not read that.
  if ((await host.run(debugfsFeatures(node.path))).includes('needs_recovery')) return true;
  try {
    return (await host.run(debugfsRoot(node.path))).some((name) => name !== 'lost+found');
  } catch (error) {
    // A name that is not UTF-8 makes the listing unreadable; only an empty root would have been readable for sure.
    if (error instanceof ParseError) return true;
    throw error;
  }
}

/** Who else uses the device: the mount that it was filled in, and that of an undo, are the sequence's own. */
export async function othersOn(
  host: ReadHost,
  node: DeviceNode,
  own: { readonly mounted: { readonly id: number; readonly boot: string }; readonly path: string },
): Promise<readonly Holder[]> {
  const { boot } = await host.facts();
  const isOwn = (each: Holder): boolean =>
    each.kind === 'mount' &&
    (each.path === own.path || (boot === own.mounted.boot && each.mountId === own.mounted.id));
  return (await holders(host, node.path)).filter((each) => !isOwn(each));
}

// xen-blkback claims nothing, so the kernel would mount what a guest writes to, and both would ruin it.
async function refuseUsed(host: ReadHost, { path }: DeviceNode): Promise<void> {
  if ((await holders(host, path)).every(({ kind }) => kind === 'mount')) return;
  const all = await everyHolder(host, path);
  throw new RefusedError(`${path} is in use, and what was unpacked stays on it: ${inWords(all)}`, {
    remedy: remedyFor(all),
    holders: all,
  });
}

/** Removes everything from the filesystem but `lost+found`, through a private mount, and makes that durable by the unmount. */
export async function empty(host: ChangeHost, wanted: Filesystem & { readonly path: string }): Promise<void> {
  const node = await holding(host, wanted);
  if (node !== undefined) {
    await refuseUsed(host, node);
    await mountPrivately(host, { node, path: wanted.path });
    await emptied(host, { node, path: wanted.path });
  }
  await removePrivateMount(host, wanted.path);
}

/** Where a directory is a mount point the kernel does not remove it, through whichever mount it is asked. */
async function emptied(
  host: ChangeHost,
  { node, path }: { readonly node: DeviceNode; readonly path: string },
): Promise<void> {
  try {
    await host.run(emptyDirectory(path));
  } catch (error) {
    if (!(error instanceof CommandError) || error.reason !== 'busy') throw error;
    const entries = await mountEntries(host);
    const own = new Set(entries.flatMap(({ id, device }) => (device === node.number ? [id] : [])));
    const within = entries.filter(({ id, parent }) => own.has(parent) && id !== parent).toReversed();
    const holders = within.map((entry) => describeMount(entry));
    throw busyWith(error, { what: `a directory of the filesystem on ${node.path}`, holders });
  }
}

/** Unmounts a private mount of the undo and removes its directory. */
async function removePrivateMount(host: ChangeHost, path: string): Promise<void> {
  const [mounted, ...others] = (await mountEntries(host)).filter((entry) => entry.path === path);
  if (others.length > 0)
    throw new RefusedError(`${path} is ours, but something else is mounted over it`, {
      remedy: `unmount what is mounted there (findmnt ${path}), then bofh recover`,
    });
  if (mounted !== undefined) await unmount(host, mounted);
  if ((await host.stat(path)) !== undefined) await host.removeDir(path);
}

async function mountPrivately(
  host: ChangeHost,
  { node, path }: { readonly node: DeviceNode & { readonly type: string }; readonly path: string },
): Promise<void> {
  await makePrivateMounts(host);
  if ((await host.stat(path)) === undefined) await host.makeDir(path, { mode: 0o700 });
  const there = (await mountEntries(host)).filter((entry) => entry.path === path);
  if (there.length === 0) {
    const options = ['nosuid', 'nodev', 'noexec'];
    await host.run(mountCommand({ device: node.path, path, mode: 'rw', type: node.type, options }));
  }
  const [mounted, ...others] = (await mountEntries(host)).filter((entry) => entry.path === path);
  if (mounted?.device !== node.number || others.length > 0)
    throw new RefusedError(`${path} does not have the filesystem of ${node.path} on it`, {
      remedy: `see what is mounted on ${path}`,
    });
}

/** A private mount point of the undo. */
export function undoPath(mark: string): string {
  return posix.join('/run/bofh', `undo-${mark}`);
}
