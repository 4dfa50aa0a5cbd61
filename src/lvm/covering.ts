import type { Bytes } from '../core/units.ts';

/**
 * Returns the most space that a classic snapshot can use: its whole origin can change, and each
 * change is recorded, 16 bytes for each chunk of 4 KiB, plus some chunks.
 */
export function wholeRoom(origin: Bytes): Bytes {
  return origin + origin / 256 + 64 * 1024;
}

/** The largest chunk of a classic snapshot (lvcreate(8), `--chunksize`), in bytes. */
const largestChunk: Bytes = 512 * 1024;

interface Volume {
  readonly uuid: string;
  readonly size: Bytes;
  readonly role: readonly string[];
  readonly origin: { readonly uuid: string } | undefined;
  readonly covers?: true;
}

/** Adds `covers` to each classic snapshot. `volumes` are all volumes of its group. */
export function withCovering<T extends Volume>(volumes: readonly T[]): readonly T[] {
  return volumes.map((lv) => {
    if (lv.origin === undefined || !lv.role.includes('thicksnapshot')) return lv;
    const origin = volumes.find(({ uuid }) => uuid === lv.origin?.uuid);
    return origin !== undefined && lv.size >= leastFor(origin.size) ? { ...lv, covers: true } : lv;
  });
}

/** With any size of chunk: the header, and the records of large chunks, are whole chunks. */
function leastFor(origin: Bytes): Bytes {
  return Math.max(wholeRoom(origin), (Math.ceil(origin / largestChunk) + 2) * largestChunk);
}
