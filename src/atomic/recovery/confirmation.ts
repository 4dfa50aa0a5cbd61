import { uptime } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import {
  InterruptedError,
  JournalError,
  RefusedError,
  RolledBackError,
  StuckError,
} from '../../core/errors.ts';
import { option } from '../../core/option.ts';
import type { Engine, Signals } from '../engine.ts';
import { adoptAgain, append, type Journal } from '../journal/journal-writer.ts';
import { type Awaiting, newId } from '../journal/lines.ts';
import { closedJournal, isOwned, journalOf, openLocked, see } from '../journal/scan.ts';
import { interruption } from '../sequence/signal.ts';
import { describe } from '../undo/report.ts';
import { finalWitnesses } from '../undo/witness.ts';
import { bringToEnd, check, isWaiting, recover, type Recovered, type RecoverOptions } from './recover.ts';

/** How a sequence waits for its confirmation. */
export interface Confirmation {
  /** From the end of the last step. */
  readonly seconds: number;
  /** The SSH connection that this process came by, if any. */
  readonly connection: string | undefined;
  /**
   * Starts what rolls the sequence back at the deadline although this process is gone. It is awaited
   * before the first step acts.
   */
  readonly startGuard: (journal: Journal) => Promise<void>;
}

const pollMs = 250;

/** The line that begins the wait. RefusedError if another process could not undo a step, or only over the network. */
export function awaitingLine({ state }: Journal, wait: Confirmation): Awaiting {
  const own = state.steps.find(({ intent, undone }) => intent.kind === 'bare' && undone === undefined);
  if (own !== undefined)
    throw new RefusedError(
      `${describe(own)} is a pair of functions, which no other process can undo at the deadline`,
      { remedy: 'make it an operation, or do without the confirmation' },
    );
  const [away] = state.hosts;
  if (away !== undefined)
    throw new RefusedError(`${away.name} was changed too, and the way there may be cut at the deadline`, {
      remedy: 'change the other host in a sequence of its own',
    });
  const { seconds, connection } = wait;
  return {
    ...{ t: 'awaiting', boot: state.owner.boot, until: uptime() + seconds },
    ...(connection === undefined ? {} : { connection }),
  };
}

/** What an administrator has to do now. */
export function noticeOf(id: string, { seconds }: Confirmation): string {
  return `all steps are done. They are undone in ${String(seconds)} s, unless you confirm them from a new connection: ${confirmOf(id)}`;
}

/**
 * Waits, in the process that ran the steps, until the sequence is confirmed. Rolls it back at the
 * deadline and at a signal, except SIGHUP: the lost connection may be what the change was for, so the
 * sequence goes on waiting. Throws RolledBackError, InterruptedError, or StuckError.
 */
export async function untilConfirmed(
  { id, name, seconds }: { readonly id: string; readonly name: string; readonly seconds: number },
  { engine, stop, abandon }: Required<Pick<Signals, 'stop' | 'abandon'>> & { readonly engine: Engine },
): Promise<void> {
  const { boot } = engine.processes.self;
  let until = 0;
  for (;;) {
    const seen = journalOf(engine, id);
    if (seen === undefined) {
      const why = uptime() < until ? 'it was taken back' : `it was not confirmed within ${String(seconds)} s`;
      expectCommitted(engine, { id, name, why, stop });
      return;
    }
    until = seen.state.awaiting?.until ?? until;
    const isHangUp = stop.aborted && (stop.reason as { reason?: unknown } | undefined)?.reason === 'SIGHUP';
    if (isHangUp || abandon.aborted)
      throw new StuckError(`"${name}" still waits for its confirmation`, {
        ...{ id, committed: false, cause: interruption(name, stop) },
        remedy: `to keep it: ${confirmOf(id)}; to take it back: ${option(`bofh undo ${id}`, `undo('${id}')`)}`,
      });
    if (stop.aborted || !isWaiting(seen.state, boot)) {
      const { end } = await recover(id, { engine, yes: true, unconfirmed: true, abandon });
      if (end !== 'running') continue;
    }
    await delay(pollMs, undefined, stop.aborted ? {} : { signal: stop }).catch(() => undefined);
  }
}

function confirmOf(id: string): string {
  return option(`bofh confirm ${id}`, `confirm('${id}')`);
}

/** Throws RolledBackError or InterruptedError if the sequence that has ended was undone. */
function expectCommitted(
  engine: Engine,
  {
    id,
    name,
    why,
    stop,
  }: { readonly id: string; readonly name: string; readonly why: string; readonly stop: AbortSignal },
): void {
  const { closed, steps = [] } = closedJournal(engine, id)?.state ?? {};
  if (closed === 'committed') return;
  const undone = steps.filter((step) => step.undone !== undefined).toReversed();
  const leftAlone = undone.flatMap((step) => (step.undone?.notOurs === undefined ? [] : describe(step)));
  const details = { id, undone: undone.map((step) => describe(step)), leftAlone };
  if (stop.aborted && leftAlone.length === 0) throw interruption(name, stop, details);
  const cause = stop.aborted
    ? interruption(name, stop)
    : new RefusedError(why, {
        code: 'timeout',
        remedy: `give the command again, and confirm it from a new connection: ${confirmOf('ID')}`,
      });
  throw new RolledBackError(`"${name}" failed and is undone: ${cause.message}`, { ...details, cause });
}

/**
 * Commits a sequence that waits for its confirmation. With `moreSeconds` it only waits longer, from
 * now on. JournalError while a process works on it; RefusedError if it does not wait, if it is too
 * late, or from the connection that made the change: that one works also when no new one can be made.
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
    const { awaiting, begin } = state;
    if (awaiting === undefined)
      throw new RefusedError(`sequence ${id} "${begin.name}" does not wait for a confirmation`, {
        remedy: `bofh journal show ${id}`,
      });
    if (!isWaiting(state, engine.processes.self.boot))
      throw new RefusedError(`it is too late to confirm sequence ${id} "${begin.name}": it is rolled back`, {
        remedy: `bofh journal show ${id} shows how far that is`,
      });
    if (connection !== undefined && connection === awaiting.connection)
      throw new RefusedError('this connection made the change, so it does not show that a new one works', {
        remedy: `open another one, and type there: bofh confirm ${id}`,
      });
    const token = newId();
    if (moreSeconds === undefined)
      await check(id, state, { locks, token }, { engine, yes: true, ...signals });
    const journal = adoptAgain(engine.store, file, id, token);
    if (moreSeconds !== undefined) {
      append(journal, [{ ...awaiting, until: uptime() + moreSeconds }]);
      return { id, name: begin.name, end: 'unconfirmed', leftAlone: [] };
    }
    append(journal, [...(await finalWitnesses(engine, journal)), { t: 'committed' }]);
    return await bringToEnd(journal, { engine, yes: false, ...signals }, (acting) => {
      stillRunning = acting;
    });
  } finally {
    const over = (): void => {
      locks.release();
      file.close();
    };
    if (stillRunning === undefined) over();
    else void stillRunning.finally(over);
  }
}

function hasEnded(engine: Engine, id: string): RefusedError {
  const how = closedJournal(engine, id)?.state.closed;
  const what = how === undefined ? `there is no sequence ${id}` : `sequence ${id} has ended: it is ${how}`;
  return new RefusedError(what, { code: 'not-found', remedy: 'bofh journal list shows all of them' });
}

function atWork(engine: Engine, id: string): JournalError {
  const name = journalOf(engine, id)?.state.begin.name ?? '';
  return new JournalError(`sequence ${id} "${name}" is at work, and cannot be confirmed now`, {
    code: 'busy',
    remedy: `bofh journal show ${id} shows whether it does its steps or undoes them`,
  });
}

/**
 * What the guard does: waits until the sequence has ended, and rolls it back at its deadline, or as
 * soon as its process is gone before the last step. Undefined if others ended it.
 */
export async function guardSequence(id: string, options: RecoverOptions): Promise<Recovered | undefined> {
  const { engine, stop } = options;
  for (;;) {
    const seen = journalOf(engine, id);
    if (seen === undefined) return undefined;
    if (stop?.aborted === true) throw new InterruptedError(`the guard of ${id} was told to stop`, {});
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
