import type { Mount } from '../world/parts.ts';
import { addMount, moveMount, removeMount } from '../tools/mount/mounts.ts';
import { change, type World } from '../world/world.ts';
import { deviceOf, type WrapAct, must } from './act.ts';

/** Mounts and open files of an administrator. */
export interface MountAdmin {
  /** Mounts a device, read-write. */
  mount(device: string, path: string): Mount;
  /** Moves the newest mount at a path with `mount --move`, or by renaming a directory above it. */
  moveMount(path: string, to: string, how?: 'moved' | 'renamed'): void;
  /** Unmounts the newest mount at a path. */
  umount(path: string): void;
  /** Uses a device as swap space. */
  swapon(device: string): void;
  /**
   * Starts a process that keeps a path in use until `letGo`: its working directory, an open file,
   * or a device by its `major:minor`.
   */
  hold(path: string, command?: string): { readonly pid: number };
  /** Ends the process that `hold` started for this path. */
  letGo(path: string): void;
}

/** Returns these methods for a simulated host. */
export function mountActs(world: World, does: WrapAct): MountAdmin {
  const mountOn = (path: string): Mount =>
    must(
      world.mounts.findLast((each) => each.path === path),
      `mount on ${path}`,
    );
  return {
    mount: does((device, path) => {
      const { number, storage } = deviceOf(world, device);
      const type = world.live.get(storage)?.superblock?.type ?? 'ext4';
      change(world, storage);
      return addMount(world, { device: number, storage, path, type, source: device, words: ['rw'] });
    }),
    moveMount: does((path, to, how = 'moved') => moveMount(world, mountOn(path), to, how)),
    umount: does((path) => removeMount(world, mountOn(path))),
    swapon: does((device) => void world.swaps.push(deviceOf(world, device).number)),
    hold: does((path, command = 'sleep 1000') => {
      const pid = world.nextPid;
      world.nextPid += 1;
      world.held.set(path, { pid, command });
      return { pid };
    }),
    letGo: does((path) => void world.held.delete(path)),
  };
}
