import { posix } from 'node:path';
import type { FileStat } from '../../command/index.ts';
import { inheriting } from './acl.ts';
import { deviceByNumber } from './devices.ts';
import { fileError } from '../faults/file-errors.ts';
import { type Found, resolve, storageAt, treeOf } from './resolve.ts';
import {
  addEntry,
  addInode,
  bytesOf,
  directory,
  file,
  inodeOf,
  type Inode,
  linksOf,
  namesOf,
  removeEntry,
  type Tree,
} from './tree.ts';
import { settle, type World } from './world.ts';
import { present } from '../../core/present.ts';

// Holes are read as zeros. No driver reads larger files at once.
const largest = 64 * 1024 ** 2;

/** lstat(2). */
export function statPath(world: World, path: string): FileStat | undefined {
  const there = resolve(world, path, 'keep');
  if (there.found) return statOf(world, there);
  if (there.code === 'ELOOP') throw fileError('ELOOP', 'stat', path);
  return undefined;
}

export function readFile(world: World, path: string): Uint8Array {
  const { inode } = reached(world, 'read', path);
  if (inode.kind === 'directory') throw fileError('EISDIR', 'read', path);
  if (inode.kind !== 'file') throw fileError('EINVAL', 'read', path);
  const { content, length = 0 } = inode;
  if (content === undefined && length === 0) throw new TypeError(`the content of ${path} was not fetched`);
  if (length <= (content?.length ?? 0)) return (content ?? new Uint8Array()).slice();
  if (length > largest) throw new TypeError(`${path} is too large: the simulated host does not read it`);
  const whole = new Uint8Array(length);
  whole.set(content ?? []);
  return whole;
}

export function readDir(world: World, path: string): readonly string[] {
  const there = reached(world, 'list', path);
  if (there.inode.kind !== 'directory') throw fileError('ENOTDIR', 'list', path);
  return [...(there.inode.entries?.keys() ?? [])].sort();
}

export function readLink(world: World, path: string): string {
  const { inode } = reached(world, 'readlink', path, 'keep');
  if (inode.target === undefined) throw fileError('EINVAL', 'readlink', path);
  return inode.target;
}

/** Creates a new file. Its content is durable; its name only when the directory is synced. */
export function writeNew(world: World, path: string, content: Uint8Array | string, mode: number): FileStat {
  const { parent, name } = free(world, 'create', path);
  const ino = addInode(parent.tree, parent.ino, name, inheriting(parent.inode, file(bytesOf(content), mode)));
  syncInode(world, parent.storage, ino);
  return statOf(world, reached(world, 'create', path, 'keep'));
}

export function linkFile(world: World, existing: string, path: string): void {
  const source = reached(world, 'link', existing, 'keep');
  const { parent, name } = free(world, 'link', path, [existing]);
  if (source.inode.kind === 'directory') throw fileError('EPERM', 'link', path, [existing]);
  if (source.storage !== parent.storage) throw fileError('EXDEV', 'link', path, [existing]);
  addEntry(parent.tree, parent.ino, name, source.ino);
}

/** rename(2): replaces what has the new name. */
export function renamePath(world: World, from: string, to: string): void {
  const source = reached(world, 'rename', from, 'keep');
  const there = resolve(world, to, 'keep');
  const parent = reached(world, 'rename', posix.dirname(to));
  if (source.storage !== parent.storage) throw fileError('EXDEV', 'rename', to, [from]);
  if (there.found) {
    // Two names of one inode: rename(2) "does nothing, and returns a success status".
    if (there.ino === source.ino) return;
    if (there.inode.kind === 'directory' && (there.inode.entries?.size ?? 0) > 0)
      throw fileError('ENOTEMPTY', 'rename', to, [from]);
    if ((there.inode.kind === 'directory') !== (source.inode.kind === 'directory'))
      throw fileError(there.inode.kind === 'directory' ? 'EISDIR' : 'ENOTDIR', 'rename', to, [from]);
    unlink(world, there);
  }
  addEntry(parent.tree, parent.ino, posix.basename(to), source.ino);
  unlink(world, source);
}

export function removeFile(world: World, path: string): void {
  const there = reached(world, 'remove', path, 'keep');
  if (there.inode.kind === 'directory') throw fileError('EISDIR', 'remove', path);
  if (there.storage.startsWith('virtual:')) throw fileError('EPERM', 'remove', path);
  unlink(world, there);
}

export function makeDir(world: World, path: string, mode: number, parents: boolean): void {
  const there = resolve(world, path, 'follow');
  if (parents && there.found && there.inode.kind === 'directory') return;
  if (parents && path !== '/') makeDir(world, posix.dirname(path), mode, true);
  const { parent, name } = free(world, 'mkdir', path);
  addInode(parent.tree, parent.ino, name, inheriting(parent.inode, directory(mode)));
}

export function removeDir(world: World, path: string): void {
  const there = reached(world, 'rmdir', path, 'keep');
  if (there.inode.kind !== 'directory') throw fileError('ENOTDIR', 'rmdir', path);
  if (storageAt(world, there.path) !== undefined) throw fileError('EBUSY', 'rmdir', path);
  if ((there.inode.entries?.size ?? 0) > 0) throw fileError('ENOTEMPTY', 'rmdir', path);
  unlink(world, there);
}

/**
 * fsync(2): makes the writes to a device, the content of a file, or the names in a directory
 * durable.
 */
export function syncPath(world: World, path: string): void {
  const there = reached(world, 'sync', path);
  if (there.inode.kind === 'block') {
    syncDevice(world, there.inode.node);
    return;
  }
  syncInode(world, there.storage, there.ino);
  // Data that mkfs wrote into an image.
  const image = storageOf(world, there);
  if (there.inode.kind === 'file' && world.live.has(image)) settle(world, image);
}

/**
 * Writes the page cache of a device. Files of a mounted filesystem are in another cache, and stay
 * there.
 */
export function syncDevice(world: World, number: string | undefined): void {
  const device = deviceByNumber(world, number);
  if (device === undefined) return;
  const isMounted = world.mounts.some(({ storage }) => storage === device.storage);
  const [now, before] = [world.live.get(device.storage), world.durable.get(device.storage)];
  if (!isMounted || now?.superblock?.uuid !== before?.superblock?.uuid || before?.tree === undefined)
    settle(world, device.storage);
}

/** syncfs(2). */
export function syncFilesystem(world: World, path: string): void {
  settle(world, reached(world, 'sync', path).storage);
}

/**
 * Makes an inode durable in its current state. If a name becomes durable before its inode, it leads
 * to an empty one.
 */
export function syncInode(world: World, storage: string, ino: number): void {
  const disk = world.durable.get(storage)?.tree;
  if (disk === undefined) return;
  const live = treeOf(world, storage);
  const now = inodeOf(live, ino);
  disk.next = Math.max(disk.next, live.next);
  const before = disk.inodes.get(ino);
  disk.inodes.set(ino, now);
  forgetRemoved(disk, live, before);
  for (const child of now.entries?.values() ?? []) {
    if (disk.inodes.has(child)) continue;
    disk.inodes.set(child, hollow(inodeOf(live, child)));
  }
  forgetNameless(world, storage, (key) => !world.live.has(key));
}

/**
 * Forgets the directories that were in a directory, are removed, and have no name on the disk either. They were
 * empty when they were removed, so the removals of the names in them are on the disk too.
 */
function forgetRemoved(disk: Tree, live: Tree, above: Inode | undefined): void {
  for (const ino of above?.entries?.values() ?? []) {
    const inode = disk.inodes.get(ino);
    if (inode?.kind !== 'directory' || live.inodes.has(ino) || namesOf(disk, ino) > 0) continue;
    disk.inodes.delete(ino);
    forgetRemoved(disk, live, inode);
  }
}

/** Forgets the content of images whose last name is gone from the disk. */
function forgetNameless(world: World, storage: string, isUnused: (key: string) => boolean): void {
  const disk = world.durable.get(storage)?.tree;
  if (disk === undefined) return;
  const prefix = `file:${storage}:`;
  for (const key of world.durable.keys())
    if (
      key.startsWith(prefix) &&
      isUnused(key) &&
      namesOf(disk, parseInt(key.slice(prefix.length), 10)) === 0
    )
      world.durable.delete(key);
}

/** Forgets, for every filesystem, what a crash lost: the content of images without a name on the disk. */
export function forgetLostImages(world: World): void {
  for (const storage of [...world.durable.keys()]) forgetNameless(world, storage, () => true);
}

function hollow(inode: Inode): Inode {
  if (inode.kind === 'directory') return { ...inode, entries: new Map() };
  if (inode.content === undefined) return inode;
  const { length: _, ...rest } = inode;
  return { ...rest, content: new Uint8Array() };
}

/** chmod(2) and chown(2). */
export function setAttributes(
  { tree, ino, inode }: Found,
  changed: Partial<Pick<Inode, 'mode' | 'uid' | 'gid'>>,
): void {
  const real = inode.real === undefined ? {} : { real: { ...inode.real, ...changed } };
  tree.inodes.set(ino, { ...inode, ...changed, ...real });
}

function statOf(world: World, { tree, ino, inode, storage }: Found): FileStat {
  if (inode.real !== undefined) return inode.real;
  const size =
    inode.length ?? inode.content?.length ?? inode.target?.length ?? (inode.kind === 'directory' ? 4096 : 0);
  return {
    kind: inode.kind,
    inode: String(ino),
    device: numberOf(world, storage),
    ...present({ node: inode.node }),
    size,
    mode: inode.mode,
    uid: inode.uid,
    gid: inode.gid,
    links: linksOf(tree, ino),
    ...(inode.kind === 'file' || inode.kind === 'directory' ? { birth: String(inode.birth ?? ino) } : {}),
  };
}

/**
 * Returns the key under which the model keeps what loop devices write into a file. Files of a real
 * host are in one tree, from many filesystems.
 */
export function storageOf(world: World, there: Found): string {
  const { real } = there.inode;
  const { inode } = statOf(world, there);
  return `file:${there.storage}${real === undefined ? '' : `@${real.device}`}:${inode}`;
}

function numberOf(world: World, storage: string): string {
  const mount = world.mounts.find((each) => each.storage === storage);
  return mount?.device ?? '0:5';
}

/** Checks the path of a new name: its directory exists, and the name does not. */
function free(
  world: World,
  verb: string,
  path: string,
  more: readonly string[] = [],
): { readonly parent: Found; readonly name: string } {
  const there = resolve(world, path, 'keep');
  if (there.found) throw fileError('EEXIST', verb, path, more);
  if (there.parent === undefined || there.name === undefined || there.last !== true)
    throw fileError(there.code, verb, path, more);
  if (there.parent.storage.startsWith('virtual:')) throw fileError('EPERM', verb, path, more);
  if (isReadOnly(world, there.parent)) throw fileError('EROFS', verb, path, more);
  return { parent: there.parent, name: there.name };
}

/** Whether the filesystem, or the mount of this path, is read-only. */
function isReadOnly(world: World, { storage, path }: Found): boolean {
  const mounts = world.mounts.filter((each) => each.storage === storage && covers(each.path, path));
  const over = mounts.toSorted((one, other) => one.path.length - other.path.length).at(-1);
  return (
    over !== undefined && [over.options, over.superOptions].some((words) => words.split(',').includes('ro'))
  );
}

function covers(directory: string, path: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`);
}

export function reached(world: World, verb: string, path: string, last: 'follow' | 'keep' = 'follow'): Found {
  const there = resolve(world, path, last);
  if (!there.found) throw fileError(there.code, verb, path);
  return there;
}

function unlink(world: World, there: Found): void {
  const parent = reached(world, 'remove', posix.dirname(there.path));
  const written = storageOf(world, there);
  removeEntry(parent.tree, parent.ino, posix.basename(there.path));
  // With its last name the file also loses what loop devices wrote into it, unless one is still
  // attached.
  const isLeft =
    parent.tree.inodes.has(there.ino) || [...world.loops.values()].some(({ storage }) => storage === written);
  if (!isLeft) world.live.delete(written);
  // The file of the real host must not become visible again.
  world.overlay?.absent.add(there.path);
}
