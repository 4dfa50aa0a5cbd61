import { inShell, orMissing, type ReadHost } from '../../command/index.ts';
import { JournalError } from '../../core/errors.ts';
import type { Engine } from '../engine.ts';
import { decode, type Line } from './lines.ts';
import { isSameView, type LockHolder } from '../locks/processes.ts';
import { fold, type State } from './state.ts';
import { outputsOf, type StoreFile } from './store.ts';

/** A journal on the disk, whether or not a process works on it. */
export interface Seen {
  readonly id: string;
  readonly inode: string;
  readonly lines: readonly Line[];
  readonly state: State;
}

/**
 * Every journal that is not in the history, except `own`. Throws for one that cannot be read (rule zero of
 * docs/architecture.md).
 */
export function journals(engine: Engine, own?: string): readonly Seen[] {
  return engine.store.names('.').flatMap((name) => {
    const id = /^(?<id>.+)\.journal$/.exec(name)?.groups?.id;
    return id === undefined || id === own ? [] : (journalOf(engine, id) ?? []);
  });
}

/** A journal of the history. */
export interface ClosedJournal extends Omit<Seen, 'inode'> {
  /** When the file was last written, in milliseconds since 1970: for people, and to guess the order. */
  readonly changedMs: number;
}

/** The history. Throws JournalError for a journal that cannot be read. */
export function closedJournals(engine: Pick<Engine, 'store'>): readonly ClosedJournal[] {
  return engine.store.names('history').flatMap((name) => {
    const id = /^(?<id>.+)\.journal$/.exec(name)?.groups?.id;
    return id === undefined ? [] : (closedJournal(engine, id) ?? []);
  });
}

/** One journal of the history; undefined if it does not exist. Throws JournalError if it cannot be read. */
export function closedJournal({ store }: Pick<Engine, 'store'>, id: string): ClosedJournal | undefined {
  const name = `${id}.journal`;
  const file = store.open(`history/${name}`);
  if (file === undefined) return undefined;
  try {
    const { lines } = decode(file.read(), name);
    return { id, changedMs: store.changedMs(`history/${name}`) ?? 0, lines, state: fold(lines) };
  } finally {
    file.close();
  }
}

/**
 * Throws for an open journal that is in the history too: it is an old copy, of a backup of the
 * state directory. Recovery would undo what was committed since.
 */
export function refuseRestored(engine: Pick<Engine, 'store'>, id: string, { closed }: State): void {
  const ended = closed === undefined ? closedJournal(engine, id) : undefined;
  // If the sequence has ended since the journal was read, only the history has it now.
  if (ended === undefined || engine.store.inode(`${id}.journal`) === undefined) return;
  const { directory } = engine.store;
  throw new JournalError(
    `journal ${id} is open, but the history has it as ${ended.state.closed ?? 'open'}: it is probably from a backup of ${directory}; nothing was touched`,
    {
      remedy: `if ${directory} was restored from a backup: mv ${inShell(`${directory}/${id}.journal`)} /root/`,
    },
  );
}

/** Reads the journals of the bofh on another host; none if that host never had any. */
export async function journalsOn(
  host: ReadHost,
  directory: string,
): Promise<readonly Pick<Seen, 'id' | 'state'>[]> {
  if ((await host.stat(directory)) === undefined) return [];
  const names = (await host.readDir(directory)).filter((name) => name.endsWith('.journal'));
  const seen = names.map(async (name) => {
    const bytes = await orMissing(host.readFile(`${directory}/${name}`));
    // The sequence has ended in the meantime.
    if (bytes === undefined) return [];
    const { lines } = decode(Buffer.from(bytes), `${host.name}:${name}`);
    return [{ id: name.slice(0, -'.journal'.length), state: fold(lines) }];
  });
  return (await Promise.all(seen)).flat();
}

/** The journal with this id outside the history, if any. */
export function journalOf(engine: Engine, id: string): Seen | undefined {
  const file = engine.store.open(`${id}.journal`);
  if (file === undefined) return undefined;
  try {
    return see(id, file);
  } finally {
    file.close();
  }
}

export function see(id: string, file: StoreFile): Seen {
  const { lines } = decode(file.read(), `${id}.journal`);
  return { id, inode: file.inode, lines, state: fold(lines) };
}

/**
 * Whether the process that works on the journal is alive. Do not call it while this process has the file
 * open.
 */
export function isOwned(engine: Engine, { state, inode }: Seen): boolean {
  if (state.awaiting !== undefined) return false;
  // In another PID namespace this number belongs to another process.
  return isSameView(state.owner, engine.processes.self) && engine.processes.alive(state.owner, inode);
}

/** Who works on a journal. `unknown`: a process that /proc does not show here holds its lock. */
export interface Worked {
  readonly owner: 'running' | 'orphan' | 'dead' | 'unknown';
  /** The programs of a dead owner that still run. */
  readonly holders: readonly LockHolder[];
}

/** Finds who works on each journal. */
export async function workedOn(engine: Engine, journals: readonly Seen[]): Promise<readonly Worked[]> {
  // An owner in another PID namespace, or on a host that shares the directory, can be seen only by its lock.
  const hidden = journals.filter(({ state }) => !isSameView(state.owner, engine.processes.self));
  const held = await heldAmong(engine, hidden);
  let holdersOf: ReturnType<Engine['processes']['holders']> | undefined;
  return journals.map((seen): Worked => {
    if (isOwned(engine, seen)) return { owner: 'running', holders: [] };
    if (hidden.includes(seen)) return { owner: held.has(seen) ? 'unknown' : 'dead', holders: [] };
    holdersOf ??= engine.processes.holders();
    const holders = holdersOf(seen.inode, outputsOf(engine.store, seen.id));
    return { owner: holders.length > 0 ? 'orphan' : 'dead', holders };
  });
}

/** Files per call of flock, because a process has 1,024 descriptors by default. */
const probed = 100;

/** The journals whose lock is held. */
async function heldAmong(engine: Engine, journals: readonly Seen[]): Promise<ReadonlySet<Seen>> {
  const held = new Set<Seen>();
  for (let begin = 0; begin < journals.length; begin += probed) {
    const files = journals.slice(begin, begin + probed).flatMap((seen) => {
      const file = engine.store.open(`${seen.id}.journal`);
      return file === undefined ? [] : [{ seen, file }];
    });
    try {
      for (let left = files; left.length > 0; ) {
        const refused = await engine.flock(left.map(({ file }) => ({ fd: file.fd, mode: 'shared' })));
        const taken = refused === undefined ? undefined : left[refused];
        if (taken === undefined) break;
        held.add(taken.seen);
        left = left.filter((each) => each !== taken);
      }
    } finally {
      for (const { file } of files) file.close();
    }
  }
  return held;
}

/** The error for a journal that is left untouched because an invisible process works on it. */
export function cannotTell(id: string, object?: string): JournalError {
  const what =
    object === undefined
      ? `it is not visible here which process uses journal ${id}`
      : `${object} belongs to journal ${id}, and it is not visible here which process uses that journal`;
  return new JournalError(`${what}: a process that /proc does not show holds its lock`, {
    remedy: 'in the other container, PID namespace or host that uses this state directory: bofh journal list',
  });
}

/** Attempts: the name of a file is given to another one only when its sequence ends. */
const tries = 50;

/**
 * Opens and locks a file; `held` if another process has the lock; undefined if the file does not exist (any
 * more). Throws JournalError on a filesystem that numbers its inodes again at each access.
 */
export async function openLocked(engine: Engine, name: string): Promise<StoreFile | 'held' | undefined> {
  for (let attempt = 0; attempt < tries; attempt += 1) {
    const file = engine.store.open(name);
    if (file === undefined) return undefined;
    const kept = await lock(engine, file, name);
    if (kept === 'locked') return file;
    file.close();
    if (kept === 'held') return 'held';
  }
  const { directory } = engine.store;
  throw new JournalError(`${directory}/${name} cannot be locked: its inode number changes all the time`, {
    remedy: `see which filesystem that is: findmnt --target ${inShell(directory)}; the journals need a local one`,
  });
}

/** Locks a file, and checks that it still has this name. Closes the file only if flock(2) itself fails. */
export async function lock(
  engine: Engine,
  file: StoreFile,
  name: string,
): Promise<'locked' | 'held' | 'moved'> {
  const refused = await engine.flock([{ fd: file.fd, mode: 'exclusive' }]).catch((error: unknown) => {
    file.close();
    throw error;
  });
  if (refused !== undefined) return 'held';
  return engine.store.inode(name) === file.inode ? 'locked' : 'moved';
}

/**
 * Locks and returns the journal of a sequence that no process works on. Throws JournalError if a process
 * works on it.
 */
export async function takeDead(engine: Engine, id: string): Promise<StoreFile> {
  const file = await openLocked(engine, `${id}.journal`);
  if (file === undefined) throw new JournalError(`there is no open journal ${id}`);
  if (file !== 'held') {
    if (engine.processes.holders()(file.inode, outputsOf(engine.store, id)).length === 0) return file;
    file.close();
  }
  throw new JournalError(
    `journal ${id} is in use: its sequence, or a tool that it started, is still running`,
    { remedy: `see how far it is: bofh journal show ${id}; then wait until it ends` },
  );
}
