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
