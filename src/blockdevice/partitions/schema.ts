import * as z from 'zod/mini';

const count = z.int().check(z.nonnegative());

/** `sfdisk --json`, in sectors (util-linux 2.38). An empty table has no key `partitions`. */
export const sfdiskSchema = z.object({
  partitiontable: z.object({
    label: z.string().check(z.minLength(1)),
    id: z.string(),
    device: z.string(),
    unit: z.literal('sectors'),
    firstlba: z.exactOptional(count),
    lastlba: z.exactOptional(count),
    sectorsize: z.int().check(z.positive()),
    partitions: z.exactOptional(
      z.array(
        z.object({
          node: z.string().check(z.startsWith('/dev/')),
          start: count,
          size: count,
          type: z.string().check(z.minLength(1)),
          uuid: z.exactOptional(z.string()),
          name: z.exactOptional(z.string()),
          attrs: z.exactOptional(z.string()),
          bootable: z.exactOptional(z.boolean()),
        }),
      ),
    ),
  }),
});

/** An entry of a partition table; offsets and sizes are in bytes. */
export const partitionSchema = z.strictObject({
  number: z.int().check(z.positive()),
  /** Path such as `/dev/vda1`; the kernel may not have this device. */
  path: z.string(),
  start: count,
  size: count,
  /** For gpt a GUID in capitals; for dos a number in hexadecimal digits. */
  type: z.string(),
  /** Only for gpt, in lower case, as in udev's links. */
  uuid: z.nullable(z.string()),
  /** Only for gpt. */
  name: z.nullable(z.string()),
  /** Only for dos: the flag `bootable`. */
  bootable: z.boolean(),
  /** Only for gpt, as sfdisk writes them. */
  attributes: z.nullable(z.string()),
});

export type Partition = z.infer<typeof partitionSchema>;

/** A partition table as on disk. Plain JSON, so that it can be journalled. */
export const tableSchema = z.strictObject({
  /** `gpt`, `dos`, or another type that sfdisk knows. */
  type: z.string(),
  /** For gpt a UUID in lower case, for dos `0x` and eight digits. */
  id: z.string(),
  sectorSize: z.int().check(z.positive()),
  /**
   * The space of a gpt for partitions, from its first byte to the one after its last; null:
   * unknown.
   */
  usable: z.nullable(z.strictObject({ from: count, to: count })),
  partitions: z.array(partitionSchema),
});

export type PartitionTable = z.infer<typeof tableSchema>;

/**
 * Whether it is the same table. Ignores the bounds of the space of a gpt, because sfdisk corrects
 * them when it writes.
 */
export function isSameTable(one: PartitionTable | undefined, other: PartitionTable | null): boolean {
  if (one === undefined || other === null) return false;
  const line = ({ number, start, size, type, uuid, name, bootable, attributes }: Partition): string =>
    JSON.stringify([number, start, size, type.toLowerCase(), uuid, name, bootable, attributes]);
  const lines = (table: PartitionTable): string => table.partitions.map(line).sort().join('\n');
  return one.type === other.type && one.id === other.id && lines(one) === lines(other);
}
