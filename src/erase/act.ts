import { blkdiscard } from '../blockdevice/destroy/commands.ts';
import { wipeSignatures } from '../blockdevice/commands.ts';
import type { ChangeHost } from '../command/index.ts';
import { hasLimitedRoom, refuseFullBeneath } from '../lvm/index.ts';
import type { Bytes } from '../core/units.ts';
import { block, markerNow } from './marker.ts';
import type { Destroyed } from './state.ts';

const mebibyte = 1024 ** 2;
/**
 * Bytes written to a thin pool between two checks of its free space: a pool refuses no write until
 * it is full.
 */
const atOnce = 1024 * mebibyte;

interface Part {
  readonly offset: Bytes;
  readonly length: Bytes;
}

/**
 * Erases a device. The head, which has the first signature or the marker, is erased last. So if
 * the signature or the marker is gone, the rest of the device has been erased already.
 */
export async function act(
  host: ChangeHost,
  { how, of, path }: { readonly how: 'discard' | 'zero'; readonly of: Destroyed; readonly path: string },
): Promise<void> {
  const { size } = of;
  const isWatched = how === 'zero' && (await hasLimitedRoom(host, path));
  for (const part of partsOf(how, of)) {
    // A power cut could keep the zeros of the head and lose older ones in the cache of the disk.
    if (part.offset === 0 && part.length < size) await host.sync(path);
    for (const piece of isWatched ? piecesOf(part) : [part]) {
      if (isWatched) await refuseFullBeneath(host, path, `the rest of the zeros on ${of.device}`);
      await host.run(blkdiscard(path, how, { ...piece, size }));
    }
  }
  // Discarded blocks may keep other content than zeros.
  if (how === 'zero') return;
  if (of.blank === undefined) await host.run(wipeSignatures(path));
  else if ((await markerNow(host, { path, size, of: of.blank })).state !== 'erased')
    await host.run(blkdiscard(path, 'zero', { offset: 0, length: block, size }));
}

function partsOf(how: 'discard' | 'zero', of: Destroyed): readonly Part[] {
  const { size } = of;
  const end = Math.min(size, headOf(of));
  // The part that is erased last begins at byte 0 and ends with the block of the first signature or
  // the marker, so that an act interrupted within the head can be detected.
  const own = how === 'zero' ? Math.min(Math.ceil(Math.max(1, provedBy(of)) / block) * block, end) : end;
  const parts = [
    { offset: end, length: size - end },
    { offset: own, length: end - own },
    { offset: 0, length: own },
  ];
  return parts.filter(({ length }) => length > 0);
}

function piecesOf({ offset, length }: Part): readonly Part[] {
  return Array.from({ length: Math.ceil(length / atOnce) }, (_, n) => ({
    offset: offset + n * atOnce,
    length: Math.min(atOnce, length - n * atOnce),
  }));
}

/** Length of the head: whole MiB that contain the complete first signature. */
function headOf(of: Destroyed): number {
  return Math.max(1, Math.ceil(provedBy(of) / mebibyte)) * mebibyte;
}

/** Returns the end of the first signature; 0: there is none, but a marker in the first block. */
function provedBy({ magics }: Destroyed): Bytes {
  const [first] = magics;
  return first === undefined ? 0 : first.offset + first.bytes.length / 2;
}
