import { ConnectionError, JournalError } from '../../core/errors.ts';
import { type Engine } from '../engine.ts';
import { adopt, append, close } from '../journal/journal-writer.ts';
import { fold, type State, stepOf } from '../journal/state.ts';
import { newId, decode } from '../journal/lines.ts';
import { openLocked, refuseRestored, takeDead } from '../journal/scan.ts';

/**
 * Closes a journal without touching the objects, and records the reason. Resolves to the hosts that could not
 * be reached: their objects stay reserved. Throws JournalError, with the journal unchanged, while a program
 * of the sequence runs on one of them.
 */
export async function abandon(engine: Engine, id: string, because: string): Promise<readonly string[]> {
  const file = await takeDead(engine, id);
  try {
    refuseRestored(engine, id, fold(decode(file.read(), `${id}.journal`).lines));
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

/**
 * Ends a step that only a person can judge, because its inverse was code of a process that is dead: `undone`
 * by hand, or `kept` as it is. Recovery then continues with the older steps. Throws JournalError if the journal
 * is in use or committed, or if bofh can undo the step itself.
 */
export async function resolveStep(
  engine: Engine,
  { id, n, how }: { readonly id: string; readonly n: number; readonly how: 'undone' | 'kept' },
): Promise<void> {
  const file = await takeDead(engine, id);
  try {
    // A refusal writes nothing: this process takes the journal over only after the checks.
    await refuseUnresolvable(engine, { id, n }, fold(decode(file.read(), `${id}.journal`).lines));
    const kept = `kept as it is, as ${engine.who.user} decided`;
    const journal = adopt(engine.store, file, id, newId());
    append(journal, [{ t: 'undone', n, ...(how === 'kept' ? { notOurs: kept } : {}) }]);
  } finally {
    file.close();
  }
}

/** Throws JournalError for a step that `resolveStep` cannot end. */
export async function refuseUnresolvable(
  engine: Engine,
  { id, n }: { readonly id: string; readonly n: number },
  state: State,
): Promise<void> {
  const step = stepOf(state, n);
  const show = `bofh journal show ${id}`;
  if (step === undefined) throw new JournalError(`journal ${id} has no step ${n}`, { remedy: show });
  if (step.undone !== undefined)
    throw new JournalError(`step ${n} of journal ${id} is undone already`, {
      remedy: `bofh recover ${id}`,
    });
  if (state.committed)
    throw new JournalError(`journal ${id} is committed: nothing of it is undone`, { remedy: show });
  if (state.closed !== undefined) throw new JournalError(`journal ${id} is closed already`, { remedy: show });
  const { kind, version } = step.intent;
  if (kind !== 'bare' && (await engine.find(kind, version)) !== undefined)
    throw new JournalError(`bofh itself can undo step ${n} of journal ${id} (${kind})`, {
      remedy: `bofh recover ${id}`,
    });
}

/**
 * Cuts off the damaged end of a journal: the damaged line and all lines appended with it. Returns
 * the text.
 */
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
 * The start and the text of a journal's damaged end. Throws JournalError if every line is complete, or if the
 * damage is before the last append: steps relied on that line, and recovery without it would go wrong.
 */
export function damagedEnd(bytes: Uint8Array, id: string): { readonly from: number; readonly text: string } {
  const damage = damageOf(bytes, id);
  if (damage === undefined)
    throw new JournalError(`every line of journal ${id} is complete: there is nothing to cut off`, {
      remedy: 'bofh recover',
    });
  if (!damage.lastLine) throw damage;
  let from = bytes.lastIndexOf(0x0a) + 1;
  do {
    from = bytes.subarray(0, Math.max(0, from - 1)).lastIndexOf(0x0a) + 1;
    // No line before the damage can be read either, so this is not a journal.
    if (from === 0) throw damage;
  } while (damageOf(bytes.subarray(0, from), id) !== undefined);
  return { from, text: Buffer.from(bytes.subarray(from)).toString('utf8').trimEnd() };
}

function damageOf(bytes: Uint8Array, id: string): JournalError | undefined {
  try {
    decode(bytes, `${id}.journal`);
    return undefined;
  } catch (error) {
    if (error instanceof JournalError) return error;
    throw error;
  }
}

/**
 * Removes leftovers of an interrupted journal creation or archiving, and lock files that are not
 * held.
 */
export async function removeJournalLeftovers(engine: Engine): Promise<void> {
  const { store } = engine;
  await engine.locks.sweep?.();
  for (const name of store.names('.').filter((each) => each.endsWith('.new'))) {
    const file = await openLocked(engine, name);
    if (file === undefined || file === 'held') continue;
    const id = name.slice(0, -'.new'.length);
    for (const left of [`${id}.d`, `${id}.ballast`]) store.remove(left);
    store.remove(name);
    file.close();
  }
  for (const name of store.names('.')) {
    const id = /^(?<id>.+)\.(?:ballast|d)$/.exec(name)?.groups?.id;
    // This order of checks finds a new journal that is renamed in between under its final name.
    if (id === undefined || store.inode(`${id}.new`) !== undefined) continue;
    if (store.inode(`${id}.journal`) === undefined) store.remove(name);
  }
}

/** Releases the locks and closes the journal: now, or when the act that still runs has ended. */
export function letGo(
  stillRunning: Promise<unknown> | undefined,
  locks: { readonly release: () => void },
  file: { readonly close: () => void } | undefined,
): void {
  const over = (): void => {
    locks.release();
    file?.close();
  };
  if (stillRunning === undefined) over();
  // A failure of the act must not end the process as an unhandled rejection.
  else void Promise.allSettled([stillRunning]).then(over);
}
