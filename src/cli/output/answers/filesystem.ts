import * as z from 'zod/mini';
import { count, ensured, text } from './parts.ts';

const filesystemType = z.enum(['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'vfat', 'swap']);

/** `bofh filesystem show DEVICE`; sizes in bytes, null: unknown. */
export const filesystemShow = z.strictObject({
  device: text,
  type: filesystemType,
  uuid: text,
  label: z.nullable(text),
  /** Size of the filesystem; its device may be larger. */
  size: count,
  used: z.nullable(count),
  free: z.nullable(count),
  /** The smallest size it can shrink to; its size if it cannot shrink. */
  minimumSize: z.nullable(count),
  blockSize: count,
  mountedOn: z.readonly(z.array(text)),
});

/** `bofh filesystem check DEVICE` */
export const filesystemCheck = z.strictObject({
  device: text,
  type: filesystemType,
  uuid: z.nullable(text),
  state: z.enum(['clean', 'errors']),
  /** Output of the checker. */
  output: z.readonly(z.array(text)),
});

/** `bofh filesystem check DEVICE --repair` */
export const filesystemRepair = z.strictObject({
  device: text,
  /** Type as blkid reports it. */
  type: text,
  uuid: z.nullable(text),
});

/** `bofh filesystem create DEVICE --type TYPE` */
export const filesystemCreate = z.strictObject({
  ...ensured,
  device: text,
  type: filesystemType,
  uuid: text,
  label: z.nullable(text),
});

/** `bofh filesystem label DEVICE [LABEL]` */
export const filesystemLabel = z.strictObject({ device: text, uuid: text, label: z.nullable(text) });

/** `bofh filesystem uuid DEVICE` */
export const filesystemUuid = z.strictObject({ device: text, uuid: text, was: text });

/** `bofh filesystem resize DEVICE SIZE|max`; sizes in bytes. */
export const filesystemResize = z.strictObject({
  device: text,
  type: filesystemType,
  uuid: text,
  was: count,
  /** The new size: the requested size, rounded down to whole blocks. */
  size: count,
});

/** `bofh filesystem trim PATH|DEVICE` */
export const filesystemTrim = z.strictObject({
  device: text,
  /** Where it is mounted. */
  mounted: text,
  /** The discarded bytes, as the kernel reports them. */
  trimmed: count,
});

export type FilesystemDetails = z.infer<typeof filesystemShow>;
export type FilesystemCheck = z.infer<typeof filesystemCheck>;
export type FilesystemRepair = z.infer<typeof filesystemRepair>;
export type FilesystemCreate = z.infer<typeof filesystemCreate>;
export type FilesystemLabel = z.infer<typeof filesystemLabel>;
export type FilesystemUuid = z.infer<typeof filesystemUuid>;
export type FilesystemResize = z.infer<typeof filesystemResize>;
export type FilesystemTrim = z.infer<typeof filesystemTrim>;
