import {
  type BaseRequest,
  basesOn,
  createBase as installBase,
  type DebianBase,
  type GuestBase,
  findBase,
  isBase,
  planBase,
} from '../vm/bases.ts';
import { type BackupPlan, backupVm, planBackup, type SavedVm } from '../vm/backup.ts';
import { naming } from '../core/checks.ts';
import { type Backups, backupsIn, type Verified, verifyBackup } from '../vm/backups.ts';
import { planRestore, type RestoredVm, restoreVm } from '../vm/restore.ts';
import { currentBofh, beginRecipe, checkedUnlessBusy, single } from '../bofh.ts';
import { debianRequest } from '../copy/index.ts';
import type { StackResized } from '../stack/index.ts';
import { planning } from './planning.ts';
import { resize as resizeStack, type ResizeRequest } from './block.ts';
import { inBytes, newSize, parsed, sizeOption, text } from '../core/request.ts';
import { type Bytes, parseSize } from '../core/units.ts';
import { keyRef } from '../command/index.ts';
import * as z from 'zod/mini';
import { RefusedError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { ownAnd } from '../replica/hosts.ts';
import { checkCreate, type CreateRequest } from '../vm/create-request.ts';
import { type ClonedVm, cloneVm, planClone } from '../vm/clone.ts';
import { type CreatedVm, createVm, planCreate } from '../vm/create.ts';
import { type RemovePlan, removeVm, planRemove } from '../vm/remove.ts';
import { type MovedVm, moveVm, planMove } from '../vm/move.ts';
import { membersOfGuest } from '../vm/replicas.ts';
import { planProvision, type ProvisionedVm, provisionVm } from '../vm/provision.ts';
import { planRename, type RenamePlan, renameVm } from '../vm/rename.ts';
import { mountTree, planTree } from '../vm/tree.ts';
import { planUnmount } from '../vm/unmount.ts';
import { planVmResize } from '../vm/resize.ts';
import { planSet, type SetPlan, setVm } from '../vm/set.ts';
import {
  type GuestSnapshot,
  type GuestSnapshots,
  planSnapshot,
  planSnapshotRemoval,
  planSnapshotRestore,
  removeSnapshot as removeIt,
  restoreSnapshot as restoreIt,
  type SnapshotRemovalPlan,
  type SnapshotRestorePlan,
  snapshotsIn,
  snapshotVm,
} from '../vm/snapshots.ts';
import {
  type BackupOptions,
  checkBackup,
  checkClone,
  checkMount,
  checkRemove,
  checkMove,
  checkProvision,
  checkRename,
  checkRestore,
  checkSet,
  type CloneOptions,
  type MountOptions,
  type RemoveRequest,
  type MoveRequest,
  type ProvisionOptions,
  type RenameOptions,
  type RestoreOptions,
  type SetRequest,
} from '../vm/request.ts';

export { attachDisk, createDisk, detachDisk, disks, removeDisk } from './guest-disks.ts';
export { attachInterface, detachInterface, interfaces } from './guest-interfaces.ts';
export type { GuestInterfaceChange, GuestInterfaceRequest } from './guest-interfaces.ts';
export type {
  CreatedGuestDisk,
  GuestDiskChange,
  GuestDiskRequest,
  RemovedGuestDisk,
} from './guest-disks.ts';
export { list, pause, restart, resume, show, start, stop, wait } from './xen.ts';
export type { BaseRequest, DebianBase, GuestBase } from '../vm/bases.ts';
export type { CreateRequest } from '../vm/create-request.ts';
export type { ClonedVm } from '../vm/clone.ts';
export type { CreatedVm } from '../vm/create.ts';
export type { RemovePlan } from '../vm/remove.ts';
export type { MovedVm } from '../vm/move.ts';
export type { SetRow } from '../vm/set.ts';
export type { SavedVm } from '../vm/backup.ts';
export type { Backups, Verified } from '../vm/backups.ts';
export type {
  GuestSnapshot,
  GuestSnapshots,
  SnapshotRemovalPlan,
  SnapshotRestorePlan,
} from '../vm/snapshots.ts';
export type { ProvisionedVm } from '../vm/provision.ts';
export type { RestoredVm } from '../vm/restore.ts';
export type {
  BackupOptions,
  CloneOptions,
  RemoveRequest,
  MoveRequest,
  ProvisionOptions,
  RenameOptions,
  RestoreOptions,
  SetRequest,
} from '../vm/request.ts';

/**
 * Creates a guest in a sequence of its own. Impossible requests are refused before anything
 * changes.
 */
export async function create(request: CreateRequest): Promise<CreatedVm> {
  beginRecipe('vm.create');
  const { host, site, engine, signals } = currentBofh();
  const asked = naming('vm.create', {}, () => checkCreate(request));
  const disksOn = asked.drbd === undefined ? undefined : await ownAnd(engine, asked.drbd);
  const plan = await planning('vm.create', { name: asked.name }, () =>
    planCreate({
      ...{ host, site, request: asked, disksOn },
      ...{ onProgress: engine.onProgress, signal: signals?.stop },
    }),
  );
  return single(`vm create ${plan.name}`, (tx) => createVm(tx, plan, engine));
}

/**
 * Installs a Debian for new guests in a sequence of its own: an archive in /var/cache/bofh-bases, from which
 * `source: 'debian:trixie'` creates guests. Takes minutes, and needs mmdebstrap and the network.
 *
 * @param suite - Code name of the release: `trixie`. Throws RefusedError with the code `exists` if it was
 * already created today.
 */
export async function createBase(suite: string, options: BaseRequest = {}): Promise<DebianBase> {
  beginRecipe('vm.createBase');
  const { host, site } = currentBofh();
  const request = parsed('vm.createBase', debianRequest, { ...options, suite });
  const plan = await checkedUnlessBusy('vm.createBase', isBase, () =>
    planBase({ host, site, request, now: new Date() }),
  );
  return single(`vm base create ${suite}`, (tx) => installBase(tx, plan));
}

/**
 * Lists the Debian systems for new guests by the name of their release, the oldest of each release
 * first, and then downloaded images.
 */
export async function bases(): Promise<readonly GuestBase[]> {
  return basesOn(currentBofh().host);
}

/**
 * Removes a Debian or an image for new guests in a sequence of its own; guests that were created from it
 * stay.
 *
 * @param name - As `vm.bases` shows it: `trixie-2026-11-26`.
 */
export async function removeBase(name: string): Promise<GuestBase> {
  beginRecipe('vm.removeBase');
  const { host } = currentBofh();
  const base = await naming('vm.removeBase', { name }, () =>
    checkedUnlessBusy('vm.removeBase', isBase, () => findBase(host, name)),
  );
  await single(`vm base remove ${name}`, (tx) => tx.file.remove({ path: base.path }));
  return base;
}

/**
 * Clones a guest that is off, in a sequence of its own: copies its logical volumes to new ones, named
 * after the clone, and gives the copy new values of its own: UUIDs of its filesystems and of the guest, a
 * swap area, MAC addresses, a machine-id, SSH host keys and a host name. Impossible requests are refused before anything changes.
 */
export async function clone(name: string, to: string, options: CloneOptions = {}): Promise<ClonedVm> {
  beginRecipe('vm.clone');
  const { host, site } = currentBofh();
  const plan = await planning('vm.clone', { name, to }, () =>
    planClone({ host, site, name, to, request: checkClone(options) }),
  );
  return single(`vm clone ${name} ${to}`, (tx) => cloneVm(tx, host, plan));
}

/**
 * Removes a guest in a sequence of its own: its domain, configuration, logical volumes and the
 * replicas of its disks on another host.
 */
export async function remove(request: RemoveRequest): Promise<RemovePlan> {
  beginRecipe('vm.remove');
  const { host, site, engine } = currentBofh();
  const { replicas, on, ...asked } = checkRemove(request);
  const which = { name: asked.name, site, ...present({ on }) };
  const members = replicas === 'kept' ? undefined : await membersOfGuest(engine, which);
  const plan = await planning('vm.remove', { name: asked.name }, () =>
    planRemove({ host, site, ...asked, members }),
  );
  await single(`vm remove ${plan.name}`, (tx) => removeVm(tx, plan, engine));
  return plan;
}

/**
 * Moves a guest with replicated disks to the other host in a sequence of its own: shuts it down here,
 * promotes its disks and moves its configuration, and starts it there. If a step fails, the guest runs here
 * again.
 */
export async function move(request: MoveRequest): Promise<MovedVm> {
  beginRecipe('vm.move');
  const { engine, site } = currentBofh();
  const asked = checkMove(request);
  const members = await ownAnd(engine, asked.to);
  const plan = await planning('vm.move', { name: asked.name }, () =>
    planMove({ members, site, request: asked }),
  );
  return single(`vm move ${plan.name}`, (tx) => moveVm(tx, engine, plan));
}

/**
 * Changes the configuration of a guest and, where Xen can, the running guest, in a sequence of its own: both
 * or neither. Comments and order of the file stay. `rows` says when each setting takes effect.
 *
 * @returns `changed`: false if the configuration is already as asked; a row may still wait for the next
 * start.
 */
export async function set(
  name: string,
  settings: SetRequest,
): Promise<Pick<SetPlan, 'name' | 'config' | 'rows'> & { readonly changed: boolean }> {
  beginRecipe('vm.set');
  const { host, site } = currentBofh();
  const plan = await planning('vm.set', { name }, () =>
    planSet({ host, site, name, settings: checkSet(settings) }),
  );
  const { config, rows, file, links, live } = plan;
  const changed = file !== undefined || links.length > 0 || live.length > 0;
  if (changed) await single(`vm set ${name}`, (tx) => setVm(tx, plan));
  return { name, config, rows, changed };
}

/**
 * Renames a guest in a sequence of its own: its configuration and the name of its file, the links
 * for the start at boot, and the volumes among its disks that are named after it. A running guest
 * is refused, or with `restart` shut down and started again under its new name.
 *
 * @returns `domid`: of the guest that was started again.
 */
export async function rename(
  name: string,
  to: string,
  options: RenameOptions = {},
): Promise<RenamePlan & { readonly domid?: number }> {
  beginRecipe('vm.rename');
  const { host, site } = currentBofh();
  const plan = await planning('vm.rename', { name, to }, () =>
    planRename({ host, site, name, to, how: checkRename(options) }),
  );
  return { ...plan, ...(await single(`vm rename ${name} ${to}`, (tx) => renameVm(tx, host, plan))) };
}

const resizeOptions = z.strictObject({
  name: text,
  disk: text,
  to: newSize,
  key: z.exactOptional(keyRef),
  on: z.exactOptional(z.tuple([text, text])),
});

/** A disk of a guest that was resized. */
export interface ResizedVm extends StackResized {
  /** The name of the disk in the guest: `xvda`. */
  readonly disk: string;
  readonly device: string;
  /** Domain ID of the running guest, whose disk grew without its content; undefined: the guest is off. */
  readonly domid: number | undefined;
}

/**
 * Resizes a disk of a guest as `block.resize` does. If the guest is off, everything on the disk is resized
 * too. The disk of a running guest can only grow, and the guest itself must grow the content. Refuses a
 * replicated disk of a running guest: use `drbd.grow`.
 *
 * @param disk - `root`, its name in the guest (`xvda`), or its name in `create` or `createDisk` (`data`).
 */
export async function resize(
  name: string,
  disk: string,
  to: ResizeRequest['to'],
  options: Pick<ResizeRequest, 'key' | 'on'> = {},
): Promise<ResizedVm> {
  beginRecipe('vm.resize');
  const asked = parsed('vm.resize', resizeOptions, { ...options, name, disk, to });
  const { host, site } = currentBofh();
  const plan = await planning('vm.resize', { name, disk }, () =>
    planVmResize(host, { site, name, disk, to: inBytes('vm.resize', asked.to) }),
  );
  const { device, what } = plan;
  const made = await resizeStack({ ...options, device, to, what });
  return { disk: plan.disk, device, domid: plan.domid, ...made };
}

/** The filesystems of a guest, mounted as one tree. */
export interface MountedVm {
  /** Directory on which the root filesystem is mounted. */
  readonly path: string;
  readonly mounts: readonly { readonly device: string; readonly path: string; readonly mode: 'ro' | 'rw' }[];
  /** Encrypted disks that are left out, because their lines have `nofail` and there is no key for them. */
  readonly closed: readonly {
    readonly device: string;
    /** Its name in the /etc/crypttab of the guest. */
    readonly name: string;
    /** Its mount point in the guest. */
    readonly target: string;
  }[];
  /** False if everything was already mounted. */
  readonly changed: boolean;
}

/**
 * Mounts the disks of a guest that is off as one tree, in a sequence of its own: its root filesystem, and on
 * it the filesystems of its /etc/fstab. Device names in that file are those of the guest's configuration. The
 * tree stays mounted until `unmount` or a reboot, and the guest cannot be started before that. Throws
 * RefusedError if the fstab names anything but the guest's disks, except with `nofail` or `noauto`; swap and
 * kernel filesystems are left out. Types are detected from the content, and options that could name a device
 * or a program of this host are ignored. The root filesystem must be ext2, ext3 or ext4, without partitions
 * and encryption. An encrypted disk that the guest's /etc/crypttab opens is opened with its key of `keys`, or
 * with the key file in the guest.
 */
export async function mount(name: string, options: MountOptions = {}): Promise<MountedVm> {
  beginRecipe('vm.mount');
  const { host, site } = currentBofh();
  const { path, mode, keys = {} } = checkMount(options);
  const plan = await planning('vm.mount', { name, ...present({ path }) }, () =>
    planTree(host, { site, name, keys, ...present({ path, mode }) }),
  );
  const root = plan.at ?? (await single(`vm mount ${name}`, (tx) => mountTree(tx, host, plan, path)));
  const mounts = plan.mounts.map((each) => ({
    ...{ device: each.device, mode: each.mode },
    path: each.target === '/' ? root : `${root}${each.target}`,
  }));
  return { path: root, mounts, closed: plan.closed, changed: plan.at === undefined };
}

/** The mounts and LUKS devices of a guest that `unmount` ended; empty: there were none. */
export interface UnmountedVm {
  readonly mounts: readonly { readonly device: string; readonly path: string }[];
  /** The encrypted disks that were open, with the names of their mappings. */
  readonly closed: readonly { readonly device: string; readonly name: string }[];
}

/**
 * Unmounts every mount of a disk of a guest, whoever mounted it, in a sequence of its own, and after the commit
 * closes the LUKS devices that are open on its disks. If one is in use, throws RefusedError, which names each
 * holder, before anything changes.
 */
export async function unmount(name: string): Promise<UnmountedVm> {
  beginRecipe('vm.unmount');
  const { host, site } = currentBofh();
  const { mounts, open } = await planning('vm.unmount', { name }, () => planUnmount(host, { site, name }));
  if (mounts.length + open.length > 0)
    await single(`vm unmount ${name}`, async (tx) => {
      for (const { path, id } of mounts) await tx.mount.unmount({ path, mountId: id });
      // To open it again, an undo would need its key.
      for (const each of open) await tx.crypt.closeAfterCommit({ name: each.name });
    });
  return { mounts: mounts.map(({ disk: device, path }) => ({ device, path })), closed: open };
}

/**
 * Saves a guest into a directory in a sequence of its own: its configuration and all its disks, which are
 * logical volumes, also beneath DRBD, as they were at one moment. A running guest keeps running. Each file is read back
 * and compared with its checksum. With `keep` older backups of the guest are removed after the commit.
 *
 * @param directory - Absolute path of the directory, or `HOST:/PATH`: on a host that ssh or the site file knows.
 */
export async function backup(
  name: string,
  directory: string,
  options: BackupOptions & {
    /** Paths of the older backups that may be removed (default: all beyond `keep`). */
    readonly agreed?: readonly string[] | undefined;
  } = {},
): Promise<SavedVm> {
  beginRecipe('vm.backup');
  const { engine, site } = currentBofh();
  const { agreed, ...how } = options;
  parsed('vm.backup', agreedOption, { agreed });
  const plan = await planning('vm.backup', { name, directory }, () =>
    planBackup({ hosts: engine, site, name, directory, how: checkBackup(how), now: new Date() }),
  );
  refuseOthers(plan, agreed);
  return single(`vm backup ${name}`, (tx) => backupVm(tx, engine, plan));
}

const agreedOption = z.strictObject({ agreed: z.optional(z.array(z.string())) });

function refuseOthers({ surplus }: BackupPlan, agreed: readonly string[] | undefined): void {
  const others = agreed === undefined ? [] : surplus.filter(({ path }) => !agreed.includes(path));
  if (others.length === 0) return;
  throw new RefusedError(
    `${others.map(({ path }) => path).join(', ')} would be removed too, but you did not confirm that`,
    { remedy: 'another backup of this guest ended meanwhile: run the command again' },
  );
}

/**
 * Applies a description (`defineHost`) to the root of a guest that is off, in a sequence of its own, as
 * `create` does for a new one: with the programs of the guest, and the Node.js and the bofh of this host. The
 * filesystems of its /etc/fstab are mounted too. Their disks must be logical volumes. The description changes
 * snapshots of them, and these are merged into the disks after the commit: if a step fails, all disks are as
 * before, whatever a package or a script did. Start the guest only after the commit. Only for a trusted
 * guest: its programs run as root on the kernel of this host.
 *
 * @param description - Absolute path of the file. Only root may be able to write it.
 */
export async function provision(
  name: string,
  description: string,
  options: ProvisionOptions = {},
): Promise<ProvisionedVm> {
  beginRecipe('vm.provision');
  const { host, site, engine } = currentBofh();
  const plan = await planning('vm.provision', { name, description }, () =>
    planProvision({ host, site, name, request: checkProvision({ ...options, description }) }),
  );
  return single(`vm provision ${name}`, async (tx) => {
    const keys: string[] = [];
    for (const { disk } of plan.mounts) keys.push((await engine.on(`/dev/${disk.vg}/${disk.volume}`)).key);
    return provisionVm(tx, host, plan, keys);
  });
}

/** Lists the complete backups in a directory, by guest and time, and the files that are not complete backups. */
export async function backups(directory: string): Promise<Backups> {
  return naming('vm.backups', { directory }, () => backupsIn(currentBofh().host, directory));
}

/**
 * Reads all files of a backup, named by its manifest, and compares their checksums. Does not throw for a
 * damaged file: see `why` of each disk.
 *
 * @returns `disks`: each with `why`, the damage of its file (undefined: the file is good).
 */
export async function verify(file: string): Promise<Verified> {
  return naming('vm.verify', { file }, () => verifyBackup(currentBofh().host, file));
}

/**
 * Restores a guest from a backup, named by its manifest, in a sequence of its own: creates its
 * volumes, fills them, reads them back and writes its configuration. Never replaces a guest or a
 * volume. With `as` it gets new volume names, MAC addresses and a new UUID; the host name inside and
 * the UUIDs of its filesystems stay.
 */
export async function restore(file: string, options: RestoreOptions = {}): Promise<RestoredVm> {
  beginRecipe('vm.restore');
  const { host, site } = currentBofh();
  const how = naming('vm.restore', { file }, () => checkRestore(options));
  const plan = await planning('vm.restore', { file, ...present({ name: how.as }) }, () =>
    planRestore({ host, site, file, how }),
  );
  return single(`vm restore ${plan.name}`, (tx) => restoreVm(tx, host, plan));
}

const snapshotSchema = z.strictObject({
  name: text,
  label: text,
  size: z.exactOptional(sizeOption),
  freeze: z.exactOptional(z.boolean()),
});

/**
 * Creates a snapshot of a guest in a sequence of its own: of all its disks, which are logical volumes, at one
 * moment, and of its configuration. A running guest keeps running.
 *
 * @param label - Up to 40 letters, digits, `_`, `.` and `-`. Throws RefusedError with the code `exists` if
 * the guest already has it.
 */
export async function createSnapshot(
  name: string,
  label: string,
  options: {
    /**
     * Space for changes of each disk that is not thin, in bytes or as text (default: a fifth of the
     * disk). A snapshot whose space is full is lost.
     */
    readonly size?: Bytes | string;
    /**
     * Freezes the filesystems of a running guest for the moment of the snapshots, if the QEMU guest agent has a
     * channel (default: true).
     */
    readonly freeze?: boolean;
  } = {},
): Promise<GuestSnapshot> {
  beginRecipe('vm.createSnapshot');
  const { host, site } = currentBofh();
  const asked = parsed('vm.createSnapshot', snapshotSchema, { ...options, name, label });
  const size = asked.size === undefined ? {} : { size: parseSize(asked.size) };
  const plan = await planning('vm.createSnapshot', { name, label }, () =>
    planSnapshot({ host, site, name, label, ...size, ...present({ freeze: asked.freeze }), now: new Date() }),
  );
  return single(`vm snapshot create ${name} ${label}`, (tx) => snapshotVm(tx, host, plan));
}

const snapshotsSchema = z.strictObject({ name: z.exactOptional(text) });

/** Lists the snapshots of guests, and the files in the snapshot directory that cannot be read. */
export async function snapshots(
  options: {
    /** Only the snapshots of this guest (default: of all guests). */
    readonly name?: string;
  } = {},
): Promise<GuestSnapshots> {
  const { name } = parsed('vm.snapshots', snapshotsSchema, options);
  return naming('vm.snapshots', present({ name }), () => snapshotsIn(currentBofh().host, name));
}

/**
 * Restores a stopped guest from a snapshot, in a sequence of its own: its configuration, and after the
 * commit its volumes. Everything written since the snapshot is lost, and the snapshot is gone.
 * With `tx.vm.restoreSnapshot` too the volumes are restored after the commit: start the guest only after that.
 */
export async function restoreSnapshot(name: string, label: string): Promise<SnapshotRestorePlan> {
  beginRecipe('vm.restoreSnapshot');
  const { host, site } = currentBofh();
  const plan = await planning('vm.restoreSnapshot', { name, label }, () =>
    planSnapshotRestore({ host, site, name, label }),
  );
  await single(`vm snapshot restore ${name} ${label}`, (tx) => restoreIt(tx, plan));
  return plan;
}

/** Removes a snapshot in a sequence of its own; the guest does not change. */
export async function removeSnapshot(name: string, label: string): Promise<SnapshotRemovalPlan> {
  beginRecipe('vm.removeSnapshot');
  const { host, site } = currentBofh();
  const plan = await planning('vm.removeSnapshot', { name, label }, () =>
    planSnapshotRemoval({ host, site, name, label }),
  );
  await single(`vm snapshot remove ${name} ${label}`, (tx) => removeIt(tx, plan));
  return plan;
}
