import { type Device, deviceByNumber } from '../../world/devices.ts';
import type { Mount, Superblock } from '../../world/parts.ts';
import type { World } from '../../world/world.ts';
import { deviceAt } from './device-at.ts';

/** A filesystem, with its device and size. */
export interface Held {
  readonly superblock: Superblock;
  readonly blockSize: number;
  readonly blocks: number;
  /** Size of its device in blocks. */
  readonly room: number;
  readonly storage: string;
  readonly mounts: readonly Mount[];
}

/** Returns the superblock that an administrator's mkfs makes: as large as its device. */
export function sizeOf(deviceSize: number, superblock: Superblock): Superblock {
  const { blockSize = 4096, blocks = Math.floor(deviceSize / blockSize) } = superblock;
  return { ...superblock, blocks };
}

/** Returns the content of a device, if it has one of these types. */
export function heldBy(world: World, path: string, types: RegExp): Held | undefined {
  const device = deviceAt(world, path);
  const superblock = device === undefined ? undefined : world.live.get(device.storage)?.superblock;
  if (device === undefined || superblock === undefined || !types.test(superblock.type)) return undefined;
  const { blockSize = 4096 } = superblock;
  const { blocks = 0 } = sizeOf(device.size, superblock);
  const { storage, size } = device;
  const mounts = world.mounts.filter((each) => mountedDevice(world, each)?.storage === storage);
  return { superblock, blockSize, blocks, room: Math.floor(size / blockSize), storage, mounts };
}

/** Finds the filesystem by its mount point. */
export function mountedAt(world: World, path: string, types: RegExp): Held | undefined {
  const mount = world.mounts.findLast((each) => each.path === path);
  const name = mount === undefined ? undefined : mountedDevice(world, mount)?.name;
  return name === undefined ? undefined : heldBy(world, `/dev/${name}`, types);
}

/**
 * Returns the device of a mount; a real btrfs has an anonymous device number, and is found by its
 * source.
 */
export function mountedDevice(world: World, { device, type, source }: Mount): Device | undefined {
  return type === 'btrfs' ? deviceAt(world, source) : deviceByNumber(world, device);
}

/**
 * Returns the size of an xfs in its superblock on the device: a mounted one does not write through
 * the page cache of the device, so after growth it is the former one.
 */
export function xfsBlocksOnDevice({ superblock, blocks, mounts }: Held): number {
  const { outOfDate } = superblock;
  const isMounted = mounts.some(({ id }) => id === outOfDate?.mountId);
  return outOfDate !== undefined && isMounted ? outOfDate.blocks : blocks;
}
