import { posix } from 'node:path';
import * as z from 'zod/mini';
import { operation } from '../atomic/operation.ts';
import { dropCache } from '../blockdevice/commands.ts';
import {
  compress,
  decompress,
  encrypt,
  readDevice,
  sha256File,
  sha256Of,
  sha256Stdin,
  teeInto,
} from '../blockdevice/image/compressed.ts';
import { deviceNode, holders, identityOf, refuseHeld, size as sizeOfDevice } from '../blockdevice/index.ts';
import type { ChangeHost, Command, ReadHost } from '../command/index.ts';
import { CommandError, RefusedError, UsageError } from '../core/errors.ts';
import { present } from '../core/present.ts';
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
import { readUnchanged } from './image-source.ts';

/** Who can decrypt a file: each a public key of age or SSH, or the absolute path of a file with such keys. */
export const recipients = z.readonly(
  z
    .array(
      z
        .string()
        .check(
          z.regex(
            /^(?:age1[a-z0-9]+|ssh-(?:ed25519|rsa) [A-Za-z0-9+/=]+(?: [^\0\n]*)?|\/[^\0\n]+)$/,
            'must be a public key (age1…, ssh-ed25519 … or ssh-rsa …), or the absolute path of a file with such keys',
          ),
        ),
    )
    .check(z.minLength(1)),
);

const undo = z.strictObject({
  device: z.string(),
  /** Identity of the device: its path may belong to another device later. Missing for a device of the other host. */
  identity: z.exactOptional(z.string()),
  /** How many bytes are saved, from the first one. */
  size: z.int().check(z.positive()),
  file: absolutePath,
  /** A hard link to the new file until the commit: proves the step. */
  private: absolutePath,
  recipients: z.exactOptional(recipients),
});

type Undo = z.infer<typeof undo>;

/**
 * `tx.copy.save`: writes the content of a block device, or of its first `size` bytes, into a new file, compressed by zstd and with `recipients`
 * encrypted by age(1), and reads the file back. The file appears complete or not at all, and never replaces another one.
 * Nothing may write to the device meanwhile: for a volume in use, save a snapshot. In a step on another host
 * (`tx.on('host').copy.save`) with `here` the device is one of the host that bofh runs on: its content goes over the
 * connection, without a copy on this host.
 */
export const save = operation({
  kind: 'copy.save',
  version: 1,
  args: z.strictObject({
    /** The device to read. Nothing may write to it meanwhile. */
    device: z.string().check(z.minLength(1)),
    /** Absolute path of the new file. RefusedError `exists` if the path is taken. */
    file: absolutePath,
    /** Save only this many bytes, from the first one (default: the whole device). */
    size: z.exactOptional(z.int().check(z.positive())),
    /**
     * The device is one of the host that bofh runs on, such as a snapshot of the same sequence; needs `size` (default: one
     * of the host of the step).
     */
    here: z.exactOptional(z.literal(true)),
    /** Who can decrypt the file (default: it is not encrypted). */
    recipients: z.exactOptional(recipients),
  }),
  undo,
  result: z.strictObject({
    sha256: sha256Hex,
    fileSize: z.int(),
    fileSha256: sha256Hex,
  }),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { device, file, size: asked, here, recipients: readers }, mark, host }) => {
    const found = here === true && host.name !== '' ? undefined : await unused(host, device);
    const whole = found === undefined ? asked : await sizeOfDevice(host, found.path);
    const size = asked ?? whole;
    if (whole === undefined || size === undefined)
      throw new UsageError(
        `\`here\` needs \`size\`: ${device} is on this host, and the host that saves it cannot read its size`,
      );
    if (size > whole) throw new UsageError(`${device} has only ${whole} bytes, and ${size} should be saved`);
    const names = { file, private: await freeNames(host, file, mark) };
    return { device, size, ...names, ...present({ identity: found?.identity, recipients: readers }) };
  },
  claims: async ({ undo: { device, identity, file }, on }) => {
    if (identity === undefined) return { makes: [`file:${file}`] };
    const { key, beneath } = await on(device);
    return { makes: [`file:${file}`], needs: [key, ...beneath] };
  },
  run: async ({ undo: of, host }) => {
    const path = of.identity === undefined ? of.device : await sameDevice(host, of);
    await host.writeNew(of.private, '', { mode: 0o600 });
    const copy = () => copied(host, path, of);
    // This host cannot ask a device of the other one.
    const sums = await (of.identity === undefined ? copy() : readUnchanged(host, path, copy));
    await host.sync(of.private);
    const { sha256, fileSha256 } = await readBack(host, of, sums);
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

async function sameDevice(host: ReadHost, of: Undo): Promise<string> {
  const { path, identity } = await unused(host, of.device);
  if (identity === of.identity) return path;
  throw new RefusedError(`${of.device} is another device now; nothing was read`, {
    remedy: `see what it is: lsblk ${of.device}; then run the command again`,
  });
}

/** RefusedError for a device in use: its content would change while it is read. */
async function unused(
  host: ReadHost,
  device: string,
): Promise<{ readonly path: string; readonly identity: string }> {
  const { path } = await deviceNode(host, device);
  await refuseHeld(host, path, await holders(host, path));
  return { path, identity: (await identityOf(host, path)).identity };
}

/** The SHA-256 of a device, and of its new file if that is known already. */
interface Sums {
  readonly sha256: string;
  readonly fileSha256?: string;
}

/** Writes the device into the file, compressed, and encrypted if that was asked. */
async function copied(host: ChangeHost, path: string, of: Undo): Promise<Sums> {
  const isHere = of.identity === undefined;
  /** The commands that read the device run where the device is. */
  const near = <T>(command: Command<T, 'change'>): Command<T, 'change'> =>
    isHere ? { ...command, here: true } : command;
  const sumOf = (
    commands: (
      read: Command<void, 'change'>,
    ) => readonly [Command<void, 'change'>, ...Command<void, 'change'>[]],
  ) => {
    const read = near(readDevice(path, of.size));
    const piped = (signal?: AbortSignal) =>
      host.pipe({ commands: commands({ ...read, signal }), parse: sha256Of });
    return isHere
      ? piped()
      : watchingRoom(host, { devices: [path], what: `the backup of ${of.device}` }, piped);
  };
  const { recipients: readers } = of;
  try {
    if (readers === undefined) {
      // The checksum of zstd proves that the decompressed stream is the data that it compressed.
      const whole = [near(compress(of.size)), teeInto(of.private), decompress(), sha256Stdin()];
      return { sha256: await sumOf((read) => [read, ...whole]) };
    }
    // Only the secret key decrypts the file, so the device is read twice.
    const sha256 = await sumOf((read) => [read, near(sha256Stdin())]);
    const encrypted = [near(compress(of.size)), near(encrypt(readers))];
    const whole = [...encrypted, teeInto(of.private), sha256Stdin()];
    return { sha256, fileSha256: await sumOf((read) => [read, ...whole]) };
  } catch (error) {
    if (!(error instanceof CommandError && error.reason === 'no-space')) throw error;
    throw new RefusedError(`there is no space for ${of.file} in ${posix.dirname(of.file)}`, {
      code: 'no-space',
      cause: error,
      remedy: `free some space there: df ${posix.dirname(of.file)}; or name another directory`,
    });
  }
}

/** Reads the file back from the disk. RefusedError if it is not what was written. */
async function readBack(
  host: ChangeHost,
  of: Undo,
  { sha256, fileSha256: written }: Sums,
): Promise<Required<Sums>> {
  await host.run(dropCache(of.private));
  const [found, wanted] =
    written === undefined
      ? [await host.pipe({ commands: [decompress(of.private), sha256Stdin()], parse: sha256Of }), sha256]
      : [await host.run(sha256File(of.private)), written];
  if (found !== wanted)
    throw new RefusedError(
      `${of.file} was not written correctly: its content has the SHA-256 ${found}, not ${wanted}`,
      { remedy: 'see the kernel log: dmesg; then name another directory' },
    );
  return { sha256, fileSha256: written ?? (await host.run(sha256File(of.private))) };
}
