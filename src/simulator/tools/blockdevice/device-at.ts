import { posix } from 'node:path';
import { type Device, deviceByNumber } from '../../world/devices.ts';
import { storageOf } from '../../world/files.ts';
import { resolve } from '../../world/resolve.ts';
import type { World } from '../../world/world.ts';

/**
 * Returns the block device that a path leads to now, or the image to which a loop device has
 * written.
 */
export function deviceAt(world: World, path: string): Device | undefined {
  const there = resolve(world, path, 'follow');
  if (!there.found) return undefined;
  if (there.inode.kind === 'block') return deviceByNumber(world, there.inode.node);
  if (there.inode.kind !== 'file') return undefined;
  const storage = storageOf(world, there);
  if (!world.live.has(storage)) return undefined;
  const { content, length = content?.length ?? 0 } = there.inode;
  return { number: '', name: posix.basename(there.path), size: length, storage };
}
