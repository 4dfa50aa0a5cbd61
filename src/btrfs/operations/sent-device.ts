import { bytesAt, type Overwrite } from '../../blockdevice/index.ts';
import type { ReadHost } from '../../command/index.ts';
import { type ManualRecovery, RefusedError } from '../../core/errors.ts';
import { type Bytes, formatSize } from '../../core/units.ts';

/** Of the mark, and of the head without which a stream is none. */
export const block: Bytes = 4096;

/** What the mark of a stream is on. */
interface Marked {
  readonly device: string;
  readonly size: Bytes;
  readonly mark: string;
}

/** The last whole block, to which nothing of a stream is written: that begins at the other end, and what lies behind it is not read. */
export function markOffset({ size }: Pick<Marked, 'size'>): Bytes {
  return Math.floor(size / block) * block - block;
}

/** The mark stands in the block before as well: a stream that has reached it may be longer than its device. */
export function guardOffset(of: Pick<Marked, 'size'>): Bytes {
  return markOffset(of) - block;
}

export function markBytes({ mark }: Pick<Marked, 'mark'>): Uint8Array {
  const bytes = Buffer.alloc(block);
  bytes.write(`btrfs stream of ${mark}\n`);
  return bytes;
}

/** The device is ours. */
export async function hasMark(host: ReadHost, path: string, of: Marked): Promise<boolean> {
  return isMarkAt(host, path, { ...of, from: markOffset(of) });
}

/** The stream ends before the room does. */
export async function hasGuard(host: ReadHost, path: string, of: Marked): Promise<boolean> {
  return isMarkAt(host, path, { ...of, from: guardOffset(of) });
}

async function isMarkAt(
  host: ReadHost,
  path: string,
  { from, mark }: { readonly from: Bytes; readonly mark: string },
): Promise<boolean> {
  const { buffer } = await host.run(bytesAt(path, { from, count: block }));
  return Buffer.from(buffer).equals(markBytes({ mark }));
}

/** RefusedError where not even a head and a mark have room. */
export function refuseSmall(device: string, size: Bytes): void {
  if (size >= 4 * block) return;
  throw new RefusedError(`${device} has ${formatSize(size)}: no stream has room on it`, {
    remedy: 'take a larger device',
  });
}

/** blkid knows no streams, so a device with one looks blank: RefusedError unless it was named. What else is to be named is nothing. */
export function refuseStream(
  device: string,
  {
    uuid,
    overwrite,
  }: {
    readonly uuid: string;
    readonly overwrite: Overwrite | undefined;
  },
): void {
  if (overwrite?.uuid === uuid && (overwrite.type ?? 'btrfs-stream') === 'btrfs-stream') return;
  throw new RefusedError(`${device} holds the stream of the subvolume ${uuid}; nothing was written`, {
    remedy: `to overwrite it, name it: --overwrite ${uuid}`,
  });
}

export function sentRecovery(
  of: Marked & { readonly streamUuid: string },
  way: 'back' | 'forward',
): ManualRecovery {
  const zeros = (nth: number): readonly string[] => [
    ...['dd', 'if=/dev/zero', `of=${of.device}`, `bs=${block}`, `seek=${nth}`],
    ...['count=1', 'conv=nocreat,notrunc,fsync'],
  ];
  const last = markOffset(of) / block;
  return {
    what: `the stream of the subvolume ${of.streamUuid} on ${of.device}, whose last block has the mark ${of.mark}`,
    look: [
      ['od', '--format=c', '--read-bytes=512', of.device],
      ['od', '--format=c', `--skip-bytes=${markOffset(of)}`, of.device],
    ],
    clear: way === 'back' ? [zeros(0), zeros(last - 1), zeros(last)] : [zeros(last - 1), zeros(last)],
  };
}
