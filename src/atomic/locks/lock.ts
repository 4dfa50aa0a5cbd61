import { closeSync, constants, fstatSync, openSync, readdirSync, statSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { inShell, type LocalHost, lockName } from '../../command/index.ts';
import { messageOf, JournalError } from '../../core/errors.ts';
import type { Claims, Key } from '../operation.ts';
import { exclusive } from '../journal/state.ts';
import { absent, makeDurable, refuseUntrusted } from '../journal/store.ts';

type Mode = 'shared' | 'exclusive';

/** The object locks of one sequence: held until it closes. */
export interface ObjectLocks {
  /**
   * Takes all keys of a step at once, or none; returns the first key that another process holds, or
   * undefined. Does not wait for that process: tries again for at most 100 ms, because `recover`
   * holds a lock for a moment.
   */
  take(claims: Claims): Promise<Key | undefined>;
  /** Whether the sequence already has the locks of all these keys. */
  holds(claims: Claims): boolean;
  /**
   * Returns a key whose lock file was removed after locking, if any: another sequence may have locked a new
   * file of that name.
   */
  lost(claims: Claims): Key | undefined;
  /**
   * `device:inode` of the lock files of a key: the process that has one open holds the lock, or is
   * just trying to get it.
   */
  filesOf?(key: Key): readonly string[];
  release(): void;
}

/** The object locks of sequences. */
export interface LockTable {
  open(): ObjectLocks;
  /** Removes lock files that are not held. */
  sweep?(): Promise<void>;
}

/**
 * Locks with flock(2) on files; the kernel releases them when the process ends for any reason. Each object
 * has a file in each of the directories: beside the journals, for all who share the journals, and in /run,
 * for a bofh with another state directory.
 */
export function lockTable(directories: readonly string[], host: Flock): LockTable {
  return {
    open: () => objectLocks(directories, host),
    sweep: async () => {
      for (const directory of directories) await sweep(directory, host);
    },
  };
}

type Flock = Pick<LocalHost, 'flock'>;

/** An open file, and its present or former name. */
interface LockFile {
  readonly fd: number;
  readonly path: string;
}

interface Held {
  readonly files: readonly LockFile[];
  readonly mode: Mode;
}

function objectLocks(directories: readonly string[], host: Flock): ObjectLocks {
  const held = new Map<Key, Held>();
  // One at a time: two parallel steps that share an object would open its lock twice and lose one.
  let turn: Promise<unknown> = Promise.resolve();
  const isHeld = (key: Key, mode: Mode): boolean => {
    const had = held.get(key);
    return had !== undefined && (had.mode === 'exclusive' || had.mode === mode) && had.files.every(isNamed);
  };
  return {
    holds: (claims) => modes(claims).every(([key, mode]) => isHeld(key, mode)),
    take: (claims) => {
      const taking = turn.then(async () => {
        const wanted = modes(claims).filter(([key, mode]) => !isHeld(key, mode));
        return await takeAll(directories, host, held, wanted);
      });
      turn = taking.catch(() => undefined);
      return taking;
    },
    lost: (claims) => modes(claims).find(([key]) => held.get(key)?.files.every(isNamed) !== true)?.[0],
    filesOf: (key) =>
      directories.flatMap((directory) => {
        const stat = absent(() => statSync(join(directory, lockName(key)), { bigint: true }));
        return stat === undefined ? [] : [`${stat.dev}:${stat.ino}`];
      }),
    release: () => {
      for (const { files, mode } of held.values()) for (const file of files) releaseFile(file, mode);
      held.clear();
    },
  };
}

/**
 * Removes the file first if its lock is exclusive: then no other process holds it, and a process that opens
 * it meanwhile sees that its name is gone.
 */
function releaseFile(file: LockFile, mode: Mode): void {
  if (mode === 'exclusive') removeFile(file);
  closeSync(file.fd);
}

function removeFile(file: LockFile): void {
  try {
    if (isNamed(file)) unlinkSync(file.path);
  } catch {
    // Only an empty file remains; the next recovery removes it.
  }
}

/**
 * Whether the file still has its name. Otherwise the lock is not valid: another process locks the new file of
 * that name.
 */
function isNamed({ fd, path }: LockFile): boolean {
  const there = absent(() => statSync(path, { bigint: true }));
  const ours = fstatSync(fd, { bigint: true });
  return there !== undefined && there.ino === ours.ino && there.dev === ours.dev;
}

/**
 * Attempts if a lock file loses its name before it is locked. More than one is rarely needed, because
 * a sequence removes its lock files only when it ends.
 */
const attempts = 100;
/** Attempts if a lock is refused: a sweep, or the bofh of another host that checks who has an object, locks it for a moment. */
const triesWhenRefused = 3;

async function takeAll(
  directories: readonly string[],
  host: Flock,
  held: Map<Key, Held>,
  wanted: readonly (readonly [Key, Mode])[],
): Promise<Key | undefined> {
  if (wanted.length === 0) return undefined;
  for (const directory of directories) makeWritable(directory);
  for (let attempt = 0, refusals = 0; attempt < attempts; attempt += 1) {
    const taken = await tryAll(directories, host, held, wanted);
    if (taken === undefined) return undefined;
    if (taken === 'removed') continue;
    refusals += 1;
    if (refusals === triesWhenRefused) return taken.key;
    await delay(50);
  }
  throw new JournalError(
    `the locks in ${directories.join(', ')} cannot be created: another program removes their files as fast as bofh creates them`,
    {
      remedy:
        'look for a cleaner of temporary files: systemd-tmpfiles --cat-config; then run the command again',
    },
  );
}

/** `removed`: the name was gone when the file was locked. */
async function tryAll(
  directories: readonly string[],
  host: Flock,
  held: Map<Key, Held>,
  wanted: readonly (readonly [Key, Mode])[],
): Promise<{ readonly key: Key } | 'removed' | undefined> {
  const opened: Opened[] = [];
  let taken = false;
  try {
    for (const [key, mode] of wanted) opened.push(...openAll(directories, held.get(key), key, mode));
    const refused = await host.flock(opened);
    const by = refused === undefined ? undefined : opened[refused];
    if (by !== undefined) return { key: by.key };
    if (!opened.every(isNamed)) return 'removed';
    taken = true;
    for (const [key, mode] of wanted) {
      const files = opened.filter((each) => each.key === key);
      for (const { fd } of held.get(key)?.files ?? [])
        if (!files.some((each) => each.fd === fd)) closeSync(fd);
      held.set(key, {
        files: files.map(({ fd, path }) => ({ fd, path })),
        mode: stronger(held.get(key), mode),
      });
    }
    return undefined;
  } finally {
    if (!taken) for (const { fd, from } of opened) if (from === undefined) closeSync(fd);
  }
}

interface Opened extends LockFile {
  readonly key: Key;
  readonly mode: Mode;
  /** The mode before an upgrade of this lock. */
  readonly from?: Mode;
}

/**
 * Opens the lock files by name, also one of this sequence that was removed: another sequence may have locked
 * the new file.
 */
function openAll(
  directories: readonly string[],
  had: Held | undefined,
  key: Key,
  wanted: Mode,
): readonly Opened[] {
  const mode = stronger(had, wanted);
  const opened: Opened[] = [];
  try {
    for (const directory of directories) {
      const path = join(directory, lockName(key));
      const file = had?.files.find((each) => each.path === path && isNamed(each));
      opened.push({
        ...{ key, path, mode, fd: file?.fd ?? openLock(path) },
        ...(file === undefined || had === undefined ? {} : { from: had.mode }),
      });
    }
    return opened;
  } catch (error) {
    for (const { fd, from } of opened) if (from === undefined) closeSync(fd);
    throw error;
  }
}

function stronger(had: Held | undefined, mode: Mode): Mode {
  return had?.mode === 'exclusive' ? 'exclusive' : mode;
}

/** Locks for each call of flock, because a process has 1,024 descriptors by default. */
const sweptAtOnce = 100;

/** Removes lock files that are not held. A process that releases a shared lock does not remove its file. */
async function sweep(directory: string, host: Flock): Promise<void> {
  const names = absent(() => readdirSync(directory)) ?? [];
  for (let begin = 0; begin < names.length; begin += sweptAtOnce) {
    const files = names.slice(begin, begin + sweptAtOnce).flatMap((name): readonly LockFile[] => {
      const path = join(directory, name);
      const fd = absent(() => openSync(path, constants.O_RDWR | constants.O_NOFOLLOW));
      return fd === undefined ? [] : [{ fd, path }];
    });
    try {
      for (let left = files; left.length > 0; ) {
        const refused = await host.flock(left.map(({ fd }) => ({ fd, mode: 'exclusive' })));
        if (refused === undefined) {
          for (const file of left) removeFile(file);
          break;
        }
        left = left.filter((_, i) => i !== refused);
      }
    } finally {
      for (const { fd } of files) closeSync(fd);
    }
  }
}

/** Each key of a step with the stronger of its modes, in one order for all processes. */
export function modes(claims: Claims): readonly (readonly [Key, Mode])[] {
  const all = new Map<Key, Mode>();
  for (const key of claims.needs ?? []) all.set(key, 'shared');
  for (const key of exclusive(claims)) all.set(key, 'exclusive');
  return [...all].sort(([a], [b]) => (a < b ? -1 : 1));
}

function makeWritable(directory: string): void {
  try {
    makeDurable(directory);
    refuseUntrusted(directory);
  } catch (error) {
    throw noLock(directory, error);
  }
}

function openLock(path: string): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  } catch (error) {
    throw noLock(path, error);
  }
}

function noLock(path: string, cause: unknown): JournalError {
  if (cause instanceof JournalError) return cause;
  const hasTooMany = cause instanceof Error && 'code' in cause && cause.code === 'EMFILE';
  return new JournalError(`the lock ${path} cannot be created: ${messageOf(cause)}`, {
    cause,
    remedy: hasTooMany
      ? 'raise the limit of open files: ulimit -n 65536; then run the command again'
      : `see how full its filesystem is: df ${inShell(dirname(path))}; delete files there; or see why it cannot be written: ls -ld ${inShell(dirname(path))}; findmnt --target ${inShell(dirname(path))}`,
  });
}
