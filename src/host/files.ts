import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
} from 'node:fs';
import * as fs from 'node:fs/promises';
import { dirname } from 'node:path';
import { type ChangeHost, type FileStat, isOdd, nameOf, notUtf8 } from '../command/index.ts';
import { CommandError, type Reason } from '../core/errors.ts';
import { type StatNumbers, statOf } from './stat.ts';

/** The file accesses that change nothing. */
export const fileReads = {
  readFile: (path) =>
    doing('read', path, () =>
      isOfKernel(path)
        ? contentNow(path)
        : opened(path, constants.O_RDONLY | constants.O_NONBLOCK, contentOf),
    ),
  readDir: (path) =>
    doing('list', path, async () =>
      (isOfKernel(path) ? readdirSync(path, 'buffer') : await fs.readdir(path, 'buffer')).map(nameOf).sort(),
    ),
  readLink: (path) =>
    doing('readlink', path, async () =>
      nameOf(isOfKernel(path) ? readlinkSync(path, 'buffer') : await fs.readlink(path, 'buffer')),
    ),
  stat: async (path) => {
    if (isOdd(path)) throw notUtf8(path);
    try {
      return statOf(isOfKernel(path) ? lstatSync(path, wide) : await fs.lstat(path, wide));
    } catch (error) {
      // Only these two mean "no such path". With EACCES, ELOOP or EIO the answer is unknown.
      if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return undefined;
      throw fileError('stat', path, error);
    }
  },
} satisfies Pick<ChangeHost, 'readFile' | 'readDir' | 'readLink' | 'stat'>;

const wide = { bigint: true } as const;

/**
 * Whether the kernel has the path in memory, so that no disk or server delays an access. Such a path is read
 * synchronously: on a host with 1,000 volumes, 40,000 accesses in threads of Node took 5 to 13 times as long.
 */
function isOfKernel(path: string): boolean {
  return path.startsWith('/sys/') || path.startsWith('/dev/');
}

/** The file accesses that change something. */
export const fileChanges = {
  writeNew: (path, content, { mode }) => doing('create', path, () => writeNew(path, content, mode)),
  link: (existing, path) => doing('link', path, () => fs.link(existing, path), [existing]),
  rename: (from, to) => doing('rename', to, () => fs.rename(from, to), [from]),
  removeFile: (path) => doing('remove', path, () => fs.unlink(path)),
  makeDir: (path, { mode, parents }) =>
    doing('mkdir', path, () => (parents === true ? makeDirs(path, mode) : makeDir(path, mode))),
  removeDir: (path) => doing('rmdir', path, () => fs.rmdir(path)),
  sync: (path) => doing('sync', path, () => opened(path, constants.O_RDONLY | constants.O_NONBLOCK, synced)),
} satisfies Omit<ChangeHost, 'name' | 'run' | 'pipe' | 'facts' | keyof typeof fileReads>;

/** EINVAL (fsync(2)): a filesystem without a disk, or one that cannot be written, has nothing to sync. */
async function synced(file: fs.FileHandle): Promise<void> {
  try {
    await file.sync();
  } catch (error) {
    if (!hasCode(error, 'EINVAL')) throw error;
  }
}

/** Whether this is an error of the operating system with this code. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** A CommandError, with tool `file`, for a failed access to a file. */
export function fileError(
  verb: string,
  path: string,
  cause: unknown,
  more: readonly string[] = [],
): CommandError {
  if (cause instanceof CommandError) return cause;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const what = cause instanceof Error ? cause.message : String(cause);
  const argv = [verb, ...more, path];
  return new CommandError({ tool: 'file', argv, reason: reasons[code] ?? 'unknown', what, cause });
}

const reasons: Readonly<Record<string, Reason>> = {
  ENOENT: 'not-found',
  ENOTDIR: 'not-found',
  EEXIST: 'exists',
  ENOTEMPTY: 'exists',
  EBUSY: 'busy',
  ETXTBSY: 'busy',
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
  EACCES: 'denied',
  EPERM: 'denied',
  EROFS: 'denied',
};

async function doing<T>(
  verb: string,
  path: string,
  act: () => Promise<T>,
  more?: readonly string[],
): Promise<T> {
  const odd = [path, ...(more ?? [])].find(isOdd);
  if (odd !== undefined) throw notUtf8(odd);
  try {
    return await act();
  } catch (error) {
    throw fileError(verb, path, error, more);
  }
}

async function opened<T>(
  path: string,
  flags: number,
  use: (file: fs.FileHandle) => Promise<T>,
  mode?: number,
): Promise<T> {
  const file = await fs.open(path, flags, mode);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** Reads a file. Works for /proc and /sys too, whose files report a size of 0 or 4096 bytes. */
async function contentOf(file: fs.FileHandle): Promise<Uint8Array> {
  refuseOdd(await file.stat(wide));
  return await file.readFile();
}

function contentNow(path: string): Promise<Uint8Array> {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    refuseOdd(fstatSync(file, wide));
    return Promise.resolve(readFileSync(file));
  } finally {
    closeSync(file);
  }
}

/** Refuses special files: a FIFO without a writer would read as empty, a device without end. */
function refuseOdd(stats: StatNumbers): void {
  const { kind } = statOf(stats);
  if (kind !== 'file' && kind !== 'directory') throw new Error(`it is not a file but of kind "${kind}"`);
}

async function writeNew(path: string, content: Uint8Array | string, mode: number): Promise<FileStat> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const write = async (file: fs.FileHandle): Promise<FileStat> => {
    try {
      await file.writeFile(content);
      // Mode 0600 until the content is complete; and chmod, unlike open, ignores the umask.
      await file.chmod(mode);
      await file.sync();
      return statOf(await file.stat({ bigint: true }));
    } catch (error) {
      await removeOwn(path, file);
      throw error;
    }
  };
  return await opened(path, flags, write, 0o600);
}

/** Removes a half-written file, unless another file has its name now. */
async function removeOwn(path: string, file: fs.FileHandle): Promise<void> {
  try {
    const [mine, there] = await Promise.all([file.stat({ bigint: true }), fs.lstat(path, { bigint: true })]);
    if (mine.ino === there.ino && mine.dev === there.dev) await fs.unlink(path);
  } catch {
    // The first failure is reported; the look of the step finds the rest.
  }
}

async function makeDir(path: string, mode: number): Promise<void> {
  await fs.mkdir(path, 0o700);
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  await opened(path, flags, (directory) => directory.chmod(mode));
}

async function makeDirs(path: string, mode: number): Promise<void> {
  try {
    await makeDir(path, mode);
  } catch (error) {
    if (hasCode(error, 'EEXIST') && (await fs.stat(path)).isDirectory()) return;
    if (!hasCode(error, 'ENOENT') || dirname(path) === path) throw error;
    await makeDirs(dirname(path), mode);
    await makeDirs(path, mode);
  }
}
