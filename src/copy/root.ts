import { posix } from 'node:path';
import {
  busyWith,
  describeMount,
  type DeviceNode,
  everyHolder,
  holders,
  inWords,
  deviceNode,
  mountEntries,
  type MountEntry,
  mountsOn,
  remedyFor,
  refuseGuests,
} from '../blockdevice/index.ts';
import { type ChangeHost, inShell, type ReadHost } from '../command/index.ts';
import { CommandError, type Holder, ParseError, RefusedError } from '../core/errors.ts';
import {
  debugfsFeatures,
  debugfsRoot,
  type Filesystem,
  holding,
  nodeOf,
  wholeAt,
} from '../filesystem/index.ts';
import { isOf, makePrivateMounts, mountCommand, unmount } from '../mount/index.ts';
import { emptyDirectory, syncFilesystem } from './commands.ts';

/** Lists the root directory of a mounted filesystem, except `lost+found`. */
export async function entriesOf(host: ReadHost, path: string): Promise<readonly string[]> {
  return (await host.readDir(path)).filter((name) => name !== 'lost+found');
}

/**
 * Whether the root of the filesystem on this device contains anything but `lost+found`. The
 * filesystem may be unmounted.
 */
export async function isFilled(
  host: ReadHost,
  node: DeviceNode & { readonly type: string },
): Promise<boolean> {
  const mounted = await wholeAt(host, node);
  if (mounted !== undefined) return (await entriesOf(host, mounted.path)).length > 0;
  if (!/^ext[234]$/.test(node.type))
    throw new RefusedError(
      `bofh cannot read the content of the ${node.type} on ${node.path} while it is not mounted`,
      {
        remedy: `mount ${node.path}; then: bofh recover`,
      },
    );
  // After a power cut files may exist only in the journal, which debugfs does not read.
  if ((await host.run(debugfsFeatures(node.path))).includes('needs_recovery')) return true;
  try {
    return (await host.run(debugfsRoot(node.path))).some((name) => name !== 'lost+found');
  } catch (error) {
    // A name that is not UTF-8 makes the listing unreadable; only an empty root is certain to be
    // readable.
    if (error instanceof ParseError) return true;
    throw error;
  }
}

/**
 * Returns the other holders of the device. The mount through which it was filled, and the mount of
 * an undo, belong to the sequence.
 */
export async function othersOn(
  host: ReadHost,
  node: DeviceNode,
  own: { readonly mounted: { readonly id: number; readonly boot: string }; readonly path: string },
): Promise<readonly Holder[]> {
  const { boot } = await host.facts();
  const isOwn = (each: Holder): boolean =>
    each.kind === 'mount' &&
    (each.path === own.path || (boot === own.mounted.boot && each.mountId === own.mounted.id));
  const all = await holders(host, node.path);
  // A mounted btrfs is a holder of its device, besides its mounts.
  const isMounted = all.some(isOwn);
  return all.filter((each) => !isOwn(each) && !(isMounted && each.kind === 'btrfs'));
}

// RefusedError if something other than a mount uses the device. xen-blkback does not claim its
// device, so the kernel would mount a device that a guest writes to, and both would damage it.
async function refuseUsed(host: ReadHost, { path }: DeviceNode): Promise<void> {
  if ((await holders(host, path)).every(({ kind }) => kind === 'mount' || kind === 'btrfs')) return;
  const all = await everyHolder(host, path);
  throw new RefusedError(`${path} is in use, so the written files stay on it: ${inWords(all)}`, {
    remedy: remedyFor(all),
    holders: all,
  });
}

/** Works on a filesystem through a private mount, and makes the changes durable by the unmount. */
export async function throughPrivateMount(
  host: ChangeHost,
  wanted: Filesystem & { readonly path: string },
  act: (node: DeviceNode) => Promise<void>,
): Promise<void> {
  const node = await holding(host, wanted);
  if (node !== undefined) {
    await refuseUsed(host, node);
    await mountPrivately(host, { node, path: wanted.path });
    await act(node);
  }
  await removePrivateMount(host, wanted.path);
}

/** Removes everything from the filesystem except `lost+found`. */
export async function empty(host: ChangeHost, wanted: Filesystem & { readonly path: string }): Promise<void> {
  const { path } = wanted;
  await throughPrivateMount(host, wanted, (node) => emptied(host, { node, path }));
}

/**
 * Empties a directory. The kernel refuses to remove a directory that is a mount point, through any
 * mount.
 */
async function emptied(
  host: ChangeHost,
  { node, path }: { readonly node: DeviceNode; readonly path: string },
): Promise<void> {
  try {
    await host.run(emptyDirectory(path));
  } catch (error) {
    if (!(error instanceof CommandError) || error.reason !== 'busy') throw error;
    const entries = await mountEntries(host);
    const own = new Set((await mountsOn(host, node.path)).map(({ id }) => id));
    const within = entries.filter(({ id, parent }) => own.has(parent) && id !== parent).toReversed();
    const holders = within.map((entry) => describeMount(entry));
    throw busyWith(error, { what: `a directory of the filesystem on ${node.path}`, holders });
  }
}

/** Unmounts a private mount of the undo and removes its directory. */
async function removePrivateMount(host: ChangeHost, path: string): Promise<void> {
  const [mounted, ...others] = (await mountEntries(host)).filter((entry) => entry.path === path);
  if (others.length > 0)
    throw new RefusedError(`${path} was created by this sequence, but something else is mounted over it`, {
      remedy: `see what is mounted there: findmnt ${inShell(path)}; then unmount it: umount ${inShell(path)}; then: bofh recover`,
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
    await refuseGuests(host, node.path, 'rw');
    await host.run(mountCommand({ device: node.path, path, mode: 'rw', type: node.type, options }));
  }
  const [mounted, ...others] = (await mountEntries(host)).filter((entry) => entry.path === path);
  if (mounted === undefined || others.length > 0 || !(await isOf(host, mounted, node.number)))
    throw new RefusedError(
      `${node.path} is not mounted on ${path}, or not only ${node.path} is mounted there`,
      {
        remedy: `see what it holds: blkid --probe ${inShell(path)}`,
      },
    );
}

/** Returns a private mount point for the undo. */
export function undoPath(mark: string): string {
  return posix.join('/run/bofh', `undo-${mark}`);
}

/** RefusedError unless the filesystem is mounted at the root, read-write. */
export async function checkMounted(
  host: ReadHost,
  { root, ...of }: Filesystem & { readonly root: string },
): Promise<MountEntry> {
  const { number, path } = await deviceNode(host, of.device);
  const [mounted, ...others] = (await mountEntries(host)).filter((entry) => entry.path === root);
  const isWhole = mounted?.root === '/' && others.length === 0;
  if (mounted === undefined || !isWhole || !(await isOf(host, mounted, number)))
    throw new RefusedError(`${root} must have exactly one mount: the whole filesystem on ${path}`, {
      remedy: `see what is mounted there: findmnt ${inShell(root)}`,
    });
  if ((await holding(host, of)) === undefined)
    throw new RefusedError(`${path} does not hold the filesystem ${of.filesystem}`, {
      remedy: `see what it holds: blkid -p ${inShell(path)}`,
    });
  if (`${mounted.options},${mounted.superOptions}`.split(',').includes('ro'))
    throw new RefusedError(`${root} is mounted read-only`, {
      remedy: `mount it for writing: mount -o remount,rw ${root}`,
    });
  return mounted;
}

/** Makes durable what was written to a filesystem, mounted or not. */
export async function syncRoot(host: ChangeHost, of: Pick<Filesystem, 'device' | 'identity'>): Promise<void> {
  // Without a check of the content, because a sync of other data does no harm.
  const node = await nodeOf(host, of);
  if (node === undefined) return;
  const mounted = await wholeAt(host, node);
  if (mounted !== undefined) await host.run(syncFilesystem(mounted.path));
  // The unmount has written everything to the device; this flushes the device itself.
  await host.sync(node.path);
}
