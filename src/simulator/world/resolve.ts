import { posix } from 'node:path';
import { mountOver } from '../../blockdevice/mountinfo.ts';
import { inodeOf, type Inode, type Tree } from './tree.ts';
import { virtualTree } from './virtual.ts';
import type { World } from './world.ts';

/** What a path leads to. */
export interface Found {
  readonly found: true;
  /** The canonical path: no link, no `..`. */
  readonly path: string;
  readonly storage: string;
  readonly tree: Tree;
  readonly ino: number;
  readonly inode: Inode;
}

/** The error for a path that leads to nothing; with `parent` and `name` if a part is missing. */
export interface Missing {
  readonly found: false;
  readonly code: 'ENOENT' | 'ENOTDIR' | 'ELOOP';
  /** The first directory in which a part was not found, and that part. */
  readonly parent?: Found;
  readonly name?: string;
  /** Whether this part was the last one. */
  readonly last?: boolean;
}

const virtual: Readonly<Record<string, string>> = {
  '/dev': 'virtual:dev',
  '/proc': 'virtual:proc',
  '/sys': 'virtual:sys',
};

/**
 * Follows a path as the kernel does, through mounts and links; follows a link in the last part only
 * on request.
 */
export function resolve(world: World, path: string, last: 'follow' | 'keep'): Found | Missing {
  let left = path.split('/').filter((part) => part !== '');
  let at = start(world, '/');
  for (let links = 0; ; ) {
    const [part, ...rest] = left;
    if (part === undefined) return at;
    left = rest;
    if (at.inode.kind !== 'directory') return { found: false, code: 'ENOTDIR' };
    if (part === '.') continue;
    if (part === '..') {
      at = reach(world, posix.dirname(at.path)) ?? at;
      continue;
    }
    const next = step(world, at, part);
    if (next === undefined)
      return { found: false, code: 'ENOENT', parent: at, name: part, last: rest.length === 0 };
    if (next.inode.kind !== 'symlink' || (rest.length === 0 && last === 'keep')) {
      at = next;
      continue;
    }
    links += 1;
    if (links > 40) return { found: false, code: 'ELOOP' };
    const target = next.inode.target ?? '';
    if (target.startsWith('/')) at = start(world, '/');
    left = [...target.split('/').filter((word) => word !== ''), ...rest];
  }
}

/** Returns the storage whose root is visible at a path, if something is mounted there. */
export function storageAt(world: World, path: string): string | undefined {
  return mountedAt(world, path)?.storage;
}

/**
 * The topmost mount at a path: the storage of its files, and the directory that it shows if that is
 * not the top.
 */
interface Mounted {
  readonly storage: string;
  readonly top?: number | undefined;
}

function mountedAt({ mounts }: World, path: string): Mounted | undefined {
  let mounted = topmost.get(mounts);
  if (mounted === undefined) {
    mounted = new Map<string, Mounted>(Object.entries(virtual).map(([at, storage]) => [at, { storage }]));
    for (const { id, path: at, storage, top } of mounts)
      if (storage !== undefined && mountOver(mounts, at)?.id === id) mounted.set(at, { storage, top });
    topmost.set(mounts, mounted);
  }
  return mounted.get(path);
}

/** The topmost mounts by path, for each list of mounts; lists are immutable. */
const topmost = new WeakMap<World['mounts'], Map<string, Mounted>>();

/** Returns the files of a storage. */
export function treeOf(world: World, storage: string): Tree {
  if (storage.startsWith('virtual:')) return virtualTree(world, storage);
  const tree = world.live.get(storage)?.tree;
  if (tree === undefined) throw new TypeError(`the simulated storage ${storage} has no files`);
  return tree;
}

function start(world: World, path: string): Found {
  const { storage, top } = mountedAt(world, path) ?? { storage: 'none' };
  const tree = treeOf(world, storage);
  const ino = top ?? tree.root;
  return { found: true, path, storage, tree, ino, inode: inodeOf(tree, ino) };
}

function step(world: World, at: Found, name: string): Found | undefined {
  const path = at.path === '/' ? `/${name}` : `${at.path}/${name}`;
  if (storageAt(world, path) !== undefined) return start(world, path);
  const ino = at.inode.entries?.get(name);
  if (ino === undefined) return undefined;
  const { storage, tree } = at;
  return { found: true, path, storage, tree, ino, inode: inodeOf(tree, ino) };
}

function reach(world: World, path: string): Found | undefined {
  const found = resolve(world, path, 'follow');
  return found.found ? found : undefined;
}
