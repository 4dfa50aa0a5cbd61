import { posix } from 'node:path';
import { devices, dropReleased, findLv, freePvs, pvStart } from './devices.ts';
import { movedInside } from './btrfs.ts';
import * as files from './files.ts';
import { resolve } from './resolve.ts';
import { addInode, emptyTree, file, inodeOf, type Inode, symlink } from './tree.ts';
import { sizeOf } from './tools/held.ts';
import { btrfsTools } from './tools/btrfs.ts';
import { lvconvertCopies } from './tools/lvm-raid.ts';
import { beginMove } from './tools/pvmove.ts';
import { allocate, createLv, joined, placeOf, removeLv } from './tools/volumes.ts';
import { addMount, removeMount } from './tools/mounts.ts';
import type { DrbdResource } from './drbd.ts';
import { withMetadata } from './tools/drbd-bytes.ts';
import { withBytes } from './tools/sectors.ts';
import { drbdTools } from './tools/drbd.ts';
import { openMapping } from './tools/crypt-open.ts';
import { encodeHeader, partsOf } from './header-file.ts';
import { begun } from './tools/crypt-reencrypt.ts';
import { luksAt, luksOffset, newSlot, putHeader } from './tools/luks.ts';
import { attachLoop, type LoopOptions } from './tools/loop.ts';
import { nodeOf } from './tools/partitions.ts';
import { type Table, withTable } from './tools/sectors.ts';
import { addDomain } from './tools/domains.ts';
import type { Domain, LogicalVolume, Mount, PhysicalVolume, Superblock } from './parts.ts';
import { settle, type World } from './world.ts';

/** What somebody else does on the host, at once and without bofh. All of it is durable. */
export interface Admin {
  lvcreate(make: {
    readonly vg: string;
    readonly name: string;
    readonly extents: number;
    readonly tags?: readonly string[];
  }): LogicalVolume;
  snapshot(make: {
    readonly vg: string;
    readonly name: string;
    readonly origin: string;
    readonly extents: number;
  }): LogicalVolume;
  thinPool(make: { readonly vg: string; readonly name: string; readonly extents: number }): LogicalVolume;
  /** `extents`: its virtual size. */
  thinVolume(make: {
    readonly vg: string;
    readonly name: string;
    readonly pool: string;
    readonly extents: number;
    readonly origin?: string;
  }): LogicalVolume;
  /** How full it is, in percent. */
  fill(vg: string, name: string, of: { readonly data: number; readonly metadata?: number }): void;
  /** To so many extents. */
  lvextend(vg: string, name: string, extents: number): void;
  /** A second copy of a linear volume, on a device. */
  addCopy(vg: string, name: string, device: string): void;
  /** Begins to move extents of a volume, `/dev/vdb:0-3` to `/dev/vdc:0-3`, and is killed half-way. */
  beginMove(vg: string, name: string, from: string, to: string): void;
  lvremove(vg: string, name: string): void;
  lvrename(vg: string, from: string, to: string): void;
  /** A group of devices that hold free physical volumes, with extents of 4 MiB. */
  vgcreate(name: string, devices: readonly string[]): void;
  /** Puts a device that holds a free physical volume into a group. */
  vgextend(
    vg: string,
    device: string,
    more?: Partial<Pick<PhysicalVolume, 'tags' | 'allocatable' | 'extents'>>,
  ): void;
  vgreduce(vg: string, device: string): void;
  vgrename(from: string, to: string): void;
  /** Writes what lvm itself writes of a group after each change, as far as its devices and volumes are left out. */
  backup(vg: string): void;
  /** Overwrites a device: with nothing, to make it blank. A filesystem is an empty one. */
  format(device: string, superblock: Superblock | undefined): void;
  /** Writes a partition table, in sectors, and has the kernel read it. */
  partition(device: string, table: Table): void;
  /** A LUKS device with one key, which is text. */
  luksFormat(make: {
    readonly device: string;
    readonly uuid: string;
    readonly key: string;
    /** By slot; the first one lies in slot 0. */
    readonly moreKeys?: Readonly<Record<number, string>>;
    readonly version?: 1 | 2;
    readonly label?: string;
    /** Another one than usual: a header of the same uuid from before does not open the data. */
    readonly volumeKey?: string;
    readonly integrity?: true;
    readonly slotRoom?: number;
  }): void;
  /** Begins to encrypt one anew, and stops when so much is done, or before the header knows of it. */
  luksReencrypt(begin: {
    readonly device: string;
    readonly key: string;
    readonly done: number | 'nothing';
    readonly torn?: boolean;
    readonly mode?: 'encrypt' | 'decrypt';
  }): void;
  /** Saves the header of one in a file. */
  luksHeaderBackup(device: string, file: string): void;
  /** Opens one: cryptsetup's own uuid of the mapping has its name in it, or the one that it was opened under at first. */
  luksOpen(device: string, name: string): void;
  luksClose(name: string): void;
  writeFile(path: string, content: Uint8Array | string, mode?: number): void;
  symlink(path: string, target: string): void;
  removeFile(path: string): void;
  mkdir(path: string): void;
  mount(device: string, path: string): Mount;
  umount(path: string): void;
  swapon(device: string): void;
  /** A process works in a directory, has a file of it open, or a device by its `major:minor`; until `letGo`. */
  hold(path: string, command?: string): { readonly pid: number };
  letGo(path: string): void;
  /** At the lowest free number, unless it is told; the device. */
  losetup(path: string, how?: LoopOptions): string;
  detachLoop(device: string): void;
  startDomain(
    make: Pick<Domain, 'name'> &
      Partial<Pick<Domain, 'uuid' | 'memoryMiB' | 'vcpus' | 'state' | 'built' | 'disks'>>,
  ): Domain;
  destroyDomain(name: string): void;
  setDomain(name: string, state: Domain['state']): void;
  /** Metadata of DRBD on a device; `replica`: what they say of the data. */
  drbdMetadata(device: string, uuid: string, replica: 'Inconsistent' | 'UpToDate'): void;
  /** Bytes on a device, where nothing is that the model knows. */
  writeBytes(device: string, offset: number, bytes: Uint8Array): void;
  /** A command of drbdadm, as the model knows it. */
  drbdadm(...argv: readonly string[]): void;
  /** What became of a resource that is up. */
  setDrbd(name: string, to: Partial<Pick<DrbdResource, 'role' | 'connection' | 'peer'>>): void;
  /** A btrfs command, as the model knows it. */
  btrfs(...argv: readonly string[]): void;
  /** Over nothing, in the same filesystem. */
  rename(from: string, to: string): void;
  readFile(path: string): string;
}

export function admin(world: World): Admin {
  const does =
    <A extends readonly unknown[], R>(act: (...args: A) => R) =>
    (...args: A): R => {
      const result = act(...args);
      dropReleased(world);
      world.revision += 1;
      return result;
    };
  const groupOf = (name: string) =>
    must(
      world.lvm.find((vg) => vg.name === name),
      `volume group ${name}`,
    );
  const lvOf = (vg: string, name: string) => must(findLv(world, vg, name), `volume ${vg}/${name}`);
  const domainOf = (name: string) =>
    must(
      world.domains.find((each) => each.name === name),
      `domain ${name}`,
    );
  const put = (path: string, act: () => void): void => {
    act();
    const parent = resolve(world, posix.dirname(path), 'follow');
    if (parent.found) settle(world, parent.storage);
  };
  return {
    lvcreate: does(({ vg, tags = [], ...make }) => createLv(world, groupOf(vg), { ...make, tags })),
    snapshot: does(({ vg, origin, ...make }) =>
      createLv(world, groupOf(vg), { ...make, tags: [], origin: lvOf(vg, origin).lv.uuid }),
    ),
    thinPool: does(({ vg, ...make }) =>
      createLv(world, groupOf(vg), {
        ...{ ...make, tags: [], layout: 'thin,pool', role: 'private', data: 0, metadata: 10 },
        moreExtents: 1,
      }),
    ),
    thinVolume: does(({ vg, pool, origin, ...make }) =>
      createLv(world, groupOf(vg), {
        ...{ ...make, tags: [], pool: lvOf(vg, pool).lv.uuid },
        ...(origin === undefined ? {} : { origin: lvOf(vg, origin).lv.uuid }),
      }),
    ),
    fill: does((vg, name, of) => void Object.assign(lvOf(vg, name).lv, of)),
    lvextend: does((group, name, extents) => {
      const { vg, lv } = lvOf(group, name);
      lv.runs = joined([...(lv.runs ?? []), ...allocate(vg, extents - lv.extents)]);
      lv.extents = extents;
      vg.seqno += 1;
    }),
    addCopy: does((vg, name, device) => {
      const argv = ['--type', 'raid1', '--mirrors', '1', '--yes', `${vg}/${name}`, device];
      const { exitCode, stderr } = lvconvertCopies({ world, tool: 'lvconvert', argv });
      if (exitCode !== 0) throw new TypeError(stderr);
    }),
    beginMove: does((group, name, from, to) => {
      const { vg, lv } = lvOf(group, name);
      const at = (place: string) => must(placeOf(vg, place), place);
      beginMove(world, vg, lv, { from: at(from), to: at(to) });
    }),
    lvremove: does((vg, name) => removeLv(world, groupOf(vg), lvOf(vg, name).lv)),
    lvrename: does((vg, from, to) => {
      lvOf(vg, from).lv.name = to;
      groupOf(vg).seqno += 1;
    }),
    vgcreate: does((name, devices) => {
      const group = { uuid: world.ids.lvmUuid(), name, extentSize: 4 * 1024 ** 2, seqno: 1, tags: [] };
      const pvs = devices.map((device) => pvOf(world, device, group.extentSize));
      world.lvm = [...world.lvm, { ...group, pvs, lvs: [], otherExtents: 0 }];
    }),
    vgextend: does((vg, device, more = {}) => {
      const group = groupOf(vg);
      group.pvs = [...group.pvs, { ...pvOf(world, device, group.extentSize), ...more }];
      group.seqno += 1;
    }),
    vgreduce: does((vg, device) => {
      const { number } = deviceOf(world, device);
      const group = groupOf(vg);
      group.pvs = group.pvs.filter((pv) => pv.number !== number);
      group.seqno += 1;
    }),
    vgrename: does((from, to) => {
      const group = groupOf(from);
      group.name = to;
      group.seqno += 1;
    }),
    backup: does((vg) => {
      const { name, uuid, seqno } = groupOf(vg);
      const path = `/etc/lvm/backup/${name}`;
      const head = '# Generated by LVM2 version 2.03.16(2) (2022-05-18): a day\n';
      const kind = 'contents = "Text Format Volume Group"\nversion = 1\n';
      const own = `${name} {\n\tid = "${uuid}"\n\tseqno = ${seqno}\n}\n`;
      put(path, () => write(world, path, `${head}\n${kind}\n${own}`, 0o600));
    }),
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
    luksFormat: does(({ device, key, moreKeys = {}, version = 2, ...make }) => {
      const { volumeKey, integrity, slotRoom, ...rest } = make;
      const superblock = { type: 'crypto_LUKS', usage: 'crypto', version: String(version), ...rest } as const;
      format(world, device, superblock);
      const { storage } = deviceOf(world, device);
      const slots = Object.entries({ 0: key, ...moreKeys }).map(([slot, each]) =>
        newSlot(world, { slot: Number(slot), kdf: 'pbkdf2', memory: 0, key: each }),
      );
      const luks = partsOf({ slots, volumeKey, integrity, slotRoom });
      world.live.set(storage, { superblock, luks });
      settle(world, storage);
    }),
    luksReencrypt: does(({ device, key, done, torn = false, mode }) => {
      const found = luksAt(world, device);
      if (typeof found === 'string') throw new TypeError(`${device} has no header`);
      const [header, state] = begun({ world }, found, { key });
      const reencryption = { ...state, torn, ...(mode === undefined ? {} : { mode }) };
      putHeader(
        world,
        found,
        done === 'nothing' ? header : { ...header, reencryption: { ...reencryption, done } },
      );
      settle(world, deviceOf(world, device).storage);
    }),
    luksHeaderBackup: does((device, path) => {
      const found = luksAt(world, device);
      if (typeof found === 'string') throw new TypeError(`${device} has no header`);
      put(path, () => write(world, path, encodeHeader(found), 0o600));
    }),
    luksOpen: does((device, name) => {
      const lower = deviceOf(world, device);
      const { uuid = '', version } = world.live.get(lower.storage)?.superblock ?? {};
      const mapping = { name, mode: 'rw' } as const;
      const luks = version === '1' ? 1 : 2;
      const at = { device: lower, uuid, version: luks, offset: luksOffset[luks] } as const;
      const made = openMapping(world, at, mapping);
      settle(world, made.storage);
    }),
    luksClose: does((name) => {
      world.mappings = world.mappings.filter((each) => each.name !== name);
    }),
    writeFile: does((path, content, mode = 0o644) => put(path, () => write(world, path, content, mode))),
    symlink: does((path, target) => put(path, () => plantAt(world, path, symlink(target)))),
    removeFile: does((path) => put(path, () => files.removeFile(world, path))),
    mkdir: does((path) => put(path, () => files.makeDir(world, path, 0o755, true))),
    mount: does((device, path) => {
      const { number, storage } = deviceOf(world, device);
      const type = world.live.get(storage)?.superblock?.type ?? 'ext4';
      return addMount(world, { device: number, storage, path, type, source: device, words: ['rw'] });
    }),
    umount: does((path) =>
      removeMount(
        world,
        must(
          world.mounts.findLast((each) => each.path === path),
          `mount on ${path}`,
        ),
      ),
    ),
    swapon: does((device) => void world.swaps.push(deviceOf(world, device).number)),
    hold: does((path, command = 'sleep 1000') => {
      const pid = world.nextPid;
      world.nextPid += 1;
      world.held.set(path, { pid, command });
      return { pid };
    }),
    letGo: does((path) => void world.held.delete(path)),
    losetup: does((path, how = {}) => `/dev/loop${attachLoop(world, path, how).minor}`),
    detachLoop: does((device) => void world.loops.delete(Number(device.slice('/dev/loop'.length)))),
    startDomain: does((make) =>
      addDomain(world, {
        uuid: world.ids.uuid(),
        memoryMiB: 256,
        vcpus: 1,
        state: 'blocked',
        disks: [],
        ...make,
      }),
    ),
    destroyDomain: does((name) => {
      const domain = domainOf(name);
      world.domains = world.domains.filter((each) => each !== domain);
    }),
    setDomain: does((name, state) => void (domainOf(name).state = state)),
    drbdMetadata: does((path, uuid, replica) => {
      const device = deviceOf(world, path);
      world.live.set(device.storage, withMetadata(device, {}, { uuid, replica }));
      settle(world, device.storage);
    }),
    writeBytes: does((path, offset, bytes) => {
      const { storage } = deviceOf(world, path);
      world.live.set(storage, withBytes(world.live.get(storage) ?? {}, offset, bytes));
      settle(world, storage);
    }),
    drbdadm: does((...argv) => {
      const { exitCode, stderr } = must(drbdTools['drbdadm'], 'drbdadm')({ world, tool: 'drbdadm', argv });
      if (exitCode !== 0) throw new TypeError(`the administrator's drbdadm failed: ${stderr}`);
    }),
    setDrbd: does((name, to) => {
      Object.assign(
        must(
          world.drbd.resources.find((each) => each.name === name),
          name,
        ),
        to,
      );
    }),
    btrfs: does((...argv) => {
      const { exitCode, stderr } = must(btrfsTools.btrfs, 'btrfs')({ world, tool: 'btrfs', argv });
      if (exitCode !== 0) throw new TypeError(`the administrator's btrfs failed: ${stderr}`);
      for (const { type, storage } of world.mounts)
        if (type === 'btrfs' && storage !== undefined) settle(world, storage);
    }),
    rename: does((from, to) => put(to, () => move(world, from, to))),
    readFile: (path) => new TextDecoder().decode(files.readFile(world, path)),
  };
}

/** The free physical volume on a device, as a member of a group. */
function pvOf(world: World, device: string, extentSize: number): PhysicalVolume {
  const { number, size } = deviceOf(world, device);
  const pv = must(
    freePvs(world).find((each) => each.number === number),
    `physical volume ${device}`,
  );
  return { ...pv, extents: Math.floor((size - pvStart) / extentSize) };
}

function format(world: World, path: string, asked: Superblock | undefined): void {
  const { storage, size } = deviceOf(world, path);
  const isFilesystem = asked?.usage === 'filesystem';
  const superblock =
    asked === undefined || !(isFilesystem || asked.type === 'swap') ? asked : sizeOf(size, asked);
  const tree = emptyTree();
  // As large as the device is now, unless told otherwise.
  const blocks = superblock?.blocks ?? Math.floor(size / (superblock?.blockSize ?? 4096));
  const sized = superblock === undefined ? undefined : { ...superblock, blocks };
  world.live.set(
    storage,
    sized === undefined ? {} : isFilesystem ? { superblock: sized, tree } : { superblock: sized },
  );
  settle(world, storage);
}

function write(world: World, path: string, content: Uint8Array | string, mode: number): void {
  const there = resolve(world, path, 'follow');
  // In place, as an editor that keeps the inode does.
  if (there.found)
    there.tree.inodes.set(there.ino, { ...inodeOf(there.tree, there.ino), ...file(content, mode) });
  else plantAt(world, path, file(content, mode));
}

function plantAt(world: World, path: string, inode: Inode): void {
  files.makeDir(world, posix.dirname(path), 0o755, true);
  const parent = files.reached(world, 'create', posix.dirname(path));
  addInode(parent.tree, parent.ino, posix.basename(path), inode);
}

function move(world: World, from: string, to: string): void {
  movedInside(world, from, to);
  files.renamePath(world, from, to);
}

function deviceOf(world: World, path: string) {
  const there = resolve(world, path, 'follow');
  const node = there.found ? there.inode.node : undefined;
  return must(
    devices(world).find(({ number }) => number === node),
    `device ${path}`,
  );
}

function must<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new TypeError(`the simulated host has no ${what}`);
  return value;
}
