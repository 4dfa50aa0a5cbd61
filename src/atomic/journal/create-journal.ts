import { setTimeout as delay } from 'node:timers/promises';
import { inShell } from '../../command/index.ts';
import { BofhError, messageOf, JournalError } from '../../core/errors.ts';
import { option } from '../../core/option.ts';
import { ownerLine, type Engine } from '../engine.ts';
import { AppendError, openNew, type Journal } from './journal-writer.ts';
import type { BeginLine, Line } from './lines.ts';
import { lock } from './scan.ts';
import type { StoreFile } from './store.ts';

/**
 * Creates the journal of a sequence with its first lines. The journal is durable when this returns. `lines`
 * is called last, after all waiting, and may throw. A failure here leaves no journal.
 */
export async function createJournal(
  engine: Engine,
  sequence: Pick<BeginLine, 'id' | 'name' | 'undoes' | 'confirm'>,
  lines: () => readonly Line[],
): Promise<Journal> {
  const begin: BeginLine = {
    t: 'begin',
    format: 1,
    ...sequence,
    argv: engine.who.argv,
    host: engine.host.name,
    ...ownerLine(engine),
  };
  const file = await lockedFile(engine, sequence.id);
  try {
    return openNew(engine, file, begin, lines());
  } catch (error) {
    discard(engine, sequence.id, file);
    throw unwritable(engine, error);
  }
}

const tries = 50;

/** Creates and locks `ID.new`. Tries again if recovery locked and removed the new file first. */
async function lockedFile(engine: Engine, id: string): Promise<StoreFile> {
  const name = `${id}.new`;
  for (let attempt = 0; attempt < tries; attempt += 1) {
    const file = create(engine, name);
    if (file !== undefined && (await lock(engine, file, name)) === 'locked') return file;
    file?.close();
    await delay(20);
  }
  throw new JournalError(`the journal ${id} cannot be locked`);
}

/** Creates the file. Undefined while recovery has a file of this name locked and has not removed it yet. */
function create(engine: Engine, name: string): StoreFile | undefined {
  try {
    return engine.store.create(name);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return undefined;
    throw unwritable(engine, error);
  }
}

function discard(engine: Engine, id: string, file: StoreFile): void {
  for (const name of [`${id}.journal`, `${id}.ballast`, `${id}.d`, `${id}.new`]) {
    try {
      engine.store.remove(name);
    } catch {
      // The first error is more useful; recovery removes what is left.
    }
  }
  file.close();
}

function unwritable({ store }: Engine, error: unknown): unknown {
  const cause = error instanceof AppendError ? error.cause : error;
  // An error of bofh already explains itself.
  if (cause instanceof BofhError || !(cause instanceof Error) || !('code' in cause)) return error;
  const { directory } = store;
  const other = `choose another directory with ${option('--state-dir', 'stateDir')}`;
  return new JournalError(`the state directory ${directory} cannot be written: ${messageOf(cause)}`, {
    cause,
    remedy:
      cause.code === 'ENOSPC'
        ? `see how full its filesystem is: df ${directory}; delete files there; or ${other}`
        : `see why: ls -ld ${inShell(directory)}; findmnt --target ${inShell(directory)}; or ${other}`,
  });
}
