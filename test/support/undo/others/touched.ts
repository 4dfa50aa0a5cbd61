import { type Device, devices, freePvs } from '../../../../src/simulator/world/devices.ts';
import type { Content, VolumeGroup } from '../../../../src/simulator/world/parts.ts';
import type { SimulatedHost } from '../../../../src/simulator/index.ts';
import { inodeOf, type Tree, walk } from '../../../../src/simulator/world/tree.ts';
import type { World } from '../../../../src/simulator/world/world.ts';

/** What a sequence has made or changed: the difference between two hosts, whatever the sequence says of it. */
export interface Touched {
  readonly devices: readonly TouchedDevice[];
  /** Paths of regular files of the root filesystem and of /run. */
  readonly files: readonly string[];
  readonly groups: readonly VolumeGroup[];
  readonly freePvs: readonly Device[];
}

export interface TouchedDevice {
  readonly device: Device;
  readonly content: Content;
  readonly isNew: boolean;
  readonly hasGrown: boolean;
  /** Directories in its filesystem that are new, the outermost ones. */
  readonly directories: readonly string[];
}

/** bofh's own, and what the kernel shows. */
export const notTheirs =
  /^\/(?:dev|proc|sys|var\/lib\/bofh|run\/(?:bofh|mount|udev)|var\/lock)(?:\/|$)|\/\.bofh-(?!gone-)/;

export function touchedIn(before: SimulatedHost, now: SimulatedHost): Touched {
  const known = new Map(devices(before.world).map((device) => [device.storage, device]));
  const touched = devices(now.world).flatMap((device): readonly TouchedDevice[] => {
    const content = now.world.live.get(device.storage) ?? {};
    const old = known.get(device.storage);
    const was = before.world.live.get(device.storage) ?? {};
    const paths = changedPaths(was.tree, content.tree);
    const isSame =
      old !== undefined &&
      old.size === device.size &&
      volumeKey(old) === volumeKey(device) &&
      keyOf(was) === keyOf(content);
    // A detached loop device has no file: nothing can be written to it.
    const isNone = device.layer !== undefined || device.size === 0;
    if (isNone || device.storage === 'disk:vda' || (isSame && paths.length === 0)) return [];
    return [
      {
        ...{ device, content, isNew: old === undefined },
        hasGrown: old !== undefined && old.size < device.size,
        directories: outermost(content.tree, was.tree, paths),
      },
    ];
  });
  const files = (['disk:vda', 'tmpfs:/run'] as const).flatMap((storage) => {
    const [was, tree] = [before.world.live.get(storage)?.tree, now.world.live.get(storage)?.tree];
    const top = storage === 'tmpfs:/run' ? '/run' : '';
    return changedPaths(was, tree)
      .filter((path) => tree !== undefined && kindAt(tree, path) === 'file')
      .map((path) => `${top}${path}`)
      .filter((path) => !notTheirs.test(path));
  });
  return {
    ...{ devices: touched, files },
    groups: now.world.lvm.filter((vg) => groupKey(vg) !== groupKey(groupIn(before.world, vg.uuid))),
    freePvs: touched
      .map(({ device }) => device)
      .filter(({ number }) => freePvs(now.world).some((pv) => pv.number === number)),
  };
}

function groupIn({ lvm }: World, uuid: string): VolumeGroup | undefined {
  return lvm.find((vg) => vg.uuid === uuid);
}

function groupKey(vg: VolumeGroup | undefined): string {
  return JSON.stringify([vg?.name, vg?.pvs.map(({ uuid }) => uuid)]);
}

function volumeKey({ lv }: Device): string {
  return JSON.stringify([lv?.lv.name, lv?.lv.tags, lv?.lv.runs]);
}

/** All of a content but its files. */
function keyOf({ tree: _, sectors, metadata, erased, real: __, ...rest }: Content): string {
  const written = [...(sectors ?? [])].map(([at, bytes]) => `${at} ${Buffer.from(bytes).toString('hex')}`);
  return JSON.stringify([rest, written.sort(), metadata?.at, erased?.offsets]);
}

export function changedPaths(before: Tree | undefined, now: Tree | undefined): readonly string[] {
  if (now === undefined) return [];
  const old = new Map(
    before === undefined ? [] : [...walk(before)].map(([path, ino]) => [path, inodeOf(before, ino)]),
  );
  return [...walk(now)].flatMap(([path, ino]) => (old.get(path) === inodeOf(now, ino) ? [] : [path]));
}

function outermost(
  now: Tree | undefined,
  before: Tree | undefined,
  paths: readonly string[],
): readonly string[] {
  if (now === undefined || before === undefined) return [];
  const old = new Set([...walk(before)].map(([path]) => path));
  const made = paths.filter(
    (path) => kindAt(now, path) === 'directory' && !old.has(path) && !notTheirs.test(path),
  );
  return made.filter((path) => !made.some((above) => path.startsWith(`${above}/`)));
}

function kindAt(tree: Tree, path: string): string | undefined {
  const [, ino] = [...walk(tree)].find(([each]) => each === path) ?? [];
  return ino === undefined ? undefined : inodeOf(tree, ino).kind;
}
