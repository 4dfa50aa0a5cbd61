import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { bytesAt } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import type { Bytes } from '../core/units.ts';

/** Samples are compared by blocks, because an interrupted act has destroyed only some of them. */
const block: Bytes = 4096;

/**
 * Length of the head, where filesystems and LVM count their changes. The other samples are spread
 * over the rest, the last one at the end.
 */
const headLength: Bytes = 64 * 1024;
const sampleLength: Bytes = 16 * 1024;
const samples = 15;

/** A digest of each sampled block, in the order of `rangesOf`; empty for a block of zeros. */
export const witness = z.array(z.string().check(z.regex(/^(?:[0-9a-f]{16})?$/)));

export type Witness = z.infer<typeof witness>;

interface Range {
  readonly from: Bytes;
  readonly count: Bytes;
}

/** Returns the ranges to sample on a device of this size: always the same, without overlap. */
export function rangesOf(size: Bytes): readonly Range[] {
  const head = { from: 0, count: Math.min(size, headLength) };
  const rest = size - head.count;
  // Samples begin at whole blocks, so samples close together would overlap.
  if (rest <= 2 * samples * sampleLength)
    return rest === 0 ? [head] : [head, { from: head.count, count: rest }];
  const ranges = Array.from({ length: samples }, (_, n) => {
    const last = size - sampleLength;
    const at = head.count + Math.floor(((last - head.count) * (n + 1)) / samples);
    return { from: n + 1 === samples ? last : at - (at % block), count: sampleLength };
  });
  return [head, ...ranges];
}

/** Reads the witness, to be compared later. */
export async function takeWitness(host: ReadHost, path: string, size: Bytes): Promise<Witness> {
  return (await blocksOf(host, path, size)).map(({ digest }) => digest);
}

/**
 * Returns the first byte at which a device differs from its witness, or undefined. A block of zeros
 * is no difference: an interrupted act leaves such blocks. `from`: blocks before it are not
 * compared.
 */
export async function changedAt(
  host: ReadHost,
  {
    path,
    size,
    of,
    from,
  }: { readonly path: string; readonly size: Bytes; readonly of: Witness; readonly from: Bytes },
): Promise<Bytes | undefined> {
  const now = await blocksOf(host, path, size);
  return now.find(({ at, digest }, n) => at >= from && digest !== '' && digest !== of[n])?.at;
}

async function blocksOf(host: ReadHost, path: string, size: Bytes) {
  const blocks: { readonly at: Bytes; readonly digest: string }[] = [];
  for (const { from, count } of rangesOf(size)) {
    const view = await host.run(bytesAt(path, { from, count }));
    const all = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
    for (let at = 0; at < count; at += block)
      blocks.push({ at: from + at, digest: digestOf(all.subarray(at, at + block)) });
  }
  return blocks;
}

function digestOf(bytes: Uint8Array): string {
  if (bytes.every((byte) => byte === 0)) return '';
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}
