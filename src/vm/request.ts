import * as z from 'zod/mini';
import { UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { parsed, sizeOf, sizeOption as size } from '../core/request.ts';
import type { Bytes } from '../core/units.ts';

const text = z.string().check(z.minLength(1));
/** One, or several. */
const list = z.union([text, z.array(text)]);

/** `tar:/srv/debian.tar`, `image:/srv/debian.qcow2`, or the same as an object. */
type Source =
  | `${'tar' | 'image'}:${string}`
  | {
      /** A tar archive, plain or compressed. */
      readonly type: 'tar';
      /** Absolute path of the archive. */
      readonly path: string;
    }
  | {
      /** An image of one ext4 without a partition table. */
      readonly type: 'image';
      /** Absolute path of the image. */
      readonly path: string;
      /** How its bytes are stored (default: by the name of the file: .raw, .img or .qcow2). */
      readonly format?: 'raw' | 'qcow2';
    };

const source = z.pipe(
  z.transform((given: Source): object => {
    if (typeof given !== 'string') return given;
    const [, type, path] = /^(?:(?<type>[^:]*):)?(?<path>.*)$/s.exec(given) ?? [];
    return { type, path };
  }),
  z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('tar'), path: text }),
    z.strictObject({
      type: z.literal('image'),
      path: text,
      format: z.exactOptional(z.enum(['raw', 'qcow2'])),
    }),
  ]),
);

const createSchema = z.strictObject({
  /** Name of the new guest, its configuration and its volumes. RefusedError if it is taken. */
  name: z.string(),
  /**
   * What its root filesystem is filled from: `tar:/srv/debian.tar`, a tar archive, plain or
   * compressed; or `image:/srv/debian.qcow2`, a raw or qcow2 image of one ext4. Not with `drbd`.
   */
  source,
  /** Size of the root disk. Sizes are bytes, or text: `2g` (default: the size of the image). */
  size: z.exactOptional(size),
  /** Missing or 0: no swap. */
  swap: z.exactOptional(size),
  /** Memory of the guest, in bytes or as text: `512m`. */
  memory: size,
  /** Number of virtual CPUs (default: 1). */
  vcpus: z._default(z.number(), 1),
  /** How Xen runs it: paravirtualized, or PVH, which needs a processor with virtualization. */
  type: z._default(z.enum(['pv', 'pvh']), 'pv'),
  /** The volume group for its disks (default: `volumeGroup` of the site file). */
  vg: z.exactOptional(text),
  /** The thin pool for its disks. Missing: linear volumes. Not with `drbd`. */
  thin: z.exactOptional(text),
  /** The host name inside; missing: its name. */
  hostname: z.exactOptional(text),
  /** Public keys that may log in as root by SSH: each as text, or the absolute path of a file with some. */
  sshKeys: z.exactOptional(z.array(text)),
  /** `dhcp`, or its address with the prefix length, one of each family: `192.0.2.10/24`. Needs a bridge. */
  ip: z.exactOptional(list),
  /** Its gateway, one of each family (default: `guestGateway` of the site file). */
  gateway: z.exactOptional(list),
  /** Its name servers. */
  dns: z.exactOptional(list),
  /** As in /usr/share/zoneinfo: `Europe/Vienna`. */
  timezone: z.exactOptional(
    text.check(z.regex(/^[A-Za-z][\w+/-]*$/, 'must be a name such as Europe/Vienna')),
  ),
  /** The bridge of its network interface (default: `bridge` of the site file, or no network). */
  bridge: z.exactOptional(text),
  /** MAC address of its interface (default: a random one). */
  mac: z.exactOptional(text),
  /** Absolute path of its kernel (default: `guestKernel` of the site file, or that of the host). */
  kernel: z.exactOptional(text),
  /**
   * Absolute path of its ramdisk (default: `guestRamdisk` of the site file, or that of the host).
   */
  ramdisk: z.exactOptional(text),
  /**
   * Another host, which also has its disks: by the name for ssh, from the site file or its own.
   * Missing: they are only on this host.
   */
  drbd: z.exactOptional(text),
  /** The volume group on that host; missing: the same. */
  peerVg: z.exactOptional(text),
  /** The addresses of the connection, by host name; missing: the one network that both are in. */
  addresses: z.exactOptional(z.record(text, text)),
  /** Starts it at the end (default: false). */
  start: z._default(z.boolean(), false),
});

const removeSchema = z.strictObject({
  /** Name of the guest. */
  name: z.string(),
  /** What happens to a running domain. */
  running: z.enum(['refuse', 'shutdown', 'destroy']),
  /** Timeout for a shutdown. */
  timeoutMs: z.exactOptional(z.number().check(z.int(), z.positive())),
  /** What happens to disks that are replicated to another host: on both. */
  replicas: z._default(z.enum(['removed', 'kept']), 'removed'),
  /** The two hosts of these, if they cannot be reached by their names in the configuration. */
  on: z.exactOptional(z.tuple([text, text])),
});

const moveSchema = z.strictObject({
  /** Name of the guest. */
  name: z.string(),
  /** The target host: the name for ssh, from the site file or its own. */
  to: text,
  /** Timeout for its shutdown (default: 5 minutes). */
  timeoutMs: z.exactOptional(z.number().check(z.int(), z.positive())),
});

/** `cpus` of xl.cfg(5): `0-3,^1`, `node:0`, `all`. */
const cpuList = /^(?:all|(?:\^?(?:nodes?:)?\d+(?:-\d+)?)(?:,\^?(?:nodes?:)?\d+(?:-\d+)?)*)$/;
const cpuCount = z.number().check(z.int(), z.minimum(1), z.maximum(512));

const setSchema = z.strictObject({
  /** Sizes are bytes, or text: `1g`. A running guest gets at most its `maxmem`. */
  memory: z.exactOptional(size),
  /**
   * The most memory that it may get while it runs, in bytes or as text. Takes effect at its next
   * start.
   */
  maxmem: z.exactOptional(size),
  /** Number of virtual CPUs (1 to 512). A running guest gets at most its `maxvcpus`. */
  vcpus: z.exactOptional(cpuCount),
  /** The most virtual CPUs that it may get while it runs. Takes effect at its next start. */
  maxvcpus: z.exactOptional(cpuCount),
  /** The processors that its virtual CPUs may use, as in xl.cfg(5): `2-3`. */
  cpus: z.exactOptional(z.string().check(z.regex(cpuList, 'must be all, or numbers such as 0-3,^1'))),
  /** Its share of the processors (default of Xen: 256). */
  cpuWeight: z.exactOptional(z.number().check(z.int(), z.minimum(1), z.maximum(65_535))),
  /** xendomains starts it at boot: its configuration is linked in /etc/xen/auto. */
  autostart: z.exactOptional(z.boolean()),
});

/** The settings of a new guest. */
export type CreateRequest = z.input<typeof createSchema>;

/** The guest to remove, and how. */
export type RemoveRequest = z.input<typeof removeSchema>;

/** The guest to move, and the target host. */
export type MoveRequest = z.input<typeof moveSchema>;

/** The same, checked. */
export type CheckedMove = z.output<typeof moveSchema>;

const renameSchema = z.strictObject({
  /** Shut a running guest down, and start it again under its new name; else it is refused. */
  restart: z._default(z.boolean(), false),
  /** Timeout for its shutdown (default: 5 minutes). */
  timeoutMs: z.exactOptional(z.number().check(z.int(), z.positive())),
  /** Power it off hard if it has not shut down in time. */
  force: z._default(z.boolean(), false),
});

/** How a guest is renamed. */
export type RenameOptions = z.input<typeof renameSchema>;

/** The same, checked. */
export type CheckedRename = z.output<typeof renameSchema>;

const backupSchema = z.strictObject({
  /**
   * How many backups of this guest stay in the directory, with the new one: older ones are removed
   * (default: all stay).
   */
  keep: z.exactOptional(z.int().check(z.minimum(1))),
  /**
   * Space for what the guest writes to each disk meanwhile, in bytes or as text (default: a fifth of
   * the disk). Thin volumes need none.
   */
  snapshotSize: z.exactOptional(size),
});

/** How a guest is saved. */
export type BackupOptions = z.input<typeof backupSchema>;

/** The same, checked. */
export interface CheckedBackup {
  readonly keep?: number;
  readonly snapshotSize?: Bytes;
}

const restoreSchema = z.strictObject({
  /** Another name: the guest gets new volumes, MAC addresses and a new UUID (default: its own name). */
  as: z.exactOptional(text),
  /** The volume group for all its disks (default: that of each disk). */
  vg: z.exactOptional(text),
  /** The thin pool for its disks (default: that of each disk, or with `vg` none). */
  thin: z.exactOptional(text),
  /** Starts it at the end (default: false). */
  start: z._default(z.boolean(), false),
});

/** How a guest is restored. */
export type RestoreOptions = z.input<typeof restoreSchema>;

/** The same, checked. */
export type CheckedRestore = z.output<typeof restoreSchema>;

const cloneSchema = z.strictObject({
  /** The volume group for the new disks (default: that of each disk). */
  vg: z.exactOptional(text),
  /** Memory of the clone, in bytes or as text (default: that of the guest). */
  memory: z.exactOptional(size),
  /** Number of virtual CPUs (default: that of the guest). */
  vcpus: z.exactOptional(cpuCount),
  /** The host name inside (default: the name of the clone). */
  hostname: z.exactOptional(text),
  /** Public keys that may log in as root by SSH, as for `create`; missing: those of the guest. */
  sshKeys: z.exactOptional(z.array(text)),
  /** `dhcp`, or its address with the prefix length. Missing: the network settings inside stay. */
  ip: z.exactOptional(list),
  /** Its gateway, one of each family (default: `guestGateway` of the site file). */
  gateway: z.exactOptional(list),
  /** Its name servers (default: `guestDns` of the site file). */
  dns: z.exactOptional(list),
  /** Starts it at the end (default: false). */
  start: z._default(z.boolean(), false),
});

const mountSchema = z.strictObject({
  /** An existing empty directory (default: a new private one below /run/bofh/mnt). */
  path: z.exactOptional(text),
  /** Mode of all mounts (default: rw); a disk or a line with `ro` is always read-only. */
  mode: z.exactOptional(z.enum(['ro', 'rw'])),
});

/** Where and how the disks of a guest are mounted. */
export type MountOptions = z.input<typeof mountSchema>;

/** How a guest is cloned. */
export type CloneOptions = z.input<typeof cloneSchema>;

/** The same, checked, with memory in MiB. */
export type CheckedClone = Omit<z.output<typeof cloneSchema>, 'memory'> & { readonly memory?: number };

/** The new settings of a guest; a missing one stays as it is. */
export type SetRequest = z.input<typeof setSchema>;

/** The same, checked, with sizes in MiB. */
export type CheckedSet = Omit<z.output<typeof setSchema>, 'memory' | 'maxmem'> & {
  readonly memory?: number;
  readonly maxmem?: number;
};

/** The same with every size in bytes. */
export type CheckedCreate = Omit<z.output<typeof createSchema>, 'size' | 'swap' | 'memory'> & {
  /** Undefined: that of the image. */
  readonly size?: Bytes;
  readonly swap: Bytes;
  readonly memory: Bytes;
};

/**
 * Scripts are not type-checked: an invalid request is refused, and nothing is guessed. Throws
 * UsageError.
 */
export function checkCreate(request: unknown): CheckedCreate {
  const { swap = 0, ...rest } = parsed('vm.create', createSchema, request);
  for (const key of ['addresses', 'peerVg'] as const)
    if (rest[key] !== undefined && rest.drbd === undefined)
      throw new UsageError(`${key}: for disks that another host has as well, and none was named (drbd)`);
  if (rest.thin !== undefined && rest.drbd !== undefined)
    throw new UsageError('thin and drbd cannot be used together: bofh replicates linear volumes only', {
      remedy: 'leave out one of them',
    });
  const { size: asked, ...others } = rest;
  if (asked === undefined && rest.source.type === 'tar')
    throw new UsageError(`vm.create: ${option('--size', 'size')} is missing`, {
      remedy: `name the size of the root: ${option('--size 4g', "size: '4g'")}`,
    });
  if (rest.source.type === 'image' && rest.drbd !== undefined)
    throw new UsageError('an image cannot be copied onto disks that are replicated (drbd)', {
      remedy: 'pack its files and use tar:FILE, or create the guest first, then: bofh drbd convert',
    });
  return {
    ...others,
    ...(asked === undefined ? {} : { size: sizeOf('size', asked) }),
    swap: swap === 0 || swap === '0' ? 0 : sizeOf('swap', swap),
    memory: sizeOf('memory', rest.memory),
  };
}

/** The settings of a removal. */
export function checkRemove(request: unknown): z.output<typeof removeSchema> {
  return parsed('vm.remove', removeSchema, request);
}

/** The settings of a move to another host. */
export function checkMove(request: unknown): CheckedMove {
  return parsed('vm.move', moveSchema, request);
}

/** New settings of a guest. */
export function checkSet(request: unknown): CheckedSet {
  const { memory, maxmem, ...rest } = parsed('vm.set', setSchema, request);
  const checked = {
    ...rest,
    ...(memory === undefined ? {} : { memory: mebibytesOf('memory', memory) }),
    ...(maxmem === undefined ? {} : { maxmem: mebibytesOf('maxmem', maxmem) }),
  };
  if (Object.keys(checked).length > 0) return checked;
  throw new UsageError('vm.set: no setting was given', { remedy: 'bofh vm set --help' });
}

function mebibytesOf(key: string, value: string | number): number {
  const mebibytes = sizeOf(key, value) / 1024 ** 2;
  if (Number.isInteger(mebibytes) && mebibytes >= 16) return mebibytes;
  throw new UsageError(`${key} ${value}: must be whole MiB, 16 MiB at least`);
}

/** How a guest is renamed. */
export function checkRename(request: unknown): CheckedRename {
  return parsed('vm.rename', renameSchema, request);
}

/** How a guest is saved. */
export function checkBackup(request: unknown): CheckedBackup {
  const { snapshotSize, ...rest } = parsed('vm.backup', backupSchema, request);
  return snapshotSize === undefined ? rest : { ...rest, snapshotSize: sizeOf('snapshotSize', snapshotSize) };
}

/** How a guest is restored. */
export function checkRestore(request: unknown): CheckedRestore {
  return parsed('vm.restore', restoreSchema, request);
}

/** How a guest is cloned. */
export function checkClone(request: unknown): CheckedClone {
  const { memory, ...rest } = parsed('vm.clone', cloneSchema, request);
  return { ...rest, ...(memory === undefined ? {} : { memory: mebibytesOf('memory', memory) }) };
}

/** Where and how the disks of a guest are mounted. */
export function checkMount(request: unknown): z.output<typeof mountSchema> {
  return parsed('vm.mount', mountSchema, request);
}
