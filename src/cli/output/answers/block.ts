import * as z from 'zod/mini';
import { count, ensured, text } from './parts.ts';

/** `bofh block resize DEVICE SIZE`; sizes in bytes. */
export const blockResize = z.strictObject({
  device: text,
  /** Sizes of the lowest layer are multiples of this number of bytes. */
  granularity: count,
  /** The requested size, if the layers cannot have exactly that size. */
  roundedFrom: z.exactOptional(count),
  /** Index of the named device among the layers. */
  asked: count,
  /** Sentences, for example: a thin volume is larger than the free space of its pool. */
  warnings: z.array(text),
  /** The layers, the lowest first. `after the commit`: irreversible, so it ran last. */
  layers: z.array(
    z.strictObject({
      title: text,
      path: text,
      from: count,
      to: count,
      when: z.enum(['unchanged', 'now', 'after the commit']),
    }),
  ),
});

/** `bofh block image create FILE SIZE`; the size in bytes. */
export const blockImageCreate = z.strictObject({
  ...ensured,
  file: text,
  size: count,
  /** null with `--ensure` for an existing image, because bofh does not read it. */
  room: z.nullable(z.enum(['sparse', 'allocated'])),
  /** Type of the filesystem in the image; missing: the image is blank. */
  type: z.exactOptional(text),
  uuid: z.exactOptional(text),
});

/** `bofh block loop list`; sizes in bytes. */
export const blockLoopList = z.array(
  z.strictObject({
    device: text,
    /** The file as the kernel reports it; ends in ` (deleted)` if the file was removed. */
    file: text,
    inode: text,
    offset: count,
    /** Limit of the mapped part of the file; null: up to the end. */
    size: z.nullable(count),
    mode: z.enum(['ro', 'rw']),
    partitions: z.enum(['scanned', 'ignored']),
    /** The kernel detaches the device when it is no longer in use. */
    autoclear: z.boolean(),
  }),
);

/** `bofh block loop attach FILE` */
export const blockLoopAttach = z.strictObject({
  ...ensured,
  device: text,
  file: text,
  /** `adopted`: the file was already attached; nothing was changed. */
  was: z.enum(['attached', 'adopted']),
});

/** `bofh block loop detach DEVICE` */
export const blockLoopDetach = z.strictObject({ device: text, file: text });

/** `bofh block wipe DEVICE`; offsets and lengths in bytes. */
export const blockWipe = z.strictObject({
  device: text,
  erased: z.array(z.strictObject({ offset: count, length: count, type: text, uuid: z.nullable(text) })),
});

/** `bofh block partitions DEVICE`; in bytes. */
export const blockPartitions = z.strictObject({
  device: text,
  type: text,
  id: text,
  sectorSize: count,
  partitions: z.readonly(
    z.array(
      z.strictObject({
        number: count,
        path: text,
        start: count,
        size: count,
        type: text,
        uuid: z.nullable(text),
        name: z.nullable(text),
        bootable: z.boolean(),
        attributes: z.nullable(text),
        /** The partition with that number in the kernel. */
        kernel: z.enum(['same', 'other', 'missing']),
      }),
    ),
  ),
  /** Partition numbers that the kernel has and the table does not. */
  stale: z.readonly(z.array(count)),
  /** Free space in runs of whole MiB; null: unknown for this type of table. */
  free: z.nullable(z.readonly(z.array(z.strictObject({ start: count, size: count })))),
});

/** `bofh block partition-table create DEVICE` */
export const blockPartitionTableCreate = z.strictObject({ device: text, type: text, id: text });

/** `bofh block partition add DEVICE SIZE|max`; in bytes. */
export const blockPartitionAdd = z.strictObject({
  number: count,
  path: text,
  start: count,
  size: count,
  uuid: z.nullable(text),
});

/** `bofh block partition grow DEVICE NUMBER SIZE|max`; in bytes. */
export const blockPartitionGrow = z.strictObject({ number: count, path: text, was: count, size: count });

/** `bofh block discard DEVICE` and `bofh block zero DEVICE`; the erased content, by UUID or type. */
export const blockDestroy = z.strictObject({ device: text, lost: z.readonly(z.array(text)) });

export type BlockResize = z.infer<typeof blockResize>;
export type BlockImageCreate = z.infer<typeof blockImageCreate>;
export type BlockLoopList = z.infer<typeof blockLoopList>;
export type BlockLoopAttach = z.infer<typeof blockLoopAttach>;
export type BlockLoopDetach = z.infer<typeof blockLoopDetach>;
export type BlockWipe = z.infer<typeof blockWipe>;
export type BlockPartitions = z.infer<typeof blockPartitions>;
export type BlockPartitionTableCreate = z.infer<typeof blockPartitionTableCreate>;
export type BlockPartitionAdd = z.infer<typeof blockPartitionAdd>;
export type BlockPartitionGrow = z.infer<typeof blockPartitionGrow>;
export type BlockDestroy = z.infer<typeof blockDestroy>;
