import { posix } from 'node:path';
import * as z from 'zod/mini';
import { operation, type OperationSpec } from '../atomic/operation.ts';
import { bytesAt, fileHolders, partWitness, refuseUsedFile } from '../blockdevice/index.ts';
import {
  type ChangeHost,
  type FileStat,
  inShell,
  kindInWords,
  moveAway,
  type ReadHost,
  refuseExposed,
  syncDirectoryOf,
} from '../command/index.ts';
import { CommandError, RefusedError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import {
  absolutePath,
  besideWith,
  birth,
  birthOf,
  inodeNumber,
  isFile,
  realParent,
  sameFile,
  sha256,
  sha256Hex,
} from './path.ts';
import { bringBackTo, damaged, keepAt, refuseTaken } from './kept.ts';
import { unlink } from './unlink.ts';

const args = z.strictObject({
  /** Absolute path of the file. */
  path: absolutePath,
  /** SHA-256 of the content that the caller has seen. Refused if the content differs now. */
  sha256: z.exactOptional(sha256Hex),
  /** Do not keep the content for `bofh undo` (default: kept, unless it is a key). */
  secret: z.exactOptional(z.literal(true)),
});

const undo = z.strictObject({
  path: absolutePath,
  tombstone: absolutePath,
  /** SHA-256 of the content; for a file larger than `whole`, of its size and both ends. */
  sha256: sha256Hex,
  /**
   * The device number is not recorded: the renamed file stays in its directory, and a number such
   * as 253:3 may change with a reboot before recovery.
   */
  inode: inodeNumber,
  birth,
  secret: z.exactOptional(z.literal(true)),
});

type Args = z.infer<typeof args>;
type Undo = z.infer<typeof undo>;

/**
 * Removes a regular file, as a step or within an operation of a driver: renames it at once and
 * deletes it after the commit. Until then it is beside its old path as `.bofh-gone-MARK`. The undo
 * links it back, and is stuck if the name is in use again.
 */
export const removal = {
  kind: 'file.remove',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { path, sha256: expected, secret }, mark, host }) => {
    const stat = await checkRemovable(host, path);
    await refuseAttached(host, path, stat);
    await refuseMountPoint(host, path);
    const hash = await hashOf(host, path, stat.size);
    if (expected !== undefined && hash !== expected) {
      throw new RefusedError(`${path}: its content has changed`, {
        remedy: `see it: stat ${inShell(path)}; then run the command again`,
      });
    }
    const tombstone = besideWith(path, `gone-${mark}`);
    if ((await host.stat(tombstone)) !== undefined)
      throw new RefusedError(`${tombstone} exists already`, {
        code: 'exists',
        remedy: moveAway(tombstone),
      });
    return { path, tombstone, sha256: hash, inode: stat.inode, ...birthOf(stat), ...present({ secret }) };
  },
  claims: ({ undo: { path } }) => ({ changes: [`file:${path}`] }),
  run: async ({ undo: wanted, host }) => {
    await host.link(wanted.path, wanted.tombstone);
    const [there, moved] = [await host.stat(wanted.path), await host.stat(wanted.tombstone)];
    const unchanged = sameFile(there, moved) && (await isOurs(host, wanted));
    if (!unchanged || (await hashOf(host, wanted.tombstone, moved?.size ?? 0)) !== wanted.sha256) {
      // Removes the new name, whatever file it has: the path stays as others left it.
      await host.removeFile(wanted.tombstone);
      throw changed(wanted);
    }
    await unlink(host, wanted.path);
    await host.sync(posix.dirname(wanted.path));
    return null;
  },
  value: () => undefined,
  look: async ({ undo: gone, host }) => {
    const stat = await host.stat(gone.tombstone);
    if (stat === undefined) return { state: 'gone' };
    if (isFile(stat, gone)) return { state: 'ours' };
    return { state: 'not-ours', found: `${gone.tombstone} is another file than the one that was removed` };
  },
  revert: async ({ undo: gone, host }) => {
    if (!(await isOurs(host, gone))) return;
    await linkBack(host, gone);
    await host.sync(posix.dirname(gone.path));
    await unlink(host, gone.tombstone);
  },
  sync: ({ undo: gone, host }) => syncDirectoryOf(host, gone.path),
  afterCommit: async ({ undo: gone, host }) => {
    const stat = await host.stat(gone.tombstone);
    if (stat === undefined || !isFile(stat, gone)) return;
    if ((await hashOf(host, gone.tombstone, stat.size)) !== gone.sha256) {
      throw new RefusedError(`${gone.path} was removed, but another process has written to it since`, {
        remedy: `it is at ${gone.tombstone}: copy what you need, remove that file; then: bofh recover`,
      });
    }
    await unlink(host, gone.tombstone);
  },
  later: {
    keep: ({ undo: { path, tombstone, secret }, host, to }) =>
      keepAt(host, { path, from: tombstone, to, secret }),
    refuse: ({ undo: { path }, host }) => refuseTaken(host, path),
    bringBack: async ({ undo: gone, host, from }) => {
      const made = await bringBackTo(host, { from, to: gone.tombstone });
      if (sha256(await host.readFile(gone.tombstone)) !== gone.sha256) throw damaged(gone.path, from);
      return made;
    },
  },
  describe: ({ undo: { path, tombstone, inode }, way }) => ({
    what: `the file ${path} (inode ${inode}), kept at ${tombstone} until it is removed`,
    look: [['ls', '-li', path, tombstone]],
    clear: [way === 'back' ? ['mv', '--no-clobber', tombstone, path] : ['rm', tombstone]],
  }),
} as const satisfies OperationSpec<Args, Undo, null, void>;

/**
 * `tx.file.remove`: removes a file. Until the commit it is kept under another name beside its old
 * path; undo links it back. Refused if a loop device uses the file.
 */
export const remove = operation(removal);

/**
 * Returns the state of a file that `file.remove` can remove: a regular file in a real directory.
 * RefusedError for anything else.
 */
export async function checkRemovable(host: ReadHost, path: string): Promise<FileStat> {
  await realParent(host, path);
  const stat = await host.stat(path);
  if (stat === undefined)
    throw new RefusedError(`there is no file ${path}`, {
      code: 'not-found',
      remedy: `look for it: ls -l ${inShell(posix.dirname(path))}`,
    });
  if (stat.kind === 'file') {
    await refuseExposed(host, path, 'there');
    return stat;
  }
  if (stat.kind === 'symlink')
    throw new RefusedError(`${path} is a symbolic link: name the file that it points to`, {
      remedy: `the file that it points to: readlink -f ${path}`,
    });
  throw new RefusedError(`${path} is not a regular file but ${kindInWords(stat)}`, {
    remedy: `bofh removes only regular files; see what it is: ls -ld ${inShell(path)}`,
  });
}

/**
 * RefusedError for the file of a loop device, because the device would report the file as deleted
 * even after the undo: the kernel keeps the removed name. A file smaller than one sector cannot
 * belong to a loop device.
 */
export async function refuseAttached(host: ReadHost, path: string, stat: FileStat): Promise<void> {
  if (stat.size >= 512) await refuseUsedFile(host, path, stat);
}

/** RefusedError for a path that is a mount point: the kernel refuses to rename or remove it. */
export async function refuseMountPoint(host: ReadHost, path: string): Promise<void> {
  const holders = (await fileHolders(host, path)).filter(({ kind }) => kind === 'mount');
  if (holders.length === 0) return;
  throw new RefusedError(`${path} is a mount point, so it can be neither replaced nor removed`, {
    code: 'busy',
    holders,
    remedy: `see what is mounted there: findmnt ${inShell(path)}`,
  });
}

async function isOurs(host: ReadHost, gone: Undo): Promise<boolean> {
  return isFile(await host.stat(gone.tombstone), gone);
}

/**
 * Bytes. A larger file, such as a disk image, is not read completely, because it would not fit into
 * memory.
 */
const whole = 64 * 1024 ** 2;

async function hashOf(host: ReadHost, path: string, size: number): Promise<string> {
  if (size <= whole) return sha256(await host.readFile(path));
  return sha256(`${size} ${await partWitness(host, path, { from: 0, to: size }, bytesAt)}`);
}

/**
 * Links a removed file back to its name; does nothing if it has the name. RefusedError if the name
 * is taken.
 */
export async function linkBack(
  host: ChangeHost,
  { path, tombstone }: Pick<Undo, 'path' | 'tombstone'>,
): Promise<void> {
  if (sameFile(await host.stat(path), await host.stat(tombstone))) return;
  try {
    await host.link(tombstone, path);
  } catch (error) {
    if (!(error instanceof CommandError && error.reason === 'exists')) throw error;
    throw new RefusedError(
      `${path} cannot be restored: its name was taken meanwhile. The file is kept as ${tombstone}`,
      {
        cause: error,
        remedy: `move one of ${path} and ${tombstone} away; then: bofh recover`,
      },
    );
  }
}

function changed({ path }: Undo): RefusedError {
  return new RefusedError(`${path} was changed concurrently, and stays as it is`, {
    remedy: `see it: stat ${inShell(path)}; then run the command again`,
  });
}
