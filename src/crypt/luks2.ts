import { createHash, getHashes } from 'node:crypto';
import { bytesAt, directBytesAt } from '../blockdevice/bytes-at.ts';
import type { ReadHost } from '../command/index.ts';

/** The metadata of a LUKS2 header, which the device stores twice. */
export interface Luks2Metadata {
  /** The metadata as JSON. */
  readonly text: string;
  /** The copy that is damaged, or older than the other one. */
  readonly damagedCopy?: 'first' | 'second';
}

// LUKS2 on-disk format specification, 2: a binary header of 4 KiB followed by JSON, twice.
const binarySize = 4096;
const sizes = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096].map((kib) => kib * 1024);
const magics = { first: 'LUKS\xba\xbe', second: 'SKUL\xba\xbe' } as const;
const smallest = 16 * 1024;

/**
 * Reads the metadata of a LUKS2 header on a device or in a file; `other`: it is not LUKS2;
 * `damaged`: neither copy is valid. bofh parses the header itself, because cryptsetup rewrites a
 * damaged copy as soon as it reads the device, even with `isLuks` (2.6.1).
 */
export async function luks2MetadataAt(
  host: ReadHost,
  path: string,
): Promise<Luks2Metadata | 'other' | 'damaged'> {
  const read = await readerOf(host, path);
  const head = await read(0, 2 * smallest);
  if (latin1(head, 0, 6) === magics.first && head.readUInt16BE(6) === 1) return 'other';
  const first = await copyAt(read, 0, 'first');
  // If the first copy does not contain its length, the second one can be at any of these offsets.
  let second: Copy | undefined;
  for (const offset of first === undefined ? sizes : [first.size])
    second ??= await copyAt(read, offset, 'second');
  if (first === undefined && second === undefined) return 'damaged';
  if (first === undefined || second === undefined || first.sequence !== second.sequence) {
    const isFirst = second === undefined || (first !== undefined && first.sequence > second.sequence);
    const whole = isFirst ? first : second;
    return { text: whole?.text ?? '', damagedCopy: isFirst ? 'second' : 'first' };
  }
  return { text: first.text };
}

interface Copy {
  readonly size: number;
  readonly sequence: bigint;
  readonly text: string;
}

type Read = (from: number, count: number) => Promise<Buffer>;

/**
 * Reads both copies of the usual size at once. A file may end before them: bytes after its end
 * count as zeros.
 */
async function readerOf(host: ReadHost, path: string): Promise<Read> {
  const stat = await host.stat(path);
  const size = stat?.kind === 'file' ? stat.size : undefined;
  const read: Read = async (from, count) => {
    if (size === undefined) return buffer(await host.run(directBytesAt(path, { from, count })));
    const there = Math.min(count, size - from);
    if (there <= 0) return Buffer.alloc(count);
    const bytes = buffer(await host.run(bytesAt(path, { from, count: there })));
    return Buffer.concat([bytes, Buffer.alloc(count - there)]);
  };
  const usual = await read(0, 2 * smallest);
  return async (from, count) =>
    from + count <= usual.length ? usual.subarray(from, from + count) : read(from, count);
}

function buffer({ buffer: bytes, byteOffset, byteLength }: DataView): Buffer {
  return Buffer.from(bytes as ArrayBuffer, byteOffset, byteLength);
}

/** Returns a valid copy; undefined: its checksum or its JSON is wrong, or there is none. */
async function copyAt(read: Read, offset: number, which: keyof typeof magics): Promise<Copy | undefined> {
  const head = await read(offset, smallest);
  const size = Number(head.readBigUInt64BE(8));
  if (latin1(head, 0, 6) !== magics[which] || head.readUInt16BE(6) !== 2 || !sizes.includes(size))
    return undefined;
  if (head.readBigUInt64BE(256) !== BigInt(offset)) return undefined;
  const whole = size === smallest ? Buffer.from(head) : await read(offset, size);
  const algorithm = latin1(whole, 72, 32).split('\0', 1)[0] ?? '';
  if (!getHashes().includes(algorithm)) return undefined;
  const stored = Buffer.from(whole.subarray(448, 512));
  whole.fill(0, 448, 512);
  const sum = createHash(algorithm).update(whole).digest();
  if (!stored.equals(Buffer.concat([sum], 64))) return undefined;
  const end = whole.indexOf(0, binarySize);
  const text = whole.toString('utf8', binarySize, end === -1 ? size : end);
  return isJson(text) ? { size, sequence: whole.readBigUInt64BE(16), text } : undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function latin1(bytes: Buffer, from: number, count: number): string {
  return bytes.toString('latin1', from, from + count);
}
