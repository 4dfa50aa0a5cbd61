import type { Device } from '../../world/devices.ts';
import type { Content } from '../../world/parts.ts';
import { withBytes } from '../blockdevice/sectors.ts';
import { present } from '../../../core/present.ts';

const block = 4096;
const magic = 0x8374026b;
/** Flags MDF_CONSISTENT and MDF_WAS_UP_TO_DATE. */
const good = 0x11;

/**
 * Returns the content of a device with v08 metadata at its end. Its earlier content is below, and
 * becomes the initial content of the volume.
 */
export function withMetadata(
  { size }: Pick<Device, 'size'>,
  before: Content,
  {
    uuid,
    replica,
    generation,
    agreed,
  }: {
    readonly uuid: string;
    readonly replica: 'Inconsistent' | 'UpToDate';
    readonly generation?: string | undefined;
    readonly agreed?: number | undefined;
  },
): Content {
  return {
    superblock: { type: 'drbd', usage: 'raid', uuid, version: 'v08' },
    replica,
    ...present({ generation, agreed }),
    metadata: { at: superblockAt(size), beneath: withoutMetadata(before) },
  };
}

/** Returns the offset of the metadata superblock on a device of this size. */
export function superblockAt(size: number): number {
  return (Math.floor(size / block) - 1) * block;
}

/** Moves the metadata to the end of a device that has grown, for a volume of this size. */
export function placed({ size: device }: Pick<Device, 'size'>, content: Content, size: number): Content {
  if (content.metadata === undefined) return content;
  return { ...content, agreed: size / 512, metadata: { ...content.metadata, at: superblockAt(device) } };
}

/**
 * Returns the content of a device without its metadata, with what was written to the volume
 * meanwhile.
 */
export function withoutMetadata(content: Content): Content {
  const { metadata, sectors } = content;
  if (metadata === undefined) return content;
  const all = new Map([...(metadata.beneath.sectors ?? []), ...(sectors ?? [])]);
  return { ...metadata.beneath, ...(all.size === 0 ? {} : { sectors: all }) };
}

/**
 * Returns the superblock of the metadata, as far as bofh reads it (struct md_on_disk_08): the data
 * generations, the device uuid, flags, the magic.
 */
export function metadataBlock({ superblock, replica, generation, agreed = 0 }: Content): Uint8Array {
  const bytes = Buffer.alloc(block);
  bytes.write(superblock?.uuid ?? '', 40, 'hex');
  bytes.writeBigUInt64BE(BigInt(agreed), 0);
  bytes.write(generation ?? '', 8, 'hex');
  bytes.writeUInt32BE(replica === 'UpToDate' ? good : 0, 56);
  bytes.writeUInt32BE(magic, 60);
  return bytes;
}

/**
 * Writes a block at the offset of a metadata superblock; undefined: the bytes are something else.
 */
export function withMetadataBytes(
  device: Pick<Device, 'size'>,
  content: Content,
  { offset, bytes }: { readonly offset: number; readonly bytes: Buffer },
): Content | undefined {
  if (offset !== superblockAt(device.size) || bytes.length !== block) return undefined;
  if (bytes.readUInt32BE(60) === magic)
    return withMetadata(device, content, {
      uuid: bytes.toString('hex', 40, 48),
      replica: bytes.readUInt32BE(56) === good ? 'UpToDate' : 'Inconsistent',
      agreed: bytes.readBigUInt64BE(0) === 0n ? undefined : Number(bytes.readBigUInt64BE(0)),
      generation: bytes.readBigUInt64BE(8) === 0n ? undefined : bytes.toString('hex', 8, 16),
    });
  if (content.metadata === undefined) return undefined;
  const bare = withoutMetadata(content);
  // In the model every block up to the end of the device has bytes of the content.
  const isBlank = bare.superblock === undefined && bytes.every((byte) => byte === 0);
  return isBlank ? bare : withBytes(bare, offset, bytes);
}
