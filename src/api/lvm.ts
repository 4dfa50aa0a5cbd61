import * as z from 'zod/mini';
import { naming } from '../core/checks.ts';
import { beginRecipe, checkArgs, currentBofh, inOwnSequence, single } from '../bofh.ts';
import { callable, parsed, text } from '../core/request.ts';
import * as driver from '../lvm/index.ts';
import type { Tx } from '../operations.ts';

export type { LogicalVolume, MetadataBackup, PhysicalVolume, VolumeGroup } from '../lvm/index.ts';

const syncedOptions = z.strictObject({
  vg: text,
  name: text,
  tell: z.exactOptional(callable<(part: number) => void>()),
});

const lvsScope = z.optional(z.strictObject({ vg: z.exactOptional(z.string()) }));

/**
 * Returns every logical volume, or those of `vg`. Throws CommandError with the reason `not-found` if that
 * volume group does not exist.
 */
export async function lvs(scope?: {
  /** Only the volumes of this volume group (default: all groups). */
  readonly vg?: string;
}): Promise<readonly driver.LogicalVolume[]> {
  const asked = parsed('lvm.lvs', lvsScope, scope);
  const vg = asked?.vg;
  if (vg !== undefined) naming('lvm.lvs', { vg }, () => driver.checkVgName(vg));
  return driver.lvs(currentBofh().host, asked);
}

/** Returns every volume group. */
export async function vgs(): Promise<readonly driver.VolumeGroup[]> {
  return driver.vgs(currentBofh().host);
}

/** Returns every physical volume. */
export async function pvs(): Promise<readonly driver.PhysicalVolume[]> {
  return driver.pvs(currentBofh().host);
}

/**
 * Creates a logical volume in a sequence of its own. Sizes are bytes or strings such as `10g`,
 * rounded up to whole extents.
 */
export const createLv = inOwnSequence('lvm', 'createLv');

/**
 * Creates a thin pool in a sequence of its own. Sizes are bytes or strings such as `10g`, rounded
 * up to whole extents.
 */
export const createThinPool = inOwnSequence('lvm', 'createThinPool');

/**
 * Grows the data or metadata of a thin pool in a sequence of its own. Irreversible: neither can
 * shrink again. Sizes are bytes or strings such as `10g`.
 */
export const resizeThinPool = inOwnSequence('lvm', 'resizeThinPool');

/**
 * Creates a snapshot of a logical volume in a sequence of its own; without a size, a thin snapshot
 * of a thin volume.
 */
export const createSnapshot = inOwnSequence('lvm', 'createSnapshot');

/**
 * Merges a snapshot into its origin in a sequence of its own, and waits for the end. Irreversible.
 */
export const mergeSnapshot = inOwnSequence('lvm', 'mergeSnapshot');

/** Removes a logical volume in a sequence of its own. */
export const removeLv = inOwnSequence('lvm', 'removeLv');

/** Renames a logical volume in a sequence of its own. */
export const renameLv = inOwnSequence('lvm', 'renameLv');

/**
 * Creates a physical volume on a device in a sequence of its own. A device that is not blank needs
 * `overwrite`.
 */
export const createPv = inOwnSequence('lvm', 'createPv');

/** Creates a volume group from physical volumes in a sequence of its own. */
export const createVg = inOwnSequence('lvm', 'createVg');

/** Adds unused physical volumes to a volume group in a sequence of its own. */
export const extendVg = inOwnSequence('lvm', 'extendVg');

/** Removes physical volumes from a volume group in a sequence of its own. */
export const reduceVg = inOwnSequence('lvm', 'reduceVg');

/** Renames a volume group in a sequence of its own. */
export const renameVg = inOwnSequence('lvm', 'renameVg');

/**
 * Resizes a physical volume to the size of its device, or to `size` (bytes or `10g`), in a sequence of its
 * own. Does nothing if it already has that size. Throws UsageError inside `atomic()`.
 */
export async function resizePv(
  args: Parameters<Tx['lvm']['resizePv']>[0],
): ReturnType<Tx['lvm']['resizePv']> {
  beginRecipe('lvm.resizePv');
  await checkArgs('lvm', 'resizePv', args);
  const unchanged = await driver.alreadySized(currentBofh().host, args);
  return unchanged ?? single('lvm.resizePv', (tx) => tx.lvm.resizePv(args), ['lvm']);
}

/**
 * Moves extents from a physical volume to others of its group in a sequence of its own. Does nothing if the
 * volume has none. Throws UsageError inside `atomic()`.
 */
export async function movePv(args: Parameters<Tx['lvm']['movePv']>[0]): ReturnType<Tx['lvm']['movePv']> {
  beginRecipe('lvm.movePv');
  await checkArgs('lvm', 'movePv', args);
  const unchanged = await driver.alreadyMoved(currentBofh().host, args);
  return unchanged ?? (await single('lvm.movePv', (tx) => tx.lvm.movePv(args), ['lvm']));
}

/** Removes a volume group that has no volumes, in a sequence of its own. */
export const removeVg = inOwnSequence('lvm', 'removeVg');

/**
 * Removes the LVM label from a physical volume that is in no group, in a sequence of its own.
 * Irreversible.
 */
export const removePv = inOwnSequence('lvm', 'removePv');

/**
 * Returns the newest metadata of a volume group, for `vgcfgrestore --file`. Throws RefusedError if LVM has no
 * backup, or only an older one.
 */
export async function metadataBackup(vg: string): Promise<driver.MetadataBackup> {
  return naming('lvm.metadataBackup', { vg }, () => driver.metadataBackup(currentBofh().host, vg));
}

/** Adds and removes tags of a logical volume in a sequence of its own. */
export const tagLv = inOwnSequence('lvm', 'tagLv');

/**
 * Adds a second copy (raid1) to a linear volume, or removes one of two, in a sequence of its own. LVM syncs a
 * new copy in the background.
 */
export const convertLv = inOwnSequence('lvm', 'convertLv');

/**
 * Waits until all copies of a raid volume are in sync; `tell` receives the progress from 0 to 1. Throws
 * RefusedError if they will never be in sync.
 */
export async function waitSynced(of: Parameters<typeof driver.waitSynced>[1]): Promise<void> {
  await driver.waitSynced(currentBofh().host, parsed('lvm.waitSynced', syncedOptions, of));
}

/**
 * Resizes a logical volume in a sequence of its own. The size is bytes or a string such as `10g`, rounded up
 * to whole extents. Does nothing if it already has that size. Throws UsageError inside `atomic()`.
 */
export async function resizeLv(
  args: Parameters<Tx['lvm']['resizeLv']>[0],
): ReturnType<Tx['lvm']['resizeLv']> {
  beginRecipe('lvm.resizeLv');
  await checkArgs('lvm', 'resizeLv', args);
  const unchanged = await driver.ofThatSize(currentBofh().host, args);
  return unchanged ?? (await single('lvm.resizeLv', (tx) => tx.lvm.resizeLv(args), ['lvm']));
}

/**
 * Activates a logical volume in a sequence of its own. Does nothing if it is already active. Throws
 * UsageError inside `atomic()`.
 */
export async function activateLv(
  args: Parameters<Tx['lvm']['activateLv']>[0],
): ReturnType<Tx['lvm']['activateLv']> {
  beginRecipe('lvm.activateLv');
  await checkArgs('lvm', 'activateLv', args);
  const unchanged = await naming('lvm.activateLv', { vg: args.vg, name: args.name }, () =>
    driver.alreadyIn(currentBofh().host, args, 'active'),
  );
  return unchanged ?? (await single('lvm.activateLv', (tx) => tx.lvm.activateLv(args), ['lvm']));
}

/**
 * Deactivates a logical volume in a sequence of its own. Does nothing if it is already inactive. Throws
 * UsageError inside `atomic()`.
 */
export async function deactivateLv(
  args: Parameters<Tx['lvm']['deactivateLv']>[0],
): ReturnType<Tx['lvm']['deactivateLv']> {
  beginRecipe('lvm.deactivateLv');
  await checkArgs('lvm', 'deactivateLv', args);
  const unchanged = await naming('lvm.deactivateLv', { vg: args.vg, name: args.name }, () =>
    driver.alreadyIn(currentBofh().host, args, 'inactive'),
  );
  return unchanged ?? (await single('lvm.deactivateLv', (tx) => tx.lvm.deactivateLv(args), ['lvm']));
}
