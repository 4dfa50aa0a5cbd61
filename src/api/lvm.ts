import { currentBofh, refuseInside, single } from '../bofh.ts';
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
export async function createLv(
  args: Parameters<Tx['lvm']['createLv']>[0],
): ReturnType<Tx['lvm']['createLv']> {
  return single('lvm.createLv', (tx) => tx.lvm.createLv(args));
}

/** Makes a thin pool: a sequence of one. */
export async function createThinPool(
  args: Parameters<Tx['lvm']['createThinPool']>[0],
): ReturnType<Tx['lvm']['createThinPool']> {
  return single('lvm.createThinPool', (tx) => tx.lvm.createThinPool(args));
}

/** Makes a thin pool larger, its data or its metadata: a sequence of one. Neither can be made smaller again. */
export async function resizeThinPool(
  args: Parameters<Tx['lvm']['resizeThinPool']>[0],
): ReturnType<Tx['lvm']['resizeThinPool']> {
  return single('lvm.resizeThinPool', (tx) => tx.lvm.resizeThinPool(args));
}

/** Makes a snapshot of a logical volume: a sequence of one. */
export async function createSnapshot(
  args: Parameters<Tx['lvm']['createSnapshot']>[0],
): ReturnType<Tx['lvm']['createSnapshot']> {
  return single('lvm.createSnapshot', (tx) => tx.lvm.createSnapshot(args));
}

/** Puts the content of a snapshot back into its origin, and waits for the end: a sequence of one. */
export async function mergeSnapshot(
  args: Parameters<Tx['lvm']['mergeSnapshot']>[0],
): ReturnType<Tx['lvm']['mergeSnapshot']> {
  return single('lvm.mergeSnapshot', (tx) => tx.lvm.mergeSnapshot(args));
}

/** Removes a logical volume: a sequence of one. */
export async function removeLv(
  args: Parameters<Tx['lvm']['removeLv']>[0],
): ReturnType<Tx['lvm']['removeLv']> {
  return single('lvm.removeLv', (tx) => tx.lvm.removeLv(args));
}

/** Gives a logical volume another name: a sequence of one. */
export async function renameLv(
  args: Parameters<Tx['lvm']['renameLv']>[0],
): ReturnType<Tx['lvm']['renameLv']> {
  return single('lvm.renameLv', (tx) => tx.lvm.renameLv(args));
}

/** Makes a device a physical volume: a sequence of one. */
export async function createPv(
  args: Parameters<Tx['lvm']['createPv']>[0],
): ReturnType<Tx['lvm']['createPv']> {
  return single('lvm.createPv', (tx) => tx.lvm.createPv(args));
}

/** Makes a volume group of physical volumes: a sequence of one. */
export async function createVg(
  args: Parameters<Tx['lvm']['createVg']>[0],
): ReturnType<Tx['lvm']['createVg']> {
  return single('lvm.createVg', (tx) => tx.lvm.createVg(args));
}

/** Puts free physical volumes into a volume group: a sequence of one. */
export async function extendVg(
  args: Parameters<Tx['lvm']['extendVg']>[0],
): ReturnType<Tx['lvm']['extendVg']> {
  return single('lvm.extendVg', (tx) => tx.lvm.extendVg(args));
}

/** Takes physical volumes out of a volume group: a sequence of one. */
export async function reduceVg(
  args: Parameters<Tx['lvm']['reduceVg']>[0],
): ReturnType<Tx['lvm']['reduceVg']> {
  return single('lvm.reduceVg', (tx) => tx.lvm.reduceVg(args));
}

/** Gives a volume group another name: a sequence of one. */
export async function renameVg(
  args: Parameters<Tx['lvm']['renameVg']>[0],
): ReturnType<Tx['lvm']['renameVg']> {
  return single('lvm.renameVg', (tx) => tx.lvm.renameVg(args));
}

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
export async function removeVg(
  args: Parameters<Tx['lvm']['removeVg']>[0],
): ReturnType<Tx['lvm']['removeVg']> {
  return single('lvm.removeVg', (tx) => tx.lvm.removeVg(args));
}

/** Takes the label off a physical volume that is in no group: a sequence of one. */
export async function removePv(
  args: Parameters<Tx['lvm']['removePv']>[0],
): ReturnType<Tx['lvm']['removePv']> {
  return single('lvm.removePv', (tx) => tx.lvm.removePv(args));
}

/** The newest metadata of a volume group, as `vgcfgrestore --file` takes it; RefusedError where lvm keeps none, or an older one. */
export async function metadataBackup(vg: string): Promise<driver.MetadataBackup> {
  return driver.metadataBackup(currentBofh().host, vg);
}

/** Changes the tags of a logical volume: a sequence of one. */
export async function tagLv(args: Parameters<Tx['lvm']['tagLv']>[0]): ReturnType<Tx['lvm']['tagLv']> {
  return single('lvm.tagLv', (tx) => tx.lvm.tagLv(args));
}

/** Gives a linear volume a second copy, or takes one of two away: a sequence of one. A new copy is filled afterwards. */
export async function convertLv(
  args: Parameters<Tx['lvm']['convertLv']>[0],
): ReturnType<Tx['lvm']['convertLv']> {
  return single('lvm.convertLv', (tx) => tx.lvm.convertLv(args));
}

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
