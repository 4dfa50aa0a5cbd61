import { freeMinor } from '../devices.ts';
import type { LogicalVolume, VolumeGroup } from '../parts.ts';
import type { World } from '../world.ts';

/** What lvcreate does; also an administrator's. */
export function createLv(
  world: World,
  vg: VolumeGroup,
  make: Pick<LogicalVolume, 'name' | 'extents' | 'tags'> & { readonly origin?: string },
): LogicalVolume {
  const lv: LogicalVolume = { uuid: world.ids.lvmUuid(), autoactivation: true, ...make };
  vg.lvs = [...vg.lvs, lv];
  commit(vg);
  // Its extents are wiped of signatures as it is made.
  for (const contents of [world.live, world.durable]) contents.set(`lv:${lv.uuid}`, {});
  if (make.origin !== undefined) {
    const origin = world.live.get(`lv:${make.origin}`);
    if (origin !== undefined)
      for (const contents of [world.live, world.durable]) contents.set(`lv:${lv.uuid}`, origin);
  }
  activateLv(world, lv);
  return lv;
}

/** Into the kernel, with the lowest free minor number. */
export function activateLv(world: World, lv: LogicalVolume): void {
  if (world.active.has(lv.uuid)) return;
  world.active.set(lv.uuid, freeMinor(world));
}

/** What lvremove does; also an administrator's. */
export function removeLv(world: World, vg: VolumeGroup, lv: LogicalVolume): void {
  vg.lvs = vg.lvs.filter((other) => other !== lv);
  world.active.delete(lv.uuid);
  for (const contents of [world.live, world.durable]) contents.delete(`lv:${lv.uuid}`);
  commit(vg);
}

/** A change of the group's metadata. */
export function commit(vg: VolumeGroup): void {
  vg.seqno += 1;
}
