import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { bytesAt, recognise } from '../blockdevice/index.ts';
import { magicsOn } from '../blockdevice/wipe/commands.ts';
import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';

/** The block that has the mark, at the very start; it is destroyed last of all. */
export const block: Bytes = 4096;
/** The part of a device that goes last, with the block in it. Whoever makes something there writes to it. */
export const head: Bytes = 1024 ** 2;

const digest = z.string().check(z.regex(/^[0-9a-f]{64}$/));

/** What is journalled of a device without a signature, which is marked so that it is known again. */
export const planted = z.strictObject({
  /** Stands at the first byte from the step to the end of its act: text. */
  mark: z.string().check(z.minLength(1), z.maxLength(512)),
  /** What was there, as many bytes. */
  bytes: z.string().check(z.regex(/^(?:[0-9a-f]{2})+$/)),
  /** SHA-256 of the rest of the first block, and of the rest of the head. */
  around: digest,
  rest: digest,
});

export type Planted = z.infer<typeof planted>;

/** The bytes of a mark. */
export function markBytes({ mark }: Pick<Planted, 'mark'>): Buffer {
  return Buffer.from(`${mark}\n`, 'latin1');
}

/** Reads what the mark is to replace, and what tells later that nobody has written there since. */
export async function planPlant(
  host: ReadHost,
  { path, size, mark }: { readonly path: string; readonly size: Bytes; readonly mark: string },
): Promise<Planted> {
  if (size < block)
    throw new RefusedError(
      `${path} has ${String(size)} bytes: too few for the mark by which it is known again`,
      {
        remedy: `destroy it by hand: blkdiscard --zeroout ${path}`,
      },
    );
  const { length } = markBytes({ mark });
  const { first, around, rest } = await read(host, { path, size, length });
  return { mark, bytes: first.toString('hex'), around, rest };
}

/**
 * `planted`: the mark is there, nobody has written around it, and nothing is there by which anything would be known.
 * `as it was`: the mark is not there, or not any more. `erased`: zeros are in its place. All else is `others`.
 */
export async function plantedNow(
  host: ReadHost,
  { path, size, of }: { readonly path: string; readonly size: Bytes; readonly of: Planted },
): Promise<
  | { readonly state: 'planted' | 'as it was' | 'erased' }
  | { readonly state: 'others'; readonly found: string }
> {
  const mark = markBytes(of);
  const now = await read(host, { path, size, length: mark.length });
  const type = await typeOn(host, path);
  // A new filesystem need not write to where the mark was, or leaves zeros there.
  if (type !== undefined) return { state: 'others', found: `${path} holds ${type} by now` };
  if (!now.first.equals(mark)) {
    if (now.first.toString('hex') === of.bytes) return { state: 'as it was' };
    if (now.first.every((byte) => byte === 0)) return { state: 'erased' };
    return { state: 'others', found: `${path} was written to since: its mark is not there any more` };
  }
  // The rest of the head is zeros when the act was cut off just before its end.
  if (now.around !== of.around || (now.rest !== of.rest && !now.isRestZero))
    return { state: 'others', found: `${path} was written to since` };
  return { state: 'planted' };
}

async function typeOn(host: ReadHost, path: string): Promise<string | undefined> {
  const found = await recognise(host, path);
  const [magic] = await host.run(magicsOn(path));
  return found?.type ?? magic?.type;
}

async function read(
  host: ReadHost,
  { path, size, length }: { readonly path: string; readonly size: Bytes; readonly length: number },
) {
  const view = await host.run(bytesAt(path, { from: 0, count: Math.min(size, head) }));
  const all = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  const rest = all.subarray(block);
  return {
    first: all.subarray(0, length),
    around: sha256(all.subarray(length, block)),
    rest: sha256(rest),
    isRestZero: rest.equals(Buffer.alloc(rest.length)),
  };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
