import { RefusedError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import { parsed } from '../core/request.ts';
import * as z from 'zod/mini';

const block = 4096;

/** The layout of a volume's metadata: the number of peers in its bitmap, and its activity log. */
export interface MetadataShape {
  /** Always 1 with module 8.4. */
  readonly peers?: number;
  /** Number of stripes of the activity log (default: 1; create-md can set another). */
  readonly logStripes?: number;
  /** Size of each stripe in bytes (default: 32 KiB). */
  readonly logStripeSize?: Bytes;
}

/** The superblock and the activity log. */
function fixedPart({ logStripes = 1, logStripeSize = 32 * 1024 }: MetadataShape): Bytes {
  return block + logStripes * logStripeSize;
}

const shapeSchema = z.strictObject({
  peers: z.exactOptional(z.int()),
  logStripes: z.exactOptional(z.int()),
  logStripeSize: z.exactOptional(z.int()),
});
const bytes = z.number().check(z.nonnegative());

function checkAsked(size: Bytes, shape: MetadataShape): void {
  parsed('the size of a volume, in bytes', bytes, size);
  parsed('the layout of the metadata', shapeSchema, shape);
}

/** One bit per 4 KiB and peer, in words of 64 bits, in whole blocks (drbdmeta.c, bm_bytes). */
function bitmap(size: Bytes, { peers = 1 }: MetadataShape): Bytes {
  const words = Math.ceil(Math.ceil(size / block) / 64);
  return Math.ceil((words * 8 * peers) / block) * block;
}

/**
 * Returns the exact size, in bytes, of the internal metadata that drbdmeta 9.22 writes at the end of a device
 * of this size in bytes.
 * The bitmap covers the whole device, including the metadata itself (re_initialize_md_offsets).
 */
export function internalMetadata(device: Bytes, shape: MetadataShape = {}): Bytes {
  checkAsked(device, shape);
  return bitmap(device, shape) + fixedPart(shape);
}

/**
 * The size of the data of a volume on a device with internal metadata, in bytes. The metadata starts at a
 * whole block, counted back from the last whole block of the device (v07_style_md_get_byte_offset).
 */
export function dataSize(device: Bytes, shape: MetadataShape = {}): Bytes {
  checkAsked(device, shape);
  const size = Math.floor(device / block) * block - internalMetadata(device, shape);
  if (size > 0) return size;
  throw new RefusedError(`a device of ${String(device)} bytes has no room for DRBD's metadata and data`, {
    code: 'invalid',
    remedy: 'use a larger device',
  });
}

/** The minimum size of a device for a volume of this size with internal metadata, in bytes. */
export function deviceSizeFor(data: Bytes, shape: MetadataShape = {}): Bytes {
  checkAsked(data, shape);
  const whole = Math.ceil(data / block) * block;
  let device = whole + internalMetadata(whole, shape);
  // A larger device needs a larger bitmap, which may take another block.
  while (device - internalMetadata(device, shape) < whole) device += block;
  return device;
}

/** The size of external metadata for a volume of this size, in bytes. */
export function externalMetadata(data: Bytes, shape: MetadataShape = {}): Bytes {
  checkAsked(data, shape);
  return fixedPart(shape) + bitmap(data, shape);
}
