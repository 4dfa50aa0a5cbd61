import * as z from 'zod/mini';

/** The content that blkid(8) recognises on a device. Plain JSON, so that it can be journalled. */
export const signatureSchema = z.strictObject({
  /**
   * `ext4`, `swap`, `LVM2_member`, `gpt` …; `ambivalent` if blkid found several and cannot choose.
   */
  type: z.string().check(z.minLength(1)),
  usage: z.enum(['filesystem', 'raid', 'crypto', 'other', 'partition-table', 'ambivalent']),
  uuid: z.exactOptional(z.string()),
  /**
   * For display: control characters are in caret notation, and bytes that are not UTF-8 in octal.
   */
  label: z.exactOptional(z.string()),
  /** Type of a partition table besides the signature. */
  ptType: z.exactOptional(z.string()),
});

export type Signature = z.infer<typeof signatureSchema>;

const count = z.number().check(z.int(), z.nonnegative());

/**
 * `losetup --json`: the backing file of a loop device by inode, from the kernel (util-linux 2.38
 * and newer).
 */
export const losetupSchema = z.object({
  loopdevices: z.array(
    z.object({
      name: z.string().check(z.startsWith('/dev/')),
      'back-ino': z.nullable(count),
      'back-maj:min': z.nullable(z.string().check(z.regex(/^\s*\d+:\d+\s*$/))),
    }),
  ),
});

/** `lvs` with uuids only. */
export const volumesSchema = z.object({
  report: z.array(z.object({ lv: z.array(z.object({ vg_uuid: z.string(), lv_uuid: z.string() })) })),
});

/** `vgs`, to see whether the volumes of a group can be examined. */
export const groupsSchema = z.object({
  report: z.array(
    z.object({
      vg: z.array(
        z.object({ vg_uuid: z.string(), vg_name: z.string(), vg_exported: z.enum(['exported', '']) }),
      ),
    }),
  ),
});

/** `pvs`, with the group of each physical volume. */
export const memberSchema = z.object({
  report: z.array(z.object({ pv: z.array(z.object({ pv_uuid: z.string(), vg_name: z.string() })) })),
});
