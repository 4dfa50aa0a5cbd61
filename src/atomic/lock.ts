import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { type LocalHost, lockName } from '../command/index.ts';
import { JournalError } from '../errors.ts';
import { messageOf } from './engine.ts';
import type { Claims, Key } from './operation.ts';
import { exclusive } from './state.ts';

type Mode = 'shared' | 'exclusive';

/** The object locks of one sequence: held until it closes. */
export interface ObjectLocks {
  /** Takes all keys of a step in one go, never waiting; the first key that somebody else holds, or undefined. */
  take(claims: Claims): Promise<Key | undefined>;
  release(): void;
}

/** Where sequences get their object locks. */
export interface LockTable {
  open(): ObjectLocks;
}

/** flock(2) on files under `directory`, released by the kernel when the process ends, however it ends. */
export function lockTable(directory: string, host: Flock): LockTable {
  return { open: () => objectLocks(directory, host) };
}

type Flock = Pick<LocalHost, 'flock'>;

interface Held {
  readonly fd: number;
  readonly mode: Mode;
}

function objectLocks(directory: string, host: Flock): ObjectLocks {
  const held = new Map<Key, Held>();
  // One at a time: two steps side by side that share an object would open its lock twice and lose one.
  let turn: Promise<unknown> = Promise.resolve();
  return {
    take: (claims) => {
      const taking = turn.then(() => takeAll(directory, host, held, claims));
      turn = taking.catch(() => undefined);
      return taking;
    },
    release: () => {
      for (const { fd } of held.values()) closeSync(fd);
      held.clear();
    },
  };
}

async function takeAll(
  directory: string,
  host: Flock,
  held: Map<Key, Held>,
  claims: Claims,
): Promise<Key | undefined> {
  const wanted = [...modes(claims)].filter(
    ([key, mode]) => held.get(key)?.mode !== 'exclusive' && held.get(key)?.mode !== mode,
  );
  if (wanted.length === 0) return undefined;
  makeWritable(directory);
  const opened: Opened[] = [];
  let taken = false;
  try {
    for (const [key, mode] of wanted) {
      const had = held.get(key);
      const fd = had?.fd ?? openLock(join(directory, lockName(key)));
      opened.push({ key, fd, mode, ...(had === undefined ? {} : { from: had.mode }) });
    }
    const refused = await host.flock(opened);
    taken = refused === undefined;
    if (refused !== undefined) return opened[refused]?.key;
    for (const { key, fd, mode } of opened) held.set(key, { fd, mode });
    return undefined;
  } finally {
    if (!taken) for (const { fd, from } of opened) if (from === undefined) closeSync(fd);
  }
}

interface Opened {
  readonly key: Key;
  readonly fd: number;
  readonly mode: Mode;
  /** What we had it in before. */
  readonly from?: Mode;
}

/** Each key of a step with the stronger of its modes, in one order for everybody. */
function modes(claims: Claims): ReadonlyMap<Key, Mode> {
  const all = new Map<Key, Mode>();
  for (const key of claims.needs ?? []) all.set(key, 'shared');
  for (const key of exclusive(claims)) all.set(key, 'exclusive');
  return new Map([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function makeWritable(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
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
  return new JournalError(`the lock ${path} cannot be made: ${messageOf(cause)}`, {
    cause,
    remedy: 'make /run writable for root, and see that it is not full',
  });
}
