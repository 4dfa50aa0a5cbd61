import type * as z from 'zod/mini';
import { ParseError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import { withCovering } from './covering.ts';
import type { lvRow, pvRow, pvSegmentRow, vgRow } from './schema.ts';

/** A logical volume, possibly hidden (part of another). */
export interface LogicalVolume {
  readonly uuid: string;
  readonly vgUuid: string;
  readonly vg: string;
  readonly name: string;
  /** `VG/LV` */
  readonly fullName: string;
  /** `/dev/VG/LV`; undefined for a hidden volume. */
  readonly path: string | undefined;
  /** Path below /dev/mapper; hidden volumes have one too. */
  readonly dmPath: string;
  readonly size: Bytes;
  readonly tags: readonly string[];
  /** `unknown` if device-mapper is not available. */
  readonly active: boolean | 'unknown';
  /** Whether the device is open; also `unknown` if the volume is not active. */
  readonly open: boolean | 'unknown';
  readonly autoactivation: boolean;
  readonly layout: readonly string[];
  readonly role: readonly string[];
  /** The origin of a snapshot. */
  readonly origin: { readonly name: string; readonly uuid: string } | undefined;
  /** The thin or cache pool of the volume. */
  readonly pool: { readonly name: string; readonly uuid: string } | undefined;
  /**
   * Usage in percent: of a snapshot's space for changes (100 if invalid), a pool's data and
   * metadata, a thin volume's virtual size. Undefined if not active or not applicable.
   */
  readonly data: number | undefined;
  readonly metadata: number | undefined;
  /** Size of a pool's metadata. */
  readonly metadataSize: Bytes | undefined;
  /** Part of the copies that is in sync, in percent: for a raid, and while extents are moved. */
  readonly synced: number | undefined;
  /** A problem that lvm reports for the volume, in lvm's term. */
  readonly health: string | undefined;
  /** True for an origin that is being merged into, and for the snapshot being merged. */
  readonly merging: boolean;
  /** Activation-skip flag, which lvm sets on thin snapshots: the volume stays inactive at boot. */
  readonly skipped: boolean;
  /**
   * True for a classic snapshot with space for a change of its whole origin: it never becomes full.
   */
  readonly covers?: true;
}

export interface VolumeGroup {
  readonly uuid: string;
  readonly name: string;
  readonly size: Bytes;
  readonly free: Bytes;
  readonly extentSize: Bytes;
  readonly extents: number;
  readonly freeExtents: number;
  readonly writable: boolean;
  readonly exported: boolean;
  /** Whether a device is missing. */
  readonly partial: boolean;
  /** Counts the commits of the metadata. */
  readonly seqno: number;
  readonly tags: readonly string[];
}

/** A volume group with its volumes and devices. */
export interface WholeGroup extends VolumeGroup {
  readonly volumes: readonly LogicalVolume[];
}

export interface PhysicalVolume {
  readonly uuid: string;
  /** Undefined if the device is missing. */
  readonly path: string | undefined;
  /** Undefined if it is in no group. */
  readonly vg: { readonly name: string; readonly uuid: string } | undefined;
  readonly deviceSize: Bytes;
  readonly size: Bytes;
  readonly free: Bytes;
  readonly allocatable: boolean;
  readonly tags: readonly string[];
}

/** Parses a row of lvs. */
export function toLv(row: z.infer<typeof lvRow>): LogicalVolume {
  return {
    uuid: row.lv_uuid,
    vgUuid: row.vg_uuid,
    vg: row.vg_name,
    name: row.lv_name,
    fullName: row.lv_full_name,
    path: row.lv_path === '' ? undefined : row.lv_path,
    dmPath: row.lv_dm_path,
    size: row.lv_size,
    tags: row.lv_tags,
    active: row.lv_active,
    open: row.lv_device_open,
    autoactivation: row.lv_autoactivation,
    layout: row.lv_layout,
    role: row.lv_role,
    origin: named(row.origin, row.origin_uuid),
    pool: named(row.pool_lv, row.pool_lv_uuid),
    data: row.data_percent,
    metadata: row.metadata_percent,
    metadataSize: row.lv_metadata_size,
    synced: row.copy_percent,
    health: row.lv_health_status === '' ? undefined : row.lv_health_status,
    merging: row.lv_merging,
    skipped: row.lv_skip_activation,
  };
}

/** Parses a row of vgs. */
export function toVg(row: z.infer<typeof vgRow>): VolumeGroup {
  return {
    uuid: row.vg_uuid,
    name: row.vg_name,
    size: row.vg_size,
    free: row.vg_free,
    extentSize: row.vg_extent_size,
    extents: row.vg_extent_count,
    freeExtents: row.vg_free_count,
    writable: row.vg_permissions === 'writeable',
    exported: row.vg_exported,
    partial: row.vg_partial,
    seqno: row.vg_seqno,
    tags: row.vg_tags,
  };
}

/** Parses one group of a full report. */
export function toWholeGroup(one: {
  readonly vg: readonly [z.infer<typeof vgRow>];
  readonly lv: readonly z.infer<typeof lvRow>[];
}): WholeGroup {
  const group = toVg(one.vg[0]);
  const volumes = withCovering(one.lv.map(toLv));
  if (volumes.some(({ vgUuid }) => vgUuid !== group.uuid))
    throw new ParseError(`the report of ${group.name} has a volume of another group`);
  return { ...group, volumes };
}

/** Parses a row of pvs. */
export function toPv(row: z.infer<typeof pvRow>): PhysicalVolume {
  return {
    uuid: row.pv_uuid,
    path: row.pv_missing || row.pv_name === '[unknown]' ? undefined : row.pv_name,
    vg: named(row.vg_name, row.vg_uuid),
    deviceSize: row.dev_size,
    size: row.pv_size,
    free: row.pv_free,
    allocatable: row.pv_allocatable,
    tags: row.pv_tags,
  };
}

function named(text: string, id: string): { readonly name: string; readonly uuid: string } | undefined {
  return text === '' ? undefined : { name: text, uuid: id };
}

/**
 * A run of extents of a physical volume in the group `vgUuid`. `lvStart`: the first extent of the
 * volume that the run contains.
 */
export interface PvSegment {
  readonly pvUuid: string;
  readonly start: number;
  readonly extents: number;
  /** Undefined if free. For a raid or a pool, the hidden volume with the extents. */
  readonly of: { readonly lvUuid: string; readonly lvStart: number } | undefined;
}

/** Parses a row of `pvs --segments`; empty for a physical volume in no group. */
export function toPvSegment(row: z.infer<typeof pvSegmentRow>): readonly PvSegment[] {
  // The space of a physical volume in no group.
  if (row.vg_uuid === '') return [];
  const of = row.lv_uuid === '' ? undefined : { lvUuid: row.lv_uuid, lvStart: row.seg_start_pe };
  return [{ pvUuid: row.pv_uuid, start: row.pvseg_start, extents: row.pvseg_size, of }];
}
