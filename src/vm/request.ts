import * as z from 'zod/mini';
import { keyRef } from '../command/index.ts';
import { recipients } from '../copy/index.ts';
import { UsageError } from '../core/errors.ts';
import { option } from '../core/option.ts';
import { fromRoot, oneOrMore, parsed, sizeOption as size, text } from '../core/request.ts';
import { type Bytes, parseSize } from '../core/units.ts';

const removeSchema = z.strictObject({
  /** Name of the guest. */
  name: z.string(),
  /** The action for a running domain. */
  running: z.enum(['refuse', 'shutdown', 'destroy']),
  /** Time limit for a shutdown, in milliseconds (default: 2 minutes). */
  timeoutMs: z.exactOptional(z.number().check(z.int(), z.positive())),
  /** Disks whose logical volumes stay, by their names in the guest (`xvdc`) or those of `create` (`data`). */
  keepDisks: z._default(z.array(text), []),
  /** The action for disks that are replicated to another host, on both hosts. */
  replicas: z._default(z.enum(['removed', 'kept']), 'removed'),
  /** The two hosts of the replicated disks, if they cannot be reached by their names in the configuration. */
  on: z.exactOptional(z.tuple([text, text])),
});

const moveSchema = z.strictObject({
  /** Name of the guest. */
  name: z.string(),
  /** The target host, by its ssh name, its name in the site file or its own name. */
  to: text,
  /** Time limit for the shutdown, in milliseconds (default: 5 minutes). */
  timeoutMs: z.exactOptional(z.number().check(z.int(), z.positive())),
});

/** `cpus` of xl.cfg(5): `0-3,^1`, `node:0`, `all`. */
const cpuList = /^(?:all|(?:\^?(?:nodes?:)?\d+(?:-\d+)?)(?:,\^?(?:nodes?:)?\d+(?:-\d+)?)*)$/;
const cpuCount = z.number().check(z.int(), z.minimum(1), z.maximum(512));

const setSchema = z.strictObject({
  /** Memory, in bytes or as text: `1g`. A running guest gets at most its `maxmem`. */
  memory: z.exactOptional(size),
  /** Maximum memory of the running guest, in bytes or as text. Takes effect at its next start. */
  maxmem: z.exactOptional(size),
  /** Number of virtual CPUs (1 to 512). A running guest gets at most its `maxvcpus`. */
  vcpus: z.exactOptional(cpuCount),
  /** Maximum number of virtual CPUs of the running guest. Takes effect at its next start. */
  maxvcpus: z.exactOptional(cpuCount),
  /** The processors that its virtual CPUs may use, as in xl.cfg(5): `2-3`. */
  cpus: z.exactOptional(z.string().check(z.regex(cpuList, 'must be all, or numbers such as 0-3,^1'))),
  /** Its share of the processors (default of Xen: 256). */
  cpuWeight: z.exactOptional(z.number().check(z.int(), z.minimum(1), z.maximum(65_535))),
  /** Whether xendomains starts it at boot: links its configuration in /etc/xen/auto. */
  autostart: z.exactOptional(z.boolean()),
});

/** The guest to remove, and the options. */
export type RemoveRequest = z.input<typeof removeSchema>;

/** The guest to move, and the target host. */
export type MoveRequest = z.input<typeof moveSchema>;

/** `MoveRequest`, checked. */
export type CheckedMove = z.output<typeof moveSchema>;

const renameSchema = z.strictObject({
  /** Shut down a running guest and start it again under its new name (default: a running guest is refused). */
  restart: z._default(z.boolean(), false),
  /** Time limit for the shutdown, in milliseconds (default: 5 minutes). */
  timeoutMs: z.exactOptional(z.number().check(z.int(), z.positive())),
  /** Power it off hard if it has not shut down in time. */
  force: z._default(z.boolean(), false),
});

/** Options of a rename. */
export type RenameOptions = z.input<typeof renameSchema>;

/** `RenameOptions`, checked. */
export type CheckedRename = z.output<typeof renameSchema>;

const backupSchema = z.strictObject({
  /**
   * Number of backups of this guest to keep in the directory, including the new one; older ones are removed
   * (default: keep all).
   */
  keep: z.exactOptional(z.int().check(z.minimum(1))),
  /**
   * Space for the writes of the guest to each disk during the backup, in bytes or as text (default: a fifth
   * of the disk). Thin volumes need none.
   */
  snapshotSize: z.exactOptional(size),
  /**
   * Who can decrypt it, with age(1): each a public key (`age1…`, `ssh-ed25519 …`), or the absolute path of a file with such
   * keys (default: it is not encrypted).
   */
  recipients: z.exactOptional(recipients),
  /**
   * Freezes the filesystems of a running guest for the moment of the snapshots, if the QEMU guest agent has a channel
   * (default: true).
   */
  freeze: z.exactOptional(z.boolean()),
});

/** Options of a backup. */
export type BackupOptions = z.input<typeof backupSchema>;

/** `BackupOptions`, checked. */
export interface CheckedBackup {
  readonly keep?: number;
  readonly snapshotSize?: Bytes;
  readonly recipients?: readonly string[];
  readonly freeze?: boolean;
}

const restoreSchema = z.strictObject({
  /** Another name: the guest gets new volumes, MAC addresses and a new UUID (default: its own name). */
  as: z.exactOptional(text),
  /** The volume group for all its disks (default: that of each disk). */
  vg: z.exactOptional(text),
  /** The thin pool for its disks (default: that of each disk; none with `vg`). */
  thin: z.exactOptional(text),
  /** Absolute path of the file with the secret key of age, for an encrypted backup. */
  identity: z.exactOptional(fromRoot),
  /** Starts it at the end (default: false). */
  start: z._default(z.boolean(), false),
});

/** Options of a restore. */
export type RestoreOptions = z.input<typeof restoreSchema>;

/** `RestoreOptions`, checked. */
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
  /** Public keys that may log in as root by SSH, as for `create`; default: those of the guest. */
  sshKeys: z.exactOptional(z.array(text)),
  /** `dhcp`, or an address with its prefix length (default: the network settings inside stay). */
  ip: z.exactOptional(oneOrMore),
  /** Its gateway, one per family (default: `guestGateway` of the site file). */
  gateway: z.exactOptional(oneOrMore),
  /** Its name servers (default: `guestDns` of the site file). */
  dns: z.exactOptional(oneOrMore),
  /** Starts it at the end (default: false). */
  start: z._default(z.boolean(), false),
});

const mountSchema = z.strictObject({
  /** An existing empty directory (default: a new private one below /run/bofh/mnt). */
  path: z.exactOptional(text),
  /** Mode of all mounts (default: rw); a disk or a line with `ro` is always read-only. */
  mode: z.exactOptional(z.enum(['ro', 'rw'])),
  /**
   * Keys of encrypted disks, by the name of the disk in `create`, in the guest (`xvdb`) or in its /etc/crypttab
   * (default: the key files in the guest).
   */
  keys: z.exactOptional(z.record(text, keyRef)),
});

const provisionSchema = z.strictObject({
  /** Absolute path of the description. */
  description: text,
  /** Time limit, in milliseconds (default: 10 minutes). */
  timeoutMs: z.exactOptional(z.number().check(z.int(), z.positive())),
  /**
   * Space for the changes on each disk, in bytes or as text (default: a fifth of the disk). Thin volumes need
   * none.
   */
  snapshotSize: z.exactOptional(size),
});

/** Options to apply a description to a guest. */
export type ProvisionOptions = Omit<z.input<typeof provisionSchema>, 'description'>;

/** `ProvisionOptions`, checked. */
export type CheckedProvision = Omit<z.output<typeof provisionSchema>, 'snapshotSize'> & {
  readonly snapshotSize?: Bytes;
};

/** The mount point of the disks of a guest, and the mode. */
export type MountOptions = z.input<typeof mountSchema>;

/** Options of a clone. */
export type CloneOptions = z.input<typeof cloneSchema>;

/** `CloneOptions`, checked, with memory in MiB. */
export type CheckedClone = Omit<z.output<typeof cloneSchema>, 'memory'> & { readonly memory?: number };

/** The new settings of a guest; a missing one does not change. */
export type SetRequest = z.input<typeof setSchema>;

/** `SetRequest`, checked, with sizes in MiB. */
export type CheckedSet = Omit<z.output<typeof setSchema>, 'memory' | 'maxmem'> & {
  readonly memory?: number;
  readonly maxmem?: number;
};

/** Checks the request of a removal. */
export function checkRemove(request: unknown): z.output<typeof removeSchema> {
  return parsed('vm.remove', removeSchema, request);
}

/** Checks the request of a move to another host. */
export function checkMove(request: unknown): CheckedMove {
  return parsed('vm.move', moveSchema, request);
}

/** Checks new settings of a guest. */
export function checkSet(request: unknown): CheckedSet {
  const { memory, maxmem, ...rest } = parsed('vm.set', setSchema, request);
  const checked = {
    ...rest,
    ...(memory === undefined ? {} : { memory: mebibytesOf('memory', memory) }),
    ...(maxmem === undefined ? {} : { maxmem: mebibytesOf('maxmem', maxmem) }),
  };
  if (Object.keys(checked).length > 0) return checked;
  throw new UsageError('vm.set: no setting was given', {
    remedy: option('bofh vm set --help', "name what changes, such as { memory: '1g' }"),
  });
}

function mebibytesOf(key: string, value: string | number): number {
  const mebibytes = parseSize(value) / 1024 ** 2;
  if (Number.isInteger(mebibytes) && mebibytes >= 16) return mebibytes;
  throw new UsageError(
    option(`${key} ${value}`, `${key}: ${value}`) + ': must be whole MiB, 16 MiB at least',
  );
}

/** Checks the options of a rename. */
export function checkRename(request: unknown): CheckedRename {
  return parsed('vm.rename', renameSchema, request);
}

/** Checks the options of a backup. */
export function checkBackup(request: unknown): CheckedBackup {
  const { snapshotSize, ...rest } = parsed('vm.backup', backupSchema, request);
  return snapshotSize === undefined ? rest : { ...rest, snapshotSize: parseSize(snapshotSize) };
}

/** Checks a description and its options. */
export function checkProvision(request: unknown): CheckedProvision {
  const { snapshotSize, ...rest } = parsed('vm.provision', provisionSchema, request);
  return snapshotSize === undefined ? rest : { ...rest, snapshotSize: parseSize(snapshotSize) };
}

/** Checks the options of a restore. */
export function checkRestore(request: unknown): CheckedRestore {
  return parsed('vm.restore', restoreSchema, request);
}

/** Checks the options of a clone. */
export function checkClone(request: unknown): CheckedClone {
  const { memory, ...rest } = parsed('vm.clone', cloneSchema, request);
  return { ...rest, ...(memory === undefined ? {} : { memory: mebibytesOf('memory', memory) }) };
}

/** Checks the options of a mount of the disks of a guest. */
export function checkMount(request: unknown): z.output<typeof mountSchema> {
  return parsed('vm.mount', mountSchema, request);
}
