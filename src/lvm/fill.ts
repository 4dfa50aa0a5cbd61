import { dropCache } from '../blockdevice/commands.ts';
import {
  decompress,
  decrypt,
  readDevice,
  sha256Of,
  sha256Stdin,
  writeDevice,
} from '../blockdevice/image/compressed.ts';
import { deviceNode, namingHolders, size as sizeAt } from '../blockdevice/index.ts';
import { type ChangeHost, nothing } from '../command/index.ts';
import { CommandError, RefusedError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import type { LogicalVolume } from './objects.ts';
import { watchingRoom } from './watching.ts';
import { writeZeros } from './zeros.ts';

/** The content of a device, as saved by `tx.copy.save`. */
export interface SavedContent {
  /** File compressed by zstd. */
  readonly file: string;
  /** Size of the content in bytes. */
  readonly size: Bytes;
  /** SHA-256 of the content; missing: it is not compared. */
  readonly sha256?: string;
  /** File with the secret key of age, if the file is encrypted. */
  readonly identity?: string;
}

/**
 * Fills a new volume from a file, and reads it back. RefusedError if the content differs from the
 * saved one.
 */
export async function fillFrom(
  host: ChangeHost,
  { dmPath, fullName, size }: Pick<LogicalVolume, 'fullName' | 'dmPath' | 'size'>,
  {
    content: { file, size: bytes, sha256, identity },
    isThin,
  }: { readonly content: SavedContent; readonly isThin: boolean },
): Promise<void> {
  const { path } = await deviceNode(host, dmPath);
  if ((await sizeAt(host, path)) !== size)
    throw new RefusedError(`${dmPath} is not as large as ${fullName}; nothing was written to it`, {
      remedy: `see what it is: lsblk ${dmPath}`,
    });
  // A new thin volume reads as zeros. Any other one has old data in its extents: zeros after the
  // content.
  if (!isThin && bytes < size) await writeZeros(host, { fullName, dmPath, size }, bytes - (bytes % 4096));
  const write = writeDevice(path, isThin ? 'holes' : 'written');
  const what = `the restore of ${fullName}`;
  const [first, ...then] =
    identity === undefined ? [decompress(file)] : [decrypt(file, identity), decompress()];
  const written = namingHolders(host, path, () =>
    watchingRoom(host, { devices: [path], what }, (signal) =>
      host.pipe({ commands: [{ ...first, signal }, ...then, write], parse: nothing }),
    ),
  );
  await written.catch((error: unknown) => {
    if (!(error instanceof CommandError) || error.exitCode !== 1) throw error;
    // age 1.1.1: a second line asks for reports.
    const [said = ''] = error.stderr.trim().split('\n');
    if (error.tool === 'age' && !/payload chunk|header|EOF/.test(said))
      throw new RefusedError(`${file} cannot be decrypted with ${identity ?? ''}: ${said}`, {
        cause: error,
        remedy: 'name the file with the secret key of one of its recipients',
      });
    if (error.tool !== 'zstd' && error.tool !== 'age') throw error;
    throw damaged(file, said, error);
  });
  await host.run(dropCache(path));
  const found = await host.pipe({ commands: [readDevice(path, bytes), sha256Stdin()], parse: sha256Of });
  if (sha256 !== undefined && found !== sha256)
    throw damaged(file, `its content has the SHA-256 ${found} instead of ${sha256}`);
}

function damaged(file: string, why: string, cause?: unknown): RefusedError {
  return new RefusedError(`${file} is damaged: ${why}`, {
    cause,
    remedy: 'restore another backup: bofh vm list-backups DIR',
  });
}
