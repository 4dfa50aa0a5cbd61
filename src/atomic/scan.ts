import type { ReadHost } from '../command/index.ts';
import { CommandError, JournalError } from '../errors.ts';
import type { Engine } from './engine.ts';
import { decode, type Line } from './lines.ts';
import { fold, type State } from './state.ts';
import type { StoreFile } from './store.ts';

/** A journal as it lies on the disk, whoever works on it. */
export interface Seen {
  readonly id: string;
  readonly inode: string;
  readonly lines: readonly Line[];
  readonly state: State;
}

/** Every journal that has not moved to the history, but `own`. One that cannot be read is an error: rule zero. */
export function journals(engine: Engine, own?: string): readonly Seen[] {
  return engine.store.names('.').flatMap((name) => {
    const id = /^(?<id>.+)\.journal$/.exec(name)?.groups?.id;
    return id === undefined || id === own ? [] : (journalOf(engine, id) ?? []);
  });
}

/** Those of the bofh of another host; none where it never had any. */
export async function journalsOn(
  host: ReadHost,
  directory: string,
): Promise<readonly Pick<Seen, 'id' | 'state'>[]> {
  if ((await host.stat(directory)) === undefined) return [];
  const names = (await host.readDir(directory)).filter((name) => name.endsWith('.journal'));
  const seen = names.map(async (name) => {
    const bytes = await host.readFile(`${directory}/${name}`).catch((error: unknown) => {
      // It has ended while we looked.
      if (error instanceof CommandError && error.reason === 'not-found') return undefined;
      throw error;
    });
    if (bytes === undefined) return [];
    const { lines } = decode(Buffer.from(bytes), `${host.name}:${name}`);
    return [{ id: name.slice(0, -'.journal'.length), state: fold(lines) }];
  });
  return (await Promise.all(seen)).flat();
}

/** Undefined when there is none of this id that has not moved. */
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

/** Is the process that works on it alive? Never asked while we have the file open ourselves. */
export function isOwned(engine: Engine, { state, inode }: Seen): boolean {
  return engine.processes.alive(state.owner, inode);
}

/** A file with its lock; `held` by somebody else; or undefined when there is none (any more). */
export async function openLocked(engine: Engine, name: string): Promise<StoreFile | 'held' | undefined> {
  const file = engine.store.open(name);
  if (file === undefined) return undefined;
  const kept = await lock(engine, file, name);
  if (kept === 'locked') return file;
  file.close();
  return kept === 'held' ? 'held' : openLocked(engine, name);
}

/** Locks a file, and makes sure that it still is what has this name. Closes it when it cannot be told. */
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

/** The journal of a sequence that nobody works on, locked. Throws JournalError when somebody does. */
export async function takeDead(engine: Engine, id: string): Promise<StoreFile> {
  const file = await openLocked(engine, `${id}.journal`);
  if (file === undefined) throw new JournalError(`there is no open journal ${id}`);
  if (file !== 'held') return file;
  throw new JournalError(
    `journal ${id} is in use: its sequence, or a tool that it started, is still running`,
  );
}
