import { JournalError } from '../errors.ts';
import type { Engine } from './engine.ts';
import { adopt, close } from './journal.ts';
import { decode } from './lines.ts';
import { openLocked, takeDead } from './scan.ts';

/** Closes a journal without touching the host; the reason is written into it. */
export async function abandon(engine: Engine, id: string, because: string): Promise<void> {
  const file = await takeDead(engine, id);
  try {
    const journal = adopt(engine.store, file, id);
    if (journal.state.closed !== undefined) throw new JournalError(`journal ${id} is closed already`);
    close(journal, { t: 'closed', outcome: 'abandoned', because, user: engine.who.user });
  } finally {
    file.close();
  }
}

/** The journal without its last line, for one whose end is damaged; gives the text that was cut off. */
export async function cutLastLine(engine: Engine, id: string): Promise<string> {
  const file = await takeDead(engine, id);
  try {
    const bytes = file.read();
    refuseSound(bytes, id);
    const cut = bytes.subarray(0, Math.max(0, bytes.length - 1)).lastIndexOf(0x0a) + 1;
    if (cut === 0) throw new JournalError(`journal ${id} has no line but its first`);
    file.truncate(cut);
    file.datasync();
    return bytes.subarray(cut).toString('utf8').trimEnd();
  } finally {
    file.close();
  }
}

/** A line that was written as it should be says what was done: without it recovery would go wrong. */
function refuseSound(bytes: Buffer, id: string): void {
  try {
    decode(bytes, `${id}.journal`);
  } catch {
    return;
  }
  throw new JournalError(`every line of journal ${id} is whole: there is nothing to cut off`, {
    remedy: 'bofh recover',
  });
}

/** Removes what a birth, or a move to the history, that was cut short left behind. */
export async function sweepUnborn(engine: Engine): Promise<void> {
  const { store } = engine;
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
