import * as z from 'zod/mini';
import { ParseError } from '../errors.ts';
import type { Bytes } from '../units.ts';

// lvm's plain JSON report has every value as a string; "" is also how it says "none" and "no".
const uuid = z.string().check(z.regex(/^[A-Za-z0-9]{6}(?:-[A-Za-z0-9]{4}){5}-[A-Za-z0-9]{6}$/));
const uuidOrNone = z.union([uuid, z.literal('')]);
const name = z.string().check(z.regex(/^[A-Za-z0-9+_.-]+$/));
const nameOrNone = z.union([name, z.literal('')]);
const number = z.pipe(
  z.string().check(z.regex(/^\d+$/)),
  z.pipe(
    z.transform((text: string) => Number(text)),
    z.number().check(z.int()),
  ),
);
const list = z.pipe(
  z.string(),
  z.transform((text): readonly string[] => (text === '' ? [] : text.split(','))),
);
/** A flag that lvm shows as its own name or as nothing. */
const flag = (word: string) =>
  z.pipe(
    z.enum([word, '']),
    z.transform((text) => text === word),
  );
/** A flag that needs the kernel's answer: `unknown` without device-mapper, and of what is not active. */
const kernelFlag = (word: string) =>
  z.pipe(
    z.enum([word, '', 'unknown']),
    z.transform((text): boolean | 'unknown' => (text === 'unknown' ? text : text === word)),
  );
/** Two digits after the point; nothing of what is not active, or is not counted (libdm dm_report_field_percent). */
const percent = z.pipe(
  z.string().check(z.regex(/^(?:\d{1,3}\.\d{2})?$/)),
  z.transform((text: string) => (text === '' ? undefined : Number(text))),
);
/** Names of hidden volumes stand in brackets (report/mark_hidden_devices). */
const bracketed = (pattern: RegExp) =>
  z.pipe(
    z.string().check(z.regex(pattern)),
    z.transform((text) => text.replace(/[[\]]/g, '')),
  );

/** One row of `lvs`. Its keys are the columns that are asked for. */
export const lvRow = z.object({
  lv_uuid: uuid,
  vg_uuid: uuid,
  vg_name: name,
  lv_name: bracketed(/^(?:[A-Za-z0-9+_.-]+|\[[A-Za-z0-9+_.-]+\])$/),
  lv_full_name: bracketed(/^[A-Za-z0-9+_.-]+\/(?:[A-Za-z0-9+_.-]+|\[[A-Za-z0-9+_.-]+\])$/),
  lv_path: z.union([z.string().check(z.startsWith('/')), z.literal('')]),
  lv_dm_path: z.string().check(z.startsWith('/')),
  lv_size: number,
  lv_tags: list,
  lv_active: kernelFlag('active'),
  lv_device_open: kernelFlag('open'),
  lv_autoactivation: flag('enabled'),
  lv_layout: list,
  lv_role: list,
  origin: bracketed(/^(?:[A-Za-z0-9+_.-]*|\[[A-Za-z0-9+_.-]+\])$/),
  origin_uuid: uuidOrNone,
  pool_lv: bracketed(/^(?:[A-Za-z0-9+_.-]*|\[[A-Za-z0-9+_.-]+\])$/),
  pool_lv_uuid: uuidOrNone,
  data_percent: percent,
  metadata_percent: percent,
  copy_percent: percent,
  /** `partial`, `refresh needed`, `out_of_data`, … (lib/report/report.c _lvhealthstatus_disp) */
  lv_health_status: z.string().check(z.regex(/^[a-z_ ]*$/)),
  lv_merging: flag('merging'),
  lv_skip_activation: flag('skip activation'),
  /** Of a pool; nothing of all others. */
  lv_metadata_size: z.union([
    number,
    z.pipe(
      z.literal(''),
      z.transform(() => undefined),
    ),
  ]),
});

/** One row of `vgs`. */
export const vgRow = z.object({
  vg_uuid: uuid,
  vg_name: name,
  vg_size: number,
  vg_free: number,
  vg_extent_size: number,
  vg_extent_count: number,
  vg_free_count: number,
  vg_permissions: z.enum(['writeable', 'read-only']),
  vg_exported: flag('exported'),
  vg_partial: flag('partial'),
  vg_seqno: number,
  vg_tags: list,
});

/** One row of `pvs`. */
export const pvRow = z.object({
  pv_uuid: uuid,
  /** `[unknown]` when the device of a volume group is missing. */
  pv_name: z.string().check(z.regex(/^(?:\/.*|\[unknown\])$/)),
  vg_uuid: uuidOrNone,
  vg_name: nameOrNone,
  dev_size: number,
  pv_size: number,
  pv_free: number,
  pv_allocatable: flag('allocatable'),
  pv_missing: flag('missing'),
  pv_tags: list,
});

/** One row of `pvs --segments`: a run of extents. `lv_uuid` is empty of a free one, and `seg_start_pe` says 0. */
export const pvSegmentRow = z.object({
  pv_uuid: uuid,
  vg_uuid: uuidOrNone,
  pvseg_start: number,
  pvseg_size: number,
  lv_uuid: uuidOrNone,
  seg_start_pe: number,
});

/** One volume group in `lvm fullreport`, or (the second) the physical volumes that are in none. */
export const fullReport = z.object({
  report: z.array(
    z.union([
      z.object({ vg: z.tuple([vgRow]), lv: z.array(lvRow) }),
      z.strictObject({ pv: z.array(z.unknown()), pvseg: z.array(z.unknown()) }),
    ]),
  ),
});

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
