import { type Draw, drawOf } from './draw.ts';
import { forgetLostImages, syncInode } from '../world/files.ts';
import { boot } from '../world/start.ts';
import type { Content } from '../world/parts.ts';
import type { Inode, Tree } from '../world/tree.ts';
import { copyContent, settle, type World } from '../world/world.ts';

/**
 * Unsynced writes after a power cut: the kernel has written all, none, or a random part (by seed)
 * of them.
 */
export type Keep =
  | 'none'
  | 'all'
  | {
      /** The same number keeps the same part. */
      readonly seed: number;
    };

/** Reboots cleanly: first unmounts and writes everything. */
export function reboot(world: World): void {
  for (const storage of storages(world)) {
    const content = world.live.get(storage);
    if (content !== undefined) world.live.set(storage, { ...content, needsRecovery: false });
    settle(world, storage);
  }
  restart(world);
}

/** Cuts the power, and boots the host from the content of its disks. */
export function powerCut(world: World, keep: Keep): void {
  if (keep === 'all') for (const storage of storages(world)) settle(world, storage);
  if (typeof keep === 'object') keepSome(world, drawOf(keep.seed));
  restart(world);
}

function storages(world: World): readonly string[] {
  return [...world.live.keys()].filter((storage) => !storage.startsWith('tmpfs:'));
}

/**
 * Keeps some of the unsynced writes, decided for each device separately. In a filesystem that existed before, decides for each
 * directory, and for each sector of each file.
 */
function keepSome(world: World, draw: Draw): void {
  const share = [0.15, 0.5, 0.85][Math.floor(draw() * 3)] ?? 0.5;
  const some = (): boolean => draw() < share;
  for (const storage of storages(world)) {
    const [live, durable] = [world.live.get(storage), world.durable.get(storage)];
    if (live?.tree === undefined || durable?.tree === undefined || !isSame(live, durable)) {
      if (some()) settle(world, storage);
      continue;
    }
    for (const [ino, now] of [...live.tree.inodes])
      if (durable.tree.inodes.get(ino) !== now)
        keepSomeOf(world, { storage, ino, now, disk: durable.tree, some });
  }
}

function isSame(live: Content, durable: Content): boolean {
  return JSON.stringify(live.superblock) === JSON.stringify(durable.superblock);
}

function keepSomeOf(
  world: World,
  {
    storage,
    ino,
    now,
    disk,
    some,
  }: {
    readonly storage: string;
    readonly ino: number;
    readonly now: Inode;
    readonly disk: Tree;
    readonly some: () => boolean;
  },
): void {
  const before = disk.inodes.get(ino);
  const whole = before?.content === undefined || before.length !== undefined || now.length !== undefined;
  if (now.content === undefined || whole) {
    if (some()) syncInode(world, storage, ino);
    return;
  }
  disk.inodes.set(ino, { ...before, content: mixed(before.content, now.content, some) });
}

const sector = 512;

/**
 * Mixes old and new sectors. A new sector that was lost after the old end of the file reads as zeros. The new length may be kept
 * without the new bytes.
 */
function mixed(before: Uint8Array, now: Uint8Array, some: () => boolean): Uint8Array {
  if (now.length < before.length) return some() ? now : before;
  let mix = before;
  for (let from = 0; from < now.length; from += sector) {
    const part = now.subarray(from, from + sector);
    const old = before.subarray(from, from + sector);
    if (Buffer.compare(part, old) === 0 || !some()) continue;
    const grown = new Uint8Array(Math.max(mix.length, from + part.length));
    grown.set(mix);
    grown.set(part, from);
    mix = grown;
  }
  if (mix.length === now.length || !some()) return mix;
  const long = new Uint8Array(now.length);
  long.set(mix);
  return long;
}

function restart(world: World): void {
  forgetLostImages(world);
  world.live = new Map([...world.durable].map(([storage, content]) => [storage, copyContent(content)]));
  world.boot = world.ids.uuid();
  world.flocks = [];
  world.objectLocks.clear();
  world.orphans = [];
  boot(world);
  world.revision += 1;
}
