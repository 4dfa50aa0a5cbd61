import type { ReadHost } from '../command/index.ts';
import * as commands from './commands.ts';
import type { LogicalVolume, PhysicalVolume, VolumeGroup } from './schema.ts';

export { type MetadataBackup, metadataBackup } from './backup.ts';
export { removeByHand } from './by-hand.ts';
export { checkLvName, checkVgName } from './names.ts';
export { alreadySized } from './operations/resize-pv.ts';
export { usableVg } from './reads.ts';
export type { LogicalVolume, PhysicalVolume, VolumeGroup } from './schema.ts';

/** Every logical volume, hidden parts of others included; or those of one volume group (missing: `not-found`). */
export async function lvs(
  host: ReadHost,
  scope: commands.ReportScope = {},
): Promise<readonly LogicalVolume[]> {
  return host.run(commands.lvs(scope));
}

/** Every volume group; or one (missing: CommandError `not-found`). */
export async function vgs(host: ReadHost, scope: commands.ReportScope = {}): Promise<readonly VolumeGroup[]> {
  return host.run(commands.vgs(scope));
}

/** Every physical volume. */
export async function pvs(host: ReadHost): Promise<readonly PhysicalVolume[]> {
  return host.run(commands.pvs());
}
