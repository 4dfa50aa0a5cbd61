import { RefusedError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';

const block = 4096;

/** How the metadata of a volume is to be: how many peers it has bits for, and how its activity log lies. */
export interface MetadataShape {
  /** With module 8.4 there is one. */
  readonly peers?: number;
  /** 1, and 32 KiB, unless create-md was told otherwise. */
  readonly logStripes?: number;
  readonly logStripeSize?: Bytes;
}

/** The superblock and the activity log. */
function fixedPart({ logStripes = 1, logStripeSize = 32 * 1024 }: MetadataShape): Bytes {
  return block + logStripes * logStripeSize;
}

/** A bit for each 4 KiB and each peer, in words of 64 bits, in whole blocks (drbdmeta.c, bm_bytes). */
function bitmap(size: Bytes, { peers = 1 }: MetadataShape): Bytes {
  const words = Math.ceil(Math.ceil(size / block) / 64);
  return Math.ceil((words * 8 * peers) / block) * block;
}

/**
 * What drbdmeta 9.22 takes at the end of a device of this size for internal metadata, exactly: its bits are for the whole
 * device, the metadata itself included (re_initialize_md_offsets). Both in bytes.
 */
export function internalMetadata(device: Bytes, shape: MetadataShape = {}): Bytes {
  return bitmap(device, shape) + fixedPart(shape);
}

/**
 * What a volume has left for its data on a device with internal metadata: the metadata begins at a whole block from the
 * device's last one (v07_style_md_get_byte_offset). Bytes.
 */
export function dataSize(device: Bytes, shape: MetadataShape = {}): Bytes {
  const size = Math.floor(device / block) * block - internalMetadata(device, shape);
  if (size > 0) return size;
  throw new RefusedError(`a device of ${String(device)} bytes has no room for DRBD's metadata and data`, {
    remedy: 'take a larger one',
  });
}

/** How large a device must be at least for a volume of this size with internal metadata. Bytes. */
export function deviceSizeFor(data: Bytes, shape: MetadataShape = {}): Bytes {
  const whole = Math.ceil(data / block) * block;
  let device = whole + internalMetadata(whole, shape);
  // A larger device has more bits, which may take another block.
  while (device - internalMetadata(device, shape) < whole) device += block;
  return device;
}

/** How much of a device of its own the metadata of a volume of this size takes. Bytes. */
export function externalMetadata(data: Bytes, shape: MetadataShape = {}): Bytes {
  return fixedPart(shape) + bitmap(data, shape);
}
