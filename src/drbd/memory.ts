import { kernelText } from '../blockdevice/node.ts';
import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';

/** DRBD_LIB_DIR of drbd-utils 9.22. */
const directory = '/var/lib/drbd';

/** Where drbdmeta keeps how large a disk was, and what the metadata at its end are called (lk_bdev_path of shared_tool.c, 9.22). */
export function memoryOf(minor: number): string {
  return `${directory}/drbd-minor-${String(minor)}.lkbd`;
}

/** What drbdmeta remembers of the disk of a volume, and what it should. */
export interface Memory {
  readonly path: string;
  /** What it is to hold. */
  readonly content: string;
  readonly now: 'right' | 'wrong' | 'missing';
}

/**
 * By this alone `drbdadm up` finds internal metadata on a disk that has grown since (v08_check_for_resize of drbdmeta.c). The tools
 * bring it up to date where they are told to resize, and not on the peer, where it says what was before; and there the superblock
 * of a peer may lie by now, as data that were sent. So a disk is not to grow before it is right.
 */
export async function memoryFor(
  host: ReadHost,
  { minor, disk, size }: { readonly minor: number; readonly disk: string; readonly size: Bytes },
): Promise<Memory> {
  if ((await host.stat(directory))?.kind !== 'directory')
    throw new RefusedError(
      `drbdmeta has no ${directory}: it could not find its metadata on a disk that has grown`,
      {
        remedy: `make it: mkdir -p ${directory}`,
      },
    );
  const path = memoryOf(minor);
  // It may also say what the metadata are called, and need not (lk_bdev_load): of a disk that is in use that cannot be read, for
  // the module writes past the page cache.
  const content = `${String(size)}\t${disk}\n`;
  const now = await kernelText(host, path);
  if (now === undefined) return { path, content, now: 'missing' };
  return { path, content, now: now.startsWith(`${String(size)}\t`) ? 'right' : 'wrong' };
}
