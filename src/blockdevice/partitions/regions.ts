import { deflateSync, inflateSync } from 'node:zlib';
import * as z from 'zod/mini';
import type { ChangeHost, ReadHost } from '../../command/index.ts';
import type { Bytes } from '../../core/units.ts';
import { bytesAt } from '../bytes-at.ts';
import { writeBytes } from '../wipe/commands.ts';
import type { PartitionTable } from './commands.ts';

const count = z.int().check(z.nonnegative());

/** A part of a device with a partition table, and its previous content. */
export const savedRegion = z.strictObject({
  offset: count,
  length: z.int().check(z.positive()),
  /** Compressed by zlib, in base64: nearly all of it is zeros. */
  content: z.string(),
});

export type SavedRegion = z.infer<typeof savedRegion>;

/**
 * Boot code, before a dos table and before the protective one of a gpt. sfdisk keeps it (2.38), and
 * a boot loader may write it at any time, so it is neither saved nor restored.
 */
const bootCode: Bytes = 440;
/** 128 entries of 128 bytes each, as every tool creates them (UEFI 2.10, 5.3.1). */
const entries: Bytes = 128 * 128;

/**
 * Returns the regions of a table of that type, its second copy first: as long as one copy is
 * complete, the table can be read. For a gpt on a device that has grown, the second copy is not
 * where the new one will be.
 */
export function regionsOf(of: {
  readonly type: 'gpt' | 'dos';
  readonly sectorSize: Bytes;
  readonly size: Bytes;
  readonly old: PartitionTable | undefined;
}): readonly { readonly offset: Bytes; readonly length: Bytes }[] {
  const { type, sectorSize, size, old } = of;
  const first = (length: Bytes) => ({ offset: bootCode, length: length - bootCode });
  if (type === 'dos') return [first(sectorSize)];
  const last = { offset: size - entries - sectorSize, length: entries + sectorSize };
  const before = old?.usable?.to ?? last.offset;
  const moved = before === last.offset ? [] : [{ offset: before, length: last.length }];
  return [...moved, last, first(2 * sectorSize + entries)];
}

/** Reads the regions, for the undo. */
export async function saveRegions(
  host: ReadHost,
  device: string,
  regions: ReturnType<typeof regionsOf>,
): Promise<readonly SavedRegion[]> {
  const saved: SavedRegion[] = [];
  for (const region of regions)
    saved.push({ ...region, content: deflateSync(await read(host, device, region)).toString('base64') });
  return saved;
}

/** Reads the current content of the regions. */
export async function readRegions(
  host: ReadHost,
  device: string,
  saved: readonly SavedRegion[],
): Promise<readonly { readonly now: Buffer; readonly was: Buffer }[]> {
  const found: { readonly now: Buffer; readonly was: Buffer }[] = [];
  for (const region of saved) found.push({ now: await read(host, device, region), was: contentOf(region) });
  return found;
}

/** Restores the regions that have changed, one after the other, each durable before the next. */
export async function restoreRegions(
  host: ChangeHost,
  device: string,
  saved: readonly SavedRegion[],
): Promise<void> {
  for (const region of saved) {
    const bytes = contentOf(region);
    if (bytes.equals(await read(host, device, region))) continue;
    await host.run(writeBytes(device, { offset: region.offset, bytes }));
  }
}

function contentOf({ content }: SavedRegion): Buffer {
  return inflateSync(Buffer.from(content, 'base64'));
}

async function read(
  host: ReadHost,
  device: string,
  { offset, length }: { readonly offset: Bytes; readonly length: Bytes },
): Promise<Buffer> {
  const view = await host.run(bytesAt(device, { from: offset, count: length }));
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}

/**
 * Encodes a GUID as gpt does on disk: its first three parts are little-endian (UEFI 2.10, appendix
 * A).
 */
export function guidBytes(uuid: string): Buffer {
  const bytes = Buffer.from(uuid.replaceAll('-', ''), 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}
