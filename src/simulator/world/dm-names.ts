import type { LogicalVolume, VolumeGroup } from './parts.ts';

/** Returns the device-mapper name: a hyphen in either part is doubled. */
export function dmName(vg: string, lv: string): string {
  return `${vg.replaceAll('-', '--')}-${lv.replaceAll('-', '--')}`;
}

/** Returns `LVM-` and both UUIDs without their hyphens. */
export function dmUuid(vg: Pick<VolumeGroup, 'uuid'>, lv: Pick<LogicalVolume, 'uuid'>): string {
  return `LVM-${vg.uuid.replaceAll('-', '')}${lv.uuid.replaceAll('-', '')}`;
}
