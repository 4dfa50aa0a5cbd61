import * as z from 'zod/mini';
import { signatureSchema } from '../blockdevice/index.ts';

const uuid = z
  .string()
  .check(z.regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'a UUID in lower case'));
// Control characters would only ever be a mistake, and blkid shows them in caret notation.
const label = z.string().check(z.minLength(1), z.regex(/^\P{Cc}+$/u, 'a label without control characters'));

/** What `create` is asked. */
export const createArgs = z.strictObject({
  device: z.string().check(z.minLength(1)),
  type: z.enum(['ext4', 'swap']),
  label: z.exactOptional(label),
  /** Chosen by bofh when it is left out. */
  uuid: z.exactOptional(uuid),
  /** Exactly what is there and may be lost: its uuid, or, when it has none, its type. */
  overwrite: z.exactOptional(
    z.strictObject({ uuid: z.exactOptional(z.string()), type: z.exactOptional(z.string()) }),
  ),
});

export type CreateArgs = z.infer<typeof createArgs>;

/** What undo of `create` needs. */
export const createUndo = z.strictObject({
  device: z.string(),
  /** Which device it was, whatever bears its path later. */
  identity: z.string(),
  /** What it was called. */
  key: z.string(),
  /** Key of that whose destruction takes the filesystem along. */
  container: z.string(),
  type: z.enum(['ext4', 'swap']),
  uuid,
  /** What it held; null: it was blank. */
  before: z.nullable(signatureSchema),
});

export type CreateUndo = z.infer<typeof createUndo>;
