import { beginRecipe, currentBofh, single } from '../bofh.ts';
import { naming } from '../core/checks.ts';
import { parsed, text } from '../core/request.ts';
import { disksOfGuest, type GuestDiskRow } from '../vm/attached.ts';
import {
  changeDisks,
  checkGuestDisk,
  createGuestDisk,
  type GuestDiskChange,
  type GuestDiskRequest,
  planDiskAttach,
  planDiskDetach,
  planDiskRemoval,
  planGuestDisk,
  removeGuestDisk,
} from '../vm/guest-disks.ts';
import * as z from 'zod/mini';
import { planning } from './planning.ts';

export type { GuestDiskChange, GuestDiskRequest } from '../vm/guest-disks.ts';

const guests = z.strictObject({ name: text });
const names = z.strictObject({ name: text, disk: text });
const detachment = z.strictObject({ name: text, disk: text, now: z.exactOptional(z.boolean()) });
const removal = z.strictObject({ name: text, disk: text, uuid: z.exactOptional(text) });
const devices = z.strictObject({ name: text, device: text });

/** A new disk of a guest. */
export interface CreatedGuestDisk extends GuestDiskChange {
  /** UUID of its filesystem, for the /etc/fstab of the guest. */
  readonly uuid: string;
  readonly fs: 'ext4' | 'xfs' | 'btrfs';
  /** The directory on which the guest mounts it, by its /etc/fstab; undefined: none. */
  readonly mount: string | undefined;
  /** UUID of its LUKS header, for the /etc/crypttab of the guest; undefined: it is not encrypted. */
  readonly luks: string | undefined;
}

/** A removed disk of a guest. */
export interface RemovedGuestDisk extends GuestDiskChange {
  /** Its lines in the /etc/fstab of the guest, which are removed too; null: that file could not be read. */
  readonly fstab: readonly string[] | null;
  /** Its lines in the /etc/crypttab of the guest, which are removed too; null: that file could not be read. */
  readonly crypttab: readonly string[] | null;
  /** Why that file could not be read; null: it could. A line that is left there can stop the boot of the guest. */
  readonly unread: string | null;
}

/**
 * Lists the disks of a configured guest: those of its configuration, then those that only the running guest has.
 * Throws RefusedError for an unknown guest, and if xl does not show its domain yet.
 */
export async function disks(name: string): Promise<readonly GuestDiskRow[]> {
  const { host, site } = currentBofh();
  parsed('vm.disks', guests, { name });
  return naming('vm.disks', { name }, () => disksOfGuest(host, { site, name }));
}

/**
 * Creates a disk for a guest, in a sequence of its own: a volume, named after the guest and the
 * disk (`web1-data`), with a filesystem, as the last disk of the configuration. A running guest
 * gets the disk at once, a paused one at its next start. With `mount` a guest that is off also gets
 * a line in its /etc/fstab. Throws RefusedError if the disks of the guest are replicated.
 *
 * @param disk - Name of the disk: a letter, then letters, digits, `-` and `_`.
 */
export async function createDisk(
  name: string,
  disk: string,
  request: GuestDiskRequest,
): Promise<CreatedGuestDisk> {
  beginRecipe('vm.createDisk');
  const { host, site } = currentBofh();
  parsed('vm.createDisk', names, { name, disk });
  const plan = await planning('vm.createDisk', { name, disk }, () =>
    planGuestDisk(host, { site, name, disk, request: checkGuestDisk(request) }),
  );
  const made = await single(`vm disk create ${name} ${disk}`, (tx) => createGuestDisk(tx, host, plan));
  return { ...changeOf(plan), ...made, fs: plan.fs, mount: plan.fstab?.mount };
}

/**
 * Adds an existing block device to the configuration of a guest in a sequence of its own. A running guest
 * gets the disk at once, a paused one at its next start. Throws RefusedError if the device is in use, or if a
 * guest has it already.
 *
 * @param device - Absolute path, written to the configuration unchanged: `/dev/drbd1`.
 */
export async function attachDisk(name: string, device: string): Promise<GuestDiskChange> {
  beginRecipe('vm.attachDisk');
  const { host, site } = currentBofh();
  parsed('vm.attachDisk', devices, { name, device });
  const plan = await planning('vm.attachDisk', { name, device }, () =>
    planDiskAttach(host, { site, name, device }),
  );
  await single(`vm disk attach ${name} ${device}`, (tx) => changeDisks(tx, plan));
  return changeOf(plan);
}

/**
 * Removes a disk from the configuration of a guest, in a sequence of its own; the device and its
 * data stay. A running guest keeps the disk until its next start, or with `now` loses it at once.
 * Throws RefusedError for the root disk, and for a disk in a snapshot of the guest.
 *
 * @param disk - The name of the disk in the guest (`xvdc`), or the name that was passed to
 * `createDisk` or `create`.
 */
export async function detachDisk(
  name: string,
  disk: string,
  options: {
    /**
     * Detach the disk from the running guest at once. The guest must have unmounted it, which bofh cannot
     * check: Linux 5.15 and later lose a mounted disk, with all data not yet written to it.
     */
    readonly now?: boolean;
  } = {},
): Promise<GuestDiskChange> {
  beginRecipe('vm.detachDisk');
  const { host, site } = currentBofh();
  const asked = parsed('vm.detachDisk', detachment, { ...options, name, disk });
  const plan = await planning('vm.detachDisk', { name, disk }, () =>
    planDiskDetach(host, { ...asked, site }),
  );
  await single(`vm disk detach ${name} ${disk}`, (tx) => changeDisks(tx, plan));
  return changeOf(plan);
}

/**
 * Removes a disk of a guest that is off, in a sequence of its own: its lines in the configuration
 * and in the /etc/fstab of the guest and, after the commit, its logical volume with all data.
 * Throws RefusedError for the root disk, for a disk that is not a logical volume or is in a snapshot
 * of the guest, and if the guest is mounted on this host.
 *
 * @param disk - As for `detachDisk`.
 */
export async function removeDisk(
  name: string,
  disk: string,
  options: {
    /** UUID of the volume, as `lvm.lvs` shows it. Throws RefusedError if the disk is another volume. */
    readonly uuid?: string;
  } = {},
): Promise<RemovedGuestDisk> {
  beginRecipe('vm.removeDisk');
  const { host, site } = currentBofh();
  const asked = parsed('vm.removeDisk', removal, { ...options, name, disk });
  const plan = await planning('vm.removeDisk', { name, disk }, () =>
    planDiskRemoval(host, { ...asked, site }),
  );
  await single(`vm disk remove ${name} ${disk}`, (tx) => removeGuestDisk(tx, host, plan));
  const { lines, crypttab, unknown } = plan.fstab;
  return {
    ...changeOf(plan),
    fstab: unknown === undefined ? lines : null,
    crypttab: unknown === undefined ? crypttab : null,
    unread: unknown ?? null,
  };
}

function changeOf({ name, config, disk, device, domid, effective }: GuestDiskChange): GuestDiskChange {
  return { name, config, disk, device, domid, effective };
}
