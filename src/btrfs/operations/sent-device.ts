import { bytesAt, type Overwrite } from '../../blockdevice/index.ts';
import type { ReadHost } from '../../command/index.ts';
import { type ManualRecovery, RefusedError } from '../../core/errors.ts';
import { option } from '../../core/option.ts';
import { type Bytes, formatSize } from '../../core/units.ts';

/** Size of the marker, and of the start of the device that every stream fills. */
export const block: Bytes = 4096;

/** A device with a marker. */
interface Marked {
  readonly device: string;
  readonly size: Bytes;
  readonly mark: string;
}

/**
 * Returns the offset of the last whole block, which the stream never uses: it begins at the start,
 * and nothing after its end is read.
 */
export function markOffset({ size }: Pick<Marked, 'size'>): Bytes {
  return Math.floor(size / block) * block - block;
}

/**
 * Returns the offset of the other marker, in the block before: a stream that has overwritten it may
 * be longer than its device.
 */
export function guardOffset(of: Pick<Marked, 'size'>): Bytes {
  return markOffset(of) - block;
}

export function markBytes({ mark }: Pick<Marked, 'mark'>): Uint8Array {
  const bytes = Buffer.alloc(block);
  bytes.write(`btrfs stream of ${mark}\n`);
  return bytes;
}

/** Whether the device has the marker of the step. */
export async function hasMark(host: ReadHost, path: string, of: Marked): Promise<boolean> {
  return isMarkAt(host, path, { ...of, from: markOffset(of) });
}

/** Whether the other marker still exists, so that the stream ended before it. */
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

/** RefusedError if the device is too small for a head and a marker. */
export function refuseSmall(device: string, size: Bytes): void {
  if (size >= 4 * block) return;
  throw new RefusedError(`${device} has ${formatSize(size)}: too small for a stream`, {
    remedy: 'use a larger device',
  });
}

/**
 * RefusedError for a device with a stream that `overwrite` does not name: blkid does not know
 * streams, so such a device looks blank.
 */
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
    code: 'has-data',
    remedy: `to overwrite it, name it: ${option(`--overwrite ${uuid}`, `overwrite: { uuid: '${uuid}' }`)}`,
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
    what: `the stream of the subvolume ${of.streamUuid} on ${of.device}, whose last block has the tag ${of.mark}`,
    look: [
      ['od', '--format=c', '--read-bytes=512', of.device],
      ['od', '--format=c', `--skip-bytes=${markOffset(of)}`, of.device],
    ],
    clear: way === 'back' ? [zeros(0), zeros(last - 1), zeros(last)] : [zeros(last - 1), zeros(last)],
  };
}
