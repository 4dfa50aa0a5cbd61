import { currentBofh, single } from '../bofh.ts';
import * as driver from '../lvm/index.ts';
import type { Tx } from '../operations.ts';

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
