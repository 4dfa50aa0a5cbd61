import { crc32 } from 'node:zlib';
import type { ReadHost } from '../command/index.ts';
import { UsageError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import { imageBytes, type ImageFormat, type Part } from './image-commands.ts';

/** A partition of the disk in an image. */
export interface ImagePartition extends Part {
  readonly number: number;
  /** On gpt a GUID in capitals, on dos a number in hexadecimal digits. */
  readonly type: string;
  /** As in `PARTUUID=`. */
  readonly uuid: string;
  /** As in `PARTLABEL=`; undefined on dos. */
  readonly name: string | undefined;
  /** `ext`, `xfs`, `LVM2_member` …; undefined: unknown. */
  readonly content: string | undefined;
}

/** The disk in an image. */
interface Disk {
  readonly path: string;
  readonly format: ImageFormat;
  readonly bytes: Bytes;
}

/** The bytes that identify a type of content, in latin1. */
const magics: readonly (readonly [type: string, at: number, text: string])[] = [
  ['ext', 1080, '\x53\xef'],
  ['xfs', 0, 'XFSB'],
  ['btrfs', 65_600, '_BHRfS_M'],
  ['LVM2_member', 536, 'LVM2 001'],
  ['crypto_LUKS', 0, 'LUKS\xba\xbe'],
  ['linux_raid_member', 4096, '\xfc\x4e\x2b\xa9'],
  ['vfat', 54, 'FAT'],
  ['vfat', 82, 'FAT32'],
  ['swap', 4086, 'SWAPSPACE2'],
];

/**
 * Returns the partitions of the disk in an image, read without a loop device. Undefined: it has no
 * partition table. UsageError for a damaged table, and for a partition that reaches beyond the end
 * of the disk.
 */
export async function partitionsIn(
  host: ReadHost,
  disk: Disk,
): Promise<readonly ImagePartition[] | undefined> {
  const read = readerOf(host, disk);
  if (disk.bytes < 8192) return undefined;
  const head = await read(0, 8192);
  // The header is in the second sector.
  const sector = [512, 4096].find((at) => head.toString('latin1', at, at + 8) === 'EFI PART');
  const isMarked = head.readUInt16LE(510) === 0xaa55;
  // The boot sector of a filesystem has the same two bytes at its end.
  if (sector === undefined && (!isMarked || (await contentIn(host, disk)) !== undefined)) return undefined;
  const damaged = (why: string): UsageError =>
    new UsageError(`the partition table in ${disk.path} is damaged: ${why}`, {
      remedy: 'copy or create the image again',
    });
  const entries =
    sector === undefined
      ? await dosEntries(head, read, damaged)
      : await gptEntries(head, sector, read, damaged);
  const found: ImagePartition[] = [];
  for (const entry of entries) {
    const { number, from, bytes } = entry;
    if (bytes <= 0 || from <= 0 || from + bytes > disk.bytes)
      throw damaged(`partition ${number} is not within the ${disk.bytes} bytes of the disk`);
    found.push({ ...entry, content: await contentIn(host, disk, entry) });
  }
  return found;
}

function readerOf(host: ReadHost, disk: Disk): Read {
  return async (from, wanted) => {
    const bytes = Math.min(wanted, disk.bytes - from);
    return bytes <= 0 ? Buffer.alloc(0) : host.run(imageBytes(disk.path, disk.format, { from, bytes }));
  };
}

/** Returns the type of the content of a disk, or of a part of it, as in `ImagePartition`. */
export async function contentIn(
  host: ReadHost,
  disk: Disk,
  { from, bytes }: Part = { from: 0, bytes: disk.bytes },
): Promise<string | undefined> {
  const read = readerOf(host, disk);
  const start = await read(from, Math.min(bytes, 8192));
  const later = bytes < 69_632 ? Buffer.alloc(0) : await read(from + 65_536, 4096);
  return magics.find(([, at, text]) => {
    const [part, offset] = at < 65_536 ? [start, at] : [later, at - 65_536];
    return part.toString('latin1', offset, offset + text.length) === text;
  })?.[0];
}

type Entry = Omit<ImagePartition, 'content'>;
type Read = (from: Bytes, bytes: Bytes) => Promise<Buffer>;
type Damaged = (why: string) => UsageError;

/**
 * Reads the entries of a gpt (UEFI 2.10, 5.3). Does not need the second table at the end, which an
 * enlarged image does not have there.
 */
async function gptEntries(
  head: Buffer,
  sector: Bytes,
  read: Read,
  damaged: Damaged,
): Promise<readonly Entry[]> {
  const length = head.readUInt32LE(sector + 12);
  if (length < 92 || length > 512) throw damaged(`a header of ${length} bytes`);
  const header = Buffer.from(head.subarray(sector, sector + length));
  const sum = header.readUInt32LE(16);
  header.writeUInt32LE(0, 16);
  if (crc32(header) !== sum) throw damaged('the checksum of its header is wrong');
  const [count, size] = [header.readUInt32LE(80), header.readUInt32LE(84)];
  if (size < 128 || count * size > 1024 ** 2) throw damaged(`${count} entries of ${size} bytes`);
  const table = await read(Number(header.readBigUInt64LE(72)) * sector, count * size);
  if (table.length !== count * size || crc32(table) !== header.readUInt32LE(88))
    throw damaged('the checksum of its entries is wrong');
  return Array.from({ length: count }, (_, at) => table.subarray(at * size, (at + 1) * size)).flatMap(
    (entry, at) => {
      if (entry.subarray(0, 16).every((byte) => byte === 0)) return [];
      const [first, last] = [Number(entry.readBigUInt64LE(32)), Number(entry.readBigUInt64LE(40))];
      return {
        ...{ number: at + 1, from: first * sector, bytes: (last + 1 - first) * sector },
        ...{ type: guid(entry, 0).toUpperCase(), uuid: guid(entry, 16) },
        name: entry.toString('utf16le', 56, 128).replace(/\0.*$/s, ''),
      };
    },
  );
}

/** Formats a GUID: its first three parts are little-endian. */
function guid(entry: Buffer, at: number): string {
  const part = (from: number, to: number) => entry.subarray(at + from, at + to).toString('hex');
  const swapped = (from: number, to: number) =>
    Buffer.from(entry.subarray(at + from, at + to))
      .reverse()
      .toString('hex');
  return [swapped(0, 4), swapped(4, 6), swapped(6, 8), part(8, 10), part(10, 16)].join('-');
}

/** Reads the four entries of a dos table, and the chain of tables in its extended partition. */
async function dosEntries(head: Buffer, read: Read, damaged: Damaged): Promise<readonly Entry[]> {
  const id = head.readUInt32LE(440).toString(16).padStart(8, '0');
  const entriesOf = (table: Buffer, base: Bytes) =>
    [446, 462, 478, 494].map((at) => ({
      type: (table[at + 4] ?? 0).toString(16).padStart(2, '0'),
      from: base + table.readUInt32LE(at + 8) * 512,
      bytes: table.readUInt32LE(at + 12) * 512,
    }));
  const isExtended = ({ type }: { readonly type: string }) => ['05', '0f', '85'].includes(type);
  const found: Entry[] = [];
  const keep = (number: number, entry: Omit<Entry, 'number' | 'uuid' | 'name'>): number =>
    found.push({ number, ...entry, name: undefined, uuid: `${id}-${number.toString(16).padStart(2, '0')}` });
  const primary = entriesOf(head, 0);
  for (const [at, entry] of primary.entries()) {
    if (entry.type === 'ee') throw damaged('the header of its gpt is missing');
    if (entry.type !== '00' && !isExtended(entry)) keep(at + 1, entry);
  }
  const extended = primary.find(isExtended);
  for (let next = extended, number = 5; extended !== undefined && next !== undefined; number += 1) {
    const table = await read(next.from, 512);
    if (number > 128 || table.length < 512 || table.readUInt16LE(510) !== 0xaa55)
      throw damaged('its extended partition cannot be read');
    const [logical] = entriesOf(table, next.from);
    if (logical !== undefined && logical.type !== '00') keep(number, logical);
    next = entriesOf(table, extended.from).find(isExtended);
  }
  return found;
}
