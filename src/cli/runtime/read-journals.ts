import { inShell } from '../../command/index.ts';
import type { Engine } from '../../atomic/engine.ts';
import { decode, type Line } from '../../atomic/journal/lines.ts';
import { type OpenJournal, withOwners } from '../../atomic/recovery/recover.ts';
import type { SeenReservation } from '../../atomic/locks/reservations.ts';
import { journalOf } from '../../atomic/journal/scan.ts';
import { fold, type State } from '../../atomic/journal/state.ts';
import { BofhError, JournalError, RefusedError } from '../../core/errors.ts';
import { present } from '../../core/present.ts';
import { messageOf } from '../output/text.ts';

/** ISO 8601, for people: journals have no timestamps, because their order never depends on a clock. */
export interface JournalTimes {
  /** When it was last written to. */
  readonly at: string;
  /** When it was created; missing if the filesystem does not record it. */
  readonly began?: string;
}

/** A journal, or why it cannot be read. */
export type ReadJournal = { readonly id: string } & JournalTimes &
  (
    | { readonly is: 'open'; readonly open: OpenJournal }
    | { readonly is: 'closed'; readonly lines: readonly Line[]; readonly state: State }
    | { readonly is: 'unreadable'; readonly error: JournalError }
  );

/** A reservation of another host on this one, under the id of its sequence. */
export interface ReadReservation extends Pick<SeenReservation, 'id' | 'found'> {
  readonly is: 'reserved';
  readonly at: string;
}

/** Returns all reservations, even if one is damaged. */
export function readReservations(engine: Engine): readonly ReadReservation[] {
  const seen = accessing(engine, () => engine.reserved?.seen() ?? []);
  return seen.map(({ id, changedMs, found }) => ({
    ...{ id, found, is: 'reserved' },
    at: new Date(changedMs).toISOString(),
  }));
}

/**
 * Returns all journals, even if one is damaged: the history, the newest last, and then the unfinished ones.
 * Reads the history last, because a sequence that ends meanwhile moves there.
 */
export async function readAll(engine: Engine): Promise<readonly ReadJournal[]> {
  const open = await readOpen(engine);
  const history = readHistory(engine);
  const ended = new Set(history.map(({ id }) => id));
  // One that is in both is from a backup of the state directory, if it did not move just now.
  const left = open.filter(({ id }) => !ended.has(id) || engine.store.inode(`${id}.journal`) !== undefined);
  return [...history, ...left];
}

/** Returns the unfinished journals, even if one is damaged. */
export async function readOpen(engine: Engine): Promise<readonly ReadJournal[]> {
  const ids = journalIds(accessing(engine, () => engine.store.names('.')));
  return await readThese(engine, ids);
}

/** Returns the journals of the history, the newest last. */
function readHistory(engine: Engine): readonly ReadJournal[] {
  const ids = journalIds(accessing(engine, () => engine.store.names('history')));
  const found = ids.flatMap((id) => readClosed(engine, id) ?? []);
  return found.toSorted((a, b) => (a.at < b.at ? -1 : 1));
}

/**
 * Returns the journal of an id or a prefix of one. Throws RefusedError if there is none, or more
 * than one.
 */
export async function readById(engine: Engine, id: string): Promise<ReadJournal> {
  const found = await readAnyById(engine, id);
  if (found.is !== 'reserved') return found;
  const where = found.found instanceof Error ? 'another host' : found.found.coordinator;
  throw new JournalError(`${found.id} is a sequence of the bofh on ${where}, which has its journal`, {
    remedy: `on ${where}: bofh recover ${found.id}; to see what it has reserved here: bofh journal show ${found.id}`,
  });
}

/**
 * As `readById`, also for reservations of other hosts. A sequence of this host that reaches it by a host name
 * has a journal and a reservation here; the open journal comes first.
 */
export async function readAnyById(engine: Engine, id: string): Promise<ReadJournal | ReadReservation> {
  const open = journalIds(accessing(engine, () => engine.store.names('.')));
  const closed = journalIds(accessing(engine, () => engine.store.names('history')));
  const reserved = readReservations(engine);
  const all = [...new Set([...open, ...closed, ...reserved.map((each) => each.id)])];
  const meant = all.includes(id) ? [id] : all.filter((each) => id !== '' && each.startsWith(id));
  const [only, ...others] = meant;
  if (only === undefined)
    throw new RefusedError(`there is no journal ${id} in ${engine.store.directory}`, {
      remedy: 'see all of them: bofh journal list',
    });
  if (others.length > 0)
    throw new RefusedError(`several journals have an ID that begins with ${id}: ${meant.join(', ')}`, {
      remedy: 'name one of them with its whole ID',
    });
  const there = reserved.find((each) => each.id === only);
  const [found = there ?? readClosed(engine, only)] = open.includes(only)
    ? await readThese(engine, [only])
    : [];
  if (found === undefined) throw new JournalError(`the journal ${only} was closed just now; look again`);
  return found;
}

/** Returns the raw lines of a journal that cannot be read. */
export function rawLines(engine: Engine, id: string): readonly string[] {
  return rawBytes(engine, id)
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
}

/** Returns the raw bytes of a journal; empty if it does not exist. */
export function rawBytes(engine: Engine, id: string): Buffer {
  const file = engine.store.open(`${id}.journal`) ?? engine.store.open(`history/${id}.journal`);
  try {
    return Buffer.from(file?.read() ?? []);
  } finally {
    file?.close();
  }
}

/** `openJournals` throws for all journals if one is damaged. */
async function readThese(engine: Engine, ids: readonly string[]): Promise<readonly ReadJournal[]> {
  const read = ids.map((id) => {
    const times = timesIn(engine, `${id}.journal`);
    try {
      return { id, times, seen: journalOf(engine, id) };
    } catch (error) {
      return { id, ...times, is: 'unreadable', error: unreadable(error, id) } as const;
    }
  });
  const open = await withOwners(
    engine,
    read.flatMap((each) => ('seen' in each ? (each.seen ?? []) : [])),
  );
  const byId = new Map(open.map((each) => [each.id, each]));
  return read.flatMap((each): readonly ReadJournal[] => {
    if ('error' in each) return [each];
    const { id, times } = each;
    const found = byId.get(id);
    return found === undefined ? [] : [{ id, ...times, is: 'open', open: found }];
  });
}

/**
 * The error for a journal with invalid lines. Throws an error of the operating system, which concerns the
 * whole directory.
 */
function unreadable(error: unknown, id: string): JournalError {
  if (error instanceof JournalError) return error;
  if (error instanceof Error && 'code' in error) throw error;
  return new JournalError(`the journal ${id} could not be parsed: ${messageOf(error)}; nothing was touched`, {
    cause: error,
    remedy: `see its lines: bofh journal show ${id}`,
  });
}

function readClosed(engine: Engine, id: string): ReadJournal | undefined {
  const name = `history/${id}.journal`;
  const times = timesIn(engine, name);
  const file = accessing(engine, () => engine.store.open(name));
  if (file === undefined) return undefined;
  try {
    const { lines } = decode(file.read(), `${id}.journal`);
    return { id, ...times, is: 'closed', lines, state: fold(lines) };
  } catch (error) {
    return { id, ...times, is: 'unreadable', error: unreadable(error, id) };
  } finally {
    file.close();
  }
}

/** Returns the times of the creation and the last write of a journal. */
export function timesIn({ store }: Engine, name: string): JournalTimes {
  const [began, changed] = [store.createdMs(name), store.changedMs(name)];
  const at = changed === undefined ? '' : new Date(changed).toISOString();
  // A copied file is younger than its content.
  const isKnown = began !== undefined && changed !== undefined && began <= changed;
  return { at, ...(isKnown ? { began: new Date(began).toISOString() } : {}) };
}

export function timesOf({ at, began }: JournalTimes): JournalTimes {
  return { at, ...present({ began }) };
}

function journalIds(names: readonly string[]): readonly string[] {
  return names.flatMap((name) => /^(?<id>.+)\.journal$/.exec(name)?.groups?.id ?? []);
}

/**
 * Accesses the state directory. Throws RefusedError without permission, JournalError for another
 * error of the operating system.
 */
export function accessing<T>(
  { store: { directory } }: Engine,
  access: () => T,
  to: 'read' | 'change' = 'read',
): T {
  try {
    return access();
  } catch (error) {
    // The errors of bofh itself have a code too, and their own remedy.
    if (!(error instanceof Error) || error instanceof BofhError || !('code' in error)) throw error;
    if (error.code === 'EACCES')
      throw new RefusedError(`only root may ${to} the journals in ${directory}`, {
        cause: error,
        remedy: 'run it as root, for example with sudo',
      });
    const done = to === 'read' ? 'read' : 'changed';
    throw new JournalError(`the state directory ${directory} cannot be ${done}: ${error.message}`, {
      cause: error,
      remedy: `see why: ls -ld ${inShell(directory)}; findmnt --target ${inShell(directory)}`,
    });
  }
}
