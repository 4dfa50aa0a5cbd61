import { posix } from 'node:path';
import * as z from 'zod/mini';
import { operation } from '../atomic/operation.ts';
import { dropCache } from '../blockdevice/commands.ts';
import {
  compress,
  decompress,
  readDevice,
  sha256File,
  sha256Of,
  sha256Stdin,
  teeInto,
} from '../blockdevice/image/compressed.ts';
import { deviceNode, holders, identityOf, refuseHeld, size as sizeOfDevice } from '../blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../command/index.ts';
import { CommandError, RefusedError } from '../core/errors.ts';
import { absolutePath, sha256Hex } from '../file/path.ts';
import {
  clearNew,
  freeNames,
  linkNew,
  lookAtNew,
  removeNew,
  removePrivateName,
  syncNew,
} from '../file/private-name.ts';
import { watchingRoom } from '../lvm/index.ts';
import { newFileContent } from './file-witness.ts';

const undo = z.strictObject({
  device: z.string(),
  /** Identity of the device: its path may belong to another device later. */
  identity: z.string(),
  /** Size of the device in bytes. */
  size: z.int().check(z.positive()),
  file: absolutePath,
  /** A hard link to the new file until the commit: proves the step. */
  private: absolutePath,
});

type Undo = z.infer<typeof undo>;

/**
 * `tx.copy.save`: writes the content of a block device into a new file, compressed by zstd, and
 * reads the file back. The file appears complete or not at all, and never replaces another one.
 * Nothing may write to the device meanwhile: for a volume in use, save a snapshot.
 */
export const save = operation({
  kind: 'copy.save',
  version: 1,
  args: z.strictObject({
    /** The device to read. Nothing may write to it meanwhile. */
    device: z.string().check(z.minLength(1)),
    /** Absolute path of the new file. RefusedError `exists` if the path is taken. */
    file: absolutePath,
  }),
  undo,
  result: z.strictObject({
    sha256: sha256Hex,
    fileSize: z.int(),
    fileSha256: sha256Hex,
  }),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { device, file }, mark, host }) => {
    const { path, identity } = await unused(host, device);
    const size = await sizeOfDevice(host, path);
    return { device, identity, size, file, private: await freeNames(host, file, mark) };
  },
  claims: async ({ undo: { device, file }, on }) => {
    const { key, beneath } = await on(device);
    return { makes: [`file:${file}`], needs: [key, ...beneath] };
  },
  run: async ({ undo: of, host }) => {
    const { path, identity } = await unused(host, of.device);
    if (identity !== of.identity)
      throw new RefusedError(`${of.device} is another device now; nothing was read`, {
        remedy: `see what it is: lsblk ${of.device}; then run the command again`,
      });
    await host.writeNew(of.private, '', { mode: 0o600 });
    const sha256 = await copied(host, path, of);
    await host.sync(of.private);
    const fileSha256 = await readBack(host, of, sha256);
    await linkNew(host, of);
    return { sha256, fileSize: (await host.stat(of.private))?.size ?? 0, fileSha256 };
  },
  value: ({ undo: { file, size }, result }) => ({ file, size, ...result }),
  look: ({ undo: of, host }) => lookAtNew(host, of),
  revert: ({ undo: of, host }) => removeNew(host, of),
  content: newFileContent,
  sync: ({ undo: of, host }) => syncNew(host, of),
  afterCommit: ({ undo: of, host }) => removePrivateName(host, of),
  describe: ({ undo: of, way }) => ({
    what: `the file ${of.file} with the content of ${of.device}, whose second name is ${of.private}`,
    look: [['ls', '-li', of.file, of.private]],
    clear: [clearNew(of, way)],
  }),
});

/** RefusedError for a device in use: its content would change while it is read. */
async function unused(
  host: ReadHost,
  device: string,
): Promise<{ readonly path: string; readonly identity: string }> {
  const { path } = await deviceNode(host, device);
  await refuseHeld(host, path, await holders(host, path));
  return { path, identity: (await identityOf(host, path)).identity };
}

/**
 * Compresses the device into the file. Returns the SHA-256 of the decompressed stream; the checksum
 * of zstd proves that this is the data that it compressed.
 */
async function copied(host: ChangeHost, path: string, of: Undo): Promise<string> {
  try {
    return await watchingRoom(host, { devices: [path], what: `the backup of ${of.device}` }, (signal) =>
      host.pipe({
        commands: [
          { ...readDevice(path, of.size), signal },
          compress(of.size),
          teeInto(of.private),
          decompress(),
          sha256Stdin(),
        ],
        parse: sha256Of,
      }),
    );
  } catch (error) {
    if (!(error instanceof CommandError && error.reason === 'no-space')) throw error;
    throw new RefusedError(`there is no space for ${of.file} in ${posix.dirname(of.file)}`, {
      code: 'no-space',
      cause: error,
      remedy: `free some space there: df ${posix.dirname(of.file)}; or name another directory`,
    });
  }
}

/**
 * Reads the file back from the disk. Returns its SHA-256. RefusedError if its content is not
 * `sha256`.
 */
async function readBack(host: ChangeHost, of: Undo, sha256: string): Promise<string> {
  await host.run(dropCache(of.private));
  const found = await host.pipe({ commands: [decompress(of.private), sha256Stdin()], parse: sha256Of });
  if (found !== sha256)
    throw new RefusedError(
      `${of.file} was not written correctly: its content has the SHA-256 ${found}, not ${sha256}`,
      {
        remedy: 'see the kernel log: dmesg; then name another directory',
      },
    );
  return host.run(sha256File(of.private));
}
