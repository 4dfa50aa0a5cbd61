import * as z from 'zod/mini';
import { parsed, sizeOption, text } from '../../core/request.ts';
import { present } from '../../core/present.ts';
import { type Bytes, parseSize } from '../../core/units.ts';
import { devices } from './devices.ts';
import { resolve } from './resolve.ts';
import { addMount } from '../tools/mount/mounts.ts';
import { nodeOf } from '../tools/blockdevice/partitions.ts';
import { tableIn } from '../tools/blockdevice/sectors.ts';
import { directory, emptyTree, file, plant, symlink, type Inode } from './tree.ts';
import type { Disk, VolumeGroup } from './parts.ts';
import { bootParameters } from './parameters.ts';
import { startUnits } from './units.ts';
import { bareWorld, settle, tmpfs, type World, type WorldOptions } from './world.ts';
import { type Module, needed } from './modules.ts';

const mib = 1024 ** 2;
const gib = 1024 ** 3;

const worldOptions = z.strictObject({
  seed: z.exactOptional(z.string()),
  hostname: z.exactOptional(text),
  udev: z.exactOptional(z.enum(['running', 'absent'])),
  volumeGroups: z.exactOptional(
    z.array(z.strictObject({ name: text, size: sizeOption, extentSize: z.exactOptional(sizeOption) })),
  ),
  disks: z.exactOptional(
    z.array(
      z.strictObject({
        ...{ name: text, size: z.union([z.literal(0), sizeOption]) },
        discards: z.exactOptional(z.literal(false)),
      }),
    ),
  ),
  memory: z.exactOptional(sizeOption),
  bridges: z.exactOptional(z.array(text)),
  addresses: z.exactOptional(z.array(text)),
});

function inBytes({
  name,
  size,
  extentSize,
}: {
  readonly name: string;
  readonly size: Bytes | string;
  readonly extentSize?: Bytes | string;
}) {
  return {
    // A drive without a medium has size 0.
    ...{ name, size: size === 0 ? 0 : parseSize(size) },
    ...(extentSize === undefined ? {} : { extentSize: parseSize(extentSize) }),
  };
}

/** Returns a dom0 with its system on /dev/vda and each volume group on its own disk. */
export function demoWorld(given: WorldOptions): World {
  const { memory = 4 * gib, ...options } = parsed('simulatedHost', worldOptions, given);
  const groups = (options.volumeGroups ?? [{ name: 'vg0', size: 8 * gib }]).map(inBytes);
  const sizes = [{ size: 4 * gib }, ...groups];
  const system: readonly Disk[] = sizes.map(({ size }, index) => diskAt(index, `vd${letter(index)}`, size));
  const more = (options.disks ?? [])
    .map((disk) => ({ ...disk, ...inBytes(disk) }))
    .map(({ name, size, discards }, index) => ({
      ...diskAt(system.length + index, name, size),
      ...present({ discards }),
    }));
  const disks = [...system, ...more];
  const world = bareWorld({ ...options, disks, memoryMiB: parseSize(memory) / mib });
  for (const { name } of disks) world.live.set(`disk:${name}`, {});
  makeSystem(world);
  for (const [index, group] of groups.entries()) makeGroup(world, system[index + 1], group);
  boot(world);
  for (const storage of world.live.keys()) if (!storage.startsWith('tmpfs:')) settle(world, storage);
  return world;
}

/** Sets up what the kernel, udev and the boot scripts do at each boot. */
export function boot(world: World): void {
  world.active = new Map();
  world.mappings = [];
  Object.assign(world.drbd, { module: 'absent', resources: [] });
  world.partitions = partitionsOf(world);
  world.mounts = [];
  world.loops = new Map();
  world.loopNodes.clear();
  world.swaps = [];
  world.domains = [];
  world.nextDomid = 1;
  world.held = new Map();
  tmpfs(world, 'tmpfs:/run');
  tmpfs(world, 'tmpfs:/tmp', 0o1777);
  const fixed = (device: string, path: string, type: string, storage: string): void =>
    void addMount(world, { device, path, type, source: type, storage, words: ['rw'] });
  addMount(world, {
    device: '254:0',
    path: '/',
    type: 'ext4',
    source: '/dev/vda',
    storage: 'disk:vda',
    words: ['rw'],
  });
  fixed('0:5', '/dev', 'devtmpfs', 'virtual:dev');
  fixed('0:21', '/proc', 'proc', 'virtual:proc');
  fixed('0:22', '/sys', 'sysfs', 'virtual:sys');
  fixed('0:24', '/run', 'tmpfs', 'tmpfs:/run');
  fixed('0:25', '/tmp', 'tmpfs', 'tmpfs:/tmp');
  const run = world.live.get('tmpfs:/run')?.tree;
  const control: Inode = { kind: 'other', mode: 0o600, uid: 0, gid: 0 };
  if (run !== undefined && world.udev === 'running') plant(run, '/udev/control', control);
  activateAtBoot(world);
  mountAtBoot(world);
  world.parameters = bootParameters(world);
  world.modules = bootModules(world);
  startUnits(world);
}

/** Returns the partitions that the kernel reads from the tables of its disks. */
function partitionsOf(world: World): World['partitions'] {
  return new Map(
    world.disks.flatMap(({ name, number, size }) => {
      const table = tableIn(world.live.get(`disk:${name}`), size);
      if (table === undefined) return [];
      const parts = table.partitions.map((each) => ({
        ...{ number: each.number, start: each.start * 512, size: each.size * 512 },
        ...{ node: nodeOf({ number }, each.number), real: false },
      }));
      return [[number, parts] as const];
    }),
  );
}

function activateAtBoot(world: World): void {
  let minor = 0;
  // A hidden volume is activated only with the volume that it belongs to; the spare of pools
  // belongs to none.
  for (const { lvs } of world.lvm)
    for (const { uuid, autoactivation, skipped, role } of lvs)
      if (autoactivation && skipped !== true && role?.startsWith('private,') !== true) {
        world.active.set(uuid, minor);
        minor += 1;
      }
}

/**
 * Mounts the filesystems that /etc/fstab names by their UUID, except `noauto`, as systemd does at
 * boot.
 */
function mountAtBoot(world: World): void {
  const fstab = resolve(world, '/etc/fstab', 'follow');
  const text = fstab.found ? new TextDecoder().decode(fstab.inode.content) : '';
  for (const [, uuid, path = '', type = '', options = ''] of text.matchAll(
    /^UUID=(\S+) (\S+) (\S+) (\S+)/gm,
  )) {
    if (options.split(',').includes('noauto')) continue;
    // The device of a btrfs with which the model stores its files.
    const device = devices(world).find(({ storage }) => {
      const { superblock, tree } = world.live.get(storage) ?? {};
      return (
        superblock !== undefined &&
        superblock.uuid === uuid &&
        (superblock.member === undefined || tree !== undefined)
      );
    });
    if (device === undefined) continue;
    const { number, storage, name } = device;
    addMount(world, { device: number, path, type, source: `/dev/${name}`, storage, words: ['rw'] });
  }
}

function makeSystem(world: World): void {
  const tree = emptyTree();
  for (const path of [
    '/dev',
    '/etc/xen/auto',
    '/home',
    '/lost+found',
    '/mnt',
    '/proc',
    '/root',
    '/run',
    '/srv',
    '/sys',
    '/tmp',
    '/var/cache',
    '/var/lib',
    '/var/lib/drbd',
    '/var/log',
  ])
    plant(tree, path, directory(path === '/root' || path === '/lost+found' ? 0o700 : 0o755));
  plant(tree, '/etc/hostname', file(`${world.hostname}\n`));
  plant(tree, '/etc/fstab', file('/dev/vda / ext4 defaults 0 1\n'));
  plant(tree, '/etc/passwd', file('root:x:0:0:root:/root:/bin/bash\n'));
  plant(tree, '/etc/group', file('root:x:0:\nadm:x:4:\nwww-data:x:33:\nnogroup:x:65534:\n'));
  plant(tree, '/etc/shadow', file('root:*:20000:0:99999:7:::\n', 0o640));
  plant(tree, '/etc/gshadow', file('root:*::\nadm:*::\nwww-data:*::\nnogroup:*::\n', 0o640));
  plant(tree, '/etc/skel/.profile', file('umask 027\n'));
  for (const path of ['/bin/bash', '/bin/sh', '/usr/sbin/nologin'])
    plant(tree, path, file('a program', 0o755));
  plant(tree, '/etc/xen/xl.conf', file('autoballoon="off"\n'));
  plant(tree, '/boot/vmlinuz-6.1.0-18-amd64', file('a kernel'));
  plant(tree, '/boot/initrd.img-6.1.0-18-amd64', file('a ramdisk'));
  plant(tree, '/vmlinuz', symlink('boot/vmlinuz-6.1.0-18-amd64'));
  plant(tree, '/initrd.img', symlink('boot/initrd.img-6.1.0-18-amd64'));
  const superblock = {
    type: 'ext4',
    usage: 'filesystem',
    uuid: world.ids.uuid(),
    version: '1.0',
    blockSize: 4096,
  } as const;
  world.live.set('disk:vda', { superblock, tree });
}

function makeGroup(
  world: World,
  disk: Disk | undefined,
  group: { readonly name: string; readonly size: number; readonly extentSize?: number },
): void {
  if (disk === undefined) throw new TypeError('a volume group needs a disk');
  const extentSize = group.extentSize ?? 4 * 1024 ** 2;
  const pv = world.ids.lvmUuid();
  world.live.set(`disk:${disk.name}`, {
    superblock: { type: 'LVM2_member', usage: 'raid', uuid: pv, version: 'LVM2 001' },
  });
  // LVM uses the first MiB itself, and a rest smaller than one extent stays unused.
  const extents = Math.floor((disk.size - 1024 ** 2) / extentSize);
  const vg: VolumeGroup = {
    uuid: world.ids.lvmUuid(),
    name: group.name,
    extentSize,
    seqno: 1,
    tags: [],
    pvs: [{ uuid: pv, path: `/dev/${disk.name}`, deviceSize: disk.size, extents, number: disk.number }],
    lvs: [],
    otherExtents: 0,
  };
  world.lvm = [...world.lvm, vg];
}

function diskAt(index: number, name: string, size: number): Disk {
  return { name, number: `254:${index * 16}`, size, serial: `sim-${name}` };
}

function letter(index: number): string {
  return String.fromCharCode(97 + index);
}

/** Returns the modules that the boot loads, from the files of modules-load.d(5). */
function bootModules(world: World): Map<string, Module> {
  const all = new Map<string, Module>([['xen_netback', { opens: 0 }]]);
  const there = resolve(world, '/etc/modules-load.d', 'follow');
  for (const name of there.found ? [...(there.inode.entries?.keys() ?? [])].sort() : []) {
    const file = resolve(world, `/etc/modules-load.d/${name}`, 'follow');
    if (!name.endsWith('.conf') || !file.found) continue;
    for (const line of new TextDecoder().decode(file.inode.content).split('\n'))
      for (const each of needed(line) ?? []) all.set(each, { opens: 0 });
  }
  return all;
}
