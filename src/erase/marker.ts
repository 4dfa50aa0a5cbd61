import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { bytesAt, recognise } from '../blockdevice/index.ts';
import { magicsOn } from '../blockdevice/wipe/commands.ts';
import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';

/** The first block, which has the marker and is destroyed last. */
export const block: Bytes = 4096;
/**
 * The part of a device that is erased last, including the block. Any new content writes to this
 * part.
 */
export const head: Bytes = 1024 ** 2;

const digest = z.string().check(z.regex(/^[0-9a-f]{64}$/));

/**
 * Journal data of a device without a signature, which gets a marker so that it can be recognised.
 */
export const marker = z.strictObject({
  /** Text at the start of the device, from the step to the end of its act. */
  mark: z.string().check(z.minLength(1), z.maxLength(512)),
  /** The bytes that the marker replaces. */
  bytes: z.string().check(z.regex(/^(?:[0-9a-f]{2})+$/)),
  /** SHA-256 of the rest of the first block, and of the rest of the head. */
  around: digest,
  rest: digest,
});

export type Marker = z.infer<typeof marker>;

/** Returns the bytes of a marker. */
export function markBytes({ mark }: Pick<Marker, 'mark'>): Buffer {
  return Buffer.from(`${mark}\n`, 'latin1');
}

/**
 * Reads the bytes that the marker will replace, and the hashes that later show whether others have
 * written around it.
 */
export async function planMarker(
  host: ReadHost,
  { path, size, mark }: { readonly path: string; readonly size: Bytes; readonly mark: string },
): Promise<Marker> {
  if (size < block)
    throw new RefusedError(
      `${path} has ${String(size)} bytes: too small for the marker by which bofh recognises a device after a reboot`,
      {
        remedy: `erase its content: blkdiscard --zeroout ${path}`,
      },
    );
  const { length } = markBytes({ mark });
  const { first, around, rest } = await read(host, { path, size, length });
  return { mark, bytes: first.toString('hex'), around, rest };
}

/**
 * Checks the marker. `marked`: the marker is on the device, the bytes around it are unchanged, and
 * there is no known content. `as it was`: there is no marker. `erased`: zeros are in its place.
 * Anything else is `others`.
 */
export async function markerNow(
  host: ReadHost,
  { path, size, of }: { readonly path: string; readonly size: Bytes; readonly of: Marker },
): Promise<
  { readonly state: 'marked' | 'as it was' | 'erased' } | { readonly state: 'others'; readonly found: string }
> {
  const mark = markBytes(of);
  const now = await read(host, { path, size, length: mark.length });
  const type = await typeOn(host, path);
  // A new filesystem may write nothing at the place of the marker, or leave zeros there.
  if (type !== undefined) return { state: 'others', found: `${path} holds ${type} now` };
  if (!now.first.equals(mark)) {
    if (now.first.toString('hex') === of.bytes) return { state: 'as it was' };
    if (now.first.every((byte) => byte === 0)) return { state: 'erased' };
    return { state: 'others', found: `${path} was written to since: its tag is gone` };
  }
  // The rest of the head is zeros if the act was interrupted just before its end.
  if (now.around !== of.around || (now.rest !== of.rest && !now.isRestZero))
    return { state: 'others', found: `${path} was written to since` };
  return { state: 'marked' };
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
