import { devices } from '../../../../src/simulator/world/devices.ts';
import type { SimulatedHost } from '../../../../src/simulator/index.ts';
import type { Content } from '../../../../src/simulator/world/parts.ts';
import { tableIn } from '../../../../src/simulator/tools/blockdevice/sectors.ts';
import { inodeOf, type Tree, walk } from '../../../../src/simulator/world/tree.ts';
import type { World } from '../../../../src/simulator/world/world.ts';

/**
 * Can the content of this storage still be reached? It can be if the storage is only closed, inactive or not
 * mounted.
 */
export function isReachable(world: World, storage: string): boolean {
  const [sort, rest] = [storage.slice(0, storage.indexOf(':')), storage.slice(storage.indexOf(':') + 1)];
  if (sort === 'disk') return world.disks.some(({ name }) => name === rest);
  if (sort === 'lv') return world.lvm.some(({ lvs }) => lvs.some(({ uuid }) => uuid === rest));
  if (sort === 'crypt' || sort === 'drbd') {
    const uuid = rest.slice(0, rest.indexOf(':'));
    const lower = rest.slice(rest.indexOf(':') + 1);
    const { superblock, luks } = world.live.get(lower) ?? {};
    const isOpen = world.mappings.some((mapping) => mapping.storage === storage);
    const hasHeader = superblock?.uuid === uuid && (sort === 'drbd' || (luks?.slots.length ?? 0) > 0);
    return isReachable(world, lower) && (isOpen || hasHeader || headerElsewhere(world, uuid));
  }
  if (sort === 'file') {
    const { tree, ino } = /^(?<tree>.*):(?<ino>\d+)(?:@\d+)?$/.exec(rest)?.groups ?? {};
    return world.live.get(tree ?? '')?.tree?.inodes.has(Number(ino)) === true;
  }
  if (sort === 'part') {
    const { disk = '', start } = /^(?<disk>.*)@(?<start>\d+)$/.exec(rest)?.groups ?? {};
    const size = devices(world).find((device) => device.storage === disk)?.size ?? 0;
    const entries = tableIn(world.live.get(disk), size)?.partitions ?? [];
    return isReachable(world, disk) && entries.some((entry) => entry.start * 512 === Number(start));
  }
  return world.live.has(storage);
}

/** A header in a file opens it as well. */
function headerElsewhere(world: World, uuid: string): boolean {
  return treesOf(world).some((tree) =>
    [...walk(tree)].some(([path, ino]) => {
      const { content } = inodeOf(tree, ino);
      const isHeader =
        content !== undefined && !path.startsWith('/lib/bofh') && !path.startsWith('/var/lib/bofh');
      return isHeader && Buffer.from(content).includes(uuid);
    }),
  );
}

export function sizeOf(world: World, storage: string): number {
  const device = devices(world).find((each) => each.storage === storage);
  if (device !== undefined) return device.size;
  const uuid = storage.slice('lv:'.length);
  for (const { lvs, extentSize } of world.lvm)
    for (const lv of lvs) if (lv.uuid === uuid) return lv.extents * extentSize;
  return Number.POSITIVE_INFINITY;
}

/** A file with this text in it, in a filesystem that can still be mounted. */
export function hasFile({ world }: SimulatedHost, text: string): boolean {
  return [...world.live].some(
    ([storage, { superblock, tree }]) =>
      tree !== undefined &&
      (superblock !== undefined || storage.startsWith('tmpfs:')) &&
      isReachable(world, storage) &&
      hasText(tree, text),
  );
}

/** A filesystem of this UUID, on something that is still there. */
export function hasSuperblock({ world }: SimulatedHost, uuid: string): boolean {
  return [...world.live].some(
    ([storage, content]) => beneath(content).superblock?.uuid === uuid && isReachable(world, storage),
  );
}

/** These bytes, at the very place, within a device of the same storage. */
export function hasBytes(
  { world }: SimulatedHost,
  of: { readonly storage: string; readonly offset: number; readonly bytes: Uint8Array },
): boolean {
  const { storage, offset, bytes } = of;
  if (!isReachable(world, storage) || offset + bytes.length > sizeOf(world, storage)) return false;
  const content = world.live.get(storage) ?? {};
  const sector = (content.sectors ?? beneath(content).sectors)?.get(Math.floor(offset / 512));
  const found = sector ?? beneath(content).sectors?.get(Math.floor(offset / 512));
  return found !== undefined && Buffer.from(found).subarray(0, bytes.length).equals(bytes);
}

/** What is on a device also lies beneath metadata of DRBD, which are at its end. */
function beneath(content: Content): Content {
  return content.metadata?.beneath ?? content;
}

function treesOf({ live }: World): readonly Tree[] {
  return [...live.values()].flatMap(({ tree }) => tree ?? []);
}

function hasText(tree: Tree, text: string): boolean {
  return [...walk(tree)].some(([, ino]) => {
    const { content } = inodeOf(tree, ino);
    return content !== undefined && Buffer.from(content).includes(text);
  });
}
