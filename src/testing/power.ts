import { boot } from './start.ts';
import { copyContent, settle, type World } from './world.ts';

/** What becomes of writes that nobody synced: the kernel may have written all of them, or none. */
export type Keep = 'none' | 'all';

/** A clean reboot: everything is unmounted and written first. */
export function reboot(world: World): void {
  for (const storage of storages(world)) {
    const content = world.live.get(storage);
    if (content !== undefined) world.live.set(storage, { ...content, needsRecovery: false });
    settle(world, storage);
  }
  restart(world);
}

/** The power fails, and the host boots from what its disks hold. */
export function powerCut(world: World, keep: Keep): void {
  if (keep === 'all') for (const storage of storages(world)) settle(world, storage);
  restart(world);
}

function storages(world: World): readonly string[] {
  return [...world.live.keys()].filter((storage) => !storage.startsWith('tmpfs:'));
}

function restart(world: World): void {
  world.live = new Map([...world.durable].map(([storage, content]) => [storage, copyContent(content)]));
  world.boot = world.ids.uuid();
  world.flocks = [];
  world.objectLocks.clear();
  world.orphans = [];
  boot(world);
  world.revision += 1;
}
