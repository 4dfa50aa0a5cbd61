import { posix } from 'node:path';
import { isGone } from '../real-host/gone.ts';
import {
  type Device,
  deviceByNumber,
  devices,
  dmName,
  dmUuid,
  isReal,
  loopOf,
  withDeviceList,
} from './devices.ts';
import { lowerOf } from './layers.ts';
import { blockNode, directory, file, type Inode, symlink, type Tree, treeOfPaths } from './tree.ts';
import type { Mount } from './parts.ts';
import { linkName, tagsOf } from './tags.ts';
import { procModules } from './modules.ts';
import type { World } from './world.ts';

/** The only mount namespace of the simulated host. */
export const mountNamespace = '4026531841';

interface Cached {
  readonly revision: number;
  readonly trees: Map<string, Tree>;
}

const cache = new WeakMap<World, Cached>();

/**
 * Returns what the simulated kernel and udev show in /dev, /proc and /sys, computed from the rest
 * of the state.
 */
export function virtualTree(world: World, storage: string): Tree {
  const known = cache.get(world);
  const cached =
    known?.revision === world.revision ? known : { revision: world.revision, trees: new Map<string, Tree>() };
  cache.set(world, cached);
  const tree = cached.trees.get(storage) ?? build(world, storage);
  cached.trees.set(storage, tree);
  return tree;
}

/** Shares the computed trees of a world with its copy until one of them is changed. */
export function shareTrees(world: World, copy: World): void {
  const known = cache.get(world);
  if (known?.revision === copy.revision)
    cache.set(copy, { revision: known.revision, trees: new Map(known.trees) });
}

function generated(world: World, storage: string): Iterable<readonly [string, Inode]> {
  if (storage === 'virtual:dev') return dev(world);
  return storage === 'virtual:sys' ? sys(world) : proc(world);
}

function build(world: World, storage: string): Tree {
  return withDeviceList(world, () => treeOfPaths(paths(world, storage)));
}

function* paths(world: World, storage: string): Generator<readonly [string, Inode]> {
  const top = `/${storage.slice('virtual:'.length)}`;
  const gone = world.overlay === undefined ? () => false : isGone(world.overlay, world);
  // The values of a real host come first, so that those of the model replace them.
  for (const [path, inode] of world.overlay?.imported ?? [])
    if (path.startsWith(`${top}/`) && !gone(path)) yield [path.slice(top.length), inode];
  yield* generated(world, storage);
}

function* dev(world: World): Generator<readonly [string, Inode]> {
  if (world.overlay === undefined) yield* basics();
  for (const device of devices(world)) {
    const { name, number, lv, layer, mapping, storage } = device;
    yield [`/${name}`, blockNode(number)];
    if (lv !== undefined) {
      yield [`/mapper/${dmName(lv.vg.name, lv.lv.name)}`, symlink(`../${name}`)];
      yield [`/${lv.vg.name}/${lv.lv.name}`, symlink(`../${name}`)];
    }
    const mapped = mapping ?? layer;
    if (mapped !== undefined) yield [`/mapper/${mapped.name}`, symlink(`../${name}`)];
    const { member } = world.live.get(storage)?.superblock ?? {};
    const isFirst = member === undefined || world.live.get(storage)?.tree !== undefined;
    if (world.udev === 'absent' || !isFirst) continue;
    for (const [tag, value] of tagsOf(world, device))
      yield [`/disk/by-${tag.toLowerCase()}/${linkName(value)}`, symlink(`../../${name}`)];
  }
}

function* basics(): Generator<readonly [string, Inode]> {
  yield ['/null', { kind: 'character', mode: 0o666, uid: 0, gid: 0, node: '1:3' }];
  yield ['/mapper/control', { kind: 'character', mode: 0o600, uid: 0, gid: 0, node: '10:236' }];
  yield ['/loop-control', { kind: 'character', mode: 0o660, uid: 0, gid: 6, node: '10:237' }];
}

function* sys(world: World): Generator<readonly [string, Inode]> {
  if (world.overlay === undefined) {
    yield ['/hypervisor/type', file('xen\n', 0o444)];
    yield ['/fs/ext4', directory()];
    yield ['/class/net/lo', directory()];
    for (const bridge of world.bridges) yield [`/class/net/${bridge}/bridge`, directory()];
    yield ['/bus/xen-backend/devices', directory()];
  }
  const { module, version = '8.4.11' } = world.drbd;
  if (module === 'loaded') yield ['/module/drbd/version', file(`${version}\n`, 0o444)];
  const uppers = uppersOf(world);
  for (const device of devices(world))
    if (isReal(world, device)) yield* changed(world, device, uppers.get(device.number) ?? []);
    else yield* block(world, device, uppers.get(device.number) ?? []);
  yield* btrfsDevices(world);
  for (const { domid, disks } of world.domains)
    for (const { vdev, number, mode, writes = 0 } of disks) {
      const at = `/bus/xen-backend/devices/vbd-${domid}-${vdevNumber(vdev)}`;
      // Its hotplug script refused the device, so the backend has none.
      if (number !== '') yield [`${at}/physical_device`, file(`${hexNumber(number)}\n`, 0o444)];
      yield [`${at}/mode`, file(mode === 'ro' ? 'r\n' : 'w\n', 0o444)];
      yield [`${at}/statistics/wr_req`, file(`${String(writes)}\n`, 0o444)];
      yield [`${at}/statistics/ds_req`, file('0\n', 0o444)];
    }
}

/**
 * Returns the values that the model can change on devices of the real host: names, sizes and
 * holders. The real host is asked about everything else.
 */
function* changed(
  world: World,
  device: Device,
  uppers: readonly Device[],
): Generator<readonly [string, Inode]> {
  const { name, number, size, lv, mapping, part, drbd } = device;
  const known = world.overlay?.mappings.get(number);
  const at = `/devices/virtual/block/${name}`;
  const home = world.overlay?.homes.get(number) ?? at;
  for (const upper of uppers)
    if (!isReal(world, upper)) yield [`${home}/holders/${upper.name}`, link(world, `${home}/holders`, upper)];
  if (mapping !== undefined && known?.name !== mapping.name)
    yield [`${at}/dm/name`, file(`${mapping.name}\n`, 0o444)];
  if (mapping !== undefined && known?.size !== mapping.size)
    yield [`${at}/size`, file(`${mapping.size / 512}\n`, 0o444)];
  // A changed table may contain another size.
  if (part?.real === true) yield [`${sysHome(world, device)}/size`, file(`${size / 512}\n`, 0o444)];
  // A replicated disk may have grown.
  if (drbd?.real === true && size > 0) yield [`${at}/size`, file(`${size / 512}\n`, 0o444)];
  const volume = lv === undefined ? undefined : world.overlay?.volumes.get(lv.lv.uuid);
  if (volume !== undefined && volume.size !== size) yield [`${at}/size`, file(`${size / 512}\n`, 0o444)];
  if (lv === undefined || volume?.name === lv.lv.name) return;
  yield [`/devices/virtual/block/${name}/dm/name`, file(`${dmName(lv.vg.name, lv.lv.name)}\n`, 0o444)];
}

function* block(
  world: World,
  device: Device,
  uppers: readonly Device[],
): Generator<readonly [string, Inode]> {
  const { name, number, size, lv, layer, mapping, part } = device;
  const home = sysHome(world, device);
  yield [`/dev/block/${number}`, symlink(`../..${home}`)];
  if (part === undefined) {
    yield [`/block/${name}`, symlink(`..${home}`)];
    const most = deviceDiscards(world, device) ? 4294966784 : 0;
    yield [`${home}/queue/discard_max_bytes`, file(`${most}\n`, 0o444)];
  } else {
    yield [`${home}/partition`, file(`${part.number}\n`, 0o444)];
    yield [`${home}/start`, file(`${part.start / 512}\n`, 0o444)];
  }
  yield [`${home}/dev`, file(`${number}\n`, 0o444)];
  yield [`${home}/size`, file(`${Math.floor(size / 512)}\n`, 0o444)];
  yield [`${home}/ro`, file(`${(mapping ?? loopOf(world, number))?.mode === 'ro' ? 1 : 0}\n`, 0o444)];
  yield [`${home}/slaves`, directory()];
  yield [`${home}/holders`, directory()];
  for (const lower of slavesOf(world, device))
    yield [`${home}/slaves/${lower.name}`, link(world, `${home}/slaves`, lower)];
  for (const upper of uppers) yield [`${home}/holders/${upper.name}`, link(world, `${home}/holders`, upper)];
  if (lv !== undefined) {
    yield [`${home}/dm/name`, file(`${dmName(lv.vg.name, lv.lv.name)}\n`, 0o444)];
    yield [`${home}/dm/uuid`, file(`${dmUuid(lv.vg, lv.lv)}\n`, 0o444)];
  }
  const mapped = mapping ?? layer;
  if (mapped !== undefined) {
    yield [`${home}/dm/name`, file(`${mapped.name}\n`, 0o444)];
    yield [`${home}/dm/uuid`, file(`${mapped.dmUuid}\n`, 0o444)];
  }
  const disk = world.disks.find((each) => each.number === number);
  if (disk !== undefined) yield [`${home}/serial`, file(disk.serial, 0o444)];
  const loop = loopOf(world, number);
  if (loop === undefined) return;
  yield [`${home}/diskseq`, file(`${loop.sequence}\n`, 0o444)];
  yield [`${home}/loop/backing_file`, file(`${loop.path}\n`, 0o444)];
  yield [`${home}/loop/offset`, file(`${loop.offset}\n`, 0o444)];
}

function link(world: World, from: string, to: Device): Inode {
  return symlink(posix.relative(from, sysHome(world, to)));
}

function sysHome(world: World, device: Device): string {
  const { name, number, part } = device;
  if (part !== undefined) {
    const disk = deviceByNumber(world, part.disk);
    const known = world.overlay?.imported.get(`/sys/dev/block/${part.disk}`)?.target;
    if (known !== undefined) return `${posix.resolve('/dev/block', known)}/${name}`;
    if (disk !== undefined) return `${sysHome(world, disk)}/${name}`;
  }
  if (isReal(world, device)) return `/dev/block/${number}`;
  const disk = world.disks.findIndex((each) => each.number === number);
  return disk < 0 ? `/devices/virtual/block/${name}` : `/devices/pci0000:00/virtio${disk}/block/${name}`;
}

function slavesOf(world: World, { lv, layer, mapping, drbd }: Device): readonly Device[] {
  if (drbd !== undefined) return [deviceByNumber(world, drbd.lower) ?? []].flat();
  if (mapping !== undefined) return [deviceByNumber(world, mapping.lower) ?? []].flat();
  const lower = new Set(layer?.lower ?? (lv === undefined ? [] : lowerOf(lv.vg, lv.lv)));
  if (lower.size > 0)
    return devices(world).filter((each) => each.layer !== undefined && lower.has(each.layer.id));
  return ((lv ?? layer)?.vg.pvs ?? []).flatMap(({ number }) => deviceByNumber(world, number) ?? []);
}

/** Whether a device can discard blocks: a disk unless it says no, any other device if all below it can. */
export function deviceDiscards(world: World, device: Device): boolean {
  const disk = world.disks.find(({ number }) => number === device.number);
  if (disk !== undefined) return disk.discards !== false;
  if (device.mapping !== undefined && device.mapping.discards !== true) return false;
  const lower = device.part === undefined ? undefined : deviceByNumber(world, device.part.disk);
  return [...slavesOf(world, device), ...(lower === undefined ? [] : [lower])].every((each) =>
    deviceDiscards(world, each),
  );
}

/** Returns the holders of each device, by its number. */
function uppersOf(world: World): ReadonlyMap<string, readonly Device[]> {
  const uppers = new Map<string, Device[]>();
  for (const upper of devices(world))
    for (const number of new Set(slavesOf(world, upper).map((each) => each.number)))
      uppers.set(number, [...(uppers.get(number) ?? []), upper]);
  return uppers;
}

function* proc(world: World): Generator<readonly [string, Inode]> {
  yield ['/self/mountinfo', file(world.mounts.map(mountLine).join(''), 0o444)];
  if (world.overlay === undefined)
    yield [
      '/devices',
      file(
        `Character devices:\n  1 mem\n\nBlock devices:\n  7 loop\n${world.dmMajor} device-mapper\n254 virtblk\n`,
        0o444,
      ),
    ];
  if (world.overlay === undefined) yield ['/self/ns/mnt', symlink(`mnt:[${mountNamespace}]`)];
  for (const [path, { pid, command }] of world.held) {
    const argv = command.split(' ');
    const open = deviceByNumber(world, path);
    yield [`/${pid}/cmdline`, file(`${argv.join('\0')}\0`, 0o444)];
    yield [`/${pid}/status`, file('SigIgn:\t0000000000000000\n', 0o444)];
    for (const name of ['cwd', 'fd/3'])
      yield [`/${pid}/${name}`, symlink(open === undefined ? path : `/dev/${open.name}`)];
  }
  yield ['/swaps', file(swaps(world), 0o444)];
  yield ['/sys/kernel/random/boot_id', file(`${world.boot}\n`, 0o444)];
  yield ['/sys/kernel/hostname', file(`${world.hostname}\n`)];
  for (const [path, { value, mode }] of world.parameters) yield [`/sys/${path}`, file(`${value}\n`, mode)];
  if (world.overlay === undefined) yield ['/sys/kernel/osrelease', file('6.1.0-18-amd64\n', 0o444)];
  if (world.overlay === undefined || world.modules.size > 0)
    yield ['/modules', file(procModules(world), 0o444)];
  // The model assumes 1 GiB for dom0.
  if (world.overlay === undefined)
    yield [
      '/meminfo',
      file('MemTotal:        1048576 kB\nMemFree:          524288 kB\nMemAvailable:     786432 kB\n', 0o444),
    ];
  if (world.overlay === undefined) yield ['/xen/capabilities', file('control_d\n', 0o444)];
}

function mountLine(mount: Mount): string {
  const { id, parent, device, options, optional, type, superOptions } = mount;
  const [root, path, source] = [mount.root, mount.path, mount.source].map(escapeOctal);
  const more = optional === '' ? '' : `${optional} `;
  return `${id} ${parent} ${device} ${root ?? ''} ${path ?? ''} ${options} ${more}- ${type} ${source ?? ''} ${superOptions}\n`;
}

/** Escapes a name as the kernel does in /proc/self/mountinfo and /proc/swaps. */
export function escapeOctal(text: string): string {
  return text.replace(/[ \t\n\\]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

function swaps(world: World): string {
  const lines = world.swaps.map((number) => {
    const { name, size } = deviceByNumber(world, number) ?? { name: number, size: 0 };
    return `/dev/${name}`.padEnd(40) + `partition\t${Math.floor(size / 1024) - 4}\t\t0\t\t-2\n`;
  });
  return ['Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n', ...lines].join('');
}

/**
 * Returns the number of a virtual disk (xen/interface/io/blkif.h and
 * libxl__device_disk_dev_number): xvda is 202 << 8, with sixteen minors per disk; hda is 3 << 8 and hdc 22 << 8, with
 * 64 minors per disk.
 */
export function vdevNumber(vdev: string): number {
  // A guest of a real host is known by its backend, which has the number.
  if (/^\d+$/.test(vdev)) return Number(vdev);
  const { letter, part } = /^xvd(?<letter>[a-p])(?<part>\d+)?$/.exec(vdev)?.groups ?? {};
  const ide = /^hd(?<letter>[a-d])$/.exec(vdev)?.groups?.letter;
  if (ide !== undefined) return ((ide < 'c' ? 3 : 22) << 8) + (ide === 'b' || ide === 'd' ? 64 : 0);
  if (letter === undefined) throw new TypeError(`the simulated host knows no virtual disk "${vdev}"`);
  return (202 << 8) + (letter.charCodeAt(0) - 97) * 16 + Number(part ?? 0);
}

function hexNumber(number: string): string {
  return number
    .split(':')
    .map((part) => Number(part).toString(16))
    .join(':');
}

/** Returns the files of /sys for every mounted btrfs: its devices, and its running operation. */
function* btrfsDevices(world: World): Generator<readonly [string, Inode]> {
  for (const { type, storage, device } of world.mounts) {
    if (type !== 'btrfs') continue;
    const content = storage === undefined ? undefined : world.live.get(storage);
    const state = storage === undefined ? world.overlay?.btrfs.get(device) : content?.btrfs;
    const home = `/fs/btrfs/${content?.superblock?.uuid ?? state?.fs ?? ''}`;
    const members = state?.members?.map((each) => each.storage) ?? (storage === undefined ? [] : [storage]);
    for (const { name } of devices(world).filter((each) => members.includes(each.storage)))
      yield [`${home}/devices/${name}`, symlink(`../../../../block/${name}`)];
    if (storage === undefined) continue;
    const goesOn = { none: 'none', running: 'balance', paused: 'balance paused' }[state?.balance ?? 'none'];
    yield [`${home}/exclusive_operation`, file(`${goesOn}\n`, 0o444)];
    if (state?.limits !== undefined)
      yield [`${home}/qgroups/mode`, file(`${state.simple ? 'squota' : 'qgroup'}\n`, 0o444)];
  }
}
