import type * as z from 'zod/mini';
import { ParseError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import type { lvRow, pvRow, pvSegmentRow, vgRow } from './schema.ts';

/** A logical volume, hidden ones (parts of others) included. */
export interface LogicalVolume {
  readonly uuid: string;
  readonly vgUuid: string;
  readonly vg: string;
  readonly name: string;
  /** `VG/LV` */
  readonly fullName: string;
  /** `/dev/VG/LV`; undefined for a hidden one. */
  readonly path: string | undefined;
  /** Below /dev/mapper; also hidden ones have it. */
  readonly dmPath: string;
  readonly size: Bytes;
  readonly tags: readonly string[];
  /** `unknown` where there is no device-mapper to ask. */
  readonly active: boolean | 'unknown';
  /** Somebody has the device open; `unknown` too when it is not active. */
  readonly open: boolean | 'unknown';
  readonly autoactivation: boolean;
  readonly layout: readonly string[];
  readonly role: readonly string[];
  /** What it is a snapshot of. */
  readonly origin: { readonly name: string; readonly uuid: string } | undefined;
  /** The thin or cache pool that it lies in. */
  readonly pool: { readonly name: string; readonly uuid: string } | undefined;
  /**
   * How full it is, in percent: a snapshot of its room for changes (100 when it is invalid), a pool of its data and of its
   * metadata, a thin volume of its virtual size. Undefined of what is not active, and where there is nothing to count.
   */
  readonly data: number | undefined;
  readonly metadata: number | undefined;
  /** How large the list of a pool is that says what lies where. */
  readonly metadataSize: Bytes | undefined;
  /** How much of its copies agrees, in percent: of a raid, and while extents are moved. */
  readonly synced: number | undefined;
  /** What lvm finds wrong with it, in lvm's word. */
  readonly health: string | undefined;
  /** Its snapshot is being merged into it, or it is that snapshot. */
  readonly merging: boolean;
  /** Nothing activates it that does not say so, as lvm makes thin snapshots: at boot it stays inactive. */
  readonly skipped: boolean;
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
  /** A device of it is missing. */
  readonly partial: boolean;
  /** Counts the commits of its metadata. */
  readonly seqno: number;
  readonly tags: readonly string[];
}

/** A volume group and what is in it. */
export interface WholeGroup extends VolumeGroup {
  readonly volumes: readonly LogicalVolume[];
}

export interface PhysicalVolume {
  readonly uuid: string;
  /** Undefined when its device is missing. */
  readonly path: string | undefined;
  /** Undefined while it is in none. */
  readonly vg: { readonly name: string; readonly uuid: string } | undefined;
  readonly deviceSize: Bytes;
  readonly size: Bytes;
  readonly free: Bytes;
  readonly allocatable: boolean;
  readonly tags: readonly string[];
}

/** A row of lvs as what it says. */
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

/** A row of vgs as what it says. */
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

/** One group of a full report. */
export function toWholeGroup(one: {
  readonly vg: readonly [z.infer<typeof vgRow>];
  readonly lv: readonly z.infer<typeof lvRow>[];
}): WholeGroup {
  const group = toVg(one.vg[0]);
  const volumes = one.lv.map(toLv);
  if (volumes.some(({ vgUuid }) => vgUuid !== group.uuid))
    throw new ParseError(`the report of ${group.name} has a volume of another group`);
  return { ...group, volumes };
}

/** A row of pvs as what it says. */
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

/** A run of extents of a physical volume: in the group of `vgUuid`, of that volume from its `lvStart`-th extent on. */
export interface PvSegment {
  readonly pvUuid: string;
  readonly start: number;
  readonly extents: number;
  /** Undefined: they are free. Of a raid or a pool it is the hidden volume that has the extents. */
  readonly of: { readonly lvUuid: string; readonly lvStart: number } | undefined;
}

/** A row of `pvs --segments` as what it says; nothing of one that is in no group. */
export function toPvSegment(row: z.infer<typeof pvSegmentRow>): readonly PvSegment[] {
  // The space of one that is in no group.
  if (row.vg_uuid === '') return [];
  const of = row.lv_uuid === '' ? undefined : { lvUuid: row.lv_uuid, lvStart: row.seg_start_pe };
  return [{ pvUuid: row.pv_uuid, start: row.pvseg_start, extents: row.pvseg_size, of }];
}
