import { currentBofh, once, refuseInside, single } from '../bofh.ts';
import * as driver from '../lvm/index.ts';
import type { Tx } from '../operations.ts';

export type { LogicalVolume, MetadataBackup, PhysicalVolume, VolumeGroup } from '../lvm/index.ts';

/** Every logical volume; of one volume group (missing: CommandError `not-found`) when it is named. */
export async function lvs(scope?: { readonly vg?: string }): Promise<readonly driver.LogicalVolume[]> {
  return driver.lvs(currentBofh().host, scope);
}

/** Every volume group. */
export async function vgs(): Promise<readonly driver.VolumeGroup[]> {
  return driver.vgs(currentBofh().host);
}

/** Every physical volume. */
export async function pvs(): Promise<readonly driver.PhysicalVolume[]> {
  return driver.pvs(currentBofh().host);
}

/** Makes a logical volume: a sequence of one. */
export const createLv = once('lvm', 'createLv');

/** Makes a thin pool: a sequence of one. */
export const createThinPool = once('lvm', 'createThinPool');

/** Makes a thin pool larger, its data or its metadata: a sequence of one. Neither can be made smaller again. */
export const resizeThinPool = once('lvm', 'resizeThinPool');

/** Makes a snapshot of a logical volume: a sequence of one. */
export const createSnapshot = once('lvm', 'createSnapshot');

/** Puts the content of a snapshot back into its origin, and waits for the end: a sequence of one. */
export const mergeSnapshot = once('lvm', 'mergeSnapshot');

/** Removes a logical volume: a sequence of one. */
export const removeLv = once('lvm', 'removeLv');

/** Gives a logical volume another name: a sequence of one. */
export const renameLv = once('lvm', 'renameLv');

/** Makes a device a physical volume: a sequence of one. */
export const createPv = once('lvm', 'createPv');

/** Makes a volume group of physical volumes: a sequence of one. */
export const createVg = once('lvm', 'createVg');

/** Puts free physical volumes into a volume group: a sequence of one. */
export const extendVg = once('lvm', 'extendVg');

/** Takes physical volumes out of a volume group: a sequence of one. */
export const reduceVg = once('lvm', 'reduceVg');

/** Gives a volume group another name: a sequence of one. */
export const renameVg = once('lvm', 'renameVg');

/** Makes a physical volume as large as its device, or as it is told: a sequence of one; of none when it has that size. */
export async function resizePv(
  args: Parameters<Tx['lvm']['resizePv']>[0],
): ReturnType<Tx['lvm']['resizePv']> {
  const same = await driver.alreadySized(currentBofh().host, args);
  return same ?? single('lvm.resizePv', (tx) => tx.lvm.resizePv(args));
}

/** Moves extents off a physical volume to others of its group: a sequence of one; of none when there is nothing on it. */
export async function movePv(args: Parameters<Tx['lvm']['movePv']>[0]): ReturnType<Tx['lvm']['movePv']> {
  refuseInside('lvm.movePv');
  const there = await driver.alreadyMoved(currentBofh().host, args);
  return there ?? (await single('lvm.movePv', (tx) => tx.lvm.movePv(args)));
}

/** Removes a volume group that has no volume: a sequence of one. */
export const removeVg = once('lvm', 'removeVg');

/** Takes the label off a physical volume that is in no group: a sequence of one. */
export const removePv = once('lvm', 'removePv');

/** The newest metadata of a volume group, as `vgcfgrestore --file` takes it; RefusedError where lvm keeps none, or an older one. */
export async function metadataBackup(vg: string): Promise<driver.MetadataBackup> {
  return driver.metadataBackup(currentBofh().host, vg);
}

/** Changes the tags of a logical volume: a sequence of one. */
export const tagLv = once('lvm', 'tagLv');

/** Gives a linear volume a second copy, or takes one of two away: a sequence of one. A new copy is filled afterwards. */
export const convertLv = once('lvm', 'convertLv');

/** Waits until all copies of a raid agree; `tell` hears which part does, from 0 to 1. RefusedError when they never will. */
export async function waitSynced(of: Parameters<typeof driver.waitSynced>[1]): Promise<void> {
  await driver.waitSynced(currentBofh().host, of);
}

/** Gives a logical volume another size: a sequence of one, and none at all when it has that size already. */
export async function resizeLv(
  args: Parameters<Tx['lvm']['resizeLv']>[0],
): ReturnType<Tx['lvm']['resizeLv']> {
  refuseInside('lvm.resizeLv');
  const there = await driver.ofThatSize(currentBofh().host, args);
  return there ?? (await single('lvm.resizeLv', (tx) => tx.lvm.resizeLv(args)));
}

/** Puts a logical volume into the kernel: a sequence of one, and none at all when it is there. */
export async function activateLv(
  args: Parameters<Tx['lvm']['activateLv']>[0],
): ReturnType<Tx['lvm']['activateLv']> {
  refuseInside('lvm.activateLv');
  const there = await driver.alreadyIn(currentBofh().host, args, 'active');
  return there ?? (await single('lvm.activateLv', (tx) => tx.lvm.activateLv(args)));
}

/** Takes a logical volume out of the kernel: a sequence of one, and none at all when it is not there. */
export async function deactivateLv(
  args: Parameters<Tx['lvm']['deactivateLv']>[0],
): ReturnType<Tx['lvm']['deactivateLv']> {
  refuseInside('lvm.deactivateLv');
  const there = await driver.alreadyIn(currentBofh().host, args, 'inactive');
  return there ?? (await single('lvm.deactivateLv', (tx) => tx.lvm.deactivateLv(args)));
}
