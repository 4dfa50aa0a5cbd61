import * as z from 'zod/mini';
import { count, ensured, text } from './parts.ts';

/** `bofh lvm list`; sizes in bytes. */
export const lvmList = z.array(
  z.strictObject({
    volume: text,
    uuid: text,
    path: z.nullable(text),
    size: count,
    active: z.union([z.boolean(), z.literal('unknown')]),
    open: z.union([z.boolean(), z.literal('unknown')]),
    layout: z.readonly(z.array(text)),
    /** The origin of a snapshot. */
    origin: z.nullable(text),
    /** Its thin or cache pool. */
    pool: z.nullable(text),
    /** For snapshots, pools and thin volumes; null: inactive, or nothing to count. */
    dataPercent: z.nullable(z.number()),
    metadataPercent: z.nullable(z.number()),
    /** For raid: the part of the copies that is in sync. */
    syncPercent: z.nullable(z.number()),
    /** For thin pools and classic snapshots: how close to full; null for all others. */
    filling: z.nullable(z.enum(['ok', 'near', 'full', 'unknown'])),
    /** The health status that lvm reports. */
    health: z.nullable(text),
    /** The volume is the origin, or the snapshot, of a running merge. */
    merging: z.boolean(),
    tags: z.readonly(z.array(text)),
  }),
);

/** `bofh lvm rename VG/NAME TO` */
export const lvmRename = z.strictObject({
  /** Its current name. */
  volume: text,
  was: text,
  uuid: text,
  path: text,
  /** Files that still name the old path, and may have to be edited; `guest`: the guest of the configuration. */
  namedIn: z.readonly(z.array(z.strictObject({ file: text, path: text, guest: z.nullable(text) }))),
  /** Guest configurations that could not be read, and may name the volume. */
  unread: z.readonly(z.array(text)),
});

/** `bofh lvm pv list`; sizes in bytes. */
export const lvmPvList = z.array(
  z.strictObject({
    /** null if it is missing. */
    device: z.nullable(text),
    uuid: text,
    /** null if it is in no volume group. */
    group: z.nullable(text),
    size: count,
    free: count,
    allocatable: z.boolean(),
    tags: z.readonly(z.array(text)),
  }),
);

/** `bofh lvm pv create DEVICE` */
export const lvmPvCreate = z.strictObject({ device: text, uuid: text });

/** `bofh lvm pv resize DEVICE`; the size in bytes counts its extents. */
export const lvmPvResize = z.strictObject({ device: text, uuid: text, size: count });

/** `bofh lvm pv move DEVICE`; the volumes whose extents were moved. */
export const lvmPvMove = z.strictObject({ device: text, uuid: text, extents: count, volumes: z.array(text) });

/** `bofh lvm convert VG/NAME raid1|linear`; `synced`: all copies are in sync. */
export const lvmConvert = z.strictObject({
  volume: text,
  path: text,
  type: z.enum(['raid1', 'linear']),
  /** Devices on which the copy was added or removed. */
  devices: z.array(text),
  synced: z.boolean(),
});

/** `bofh lvm vg rename NAME TO` */
export const lvmVgRename = z.strictObject({
  /** Its current name. */
  group: text,
  was: text,
  uuid: text,
  /** Files that still name a volume of the group by its old path, and may have to be edited. */
  namedIn: z.readonly(z.array(z.strictObject({ file: text, path: text, guest: z.nullable(text) }))),
  /** Guest configurations that could not be read. */
  unread: z.readonly(z.array(text)),
});

/** `bofh lvm pv remove DEVICE` */
export const lvmPvRemove = z.strictObject({ device: text });

/** `bofh lvm vg backup NAME FILE` */
export const lvmVgBackup = z.strictObject({
  group: text,
  uuid: text,
  /** Number of earlier metadata changes. */
  seqno: count,
  file: text,
});

/** `bofh lvm vg remove NAME` */
export const lvmVgRemove = z.strictObject({
  group: text,
  /** The devices that were in the group. */
  devices: z.readonly(z.array(text)),
  labels: z.enum(['kept', 'removed']),
});

/** `bofh lvm vg list`; sizes in bytes. */
export const lvmVgList = z.array(
  z.strictObject({
    group: text,
    uuid: text,
    size: count,
    free: count,
    extentSize: count,
    writable: z.boolean(),
    exported: z.boolean(),
    /** A device of the group is missing. */
    partial: z.boolean(),
    tags: z.readonly(z.array(text)),
  }),
);

/** `bofh lvm vg create NAME DEVICE…` */
export const lvmVgCreate = z.strictObject({
  group: text,
  uuid: text,
  extentSize: count,
  devices: z.readonly(z.array(text)),
});

/** `bofh lvm vg extend NAME DEVICE…` and `reduce` */
export const lvmVgDevices = z.strictObject({
  group: text,
  uuid: text,
  /** Devices that were added or removed. */
  devices: z.readonly(z.array(text)),
});

/** `bofh lvm create VG/NAME`; sizes in bytes. */
export const lvmCreate = z.strictObject({
  ...ensured,
  volume: text,
  uuid: text,
  path: text,
  size: count,
  /** For a thin volume: its pool, and the sum of the virtual sizes in that pool. */
  pool: z.nullable(z.strictObject({ name: text, size: count, promised: count })),
});

/** `bofh lvm pool create VG/NAME`; sizes in bytes. */
export const lvmPoolCreate = z.strictObject({
  ...ensured,
  pool: text,
  uuid: text,
  size: count,
  metadataSize: count,
  /** null with `--ensure` for an existing pool, because bofh does not read it. */
  chunkSize: z.nullable(count),
});

/** `bofh lvm pool resize VG/NAME`; sizes in bytes. */
export const lvmPoolResize = z.strictObject({
  pool: text,
  uuid: text,
  size: count,
  metadataSize: count,
  was: z.strictObject({ size: count, metadataSize: count }),
});

/**
 * `bofh lvm snapshot create VG/ORIGIN NAME`; size in bytes: for a classic snapshot, the space for
 * changes.
 */
export const lvmSnapshotCreate = z.strictObject({
  volume: text,
  uuid: text,
  path: text,
  origin: text,
  size: count,
  /** A thin one is not activated. */
  active: z.boolean(),
});

/** `bofh lvm snapshot merge VG/NAME`: the origin, which now has the content of the snapshot. */
export const lvmSnapshotMerge = z.strictObject({ volume: text, uuid: text, path: text, merged: text });

/** `bofh lvm activate VG/NAME` and `deactivate` */
export const lvmActivation = z.strictObject({
  volume: text,
  uuid: text,
  active: z.boolean(),
  /** Whether the next boot activates it. */
  atBoot: z.boolean(),
});

/** `bofh lvm resize VG/NAME SIZE`; sizes in bytes. */
export const lvmResize = z.strictObject({ volume: text, uuid: text, path: text, size: count, was: count });

/** `bofh lvm tag VG/NAME`: its tags now. */
export const lvmTag = z.strictObject({ volume: text, uuid: text, tags: z.readonly(z.array(text)) });

/** `bofh lvm remove VG/NAME`; size in bytes. */
export const lvmRemove = z.strictObject({ volume: text, uuid: text, size: count });

export type LvmList = z.infer<typeof lvmList>;
export type LvmRename = z.infer<typeof lvmRename>;
export type LvmPvList = z.infer<typeof lvmPvList>;
export type LvmPvCreate = z.infer<typeof lvmPvCreate>;
export type LvmPvResize = z.infer<typeof lvmPvResize>;
export type LvmPvMove = z.infer<typeof lvmPvMove>;
export type LvmConvert = z.infer<typeof lvmConvert>;
export type LvmVgRename = z.infer<typeof lvmVgRename>;
export type LvmPvRemove = z.infer<typeof lvmPvRemove>;
export type LvmVgRemove = z.infer<typeof lvmVgRemove>;
export type LvmVgBackup = z.infer<typeof lvmVgBackup>;
export type LvmVgList = z.infer<typeof lvmVgList>;
export type LvmVgCreate = z.infer<typeof lvmVgCreate>;
export type LvmVgDevices = z.infer<typeof lvmVgDevices>;
export type LvmCreate = z.infer<typeof lvmCreate>;
export type LvmSnapshotCreate = z.infer<typeof lvmSnapshotCreate>;
export type LvmSnapshotMerge = z.infer<typeof lvmSnapshotMerge>;
export type LvmPoolCreate = z.infer<typeof lvmPoolCreate>;
export type LvmPoolResize = z.infer<typeof lvmPoolResize>;
export type LvmActivation = z.infer<typeof lvmActivation>;
export type LvmResize = z.infer<typeof lvmResize>;
export type LvmTag = z.infer<typeof lvmTag>;
export type LvmRemove = z.infer<typeof lvmRemove>;
