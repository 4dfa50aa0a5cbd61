import { deviceNode, probe } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import type { Bytes } from '../core/units.ts';
import { type Measurable, measureFound, minimumOf } from './measure.ts';

/** A filesystem, or swap area, as it is now. Sizes are in bytes; null: it cannot be told. */
export interface FilesystemDetails {
  /** Its device node. */
  readonly device: string;
  readonly type: Measurable;
  readonly uuid: string;
  readonly label: string | null;
  /** Of the filesystem; its device may be larger. */
  readonly size: Bytes;
  /** Its own tables too. */
  readonly used: Bytes | null;
  readonly free: Bytes | null;
  /** What it can be made as small as: for one that cannot be shrunk its size. Of a btrfs it is told while it is mounted. */
  readonly minimumSize: Bytes | null;
  readonly blockSize: Bytes;
  /** Paths, of our mount namespace. */
  readonly mountedOn: readonly string[];
}

/** What is to be known of the filesystem on a device. RefusedError when it holds none, or one of another type. */
export async function info(host: ReadHost, device: string): Promise<FilesystemDetails> {
  const { path } = await deviceNode(host, device);
  const found = await measureFound(host, path, await probe(host, path));
  const { type, uuid, label = null, blockSize, blocks, used = null, mounts } = found;
  const minimum = await minimumOf(host, path, found);
  const size = blocks * blockSize;
  return {
    ...{ device: path, type, uuid, label, size, used, blockSize },
    free: used === null ? null : size - used,
    minimumSize: minimum === undefined ? null : minimum * blockSize,
    mountedOn: mounts.map((mount) => mount.path),
  };
}
