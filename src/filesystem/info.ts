import { deviceNode, probe } from '../blockdevice/index.ts';
import type { ReadHost } from '../command/index.ts';
import type { Bytes } from '../core/units.ts';
import { type Measurable, measureFound, minimumOf } from './measure.ts';

/** The current state of a filesystem or swap area. Sizes are in bytes; null: unknown. */
export interface FilesystemDetails {
  /** Its device node. */
  readonly device: string;
  readonly type: Measurable;
  readonly uuid: string;
  readonly label: string | null;
  /** Size of the filesystem; its device may be larger. */
  readonly size: Bytes;
  /** Including its own metadata. */
  readonly used: Bytes | null;
  readonly free: Bytes | null;
  /**
   * The smallest size it can shrink to; its current size if it cannot shrink. Known for a btrfs
   * only while it is mounted.
   */
  readonly minimumSize: Bytes | null;
  readonly blockSize: Bytes;
  /** Paths in bofh's mount namespace. */
  readonly mountedOn: readonly string[];
}

/**
 * Details of the filesystem on a device. RefusedError if there is none, or one of an unsupported
 * type.
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
