import type { Bytes } from '../../core/units.ts';
import type { Tagged } from '../../blockdevice/commands.ts';
import type { Command, ReadHost } from '../../command/index.ts';
import type { Btrfs } from './btrfs.ts';
import type { Drbd } from './drbd.ts';
import type { Header } from './header-file.ts';
import type { Content, CryptMapping, Disk, KernelPart, VolumeGroup, Mount, Loop, Domain } from './parts.ts';
import type { Packages } from './packages.ts';
import type { UnitState } from './units.ts';
import { copyTree, emptyTree, type Inode } from './tree.ts';
import type { Module } from './modules.ts';
import type { Parameter } from './parameters.ts';
import { present } from '../../core/present.ts';
import { createHash } from 'node:crypto';

/** A change, in the order of the requests. */
export type Change =
  | { readonly what: 'command'; readonly command: Command<unknown> }
  /** Commands joined by pipes. */
  | { readonly what: 'pipeline'; readonly commands: readonly Command<unknown>[] }
  | {
      readonly what: 'file';
      readonly verb: 'create' | 'link' | 'rename' | 'remove' | 'mkdir' | 'rmdir' | 'sync';
      readonly path: string;
      readonly from?: string;
      readonly content?: Uint8Array;
      readonly mode?: number;
    };

/** A program that continues after its process of bofh was killed. */
interface Orphan {
  readonly pid: number;
  readonly command: string;
  readonly safe: boolean;
  /** The descriptor whose lock it holds. */
  readonly lock: number;
  /** The directory of its outputs, where its session is recorded. */
  readonly outputs: string | undefined;
  /** Completes the program, as if nothing had happened. */
  readonly finish: () => void;
}

/** A simulated process of bofh. After it is killed, nothing that it still tries has an effect. */
export interface SimulatedProcess {
  readonly pid: number;
  readonly started: number;
  alive: boolean;
  /** Descriptors, and the inode that each one has opened. */
  readonly open: Map<number, string>;
  /**
   * Called when the process is killed: a caller that waits for a hanging program then waits for
   * ever.
   */
  readonly onDeath: Set<() => void>;
}

/** The whole state of a simulated host. A power cut loses what only `live` contains. */
export interface World {
  readonly ids: Ids;
  /** Whether the identifiers that bofh draws on this host come from `ids` too. */
  readonly isSeeded: boolean;
  readonly hostname: string;
  boot: string;
  readonly udev: 'running' | 'absent';
  readonly disks: readonly Disk[];
  /** The host that bofh runs on, if that is another one. */
  coordinator?: World;
  /** Contents by storage: `disk:vdb`, `lv:UUID`, `file:STORAGE:INODE`, `tmpfs:/run`. */
  live: Map<string, Content>;
  durable: Map<string, Content>;
  /** LVM makes its metadata durable itself. */
  lvm: VolumeGroup[];
  readonly dmMajor: number;
  /** Minor numbers of device-mapper that the real host uses. */
  readonly takenMinors: ReadonlySet<number>;
  /** Minor numbers of device-mapper, by the uuid of the volume. */
  active: Map<string, number>;
  mappings: CryptMapping[];
  readonly drbd: Drbd;
  readonly packages: Packages;
  /** Partitions that the kernel knows, by the number of their disk. */
  partitions: Map<string, readonly KernelPart[]>;
  loops: Map<number, Loop>;
  /** Minors of the loop devices whose nodes exist: a detached one stays, with no size. */
  readonly loopNodes: Set<number>;
  nextSequence: number;
  /** Immutable: each change replaces the list. */
  mounts: readonly Mount[];
  nextMount: number;
  /** Working directories, open files and open devices, each with its process. */
  held: Map<string, { readonly pid: number; readonly command: string }>;
  /** Numbers of the devices in use as swap. */
  swaps: string[];
  domains: Domain[];
  nextDomid: number;
  /** Units that systemd has loaded, by name. */
  units: Map<string, UnitState>;
  /** Files below /proc/sys, by their path there. In a plan only the changed ones. */
  parameters: Map<string, Parameter>;
  /** Loaded kernel modules. In a plan none until it loads the first one. */
  modules: Map<string, Module>;
  /**
   * Scripts of `tx.shell.run` by name: whether their work is done. In a plan only those that it
   * ran.
   */
  scripts: Map<string, boolean>;
  readonly memoryMiB: number;
  bridges: readonly string[];
  /** Addresses of its network card, eth0: `10.0.0.1/24`. */
  addresses: readonly string[];
  /** Counts changes, so that derived data is computed again. */
  revision: number;
  readonly processes: SimulatedProcess[];
  nextPid: number;
  flocks: { readonly inode: string; readonly fd: number; mode: 'shared' | 'exclusive' }[];
  readonly objectLocks: Map<
    string,
    Map<object, { readonly pid: number; readonly mode: 'shared' | 'exclusive' }>
  >;
  orphans: Orphan[];
  /** The real host of a plan (`simulate`). */
  readonly overlay?: Overlay;
}

/**
 * A real host beneath the model: it is asked, only by reads, about what the model has not changed.
 */
export interface Overlay {
  readonly real: ReadHost;
  /** Inodes found below /dev, /proc and /sys, by path. */
  readonly imported: Map<string, Inode>;
  /** Paths known not to exist, or removed by the model. */
  readonly absent: Set<string>;
  /** Directories whose names are all known. */
  readonly listed: Set<string>;
  /**
   * Mount points that the real host has mounted and the model unmounted: their content is below
   * that mount.
   */
  readonly uncovered: Set<string>;
  /** Numbers of the devices that the real host has mounted. */
  readonly mounted: ReadonlySet<string>;
  /** What is known about each mounted btrfs of the real host, by the number in its mounts. */
  readonly btrfs: Map<string, Btrfs>;
  /** LUKS headers in files of the real host, by path, which will be written to a device. */
  readonly headers: Map<string, Header>;
  /** Listings of the real host's archives, by path. */
  readonly listings: Map<string, string>;
  /**
   * Devices of the real host with a tag, by `NAME=value`, as far as they were read: for a host
   * without links of udev.
   */
  readonly tagged: Map<string, readonly Tagged[]>;
  /** First bytes of the btrfs streams on the real host, by path. */
  readonly streams: Map<string, Uint8Array>;
  /** Logical volumes of the real host by uuid: their state before the plan. */
  readonly volumes: Map<
    string,
    { readonly number: string; readonly vg: string; readonly name: string; readonly size: number }
  >;
  /** Other block devices of the real host, by `major:minor`, as far as a command has named them. */
  readonly devices: Map<string, { readonly name: string; readonly size: number }>;
  /** Paths of its devices in sysfs, by `major:minor`, as far as a command has named them. */
  readonly homes: Map<string, string>;
  /** Whether the model contains its loop devices. */
  loopsAreKnown: boolean;
  /** Its loop devices before the plan. */
  loops: readonly Loop[];
  /** Back ends of the guests of the real host, by path, each with its domid. */
  readonly backends: ReadonlyMap<string, number>;
  /** Open mappings of the real host, by `major:minor`, before the plan. */
  readonly mappings: ReadonlyMap<
    string,
    { readonly name: string; readonly size: number; readonly lower: string }
  >;
  /** Minor numbers of DRBD that had a disk on the real host, once the model knows them. */
  readonly replicas: Set<number>;
  /** Programs that this host does not have. */
  readonly missing: ReadonlySet<'lvm' | 'xen'>;
}

/** Options of `simulatedHost`. */
export interface WorldOptions {
  /**
   * Seed for all random identifiers: with the same seed each run has the same UUIDs, tags, ids of
   * sequences and MAC addresses (default: those of bofh differ in each run).
   */
  readonly seed?: string;
  /** Output of `uname -n`. */
  readonly hostname?: string;
  /** Whether udev is running (default: `running`). */
  readonly udev?: 'running' | 'absent';
  /** Volume groups, each on its own disk (default: `vg0` of 8 GiB). */
  readonly volumeGroups?: readonly {
    /** Name of the volume group. */
    readonly name: string;
    /** Size of its disk, in bytes or as text: `8g`. */
    readonly size: Bytes | string;
    /** Size of an extent, in bytes or as text (default: 4 MiB). */
    readonly extentSize?: Bytes | string;
  }[];
  /** Blank disks. */
  readonly disks?: readonly {
    /** Name of the device: `sdb`. */
    readonly name: string;
    /** Its size, in bytes or as text: `1g`. */
    readonly size: Bytes | string;
    /** Whether it can discard blocks (default: it can). */
    readonly discards?: false;
  }[];
  /** Memory of the host, in bytes or as text (default: 4 GiB). */
  readonly memory?: Bytes | string;
  /** Bridges (default: `xenbr0`). */
  readonly bridges?: readonly string[];
  /** Addresses of the network card, eth0 (default: `10.0.0.1/24`); if empty, there is no card. */
  readonly addresses?: readonly string[];
}

/** Returns a host without a disk, a mount or a guest. */
export function bareWorld(
  options: Omit<WorldOptions, 'disks' | 'volumeGroups' | 'memory'> & {
    readonly memoryMiB?: number;
    readonly disks?: readonly Disk[];
    readonly overlay?: Overlay;
    readonly boot?: string;
    readonly dmMajor?: number;
    readonly takenMinors?: ReadonlySet<number>;
  },
): World {
  const ids = seededIds(options.seed ?? 'bofh');
  return {
    ids,
    isSeeded: options.seed !== undefined && options.overlay === undefined,
    hostname: options.hostname ?? 'sim',
    boot: options.boot ?? ids.uuid(),
    udev: options.udev ?? 'running',
    disks: options.disks ?? [],
    live: new Map(),
    durable: new Map(),
    lvm: [],
    dmMajor: options.dmMajor ?? 253,
    takenMinors: options.takenMinors ?? new Set(),
    active: new Map(),
    mappings: [],
    drbd: { module: 'absent', resources: [] },
    packages: { status: '', marks: '', archives: '', repositories: new Map() },
    partitions: new Map(),
    loops: new Map(),
    loopNodes: new Set(),
    nextSequence: 1,
    mounts: [],
    nextMount: 21,
    held: new Map(),
    swaps: [],
    domains: [],
    nextDomid: 1,
    units: new Map(),
    parameters: new Map(),
    modules: new Map(),
    scripts: new Map(),
    memoryMiB: options.memoryMiB ?? 4096,
    bridges: options.bridges ?? ['xenbr0'],
    addresses: options.addresses ?? ['10.0.0.1/24'],
    revision: 0,
    processes: [],
    nextPid: 1000,
    flocks: [],
    objectLocks: new Map(),
    orphans: [],
    ...present({ overlay: options.overlay }),
  };
}

/** Makes the content of a storage durable. */
export function settle(world: World, storage: string): void {
  const content = world.live.get(storage);
  if (content === undefined) world.durable.delete(storage);
  else world.durable.set(storage, copyContent(content));
}

/** Records that an administrator mounted a filesystem for writing, or wrote to it. */
export function change(world: World, storage: string): void {
  const content = world.live.get(storage);
  if (content?.superblock === undefined) return;
  world.live.set(storage, { ...content, changes: (content.changes ?? 0) + 1 });
  settle(world, storage);
}

export function copyContent({ tree, erased, metadata, ...rest }: Content): Content {
  return {
    ...rest,
    ...(metadata === undefined ? {} : { metadata: { ...metadata, beneath: copyContent(metadata.beneath) } }),
    ...(tree === undefined ? {} : { tree: copyTree(tree) }),
    ...(erased === undefined ? {} : { erased: { ...erased, content: copyContent(erased.content) } }),
  };
}

/** Adds a filesystem in memory, which a reboot removes. */
export function tmpfs(world: World, storage: string, mode = 0o755): void {
  world.live.set(storage, { tree: emptyTree(mode) });
}

/**
 * Identities that a real host would draw at random; here the same in every run with the same seed.
 */
interface Ids {
  /** A UUID for a filesystem, a domain or a boot. */
  readonly uuid: () => string;
  /** A UUID in the format of LVM: `6-4-4-4-4-4-6`. */
  readonly lvmUuid: () => string;
  /** Returns a copy that draws the same ids from here on. */
  readonly copy: () => Ids;
}

/** Returns ids that depend only on the seed and on how many were drawn before. */
function seededIds(seed: string, before = 0): Ids {
  let drawn = before;
  const hex = (): string =>
    createHash('sha256')
      .update(`${seed}:${(drawn += 1)}`)
      .digest('hex');
  return {
    uuid: () => hex().replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-4$3-8$4-$5'),
    lvmUuid: () => hex().replace(/^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})(.{6}).*$/, '$1-$2-$3-$4-$5-$6-$7'),
    copy: () => seededIds(seed, drawn),
  };
}
