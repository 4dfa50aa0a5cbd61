import * as z from 'zod/mini';
import { count, text } from './parts.ts';

/** `bofh block resize DEVICE SIZE`; sizes in bytes. */
export const blockResize = z.strictObject({
  device: text,
  /** Sizes of the lowest layer are multiples of it. */
  granularity: count,
  /** What was asked for, where the layers could not have that very size. */
  roundedFrom: z.exactOptional(count),
  /** Place of the device that was named among the layers. */
  asked: count,
  /** From the lowest up. `after the commit`: it could not have been undone, so it was done last. */
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
  file: text,
  size: count,
  room: z.enum(['sparse', 'allocated']),
});

/** `bofh block loop list`; sizes in bytes. */
export const blockLoopList = z.array(
  z.strictObject({
    device: text,
    /** As the kernel has it: ends in ` (deleted)` when the file has no name any more. */
    file: text,
    inode: text,
    offset: count,
    /** How much of the file it shows at most; null: all up to the end. */
    size: z.nullable(count),
    mode: z.enum(['ro', 'rw']),
    partitions: z.enum(['scanned', 'ignored']),
    /** It goes by itself when nobody has it open any more. */
    autoclear: z.boolean(),
  }),
);

/** `bofh block loop attach FILE` */
export const blockLoopAttach = z.strictObject({
  device: text,
  file: text,
  /** `adopted`: it was there already, and nothing was done. */
  was: z.enum(['attached', 'adopted']),
});

/** `bofh block loop detach DEVICE` */
export const blockLoopDetach = z.strictObject({ device: text, file: text });

/** `bofh block wipe DEVICE`; offsets and lengths in bytes. */
export const blockWipe = z.strictObject({
  device: text,
  erased: z.array(z.strictObject({ offset: count, length: count, type: text, uuid: z.nullable(text) })),
});

export type BlockResize = z.infer<typeof blockResize>;
export type BlockImageCreate = z.infer<typeof blockImageCreate>;
export type BlockLoopList = z.infer<typeof blockLoopList>;
export type BlockLoopAttach = z.infer<typeof blockLoopAttach>;
export type BlockLoopDetach = z.infer<typeof blockLoopDetach>;
export type BlockWipe = z.infer<typeof blockWipe>;
