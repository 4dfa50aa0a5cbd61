import type { Device } from '../../world/devices.ts';
import { storageOf } from '../../world/files.ts';
import { one, readOptions, unmodelled } from '../../options.ts';
import { resolve } from '../../world/resolve.ts';
import { ok, type ToolCall, type ToolModel } from '../answer.ts';
import { deviceAt } from './device-at.ts';
import { heldBy, xfsBlocksOnDevice } from './held.ts';
import { luksBytes } from '../crypt/text.ts';
import { luksAt } from '../crypt/luks.ts';
import { blocksOf, bytesOn } from './magics.ts';

/**
 * Prints bytes of a device: whole blocks, or those of a superblock with the size of its filesystem,
 * as far as bofh reads them.
 */
export function superblockBytes(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, {
    flags: ['--output-duplicates'],
    values: ['--address-radix', '--format', '--skip-bytes', '--read-bytes', '--width'],
  });
  const [path = '', ...more] = options.words;
  const there = resolve(call.world, path, 'follow');
  const device = deviceAt(call.world, path);
  const plain = one(options, '--address-radix') === 'n' && one(options, '--format') === 'x1';
  const from = Number(one(options, '--skip-bytes'));
  const count = Number(one(options, '--read-bytes'));
  const content = there.found ? there.inode.content : undefined;
  if (one(options, '--width') === '4096' && device !== undefined)
    return ok(blockLines(bytesOn(call.world, device, { from, count }), from));
  const header = plain && device === undefined ? luksAt(call.world, path) : undefined;
  if (typeof header === 'object') {
    const bytes = Buffer.concat([luksBytes(header), Buffer.alloc(from + count)]);
    return ok(hexLines(bytes.subarray(from, from + count)));
  }
  if (plain && there.found && content !== undefined) {
    // Bytes that were not written are a hole, and read as zeros.
    const whole = new Uint8Array(Math.min(from + count, there.inode.length ?? content.length));
    whole.set(content.subarray(0, whole.length));
    // Bytes that were written through a loop device over the whole file.
    const stored = call.world.live.get(storageOf(call.world, there));
    if (stored !== undefined && from + count <= whole.length)
      return ok(hexLines(blocksOf(stored, from, count)));
    return ok(hexLines(whole.subarray(from)));
  }
  if (!plain || more.length > 0 || device === undefined) throw unmodelled(call, 'it shows bytes of a device');
  // The first sector, or the part of it that a dos table has.
  const isBlocks = count >= 4096 || ((from === 0 || from === 440) && from + count === 512);
  return ok(
    hexLines(isBlocks ? bytesOn(call.world, device, { from, count }) : sizeIn(call, device, { from, count })),
  );
}

function sizeIn(
  call: ToolCall,
  device: Device,
  { from, count }: { readonly from: number; readonly count: number },
): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(count));
  const superblock = call.world.live.get(device.storage)?.superblock;
  if (superblock !== undefined && /^ext[234]$/.test(superblock.type) && from === 1024) {
    const blockSize = superblock.blockSize ?? 4096;
    bytes.setUint32(0x4, superblock.blocks ?? Math.floor(device.size / blockSize), true);
    bytes.setUint32(0x18, Math.log2(blockSize / 1024), true);
  } else if (superblock?.type === 'swap' && from === 1024) {
    bytes.setUint32(4, (superblock.blocks ?? Math.floor(device.size / 4096)) - 1, true);
  } else if (superblock?.type === 'xfs' && from === 0) {
    const held = heldBy(call.world, `/dev/${device.name}`, /^xfs$/);
    bytes.setUint32(4, superblock.blockSize ?? 4096);
    bytes.setBigUint64(8, BigInt(held === undefined ? 0 : xfsBlocksOnDevice(held)));
  } else if (superblock?.type === 'btrfs' && from === 65536) {
    const blockSize = superblock.blockSize ?? 4096;
    const blocks = superblock.blocks ?? Math.floor(device.size / blockSize);
    bytes.setBigUint64(0xd1, BigInt(blocks * blockSize), true);
  } else throw unmodelled(call, 'it knows where ext2, ext3, ext4, xfs, btrfs and swap have their sizes');
  return new Uint8Array(bytes.buffer);
}

/** Prints a line for each block of 4 KiB, and `*` for blocks that equal the one before. */
function blockLines(bytes: Uint8Array, from: number): string {
  const lines: string[] = [];
  let last = '';
  for (let at = 0; at < bytes.length; at += 4096) {
    const line = hexLines(bytes.subarray(at, at + 4096), 4096).trimEnd();
    if (line !== last) lines.push(`${String(from + at).padStart(7, '0')}${line}`);
    else if (lines.at(-1) !== '*') lines.push('*');
    last = line;
  }
  return `${[...lines, String(from + bytes.length).padStart(7, '0')].join('\n')}\n`;
}

const digits = Buffer.from('0123456789abcdef');
const [space, newline] = Buffer.from(' \n');

/**
 * Formats bytes as od does, without addresses: ` 0f` for each byte, `perLine` bytes on a line.
 * Whole superblocks are often read in this form, and regular expressions took six times as long.
 */
function hexLines(bytes: Uint8Array, perLine = 16): string {
  // Trials read the same blocks again and again.
  const known = recent.find((each) => each.perLine === perLine && Buffer.compare(each.bytes, bytes) === 0);
  if (known !== undefined) return known.text;
  const text = linesOf(bytes, perLine);
  recent.unshift({ bytes: Uint8Array.from(bytes), perLine, text });
  recent.length = Math.min(recent.length, 16);
  return text;
}

const recent: { readonly bytes: Uint8Array; readonly perLine: number; readonly text: string }[] = [];

function linesOf(bytes: Uint8Array, perLine: number): string {
  const text = Buffer.alloc(bytes.length * 3 + Math.ceil(bytes.length / perLine), space);
  let at = 0;
  // By index: an iterator of entries takes three times as long.
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index] ?? 0;
    text[at + 1] = digits[byte >> 4] ?? 0;
    text[at + 2] = digits[byte & 0xf] ?? 0;
    at += 3;
    if ((index + 1) % perLine !== 0 && index + 1 !== bytes.length) continue;
    text[at] = newline ?? 0;
    at += 1;
  }
  return text.toString('latin1');
}
