import * as z from 'zod/mini';
import { absolutePath } from '../path.ts';

const count = z.number().check(z.int(), z.nonnegative());

/** Columns of `losetup --list`: the keys of a row of `--json` in capitals (util-linux 2.38 to 2.41). */
export const loopColumns = [
  'NAME',
  'AUTOCLEAR',
  'RO',
  'OFFSET',
  'SIZELIMIT',
  'BACK-INO',
  'BACK-MAJ:MIN',
  'BACK-FILE',
  'DIO',
  'PARTSCAN',
  'LOG-SEC',
] as const;

/**
 * `losetup --json --list`. For a device that was detached meanwhile all facts about its file are
 * null.
 */
export const loopListSchema = z.object({
  loopdevices: z.array(
    z.object({
      // Its node in /dev is missing, as in a container: "/dev/loop0 (lost)" (util-linux 2.40 and newer).
      name: z.string().check(z.regex(/^\/dev\/loop\d+(?: \(lost\))?$/)),
      autoclear: z.boolean(),
      ro: z.boolean(),
      offset: z.nullable(count),
      sizelimit: z.nullable(count),
      'back-ino': z.nullable(count),
      'back-maj:min': z.nullable(z.string().check(z.regex(/^\s*\d+:\d+\s*$/))),
      'back-file': z.nullable(z.string()),
      dio: z.boolean(),
      partscan: z.boolean(),
      'log-sec': count,
    }),
  ),
});

/** How a loop device is attached, and to which file. Plain JSON, so that it can be journalled. */
export const attachment = z.strictObject({
  /** Number of the device: 3 for `/dev/loop3`. */
  number: count,
  /** Path of the file; the inode identifies it. */
  file: absolutePath,
  inode: z.string().check(z.regex(/^[0-9]+$/)),
  /** `major:minor` of the filesystem of the file. */
  filesystem: z.string().check(z.regex(/^[0-9]+:[0-9]+$/)),
  /** Offset of the device in the file, in bytes. */
  offset: count,
  /** Number of bytes of the file to use at most; 0: all of them. */
  limit: count,
  /** `ro`: read-only. */
  mode: z.enum(['ro', 'rw']),
  /** `scanned`: the kernel offers its partitions as devices. */
  partitions: z.enum(['scanned', 'ignored']),
  sectorSize: count,
  /** Direct I/O: bypasses the page cache of the file. */
  direct: z.boolean(),
});

export type Attachment = z.infer<typeof attachment>;

/** A loop device with a backing file, as the kernel shows it. */
export interface LoopDevice extends Omit<Attachment, 'file'> {
  /** `/dev/loop3` */
  readonly device: string;
  /**
   * Path as the kernel shows it: ends in ` (deleted)` if the file was deleted, and is cut off at
   * 4096 bytes.
   */
  readonly file: string;
  /** Whether the kernel detaches it at the last close. */
  readonly autoclear: boolean;
}

/** A loop device and its backing file; only root can read its inode. */
export type LoopFile = Pick<LoopDevice, 'device' | 'file'> &
  Partial<Pick<LoopDevice, 'inode' | 'filesystem'>>;
