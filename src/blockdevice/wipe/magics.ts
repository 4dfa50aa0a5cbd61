import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import type { ReadHost } from '../../command/index.ts';
import type { Bytes } from '../../core/units.ts';
import { bytesAt } from '../bytes-at.ts';
import type { Magic } from './commands.ts';

const hex = z.string().check(z.regex(/^(?:[0-9a-f]{2})+$/));
const count = z.int().check(z.nonnegative());

/** An erased run of bytes, and the proof that nothing was written around it since. */
export const savedMagic = z.strictObject({
  offset: count,
  /** The previous bytes. */
  bytes: hex,
  type: z.string(),
  uuid: z.nullable(z.string()),
  /** SHA-256 of the blocks of 4 KiB around it, with every such run read as zeros. */
  around: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
});

export type SavedMagic = z.infer<typeof savedMagic>;

/** The current bytes of a device at a saved run. */
export interface MagicNow {
  readonly state: 'as it was' | 'erased' | 'something else';
  /** Whether the blocks around it have changed. */
  readonly around: 'as it was' | 'written to';
}

/** A superblock is at most this far from its magic, so that new content in its place is noticed. */
const block: Bytes = 4096;

interface Run {
  readonly offset: Bytes;
  readonly length: Bytes;
}

/** Reads the bytes that will be erased, and those around them. */
export async function saveMagics(
  host: ReadHost,
  {
    device,
    size,
    magics,
  }: { readonly device: string; readonly size: Bytes; readonly magics: readonly Magic[] },
): Promise<readonly SavedMagic[]> {
  const saved: SavedMagic[] = [];
  for (const { offset, length, type, uuid } of magics) {
    const { bytes, around } = await readAround(host, { device, size, run: { offset, length }, all: magics });
    saved.push({ offset, bytes: bytes.toString('hex'), type, uuid, around });
  }
  return saved;
}

/** Returns the state of each run, in their order. */
export async function magicsNow(
  host: ReadHost,
  {
    device,
    size,
    saved,
  }: { readonly device: string; readonly size: Bytes; readonly saved: readonly SavedMagic[] },
): Promise<readonly MagicNow[]> {
  const all = saved.map(({ offset, bytes }) => ({ offset, length: bytes.length / 2 }));
  const found: MagicNow[] = [];
  for (const { offset, bytes, around } of saved) {
    const run = { offset, length: bytes.length / 2 };
    const now = await readAround(host, { device, size, run, all });
    const isErased = now.bytes.every((byte) => byte === 0);
    const state = now.bytes.toString('hex') === bytes ? 'as it was' : isErased ? 'erased' : 'something else';
    found.push({ state, around: now.around === around ? 'as it was' : 'written to' });
  }
  return found;
}

async function readAround(
  host: ReadHost,
  of: { readonly device: string; readonly size: Bytes; readonly run: Run; readonly all: readonly Run[] },
): Promise<{ readonly bytes: Buffer; readonly around: string }> {
  const { device, size, run, all } = of;
  const from = Math.floor(run.offset / block) * block;
  const end = Math.min(size, Math.ceil((run.offset + run.length) / block) * block);
  const view = await host.run(bytesAt(device, { from, count: end - from }));
  const read = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  const bytes = Buffer.from(read.subarray(run.offset - from, run.offset - from + run.length));
  for (const { offset, length } of all)
    read.fill(0, clamp(offset - from, read.length), clamp(offset + length - from, read.length));
  return { bytes, around: createHash('sha256').update(read).digest('hex') };
}

function clamp(value: number, most: number): number {
  return Math.min(Math.max(value, 0), most);
}
