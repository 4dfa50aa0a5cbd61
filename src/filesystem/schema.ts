import * as z from 'zod/mini';
import { overwriteSchema, signatureSchema } from '../blockdevice/index.ts';
import { makeable } from './types.ts';

const uuid = z
  .string()
  .check(
    z.regex(
      /^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9A-F]{4}-[0-9A-F]{4})$/,
      'a UUID in lower case, or for vfat ABCD-1234',
    ),
  );
const power = z
  .int()
  .check(z.refine((value) => value > 0 && Number.isInteger(Math.log2(value)), 'a power of two'));
// Control characters can only be a mistake, and blkid shows them in caret notation.
const label = z.string().check(z.minLength(1), z.regex(/^\P{Cc}+$/u, 'a label without control characters'));

/** Arguments of `create`. */
export const createArgs = z.strictObject({
  /** The block device, as an absolute path: `/dev/vg0/web1`. */
  device: z.string().check(z.minLength(1)),
  /** Type of the new filesystem, or `swap`. */
  type: z.enum(makeable),
  /** The label, as blkid shows it (default: none). */
  label: z.exactOptional(label),
  /** Options of the type. */
  options: z.exactOptional(
    z.strictObject({
      /** Block size in bytes, a power of two (ext2, ext3, ext4 and xfs). */
      blockSize: z.exactOptional(power),
      /** One inode for this many bytes (ext2, ext3 and ext4). */
      bytesPerInode: z.exactOptional(z.int().check(z.minimum(1024))),
      /** Space that only root can use, in percent (ext2, ext3 and ext4; default of mkfs: 5). */
      reservedPercent: z.exactOptional(z.int().check(z.minimum(0), z.maximum(50))),
      /** Size of a node of metadata in bytes, a power of two (btrfs). */
      nodeSize: z.exactOptional(power),
      /** Checksum of data and metadata (btrfs; default: crc32c). */
      checksum: z.exactOptional(z.enum(['crc32c', 'xxhash', 'sha256', 'blake2'])),
      /** Width of the allocation table: FAT12, FAT16 or FAT32 (vfat). */
      fatBits: z.exactOptional(z.literal([12, 16, 32])),
    }),
  ),
  /** UUID (default: random). */
  uuid: z.exactOptional(uuid),
  /** The content of the device that may be lost (default: none, it must be blank). */
  overwrite: z.exactOptional(overwriteSchema),
});

export type CreateArgs = z.infer<typeof createArgs>;

/** What the undo of `create` needs. */
export const createUndo = z.strictObject({
  device: z.string(),
  /** Identity of the device, because its path may belong to another device later. */
  identity: z.string(),
  /** Key of the device when the step was prepared. */
  key: z.string(),
  /** Key of the device whose removal also removes the filesystem. */
  container: z.string(),
  type: z.enum(makeable),
  uuid,
  /** Only for vfat: its 32-bit volume id is too short to prove the origin. Missing: no label. */
  label: z.exactOptional(z.string()),
  /** Previous content of the device; null: it was blank. */
  before: z.nullable(signatureSchema),
});

export type CreateUndo = z.infer<typeof createUndo>;
