import { ConnectionError, JournalError } from '../errors.ts';
import { type Engine, newId } from './engine.ts';
import { adopt, close } from './journal.ts';
import { decode } from './lines.ts';
import { openLocked, takeDead } from './scan.ts';

/**
 * Closes a journal without touching the objects; the reason is written into it. Resolves to the hosts that could not be reached:
 * there it stays reserved. JournalError, with the journal as it was, while a program of it runs on one of them.
 */
export async function abandon(engine: Engine, id: string, because: string): Promise<readonly string[]> {
  const file = await takeDead(engine, id);
  try {
    const journal = adopt(engine.store, file, id, newId());
    if (journal.state.closed !== undefined) throw new JournalError(`journal ${id} is closed already`);
    const away: string[] = [];
    for (const { name, reach } of journal.state.hosts)
      try {
        await engine.place?.(name, reach)?.reservations?.release(id);
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error;
        away.push(name);
      }
    close(journal, { t: 'closed', outcome: 'abandoned', because, user: engine.who.user });
    return away;
  } finally {
    file.close();
  }
}

/** The journal without its last line, for one whose end is damaged; gives the text that was cut off. */
export async function cutLastLine(engine: Engine, id: string): Promise<string> {
  const file = await takeDead(engine, id);
  try {
    const { from, text } = damagedEnd(file.read(), id);
    file.truncate(from);
    file.datasync();
    return text;
  } finally {
    file.close();
  }
}

/**
 * Where the damaged last line of a journal begins, and what is there. JournalError when the last line is sound, for it
 * says what was done and recovery would go wrong without it, and when an earlier one is damaged as well.
 */
export function damagedEnd(bytes: Buffer, id: string): { readonly from: number; readonly text: string } {
  if (reads(bytes, id))
    throw new JournalError(`every line of journal ${id} is whole: there is nothing to cut off`, {
      remedy: 'bofh recover',
    });
  const whole = bytes.lastIndexOf(0x0a);
  const from = bytes.subarray(0, Math.max(0, whole)).lastIndexOf(0x0a) + 1;
  if (from === 0) throw new JournalError(`journal ${id} has no line but its first`);
  if (!reads(bytes.subarray(0, from), id))
    throw new JournalError(
      `a line of journal ${id} before its last one is damaged: to cut off the last would not mend it`,
      { remedy: `bofh journal show ${id} names the line; put the file back from a backup, or undo by hand` },
    );
  return { from, text: bytes.subarray(from).toString('utf8').trimEnd() };
}

function reads(bytes: Buffer, id: string): boolean {
  try {
    decode(bytes, `${id}.journal`);
    return true;
  } catch {
    return false;
  }
}

/** Removes what a birth, or a move to the history, that was cut short left behind, and lock files that nobody holds. */
export async function sweepUnborn(engine: Engine): Promise<void> {
  const { store } = engine;
  await engine.locks.sweep?.();
  for (const name of store.names('.').filter((each) => each.endsWith('.new'))) {
    const file = await openLocked(engine, name);
    if (file === undefined || file === 'held') continue;
    for (const left of remnants(name.slice(0, -'.new'.length))) store.remove(left);
    store.remove(name);
    file.close();
  }
  for (const name of store.names('.')) {
    const id = /^(?<id>.+)\.(?:ballast|d)$/.exec(name)?.groups?.id;
    // In this order: a birth that is renamed in between is seen under its second name.
    if (id === undefined || store.inode(`${id}.new`) !== undefined) continue;
    if (store.inode(`${id}.journal`) === undefined) store.remove(name);
  }
}

function remnants(id: string): readonly string[] {
  return [`${id}.d`, `${id}.ballast`];
}
