import { kernelText } from '../blockdevice/node.ts';
import { inShell, type ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';

/** DRBD_LIB_DIR of drbd-utils 9.22. */
const directory = '/var/lib/drbd';

/**
 * Where drbdmeta stores the size of a disk and the UUID of the metadata at its end (lk_bdev_path of
 * shared_tool.c, 9.22).
 */
export function memoryOf(minor: number): string {
  return `${directory}/drbd-minor-${String(minor)}.lkbd`;
}

/**
 * The file in which drbdmeta stores data about the disk of a volume, with its present and its correct
 * content.
 */
export interface Memory {
  readonly path: string;
  /** The correct content. */
  readonly content: string;
  readonly now: 'right' | 'wrong' | 'missing';
}

/**
 * Only with this file does `drbdadm up` find internal metadata on a disk that has grown (v08_check_for_resize
 * of drbdmeta.c). The tools update the file on the host where the resize is requested, but not on the peer,
 * where replicated data may have overwritten the old superblock. So a disk must not grow before this file is
 * correct.
 */
export async function memoryFor(
  host: ReadHost,
  { minor, disk, size }: { readonly minor: number; readonly disk: string; readonly size: Bytes },
): Promise<Memory> {
  if ((await host.stat(directory))?.kind !== 'directory')
    throw new RefusedError(
      `there is no ${directory}: without it drbdmeta cannot find the metadata on a disk that has grown`,
      {
        remedy: `create it: mkdir -p ${inShell(directory)}`,
      },
    );
  const path = memoryOf(minor);
  // The file may also contain the UUID of the metadata, but need not (lk_bdev_load): while the disk
  // is in use the UUID cannot be read, because the module writes past the page cache.
  const content = `${String(size)}\t${disk}\n`;
  const now = await kernelText(host, path);
  if (now === undefined) return { path, content, now: 'missing' };
  return { path, content, now: now.startsWith(`${String(size)}\t`) ? 'right' : 'wrong' };
}
