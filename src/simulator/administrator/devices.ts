import type { Superblock } from '../world/parts.ts';
import { sizeOf } from '../tools/blockdevice/held.ts';
import { attachLoop, type LoopOptions } from '../tools/blockdevice/loop.ts';
import { nodeOf } from '../tools/blockdevice/partitions.ts';
import { type Table, withBytes, withTable } from '../tools/blockdevice/sectors.ts';
import { emptyTree } from '../world/tree.ts';
import { settle, type World } from '../world/world.ts';
import { deviceOf, type WrapAct } from './act.ts';

/** Acts of an administrator on devices and loop devices. */
export interface DeviceAdmin {
  /**
   * Overwrites a device: `{ type: 'ext4', usage: 'filesystem', uuid: … }` creates an empty filesystem,
   * `undefined` makes the device blank.
   */
  format(device: string, superblock: Superblock | undefined): void;
  /** Writes a partition table, in sectors, and lets the kernel read it. */
  partition(device: string, table: Table): void;
  /** Writes bytes to a device, at an offset in bytes. */
  writeBytes(device: string, offset: number, bytes: Uint8Array): void;
  /** Attaches a file to a loop device; returns its path, such as `/dev/loop0`. */
  losetup(path: string, how?: LoopOptions): string;
  /** Detaches a loop device, such as `/dev/loop0`. */
  detachLoop(device: string): void;
}

/** Returns these methods for a simulated host. */
export function deviceActs(world: World, does: WrapAct): DeviceAdmin {
  return {
    format: does((device, superblock) => format(world, device, superblock)),
    partition: does((path, table) => {
      const device = deviceOf(world, path);
      world.live.set(device.storage, withTable({}, device.size, table));
      settle(world, device.storage);
      const parts = table.partitions.map(({ number, start, size }) => ({
        ...{ number, start: start * 512, size: size * 512, node: nodeOf(device, number), real: false },
      }));
      world.partitions.set(device.number, parts);
    }),
    writeBytes: does((path, offset, bytes) => {
      const { storage } = deviceOf(world, path);
      world.live.set(storage, withBytes(world.live.get(storage) ?? {}, offset, bytes));
      settle(world, storage);
    }),
    losetup: does((path, how = {}) => `/dev/loop${attachLoop(world, path, how).minor}`),
    detachLoop: does((device) => void world.loops.delete(Number(device.slice('/dev/loop'.length)))),
  };
}

/** Writes a superblock as the only content of a device, durable at once. */
export function format(world: World, path: string, asked: Superblock | undefined): void {
  const { storage, size } = deviceOf(world, path);
  const isFilesystem = asked?.usage === 'filesystem';
  const superblock =
    asked === undefined || !(isFilesystem || asked.type === 'swap') ? asked : sizeOf(size, asked);
  const tree = emptyTree();
  // As large as the current device, unless the caller gives a size.
  const blocks = superblock?.blocks ?? Math.floor(size / (superblock?.blockSize ?? 4096));
  const sized = superblock === undefined ? undefined : { ...superblock, blocks };
  world.live.set(
    storage,
    sized === undefined ? {} : isFilesystem ? { superblock: sized, tree } : { superblock: sized },
  );
  settle(world, storage);
}
