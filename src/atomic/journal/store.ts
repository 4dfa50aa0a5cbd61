import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { JournalError, messageOf } from '../../core/errors.ts';
import { option } from '../../core/option.ts';
import { exposedHere, inShell } from '../../command/index.ts';

/** An open file of the state directory. All calls are synchronous, because the engine relies on their order. */
export interface StoreFile {
  /** -1 if there is no real descriptor. */
  readonly fd: number;
  /** `device:inode`. */
  readonly inode: string;
  read(): Uint8Array;
  /** Bytes written, which may be fewer than asked. */
  write(bytes: Uint8Array, position: number): number;
  truncate(length: number): void;
  datasync(): void;
  close(): void;
}

/** The state directory, real or in memory. Names are relative to it. */
export interface Store {
  readonly directory: string;
  /** Names in a directory, sorted; empty if the directory does not exist yet. */
  names(folder: '.' | 'history'): readonly string[];
  /** O_EXCL; creates the state directory if it is missing. */
  create(name: string): StoreFile;
  /** Undefined if the file does not exist. */
  open(name: string): StoreFile | undefined;
  /** `device:inode` of the file that now has this name. */
  inode(name: string): string | undefined;
  makeDir(name: string): void;
  rename(from: string, to: string): void;
  /** Removes a file or a whole directory; a missing one counts as removed. */
  remove(name: string): void;
  /**
   * When a file was last written, in milliseconds since 1970; undefined if there is none. The clock
   * may have been wrong: only for people and for the age of the history, never for an order that
   * matters.
   */
  changedMs(name: string): number | undefined;
  /** When a file was created; undefined if the filesystem does not record it. For people only. */
  createdMs(name: string): number | undefined;
  /** Bytes of a file, or of all files in a directory; 0 if there is none. */
  bytes(name: string): number;
  /** Bytes that can still be written here; undefined if only memory limits that. */
  freeBytes(): number | undefined;
  /** Makes names durable. */
  syncDir(folder: '.' | 'history'): void;
}

/** The store on this host's disk; every file is 0600, every directory 0700. */
export function diskStore(directory: string): Store {
  let trusted: true | undefined;
  const path = (name: string): string => {
    trusted ??= refuseUntrusted(directory);
    return join(directory, name);
  };
  return {
    directory,
    names: (folder) => absent(() => readdirSync(path(folder)).sort()) ?? [],
    create: (name) => {
      makeDurable(dirname(path(name)));
      return diskFile(openSync(path(name), constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600));
    },
    open: (name) => {
      const fd = absent(() => openWhole(path(name)));
      return fd === undefined ? undefined : diskFile(fd);
    },
    inode: (name) => {
      const stat = absent(() => statSync(path(name), { bigint: true }));
      return stat === undefined ? undefined : `${stat.dev}:${stat.ino}`;
    },
    changedMs: (name) => absent(() => statSync(path(name)))?.mtimeMs,
    createdMs: (name) => absent(() => statSync(path(name)))?.birthtimeMs || undefined,
    bytes: (name) => bytesIn(path(name)),
    freeBytes: () => freeBytes(directory),
    makeDir: (name) => mkdirSync(path(name), { mode: 0o700, recursive: true }),
    rename: (from, to) => {
      makeDurable(dirname(path(to)));
      renameSync(path(from), path(to));
    },
    remove: (name) => rmSync(path(name), { recursive: true, force: true }),
    syncDir: (folder) => syncDirectory(path(folder)),
  };
}

/** Throws if another user could create a journal: recovery does what a journal says, as this user. */
export function refuseUntrusted(directory: string): true | undefined {
  for (const place of [directory, dirname(directory)]) {
    const stat = statOf(place);
    // A missing directory will be created by bofh, and is then checked again.
    if (stat === undefined) return undefined;
    const uid = process.geteuid?.() ?? 0;
    const sticky = place !== directory && (stat.mode & 0o1000) !== 0;
    if (!stat.isDirectory() || (stat.uid !== uid && stat.uid !== 0) || ((stat.mode & 0o022) !== 0 && !sticky))
      throw new JournalError(
        `${place} cannot hold the journals: it must be a directory that belongs to you, and that only you can write to`,
        {
          remedy: `chown ${String(uid)} ${inShell(place)}; chmod 700 ${inShell(place)}; or choose another directory with ${option('--state-dir DIRECTORY', 'stateDir')}`,
        },
      );
  }
  // Anyone who can rename a directory above it can replace it.
  const found = exposedHere(directory, 'content');
  if (found === undefined) return true;
  throw new JournalError(`${directory} cannot hold the journals: ${found.at} ${found.why}`, {
    remedy: `${found.repair}; or choose another directory with ${option('--state-dir', 'stateDir')}`,
  });
}

function statOf(place: string): Stats | undefined {
  try {
    return absent(() => lstatSync(place));
  } catch (error) {
    // The caller reports any other error, such as EACCES.
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOTDIR') throw error;
    throw new JournalError(`the state directory ${place} cannot be reached: ${messageOf(error)}`, {
      cause: error,
      remedy: `choose a path whose parents are directories: ${option('--state-dir', 'stateDir')}`,
    });
  }
}

/** Opens a file; on a read-only disk only for reading, so that the journals can still be shown. */
function openWhole(path: string): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_NOFOLLOW);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EROFS')) throw error;
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  }
}

function bytesIn(path: string): number {
  const stat = absent(() => lstatSync(path));
  if (stat?.isDirectory() !== true) return stat?.size ?? 0;
  return readdirSync(path).reduce((sum, name) => sum + bytesIn(join(path, name)), 0);
}

/** Free bytes in the filesystem of the directory, or of its future place. */
function freeBytes(directory: string): number {
  const there = absent(() => statfsSync(directory));
  if (there === undefined) return freeBytes(dirname(directory));
  // Root may also use the reserved blocks.
  return (process.geteuid?.() === 0 ? there.bfree : there.bavail) * there.bsize;
}

function diskFile(fd: number): StoreFile {
  const stat = fstatSync(fd, { bigint: true });
  return {
    fd,
    inode: `${stat.dev}:${stat.ino}`,
    read: () => readWhole(fd),
    write: (bytes, position) => writeSync(fd, bytes, 0, bytes.length, position),
    truncate: (length) => ftruncateSync(fd, length),
    datasync: () => fdatasyncSync(fd),
    close: () => closeSync(fd),
  };
}

/**
 * Reads the file by its name under /proc, because a read through the descriptor starts where an earlier one
 * ended.
 */
function readWhole(fd: number): Buffer {
  return readFileSync(`/proc/self/fd/${fd}`);
}

/**
 * Creates a directory. Its name, and those of new directories above it, are on disk when this returns.
 * Creates them one by one, because node's `recursive` reports ENOENT on a read-only disk (20.20).
 */
export function makeDurable(directory: string, above: 'there' | 'unknown' = 'unknown'): void {
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    if (error.code === 'EEXIST') return;
    // If the directory above exists, ENOENT has another cause: nothing can be created in /proc, nor
    // below a dangling link.
    if (error.code !== 'ENOENT' || above === 'there') throw error;
    makeDurable(dirname(directory));
    makeDurable(directory, 'there');
    return;
  }
  syncDirectory(dirname(directory));
}

function syncDirectory(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Returns undefined if the file does not exist; throws any other error. */
export function absent<T>(access: () => T): T | undefined {
  try {
    return access();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Directory of the outputs of a sequence's programs, and of the records of their sessions. */
export function outputsOf({ directory }: Pick<Store, 'directory'>, id: string): string {
  return `${directory}/${id}.d`;
}
