import type { ReadHost } from '../command/index.ts';
import { type Bytes, parseSize } from '../core/units.ts';
import * as reports from './report-commands.ts';
import { volumeNamed } from './operations/known-volume.ts';
import { usableVg } from './reads.ts';
import { reported } from './unreadable.ts';
import type { LogicalVolume, PhysicalVolume, VolumeGroup } from './objects.ts';

export { type MetadataBackup, metadataBackup } from './backup.ts';
export { removeRecovery } from './manual-recovery.ts';
export {
  filledInWords,
  fillingOf,
  fullLimit,
  isThinPool,
  otherThinSnapshots,
  refuseFullPool,
} from './filling.ts';
export { fullAmong, fullUnder, hasLimitedRoom, refuseFullBeneath } from './full-beneath.ts';
export { checkLvName, checkVgName, dmName } from './names.ts';
export { alreadyIn } from './operations/activation.ts';
export { alreadyMoved } from './operations/planned-move.ts';
export { alreadySized } from './operations/resize-pv.ts';
export { volumeNamed } from './operations/known-volume.ts';
export { poolNamed } from './operations/pools.ts';
export { waitSynced } from './synced.ts';
export { watchingRoom } from './watching.ts';
export { usableVg } from './reads.ts';
export type { LogicalVolume, PhysicalVolume, VolumeGroup } from './objects.ts';

/**
 * Lists every logical volume, including hidden ones, or those of one group (missing: `not-found`).
 */
export async function lvs(
  host: ReadHost,
  scope: reports.ReportScope = {},
): Promise<readonly LogicalVolume[]> {
  await refuseUnreadableGroups(host);
  return host.run(reports.lvs(scope));
}

/** Lists every volume group, or one (missing: CommandError `not-found`). */
export async function vgs(host: ReadHost, scope: reports.ReportScope = {}): Promise<readonly VolumeGroup[]> {
  await refuseUnreadableGroups(host);
  return host.run(reports.vgs(scope));
}

/** Lists every physical volume. */
export async function pvs(host: ReadHost): Promise<readonly PhysicalVolume[]> {
  return reported(host, reports.pvs());
}

/**
 * ParseError if a group cannot be read: lvs and vgs omit it and exit with 0; pvs shows its devices.
 */
async function refuseUnreadableGroups(host: ReadHost): Promise<void> {
  await pvs(host);
}

/**
 * Returns the volume if it already has that size, rounded up to whole extents, so that there is
 * nothing to do.
 */
export async function ofThatSize(
  host: ReadHost,
  asked: {
    readonly vg: string;
    readonly name: string;
    readonly uuid?: string;
    readonly size: string | number;
  },
): Promise<{ readonly path: string; readonly size: Bytes } | undefined> {
  const size = parseSize(asked.size);
  const vg = await usableVg(host, asked.vg);
  const lv = volumeNamed(vg, asked);
  const same = Math.ceil(size / vg.extentSize) * vg.extentSize === lv.size;
  return same ? { path: `/dev/${asked.vg}/${asked.name}`, size: lv.size } : undefined;
}
