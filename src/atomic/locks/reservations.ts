import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { LocalHost } from '../../command/index.ts';
import { JournalError } from '../../core/errors.ts';
import type { Key } from '../operation.ts';
import { absent } from '../journal/store.ts';

/**
 * Objects that the bofh of another host reserved on this one: they count like an open journal of
 * another process.
 */
export interface Reserved {
  readonly id: string;
  readonly name: string;
  /** The name that the other host reported. */
  readonly coordinator: string;
  readonly exclusive: readonly Key[];
  readonly shared: readonly Key[];
}

/** A reservation on the disk. */
export interface SeenReservation {
  readonly id: string;
  readonly changedMs: number;
  /** A JournalError if the reservation cannot be read. */
  readonly found: Reserved | JournalError;
}

/** The reservations on a host. */
export interface ReservedHere {
  /** Throws JournalError for a reservation that cannot be read, because it may claim any object. */
  list(): readonly Reserved[];
  /** Like `list`, for people: an unreadable reservation does not hide the others. */
  seen(): readonly SeenReservation[];
  /**
   * How to find the programs of a reservation: `device:inode` of the lock that the shell of each program
   * holds, and the directory with the records of their sessions. Undefined if no program ran in this boot.
   */
  programsAt(id: string): { readonly lock: string; readonly outputs: string } | undefined;
  /**
   * Ends a reservation that its coordinator will never end, and records the reason. Throws JournalError while
   * one of its programs runs.
   */
  abandon(id: string, because: string): Promise<void>;
}

/**
 * The reservations in a state directory; none if it does not exist. The lock of the programs of each
 * reservation is below `runDir`.
 */
export function reservedIn(
  stateDir: string,
  runDir: string,
  { flock }: Pick<LocalHost, 'flock'>,
): ReservedHere {
  const directory = join(stateDir, 'reservations');
  const ids = () => namesIn(directory).filter((name) => /^[0-9a-f]+$/.test(name));
  const lock = (id: string) => join(runDir, 'away', id, 'lock');
  return {
    list: () => ids().flatMap((id) => reservedOf(join(directory, id), id) ?? []),
    seen: () => ids().flatMap((id) => seenAt(join(directory, id), id) ?? []),
    programsAt: (id) => {
      const stat = absent(() => statSync(lock(id), { bigint: true }));
      if (stat === undefined) return undefined;
      return { lock: `${String(stat.dev)}:${String(stat.ino)}`, outputs: dirname(lock(id)) };
    },
    abandon: async (id, because) =>
      alone({ lock: lock(id), all: join(runDir, 'reservations.lock'), id, flock }, () => {
        const history = join(directory, 'history');
        mkdirSync(history, { mode: 0o700, recursive: true });
        // Not the other way round: if it ended meanwhile, appending to it would make it again.
        const moved = absent(() => {
          renameSync(join(directory, id), join(history, id));
          return true;
        });
        if (moved === undefined)
          throw new JournalError(`the reservation ${id} has ended meanwhile: nothing is left to abandon`);
        appendFileSync(join(history, id), `abandoned ${JSON.stringify(because)}\n`, { flush: true });
        rmSync(dirname(lock(id)), { recursive: true });
      }),
  };
}

/**
 * Runs the work under the lock of a reservation: no program of that sequence runs or can start, and no
 * coordinator can replace the reservation.
 */
async function alone(
  at: { readonly lock: string; readonly all: string; readonly id: string } & Pick<LocalHost, 'flock'>,
  act: () => void,
): Promise<void> {
  mkdirSync(dirname(at.lock), { mode: 0o700, recursive: true });
  const fds = [at.lock, at.all].map((path) => openSync(path, 'a+', 0o600));
  try {
    const refused = await at.flock(fds.map((fd) => ({ fd, mode: 'exclusive' })));
    if (refused === 0) throw atWork(at.id);
    if (refused !== undefined)
      throw new JournalError('another host is reserving objects on this one at this moment', {
        remedy: 'run the command again',
      });
    act();
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

/** The error if a reservation cannot be abandoned now. */
export function atWork(id: string): JournalError {
  return new JournalError(`a program of sequence ${id} still runs on this host`, {
    remedy: `see it: bofh journal show ${id}; wait until it has ended, then run the command again`,
  });
}

function namesIn(directory: string): readonly string[] {
  return absent(() => readdirSync(directory).sort()) ?? [];
}

/** Undefined if the reservation has ended in the meantime. */
function seenAt(path: string, id: string): SeenReservation | undefined {
  const changedMs = absent(() => statSync(path))?.mtimeMs;
  if (changedMs === undefined) return undefined;
  try {
    const found = reservedOf(path, id);
    return found === undefined ? undefined : { id, changedMs, found };
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
    return { id, changedMs, found: error };
  }
}

/** Undefined if the reservation has ended in the meantime. */
function reservedOf(path: string, id: string): Reserved | undefined {
  const text = absent(() => readFileSync(path, 'utf8'));
  return text === undefined ? undefined : parseReserved(text, id);
}

const lines =
  /^bofh reservation 1\ncoordinator (?<coordinator>\S+)\nsequence (?<id>\S+) (?<name>".*")\nowner \S+\n(?<keys>(?:[xs] ".*"\n)*)$/;

/** Parses a reservation. Throws JournalError if it is incomplete or damaged. */
export function parseReserved(text: string, id: string): Reserved {
  const groups = lines.exec(text)?.groups;
  const name = jsonString(groups?.name);
  if (groups === undefined || groups.id !== id || name === undefined) throw unreadable(id);
  const keys = { x: [] as Key[], s: [] as Key[] };
  for (const line of (groups.keys ?? '').split('\n').slice(0, -1)) {
    const key = jsonString(line.slice(2));
    if (key === undefined) throw unreadable(id);
    keys[line.startsWith('x') ? 'x' : 's'].push(key);
  }
  return { id, name, coordinator: groups.coordinator ?? '', exclusive: keys.x, shared: keys.s };
}

function jsonString(text: string | undefined): string | undefined {
  try {
    const value: unknown = JSON.parse(text ?? '');
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

function unreadable(id: string): JournalError {
  return new JournalError(`the reservation ${id} of another host cannot be read; nothing was touched`, {
    remedy: `on the hosts that change this one, see whether they have the journal ${id}: bofh journal show ${id}`,
  });
}
