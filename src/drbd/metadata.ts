import { deflateRawSync, inflateRawSync } from 'node:zlib';
import * as z from 'zod/mini';
import { dropCache } from '../blockdevice/commands.ts';
import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { type Bytes, formatSize } from '../core/units.ts';
import { blocksAt, blockSize } from './metadata-commands.ts';
import { internalMetadata, type MetadataShape } from './size.ts';

/** The range of the internal metadata of a device. */
export interface Area {
  readonly from: Bytes;
  readonly length: Bytes;
}

/**
 * The area ends with the superblock, in the last whole block of the device (v07_style_md_get_byte_offset of
 * drbdmeta.c 9.22).
 */
export function areaOf(size: Bytes, shape: MetadataShape): Area {
  const length = internalMetadata(size, shape);
  return { from: Math.floor(size / blockSize) * blockSize - length, length };
}

export function superblockOf({ from, length }: Area): Bytes {
  return from + length - blockSize;
}

/** Consecutive blocks that are not zeros, in the form of the journal: deflated, in base64. */
export const savedRun = z.strictObject({ at: z.int().check(z.nonnegative()), bytes: z.string() });

export type SavedRun = z.infer<typeof savedRun>;

/**
 * The limit for the data that a journal stores of one device. A volume that was used before can have this
 * much per 32 GiB.
 */
const most: Bytes = 1024 ** 2;
const chunk: Bytes = 4 * 1024 ** 2;

/** Reads all data in an area that is not zeros. Throws RefusedError if that is more than a journal may store. */
export async function saveArea(host: ReadHost, device: string, area: Area): Promise<readonly SavedRun[]> {
  const runs: { readonly at: Bytes; readonly blocks: Uint8Array[] }[] = [];
  let total = 0;
  for await (const [at, block] of blocksOf(host, device, area)) {
    total += blockSize;
    if (total > most) throw tooMuch(device, area);
    const last = runs.at(-1);
    if (last !== undefined && last.at + last.blocks.length * blockSize === at) last.blocks.push(block);
    else runs.push({ at, blocks: [block] });
  }
  return runs.map(({ at, blocks }) => ({
    at,
    bytes: deflateRawSync(Buffer.concat(blocks)).toString('base64'),
  }));
}

async function* blocksOf(host: ReadHost, device: string, { from, length }: Area) {
  for (let at = from; at < from + length; at += chunk)
    yield* await host.run(blocksAt(device, { from: at, count: Math.min(chunk, from + length - at) }));
}

function tooMuch(device: string, { from, length }: Area): RefusedError {
  return new RefusedError(
    `the last ${formatSize(length)} of ${device}, where the metadata will be, hold more than ${formatSize(most)} of data: too much for the journal of an undo`,
    {
      remedy: `if nothing of it is needed, zero it: blkdiscard --zeroout --offset ${String(from)} --length ${String(length)} ${device}`,
    },
  );
}

/** One block in the form of the journal. */
export function savedBlock(at: Bytes, block: Uint8Array): SavedRun {
  return { at, bytes: deflateRawSync(block).toString('base64') };
}

/** The bytes of a run. */
export function bytesOf({ bytes }: SavedRun): Buffer {
  return inflateRawSync(Buffer.from(bytes, 'base64'));
}

/**
 * The current content of the area. `begun`: create-md has started, or its metadata has no UUID yet.
 */
export type AreaNow = 'as it was' | 'ours' | 'begun' | 'something else';

const magicOf9 = 0x8374026d;
/** DRBD_MD_MAGIC_07 to _09 (drbdmeta.c of 9.22). */
const magics: ReadonlySet<number> = new Set([0x8374026a, 0x8374026b, 0x8374026c, magicOf9]);
/** The pattern that create-md fills the activity log with (drbd.h). */
const logMagic = 0x69cb65a2;
/** The UUID that create-md writes first; afterwards drbdadm sets a random one. */
const unnamed = '0000000000000000';

/** Compares an area with its saved content, and with the metadata UUID of this sequence. */
export async function areaNow(
  host: ReadHost,
  {
    device,
    area,
    saved,
    uuid,
  }: {
    readonly device: string;
    readonly area: Area;
    readonly saved: readonly SavedRun[];
    readonly uuid: string;
  },
): Promise<AreaNow> {
  const at = superblockOf(area);
  await host.run(dropCache(device));
  const superblock = (await host.run(blocksAt(device, { from: at, count: blockSize }))).get(at);
  const found = superblock === undefined ? undefined : deviceUuidIn(superblock);
  if (found === uuid) return 'ours';
  const before = blocksIn(saved);
  let [isSame, isBegun, count] = [true, superblock === undefined, 0];
  for await (const [where, block] of blocksOf(host, device, area)) {
    count += 1;
    const was = before.get(where);
    const same = was !== undefined && was.equals(block);
    isSame &&= same;
    isBegun &&= same || new DataView(block.buffer, block.byteOffset).getUint32(0) === logMagic;
    if (!isSame && !isBegun) break;
  }
  if (isSame && count === before.size) return 'as it was';
  return isBegun || found === unnamed ? 'begun' : 'something else';
}

function blocksIn(saved: readonly SavedRun[]): ReadonlyMap<Bytes, Buffer> {
  return new Map(
    saved.flatMap((run) => {
      const bytes = bytesOf(run);
      return Array.from(
        { length: bytes.length / blockSize },
        (_, nth) =>
          [run.at + nth * blockSize, bytes.subarray(nth * blockSize, (nth + 1) * blockSize)] as const,
      );
    }),
  );
}

/** MDF_CONSISTENT and MDF_WAS_UP_TO_DATE (drbd.h of 8.4 and 9). */
const good = 0x11;

/** Reads the superblock: the generation of the data, while it is up to date, and its size in bytes. */
export async function dataAt(
  host: ReadHost,
  { device, area }: { readonly device: string; readonly area: Area },
): Promise<
  { readonly generation: string | undefined; readonly size: Bytes; readonly block: Uint8Array } | undefined
> {
  const at = superblockOf(area);
  await host.run(dropCache(device));
  const block = (await host.run(blocksAt(device, { from: at, count: blockSize }))).get(at);
  if (block === undefined) return undefined;
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  if (!magics.has(view.getUint32(60))) return undefined;
  const isGood = (view.getUint32(56) & good) === good;
  const generation = isGood ? view.getBigUint64(8).toString(16).padStart(16, '0') : undefined;
  return { generation, size: Number(view.getBigUint64(0)) * 512, block };
}

/**
 * The range of the bitmap of differences from the peer. The activity log, for which create-md uses 32 KiB,
 * and the superblock follow it.
 */
export function bitmapOf({ from, length }: Area): { readonly offset: Bytes; readonly length: Bytes } {
  return { offset: from, length: length - blockSize - 32 * 1024 };
}

/** The superblock with the size of the data: la_size_sect of v08, effective_size of v09 (drbdmeta.c of 9.22). */
export function withSize(block: Uint8Array, size: Bytes): Uint8Array {
  const sized = Uint8Array.from(block);
  new DataView(sized.buffer).setBigUint64(0, BigInt(size / 512));
  return sized;
}

/**
 * The device UUID of a superblock; undefined if it has none (struct md_on_disk_08, meta_data_on_disk_9). The
 * magic decides where it is, and not the module: drbdmeta of a newer module converts v08, and keeps the UUID.
 */
export function deviceUuidIn(block: Uint8Array): string | undefined {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const magic = view.getUint32(60);
  if (!magics.has(magic)) return undefined;
  return view
    .getBigUint64(magic === magicOf9 ? 48 : 40)
    .toString(16)
    .padStart(16, '0');
}
