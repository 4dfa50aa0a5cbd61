import { RefusedError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import { parsed } from '../core/request.ts';
import * as z from 'zod/mini';

const block = 4096;

/** The layout of a volume's metadata: the number of peers in its bitmap, and its activity log. */
export interface MetadataShape {
  /** Always 1 with module 8.4. */
  readonly peers?: number;
  /** 1, and 32 KiB, unless create-md was called with other values. */
  readonly logStripes?: number;
  /** Bytes (default: 32 KiB). */
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
 * The exact size of internal metadata that drbdmeta 9.22 writes at the end of a device of this
 * size: the bitmap covers the whole device, including the metadata itself
 * (re_initialize_md_offsets). Both in bytes.
 */
export function internalMetadata(device: Bytes, shape: MetadataShape = {}): Bytes {
  checkAsked(device, shape);
  return bitmap(device, shape) + fixedPart(shape);
}

/**
 * The size of the data of a volume on a device with internal metadata: the metadata starts at a
 * whole block counted from the last one of the device (v07_style_md_get_byte_offset). Bytes.
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

/** The minimum size of a device for a volume of this size with internal metadata. Bytes. */
export function deviceSizeFor(data: Bytes, shape: MetadataShape = {}): Bytes {
  checkAsked(data, shape);
  const whole = Math.ceil(data / block) * block;
  let device = whole + internalMetadata(whole, shape);
  // A larger device needs a larger bitmap, which may take another block.
  while (device - internalMetadata(device, shape) < whole) device += block;
  return device;
}

/** The size of external metadata for a volume of this size. Bytes. */
export function externalMetadata(data: Bytes, shape: MetadataShape = {}): Bytes {
  checkAsked(data, shape);
  return fixedPart(shape) + bitmap(data, shape);
}
