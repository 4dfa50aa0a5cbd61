import * as z from 'zod/mini';
import { posix } from 'node:path';
import type { Look, OperationSpec } from '../../atomic/operation.ts';
import {
  type ChangeHost,
  type Command,
  type FileStat,
  kindInWords,
  moveAway,
  nothing,
  type ReadHost,
  refuseExposed,
  syncDirectoryOf,
} from '../../command/index.ts';
import { CommandError, type Holder, RefusedError } from '../../core/errors.ts';
import { type Bytes, formatSize, parseSize } from '../../core/units.ts';
import { fileHolders } from '../holders/index.ts';
import { inUse } from '../in-use.ts';
import { isZero } from '../content/head.ts';
import { loopsBehind } from '../loop/reads.ts';
import { absolutePath } from '../path.ts';
import { sizeOption } from '../../core/request.ts';
import { classifyDevice } from '../commands.ts';

export const imageArgs = z.strictObject({
  /** Absolute path of the new file. RefusedError `exists` if the path is taken. */
  file: absolutePath,
  /** Its size, in bytes or as text: `10g`. */
  size: sizeOption,
  /**
   * `sparse` (the default): uses space only when it is written to. `allocated`: uses all of it at
   * once.
   */
  room: z.exactOptional(z.enum(['sparse', 'allocated'])),
  /** Permission bits (default: 0600). */
  mode: z.exactOptional(z.int().check(z.minimum(0), z.maximum(0o7777))),
});

export const imageUndo = z.strictObject({
  file: absolutePath,
  /** A second name of the new file until the commit: the tag. */
  private: absolutePath,
  size: z.int().check(z.positive()),
});

type Args = z.infer<typeof imageArgs>;
type Undo = z.infer<typeof imageUndo>;

/**
 * Creates a file with a given size, as the backing file of a block device: blank, or with content
 * from the start. The file appears complete or not at all, and never replaces another one.
 *
 * As with `tx.file.create`, the tag is a private second name, which stays until the commit. Later
 * steps may write to the file, and the undo removes their content with it. So the file at the path
 * belongs to this sequence while it is the inode of the private name.
 */
export const imageCreation = {
  kind: 'block.image.create',
  version: 1,
  args: imageArgs,
  undo: imageUndo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { file, size }, mark, host }) => {
    const own = posix.join(posix.dirname(file), `.bofh-${mark}`);
    await refuseWithoutParent(host, file);
    for (const path of [file, own]) if ((await host.stat(path)) !== undefined) throw taken(path);
    return { file, private: own, size: parseSize(size) };
  },
  claims: ({ undo: { file } }) => ({ makes: [`file:${file}`] }),
  contains: ({ undo: { file } }) => `file:${file}`,
  run: ({ args, undo: wanted, host }) => makeImage(wanted, { args, host }),
  value: ({ undo: { file, size } }) => ({ file, size }),
  look: ({ undo: made, host }) => look(host, made),
  revert: async ({ undo: made, host }) => {
    const own = await host.stat(made.private);
    if (own?.kind !== 'file') return;
    await refuseUsedFile(host, made.private, own, made.file);
    if (isSame(own, await host.stat(made.file))) {
      await host.removeFile(made.file);
      await host.sync(posix.dirname(made.file));
    }
    await host.removeFile(made.private);
  },
  content: {
    lost: 'undone',
    of: 'device',
    changed: async ({ undo: made, filled, host }) => {
      const size = (await host.stat(made.private))?.size;
      // Undone content leaves bytes behind.
      if (filled !== 'never' || size === undefined || (await isZero(host, made.private, size)))
        return undefined;
      return { found: `others wrote to the start of ${made.file}`, fromBytes: true };
    },
  },
  sync: async ({ undo: made, host }) => {
    if ((await host.stat(made.private))?.kind === 'file') await host.sync(made.private);
    await syncDirectoryOf(host, made.file);
  },
  afterCommit: async ({ undo: made, host }) => {
    if ((await host.stat(made.private))?.kind === 'file') await host.removeFile(made.private);
  },
  describe: ({ undo: made, way }) => ({
    what: `the image ${made.file} of ${formatSize(made.size)}, whose second name is ${made.private}`,
    look: [
      ['ls', '-li', made.file, made.private],
      ['losetup', '--list', '--associated', made.private],
    ],
    // Before the commit, removes both names of the created inode, but no other file that has the
    // name now.
    clear: [
      way === 'back'
        ? ['find', posix.dirname(made.file), '-maxdepth', '1', '-samefile', made.private, '-delete']
        : ['rm', made.private],
    ],
  }),
} as const satisfies OperationSpec<Args, Undo, null, { readonly file: string; readonly size: Bytes }>;

/** Creates the file under its private name, fills it, and links it to its own name. */
export async function makeImage(
  wanted: Undo,
  {
    args: { room, mode },
    host,
    fill,
  }: {
    readonly args: Args;
    readonly host: ChangeHost;
    readonly fill?: (path: string) => Promise<void>;
  },
): Promise<null> {
  await host.writeNew(wanted.private, '', { mode: mode ?? 0o600 });
  const grow = room === 'allocated' ? fallocate : truncate;
  await host.run(grow(wanted.private, wanted.size));
  await fill?.(wanted.private);
  const made = await host.stat(wanted.private);
  if (made?.size !== wanted.size)
    throw new RefusedError(
      `the new file ${wanted.file} has ${made?.size ?? 0} bytes instead of ${wanted.size}`,
      {
        remedy: 'see the kernel log: dmesg; then run the command again',
      },
    );
  await host.sync(wanted.private);
  try {
    await host.link(wanted.private, wanted.file);
  } catch (error) {
    if (!(error instanceof CommandError && error.reason === 'exists')) throw error;
    throw taken(wanted.file, error);
  }
  await host.sync(posix.dirname(wanted.file));
  return null;
}

async function look(host: ReadHost, made: Undo): Promise<Look> {
  const own = await host.stat(made.private);
  if (own === undefined) return { state: 'gone' };
  if (own.kind !== 'file') return { state: 'not-ours', found: `${made.private} is ${kindInWords(own)}` };
  const holders = await imageHolders(host, made.private, own);
  const there = await host.stat(made.file);
  if (there === undefined || isSame(own, there)) return { state: 'ours', holders };
  return { state: 'ours', holders, found: `${made.file} is another file now and stays` };
}

/**
 * Returns what uses the content of a file: loop devices over it, by its inode; mounts on it, and
 * swap.
 */
async function imageHolders(host: ReadHost, path: string, own: FileStat): Promise<readonly Holder[]> {
  return [
    ...(await loopsBehind(host, own)).map(
      (device): Holder => ({
        ...{ kind: 'loop', device, words: `behind the loop device ${device}` },
        free: ['losetup', '--detach', device],
      }),
    ),
    ...(await fileHolders(host, path)),
  ];
}

/** RefusedError if a file, shown as `name`, is behind a loop device, a mount point or swap. */
export async function refuseUsedFile(
  host: ReadHost,
  path: string,
  own: FileStat,
  name = path,
): Promise<void> {
  const who = await imageHolders(host, path, own);
  if (who.length > 0) throw inUse(name, who);
}

async function refuseWithoutParent(host: ReadHost, file: string): Promise<void> {
  const parent = posix.dirname(file);
  if ((await host.stat(parent))?.kind === 'directory') return refuseExposed(host, file, 'new');
  throw new RefusedError(`there is no directory ${parent} for ${posix.basename(file)}`, {
    code: 'not-found',
    remedy: `create ${parent}, or name another place; a symbolic link is not followed`,
  });
}

/** Whether both are the same inode. */
export function isSame(own: FileStat, other: FileStat | undefined): boolean {
  return other !== undefined && own.inode === other.inode && own.device === other.device;
}

function taken(path: string, cause?: unknown): RefusedError {
  return new RefusedError(`${path} exists already`, {
    code: 'exists',
    cause,
    remedy: `${moveAway(path)}; or choose another name`,
  });
}

/** Sets the size of a file: the added part is a hole, and uses no space until it is written to. */
export function truncate(file: string, size: Bytes): Command<void, 'change'> {
  return {
    tool: 'truncate',
    argv: ['--no-create', `--size=${size}`, file],
    access: 'change',
    parse: nothing,
    classify: classifyDevice,
  };
}

/**
 * Allocates the space of a file at once. Fails if the filesystem cannot: it does not write zeros
 * instead. Creates a missing file.
 */
export function fallocate(file: string, size: Bytes): Command<void, 'change'> {
  return {
    tool: 'fallocate',
    argv: ['--length', String(size), file],
    access: 'change',
    parse: nothing,
    classify: classifyDevice,
  };
}
