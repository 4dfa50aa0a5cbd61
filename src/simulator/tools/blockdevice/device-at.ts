import { type Device, deviceByNumber } from '../../world/devices.ts';
import { resolve } from '../../world/resolve.ts';
import type { World } from '../../world/world.ts';

/** The block device that a path leads to now. */
export function deviceAt(world: World, path: string): Device | undefined {
  const there = resolve(world, path, 'follow');
  return there.found && there.inode.kind === 'block' ? deviceByNumber(world, there.inode.node) : undefined;
}
