import { type Device, deviceByNumber } from '../devices.ts';
import { resolve } from '../resolve.ts';
import type { World } from '../world.ts';

/** The block device that a path leads to now. */
export function deviceAt(world: World, path: string): Device | undefined {
  const there = resolve(world, path, 'follow');
  return there.found && there.inode.kind === 'block' ? deviceByNumber(world, there.inode.node) : undefined;
}
