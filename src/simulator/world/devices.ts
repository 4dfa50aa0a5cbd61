import type { CryptMapping, KernelPart, LogicalVolume, Loop, PhysicalVolume, VolumeGroup } from './parts.ts';
import { drbdDevices, type DrbdVolume } from './drbd.ts';
import { firstLayerMinor, type Layer, layersOf } from './layers.ts';
import type { World } from './world.ts';

export { dmName, dmUuid } from './dm-names.ts';

/** A block device of the simulated kernel. */
export interface Device {
  readonly number: string;
  /** The kernel's name: `vdb`, `dm-3`, `loop0`. */
  readonly name: string;
  readonly size: number;
  /** Key of its content. */
  readonly storage: string;
  readonly lv?: { readonly vg: VolumeGroup; readonly lv: LogicalVolume };
  /** A device that lvm creates below a volume and does not list, such as `-tpool` or `-cow`. */
  readonly layer?: Layer;
  readonly mapping?: CryptMapping;
  readonly drbd?: DrbdVolume;
  /** For a partition: the number of its disk, and the kernel's data of the partition. */
  readonly part?: KernelPart & { readonly disk: string };
}

export const loopMajor = 7;

/** The storage of a loop device without a file. */
const detachedStorage = 'none';

interface Known {
  readonly all: readonly Device[];
  readonly byNumber: ReadonlyMap<string, Device>;
}

const deviceLists = new WeakMap<World, Known>();

/** Runs `read`, which must not change the world: the list of devices is computed once for it. */
export function withDeviceList<T>(world: World, read: () => T): T {
  if (deviceLists.has(world)) return read();
  const all = devices(world);
  // If two devices have the same number, the first one counts.
  deviceLists.set(world, {
    all,
    byNumber: new Map(all.toReversed().map((device) => [device.number, device])),
  });
  try {
    return read();
  } finally {
    deviceLists.delete(world);
  }
}

/** Returns every block device that exists now. */
export function devices(world: World): readonly Device[] {
  return deviceLists.get(world)?.all ?? devicesNow(world);
}

function devicesNow(world: World): readonly Device[] {
  const disks = world.disks.map(({ name, number, size }) => ({
    number,
    name,
    size,
    storage: `disk:${name}`,
  }));
  const volumes = world.lvm.flatMap((vg) =>
    vg.lvs.flatMap((lv) => {
      const minor = world.active.get(lv.uuid);
      if (minor === undefined) return [];
      // A classic snapshot shows all of its origin; its own extents are the space for changes.
      const isClassic = lv.pool === undefined && lv.origin !== undefined;
      const origin = isClassic ? vg.lvs.find(({ uuid }) => uuid === lv.origin) : undefined;
      const size = (origin ?? lv).extents * vg.extentSize;
      return [
        {
          number: `${world.dmMajor}:${minor}`,
          name: `dm-${minor}`,
          size,
          storage: `lv:${lv.uuid}`,
          lv: { vg, lv },
        },
      ];
    }),
  );
  const layers = layersOf(world).map((layer, at) => {
    const [minor, { id, size }] = [firstLayerMinor + at, layer];
    return { number: `${world.dmMajor}:${minor}`, name: `dm-${minor}`, size, storage: `layer:${id}`, layer };
  });
  const loops = [...world.loops.values()].map(({ minor, size, storage }) => ({
    number: `${loopMajor}:${minor}`,
    name: `loop${minor}`,
    size,
    storage,
  }));
  const mappings = world.mappings.map((mapping) => {
    const { number, size, storage } = mapping;
    return { number, name: `dm-${number.split(':')[1] ?? ''}`, size, storage, mapping };
  });
  const replicated = drbdDevices(world);
  const known = new Set([...loops, ...replicated].map(({ number }) => number));
  for (const minor of world.loopNodes) known.add(`${loopMajor}:${minor}`);
  const others = [...(world.overlay?.devices ?? [])]
    .filter(([number]) => !known.has(number))
    .map(([number, { name, size }]) => ({ ...{ number, name, size }, storage: `real:${number}` }));
  const detached = [...world.loopNodes]
    .filter((minor) => !world.loops.has(minor))
    .map((minor) => ({
      number: `${loopMajor}:${minor}`,
      name: `loop${minor}`,
      size: 0,
      storage: detachedStorage,
    }));
  const whole = [
    ...disks,
    ...volumes,
    ...layers,
    ...loops,
    ...mappings,
    ...replicated,
    ...others,
    ...detached,
  ];
  const parts = whole.flatMap(({ number: disk, name, storage }) =>
    (world.partitions.get(disk) ?? []).map((part) => ({
      number: part.node,
      name: `${name}${/\d$/.test(name) ? 'p' : ''}${part.number}`,
      size: part.size,
      storage: part.real ? `real:${part.node}` : `part:${storage}@${part.start}`,
      part: { ...part, disk },
    })),
  );
  const own = new Set(parts.map(({ number }) => number));
  return [...whole.filter(({ number }) => !own.has(number)), ...parts];
}

/** Returns the holders of a device as text; empty if it is unused. */
export function openers(world: World, number: string): readonly string[] {
  const mounts = world.mounts
    .filter(({ device }) => device === number)
    .map(({ path }) => `mounted on ${path}`);
  const swaps = world.swaps.filter((each) => each === number).map(() => 'swap');
  const guests = world.domains
    .filter(({ disks }) => disks.some((disk) => disk.number === number))
    .map(({ name }) => `guest ${name}`);
  const { storage = '' } = deviceByNumber(world, number) ?? {};
  const states = world.mounts.map((mount) =>
    mount.storage === undefined
      ? world.overlay?.btrfs.get(mount.device)
      : world.live.get(mount.storage)?.btrfs,
  );
  const isMember = states.some((state) => state?.members?.some((each) => each.storage === storage) === true);
  const joined = isMember && mounts.length === 0 ? ['part of a mounted btrfs'] : [];
  const held = [...world.held.keys()].filter((each) => each === number).map(() => 'held open');
  const mapped = world.mappings.filter(({ lower }) => lower === number).map(({ name }) => `open as ${name}`);
  const stored = drbdDevices(world)
    .filter(({ drbd }) => drbd?.lower === number)
    .map(({ name }) => `stores ${name}`);
  return [...mounts, ...joined, ...swaps, ...mapped, ...stored, ...guests, ...held];
}

/** Returns the loop device with that number, if a file is attached to it. */
export function loopOf(world: World, number: string): Loop | undefined {
  return [...world.loops.values()].find(({ minor }) => `${loopMajor}:${minor}` === number);
}

/** Whether the real host has this device. Other devices exist only in the plan. */
export function isReal(world: World, { lv, layer, mapping, drbd, number, part, storage }: Device): boolean {
  const { overlay } = world;
  if (overlay === undefined || layer !== undefined || storage === detachedStorage) return false;
  if (part !== undefined) return part.real;
  if (mapping !== undefined) return overlay.mappings.has(mapping.number);
  if (drbd !== undefined) return drbd.real === true;
  const loop = loopOf(world, number);
  if (loop !== undefined) return loop.real === true;
  return lv === undefined || overlay.volumes.has(lv.lv.uuid);
}

/** Detaches unused loop devices with autoclear, as the kernel does. */
export function dropReleased(world: World): void {
  for (const { minor, autoclear } of world.loops.values())
    if (autoclear && openers(world, `${loopMajor}:${minor}`).length === 0) world.loops.delete(minor);
}

/** Finds a logical volume by `VG/LV`. */
export function findLv(
  world: World,
  vgName: string,
  lvName: string,
): { readonly vg: VolumeGroup; readonly lv: LogicalVolume } | undefined {
  const vg = world.lvm.find(({ name }) => name === vgName);
  const lv = vg?.lvs.find(({ name }) => name === lvName);
  return vg === undefined || lv === undefined ? undefined : { vg, lv };
}

/** Returns the number of extents of a volume group that no volume uses. */
export function freeExtents(vg: VolumeGroup): number {
  const all = vg.pvs.reduce((sum, { extents }) => sum + extents, 0);
  return all - vg.otherExtents - vg.lvs.reduce((sum, lv) => sum + ownExtents(lv), 0);
}

/** Returns the extents of the group that a volume takes; a volume in a pool takes none. */
export function ownExtents({
  extents,
  pool,
  moreExtents = 0,
}: Pick<LogicalVolume, 'extents' | 'pool' | 'moreExtents'>): number {
  return pool === undefined ? extents + moreExtents : 0;
}

/** Offset of the first extent: LVM uses the first MiB itself. */
export const pvStart: number = 1024 ** 2;

/** Finds a device by its number (major:minor). */
export function deviceByNumber(world: World, number: string | undefined): Device | undefined {
  const known = deviceLists.get(world);
  if (known !== undefined) return number === undefined ? undefined : known.byNumber.get(number);
  return devices(world).find((device) => device.number === number);
}

/** Returns the physical volumes in no group: every device with a label that no group knows. */
export function freePvs(world: World): readonly PhysicalVolume[] {
  const members = new Set(world.lvm.flatMap(({ pvs }) => pvs.map(({ uuid }) => uuid)));
  return devices(world).flatMap(({ name, number, size, storage }) => {
    const { type, uuid } = world.live.get(storage)?.superblock ?? {};
    if (type !== 'LVM2_member' || uuid === undefined || members.has(uuid)) return [];
    return [{ uuid, path: `/dev/${name}`, deviceSize: size, extents: 0, number }];
  });
}

/** Returns the lowest free minor number of device-mapper. */
export function freeMinor(world: World): number {
  const taken = new Set([
    ...world.takenMinors,
    ...world.active.values(),
    ...world.mappings.map(({ number }) => Number(number.split(':')[1])),
  ]);
  let minor = 0;
  while (taken.has(minor)) minor += 1;
  return minor;
}
