import * as z from 'zod/mini';
import { checkOverwrite, overwriteSchema } from '../blockdevice/index.ts';
import { keyRef } from '../command/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { type Bytes, formatSize } from '../core/units.ts';
import { costArgs, kdfFor } from './cost.ts';
import { type KeySlot, luksUuid } from './schema.ts';

const mib = 1024 ** 2;
/** Offset of the data on a new device, by the defaults of cryptsetup (2.1 and later). */
export const dataOffsets: Readonly<Record<'luks1' | 'luks2', Bytes>> = { luks1: 2 * mib, luks2: 16 * mib };
/**
 * A smaller data area is a mistake in the size: luksFormat formats even a device without any space
 * for data.
 */
const leastData = mib;

/** The request for a new encrypted device. */
export const newLuksArgs = z.strictObject({
  /** The block device to encrypt, as an absolute path. */
  device: z.string().check(z.minLength(1)),
  /** Where the first key comes from. */
  key: keyRef,
  /** Version of the header (default: luks2). */
  type: z.exactOptional(z.enum(['luks1', 'luks2'])),
  /** UUID (default: chosen by bofh). */
  uuid: z.exactOptional(luksUuid),
  /** Only for LUKS2; 47 bytes at most (LUKS2 on-disk format, `label[48]`). */
  label: z.exactOptional(z.string().check(z.regex(/^\P{Cc}+$/u, 'a label without control characters'))),
  /** The content to overwrite: its uuid, or, if it has none, its type. */
  overwrite: z.exactOptional(overwriteSchema),
  ...costArgs,
});

export type NewLuksArgs = z.infer<typeof newLuksArgs>;

/**
 * The first key of a new device. cryptsetup may use less memory than the maximum that it is given:
 * as much as fits the time that opening may take. null: an older version of bofh ran the step.
 */
export const keyMade = z.nullable(z.strictObject({ memory: z.nullable(z.int()) }));

/** Returns the result of a step that made a device with this only key. */
export function madeBy([slot]: readonly KeySlot[]): z.infer<typeof keyMade> {
  return { memory: slot?.memory ?? null };
}

/** Makes the checks that do not need the host. */
export function checkArgs({ type = 'luks2', label, uuid, overwrite, ...cost }: NewLuksArgs) {
  const kdf = kdfFor(type === 'luks1' ? 1 : 2, cost);
  if (type === 'luks1' && label !== undefined)
    throw new UsageError('LUKS1 has no label: leave it out, or use luks2');
  if (Buffer.byteLength(label ?? '') > 47) throw new UsageError('a LUKS2 label may have at most 47 bytes');
  checkOverwrite(overwrite);
  if (uuid !== undefined && uuid === overwrite?.uuid)
    throw new UsageError('the new device must not have the uuid of the content that it overwrites');
  return { type, kdf };
}

/** RefusedError if there would be no space for data. */
export function refuseSmall(device: string, type: 'luks1' | 'luks2', bytes: Bytes): void {
  const least = dataOffsets[type] + leastData;
  if (bytes >= least) return;
  throw new RefusedError(
    `${device} has ${formatSize(bytes)}; ${type} needs ${formatSize(least)}: its header takes ${formatSize(dataOffsets[type])}`,
    { code: 'invalid', remedy: type === 'luks2' ? 'use a larger device, or luks1' : 'use a larger device' },
  );
}

/** RefusedError for a device with a detached header that is too small for data. */
export function refuseSmallData(device: string, bytes: Bytes): void {
  if (bytes >= leastData) return;
  throw new RefusedError(`${device} has ${formatSize(bytes)}: too small for data`, {
    code: 'invalid',
    remedy: `use a device of at least ${formatSize(leastData)}`,
  });
}
