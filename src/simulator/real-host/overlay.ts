import { posix } from 'node:path';
import type { ReadHost } from '../../command/index.ts';
import { debugfsEntries, debugfsText } from '../../filesystem/index.ts';
import { type Device, deviceByNumber, isReal } from '../world/devices.ts';
import { isGone } from './gone.ts';
import { UnknownInPlan } from './unknown.ts';
import { present } from '../../core/present.ts';
import { type Found, resolve } from '../world/resolve.ts';
import { addInode, directory, type Inode, symlink } from '../world/tree.ts';
import type { Overlay, World } from '../world/world.ts';

/**
 * Reads from the real host, if there is one, what the model needs to know about a path. Changes
 * nothing.
 */
export async function pageIn(
  world: World,
  path: string,
  want: 'stat' | 'link' | 'follow' | 'content' | 'names',
): Promise<void> {
  const { overlay } = world;
  if (overlay === undefined) return;
  for (;;) {
    const there = resolve(world, path, want === 'stat' || want === 'link' ? 'keep' : 'follow');
    if (there.found) {
      if (want === 'link' && there.inode.target === unreadLink) throw unknownLink(path);
      if (want === 'content') await fetchContent(overlay, world, there);
      if (want === 'names') await fetchNames(overlay, world, there);
      return;
    }
    if (there.code !== 'ENOENT' || there.parent === undefined || there.name === undefined) return;
    if (!(await fetchNode(overlay, world, there.parent, there.name))) return;
  }
}

/** Makes a path known, and the block device that it leads to, if any. */
export async function nameDevice(world: World, path: string): Promise<Device | undefined> {
  await pageIn(world, path, 'follow');
  const there = resolve(world, path, 'follow');
  const number = there.found && there.inode.kind === 'block' ? there.inode.node : undefined;
  if (number === undefined) return undefined;
  const known = deviceByNumber(world, number);
  if (world.overlay === undefined || (known !== undefined && !isReal(world, known))) return known;
  const { real, devices, homes } = world.overlay;
  const sys = `/sys/dev/block/${number}`;
  if (!homes.has(number) && (known === undefined || (await real.stat(sys)) !== undefined))
    homes.set(number, posix.resolve('/dev/block', await real.readLink(sys)));
  if (known !== undefined) return known;
  const sectors = new TextDecoder().decode(await real.readFile(`${sys}/size`));
  devices.set(number, { name: posix.basename(homes.get(number) ?? ''), size: Number(sectors) * 512 });
  world.revision += 1;
  return deviceByNumber(world, number);
}

async function fetchNode(overlay: Overlay, world: World, parent: Found, name: string): Promise<boolean> {
  const path = posix.join(parent.path, name);
  if (isUncovered(overlay, path)) return false;
  if (name === posix.basename(unreadLink)) throw unknownLink();
  const { unread, origin } = world.live.get(parent.storage) ?? {};
  if (unread === true && origin !== undefined)
    return fetchUnmounted(overlay, world, parent, { name, origin });
  if (unread === true)
    throw new UnknownInPlan(`cannot tell what is at ${path}: a plan does not really mount that filesystem`);
  if (!isRealPath(parent.storage) || overlay.absent.has(path) || isGone(overlay, world)(path)) return false;
  const stat = await overlay.real.stat(path);
  if (stat === undefined) {
    overlay.absent.add(path);
    return false;
  }
  await importNode(overlay, world, parent, { path, real: stat });
  return true;
}

/** The target of a link whose target debugfs does not list; no path is like this. */
const unreadLink = '/\0unread';

function unknownLink(link = 'a symbolic link'): UnknownInPlan {
  return new UnknownInPlan(`cannot tell where ${link} leads: a plan does not really mount its filesystem`);
}

/**
 * Reads a name in a directory of an ext2, ext3 or ext4 that a plan does not really mount, from its
 * device, or from the device that it was copied from.
 */
async function fetchUnmounted(
  { real, absent }: Overlay,
  world: World,
  parent: Found,
  { name, origin }: { readonly name: string; readonly origin: string },
): Promise<boolean> {
  const inside = insideOf(world, parent);
  // Only once: a name that the plan has removed must not come back.
  const key = `${parent.storage}:${posix.join(inside, name)}`;
  if (absent.has(key)) return false;
  const entries = await real.run(debugfsEntries(origin, inside));
  // Another one asked for it in between.
  if (absent.has(key)) return true;
  absent.add(key);
  const found = entries?.find((entry) => entry.name === name);
  if (found === undefined) return false;
  const { mode, uid, gid, size: length } = found;
  const unread: Inode = { kind: 'file', mode, uid, gid, length };
  const made = {
    directory: { ...directory(mode), unread: true as const },
    symlink: symlink(unreadLink),
    file: unread,
    other: unread,
  };
  addInode(parent.tree, parent.ino, name, { ...made[found.kind], uid, gid });
  world.revision += 1;
  return true;
}

/** The path within the filesystem, as debugfs reads it. */
function insideOf(world: World, { path, storage }: Found): string {
  const mount = world.mounts.find((each) => each.storage === storage);
  const inside = path.slice(mount?.path.length ?? 0);
  if (/[\s"]/.test(inside)) throw new UnknownInPlan(`cannot tell what is in ${path}`);
  return inside === '' ? '/' : inside;
}

async function importNode(
  { real, imported }: Overlay,
  world: World,
  parent: Found,
  {
    path,
    real: stat,
  }: { readonly path: string; readonly real: Awaited<ReturnType<ReadHost['stat']>> & object },
): Promise<void> {
  const { kind, mode, uid, gid, node } = stat;
  const inode: Inode = {
    ...{ kind, mode, uid, gid, real: stat, realPath: path },
    ...present({ node }),
    ...(kind === 'symlink' ? { target: await real.readLink(path) } : {}),
    ...(kind === 'directory' ? { entries: new Map<string, number>() } : {}),
  };
  if (parent.storage.startsWith('virtual:')) imported.set(path, inode);
  else addInode(parent.tree, parent.ino, posix.basename(path), inode);
  world.revision += 1;
}

async function fetchContent({ real, imported }: Overlay, world: World, there: Found): Promise<void> {
  const { inode, path, storage } = there;
  if (inode.kind !== 'file' || inode.content !== undefined) return;
  const { unread, origin } = world.live.get(storage) ?? {};
  if (unread === true && origin === undefined)
    throw new UnknownInPlan(`cannot tell what is in ${path}: a plan does not really mount that filesystem`);
  const content =
    unread === true && origin !== undefined
      ? Buffer.from(await real.run(debugfsText(origin, insideOf(world, there))), 'latin1')
      : await real.readFile(inode.realPath ?? path);
  const known = { ...inode, content };
  if (storage.startsWith('virtual:')) imported.set(path, known);
  else there.tree.inodes.set(there.ino, known);
  world.revision += 1;
}

async function fetchNames(overlay: Overlay, world: World, there: Found): Promise<void> {
  const { path, storage } = there;
  if (world.live.get(storage)?.unread === true) {
    // A directory that the plan created has only the names that the plan gave it.
    if (there.inode.unread !== true && there.ino !== there.tree.root) return;
    throw new UnknownInPlan(`cannot tell what is in ${path}: a plan does not really mount that filesystem`);
  }
  if (!isRealPath(storage) || there.inode.kind !== 'directory' || overlay.listed.has(path)) return;
  if (isUncovered(overlay, path) || overlay.uncovered.has(path)) return;
  overlay.listed.add(path);
  if ((await overlay.real.stat(path))?.kind !== 'directory') return;
  for (const name of await overlay.real.readDir(path)) {
    const now = resolve(world, path, 'follow');
    if (now.found && now.inode.entries?.has(name) !== true) await fetchNode(overlay, world, now, name);
  }
}

/**
 * Marks a path as unmounted in the plan: on the real host, this path still shows the content of the
 * mount.
 */
export function uncover(world: World, path: string): void {
  const there = resolve(world, path, 'keep');
  if (world.overlay === undefined || !there.found) return;
  world.overlay.uncovered.add(path);
  const below: Inode = { kind: 'directory', mode: 0o700, uid: 0, gid: 0, entries: new Map<string, number>() };
  there.tree.inodes.set(there.ino, below);
  world.revision += 1;
}

/**
 * Whether the plan has unmounted the filesystem at a path. A mount point created by bofh is then
 * empty; what any other mount hides is unknown.
 */
function isUncovered({ uncovered }: Overlay, path: string): boolean {
  const at = [...uncovered].find((each) => path.startsWith(`${each}/`));
  if (at === undefined) return false;
  if (at.startsWith('/run/bofh/')) return true;
  throw new UnknownInPlan(`cannot tell what is at ${path}: it is beneath what is mounted on ${at} now`);
}

function isRealPath(storage: string): boolean {
  return storage === 'overlay' || storage.startsWith('virtual:');
}
