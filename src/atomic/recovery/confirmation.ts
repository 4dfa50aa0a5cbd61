import { uptime } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { InterruptedError, JournalError, RefusedError } from '../../core/errors.ts';
import type { Engine } from '../engine.ts';
import { adoptAgain, append } from '../journal/journal-writer.ts';
import { newId } from '../journal/lines.ts';
import type { State } from '../journal/state.ts';
import { closedJournal, isOwned, journalOf, openLocked, see } from '../journal/scan.ts';
import { finalWitnesses } from '../undo/witness.ts';
import { finishSequence, check, isWaiting, recover, type Recovered, type RecoverOptions } from './recover.ts';
import { letGo } from './close-journal.ts';

const pollMs = 250;

/**
 * Commits a sequence that waits for its confirmation. With `moreSeconds` it only extends the wait,
 * counted from now. JournalError if a process works on the sequence. RefusedError if it does not
 * wait, if it is too late, or if the call comes from the connection that made the change: an old
 * connection can still work when new ones cannot be made.
 */
export async function confirmSequence(
  id: string,
  {
    engine,
    connection,
    moreSeconds,
    ...signals
  }: Pick<RecoverOptions, 'engine' | 'abandon'> & {
    readonly connection: string | undefined;
    readonly moreSeconds?: number | undefined;
  },
): Promise<Recovered> {
  const file = await openLocked(engine, `${id}.journal`);
  if (file === undefined || file === 'held')
    throw file === undefined ? hasEnded(engine, id) : atWork(engine, id);
  const locks = engine.locks.open();
  let stillRunning: Promise<unknown> | undefined;
  try {
    const { state } = see(id, file);
    const awaiting = awaitingOf(id, state, { engine, connection });
    const { begin } = state;
    const token = newId();
    if (moreSeconds === undefined)
      await check(id, state, { locks, token }, { engine, yes: true, ...signals });
    const journal = adoptAgain(engine.store, file, id, token);
    if (moreSeconds !== undefined) {
      append(journal, [{ ...awaiting, until: uptime() + moreSeconds }]);
      return { id, name: begin.name, end: 'unconfirmed', leftUntouched: [] };
    }
    append(journal, [...(await finalWitnesses(engine, journal)), { t: 'committed' }]);
    return await finishSequence(journal, { engine, yes: false, ...signals }, (acting) => {
      stillRunning = acting;
    });
  } finally {
    letGo(stillRunning, locks, file);
  }
}

/**
 * Throws what `confirmSequence` would throw, and changes nothing. Returns the name of the sequence.
 */
export function checkConfirmable(
  id: string,
  how: { readonly engine: Engine; readonly connection: string | undefined },
): string {
  const { engine } = how;
  const seen = journalOf(engine, id);
  if (seen === undefined) throw hasEnded(engine, id);
  if (isOwned(engine, seen)) throw atWork(engine, id);
  awaitingOf(id, seen.state, how);
  return seen.state.begin.name;
}

/** The wait of a sequence that can be confirmed now. Throws RefusedError. */
function awaitingOf(
  id: string,
  state: State,
  { engine, connection }: { readonly engine: Engine; readonly connection: string | undefined },
): NonNullable<State['awaiting']> {
  const { awaiting, begin } = state;
  if (awaiting === undefined)
    throw new RefusedError(`sequence ${id} "${begin.name}" does not wait for a confirmation`, {
      remedy: `bofh journal show ${id}`,
    });
  if (!isWaiting(state, engine.processes.self.boot))
    throw new RefusedError(
      `it is too late to confirm sequence ${id} "${begin.name}": bofh is rolling it back`,
      {
        remedy: `see the progress of the rollback: bofh journal show ${id}`,
      },
    );
  if (connection !== undefined && connection === awaiting.connection)
    throw new RefusedError('this connection made the change, so it does not show that a new one works', {
      remedy: `open another connection and run there: bofh confirm ${id}`,
    });
  return awaiting;
}

function hasEnded(engine: Engine, id: string): RefusedError {
  const how = closedJournal(engine, id)?.state.closed;
  const what = how === undefined ? `there is no sequence ${id}` : `sequence ${id} has ended: it is ${how}`;
  return new RefusedError(what, { code: 'not-found', remedy: 'see all of them: bofh journal list' });
}

function atWork(engine: Engine, id: string): JournalError {
  const name = journalOf(engine, id)?.state.begin.name ?? '';
  return new JournalError(`sequence ${id} "${name}" is running: it cannot be confirmed now`, {
    code: 'busy',
    remedy: `see whether it does its steps or undoes them: bofh journal show ${id}`,
  });
}

/**
 * Runs in the process that src/service/guard.ts starts: waits until the sequence has ended. Rolls it back at
 * its deadline, or at once if its process ends before the last step. Undefined if another process ended it.
 */
export async function guardSequence(id: string, options: RecoverOptions): Promise<Recovered | undefined> {
  const { engine, stop } = options;
  for (;;) {
    const seen = journalOf(engine, id);
    if (seen === undefined) return undefined;
    if (stop?.aborted === true)
      throw new InterruptedError(`waiting for the confirmation of sequence ${id} was interrupted`, {});
    const { state } = seen;
    const isDue =
      state.awaiting === undefined ? !isOwned(engine, seen) : !isWaiting(state, engine.processes.self.boot);
    if (isDue) {
      const recovered = await recover(id, { ...options, yes: true, unconfirmed: true });
      if (recovered.end !== 'running') return recovered;
    }
    await delay(pollMs);
  }
}
