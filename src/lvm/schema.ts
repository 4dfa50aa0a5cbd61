import * as z from 'zod/mini';

// In lvm's plain JSON report every value is a string; "" also means "none" and "no".
const uuid = z.string().check(z.regex(/^[A-Za-z0-9]{6}(?:-[A-Za-z0-9]{4}){5}-[A-Za-z0-9]{6}$/));
const uuidOrNone = z.union([uuid, z.literal('')]);
const name = z.string().check(z.regex(/^[A-Za-z0-9+_.-]+$/));
/** The name that lvm shows for a device whose volume group it cannot find. */
export const unknownGroup = '[unknown]';
const nameOrNone = z.union([name, z.literal(''), z.literal(unknownGroup)]);
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
/** A flag that lvm shows as its own name or as an empty string. */
const flag = (word: string) =>
  z.pipe(
    z.enum([word, '']),
    z.transform((text) => text === word),
  );
/** A flag that the kernel reports: `unknown` without device-mapper, and for an inactive volume. */
const kernelFlag = (word: string) =>
  z.pipe(
    z.enum([word, '', 'unknown']),
    z.transform((text): boolean | 'unknown' => (text === 'unknown' ? text : text === word)),
  );
/**
 * Percent with two decimals; empty if not active or not counted (libdm dm_report_field_percent).
 */
const percent = z.pipe(
  z.string().check(z.regex(/^(?:\d{1,3}\.\d{2})?$/)),
  z.transform((text: string) => (text === '' ? undefined : Number(text))),
);
/** Names of hidden volumes are in brackets (report/mark_hidden_devices). */
const bracketed = (pattern: RegExp) =>
  z.pipe(
    z.string().check(z.regex(pattern)),
    z.transform((text) => text.replace(/[[\]]/g, '')),
  );

/** A row of `lvs` about the images of raids. lvm has no value for other volumes. */
export const imageRow = z.object({ lv_uuid: uuid, lv_image_synced: kernelFlag('image synced') });

/** A row of `lvs`. Its keys are the requested columns. */
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
  /** Size of a pool's metadata; empty for all other volumes. */
  lv_metadata_size: z.union([
    number,
    z.pipe(
      z.literal(''),
      z.transform(() => undefined),
    ),
  ]),
});

/** A row of `vgs`. */
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

/** A row of `pvs`. */
export const pvRow = z.object({
  pv_uuid: uuid,
  /** `[unknown]` when the device of a volume group is missing. */
  pv_name: z.string().check(z.regex(/^(?:\/.*|\[unknown\])$/)),
  vg_uuid: uuidOrNone,
  /**
   * `[unknown]`, without a uuid: by its label the device is in a group, but the metadata cannot be
   * read.
   */
  vg_name: z.union([nameOrNone, z.literal('[unknown]')]),
  dev_size: number,
  pv_size: number,
  pv_free: number,
  pv_allocatable: flag('allocatable'),
  pv_missing: flag('missing'),
  pv_tags: list,
});

/**
 * A row of `pvs --segments`: a run of extents. If it is free, `lv_uuid` is empty and `seg_start_pe`
 * is 0.
 */
export const pvSegmentRow = z.object({
  pv_uuid: uuid,
  vg_uuid: uuidOrNone,
  pvseg_start: number,
  pvseg_size: number,
  lv_uuid: uuidOrNone,
  seg_start_pe: number,
});

/** One volume group in `lvm fullreport`, or (the second) the physical volumes in no group. */
export const fullReport = z.object({
  report: z.array(
    z.union([
      z.object({ vg: z.tuple([vgRow]), lv: z.array(lvRow) }),
      z.strictObject({
        pv: z.array(z.object({ pv_uuid: uuid, pv_name: z.string(), vg_name: nameOrNone })),
        pvseg: z.array(z.unknown()),
      }),
    ]),
  ),
});
