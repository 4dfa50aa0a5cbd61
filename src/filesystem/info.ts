import { deviceNode, probe } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import type { Bytes } from '../core/units.ts';
import { type Measurable, measureFound, minimumOf } from './measure.ts';

/** The current state of a filesystem or swap area. Sizes are in bytes; null: unknown. */
export interface FilesystemDetails {
  /** The device node. */
  readonly device: string;
  readonly type: Measurable;
  readonly uuid: string;
  readonly label: string | null;
  /** Size of the filesystem; its device may be larger. */
  readonly size: Bytes;
  /** Used bytes, including metadata of the filesystem. */
  readonly used: Bytes | null;
  readonly free: Bytes | null;
  /**
   * The smallest size to which it can shrink; its current size if it cannot shrink. Known for a
   * btrfs only while it is mounted.
   */
  readonly minimumSize: Bytes | null;
  readonly blockSize: Bytes;
  /** Mount points in the mount namespace of bofh. */
  readonly mountedOn: readonly string[];
}

/**
 * Returns details of the filesystem on a device. RefusedError if there is none, or one of an
 * unsupported type.
 */
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
