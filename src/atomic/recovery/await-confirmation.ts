import { uptime } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { RefusedError, RolledBackError, StuckError } from '../../core/errors.ts';
import { option } from '../../core/option.ts';
import type { Engine, Signals } from '../engine.ts';
import type { Journal } from '../journal/journal-writer.ts';
import type { Awaiting } from '../journal/lines.ts';
import { closedJournal, journalOf } from '../journal/scan.ts';
import { interruption, isHangUp } from '../sequence/signal.ts';
import { describe } from '../undo/report.ts';
import { isWaiting, recover } from './recover.ts';
import { present } from '../../core/present.ts';

/** How a sequence waits for its confirmation. */
export interface Confirmation {
  /** Length of the wait, from the end of the last step. */
  readonly seconds: number;
  /** The SSH connection in which this process runs, if any. */
  readonly connection: string | undefined;
  /**
   * Starts the process that rolls the sequence back at the deadline, even if this process has ended.
   * The first step waits until it is started.
   */
  readonly startGuard: (journal: Journal) => Promise<void>;
}

const pollMs = 250;

/**
 * Returns the line that begins the wait. Throws RefusedError if only this process can undo a step (a pair of
 * functions), or if a step is on another host.
 */
export function awaitingLine({ state }: Journal, wait: Confirmation): Awaiting {
  const own = state.steps.find(({ intent, undone }) => intent.kind === 'bare' && undone === undefined);
  if (own !== undefined)
    throw new RefusedError(
      `${describe(own)} is a pair of functions, which no other process can undo at the deadline`,
      { remedy: 'make it an operation, or do without the confirmation' },
    );
  const [away] = state.hosts;
  if (away !== undefined)
    throw new RefusedError(
      `the sequence also changed ${away.name}, and the connection to that host may be down at the deadline`,
      {
        remedy: 'change the other host in a separate sequence',
      },
    );
  const { seconds, connection } = wait;
  return {
    ...{ t: 'awaiting', boot: state.owner.boot, until: uptime() + seconds },
    ...present({ connection }),
  };
}

/** The text that tells the administrator what to do now. */
export function noticeOf(id: string, { seconds }: Confirmation): string {
  return `all steps are done. They are undone in ${String(seconds)} s, unless you confirm them from a new connection: ${confirmOf(id)}`;
}

/**
 * Waits, in the process that ran the steps, until the sequence is confirmed. Rolls it back at the
 * deadline and at a signal, except SIGHUP: the change itself may have cut the connection, and the
 * administrator may confirm it from a new one, so the sequence keeps waiting. Throws RolledBackError, InterruptedError, or StuckError.
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
      const why =
        uptime() < until
          ? 'it was rolled back on request'
          : `it was not confirmed within ${String(seconds)} s`;
      expectCommitted(engine, { id, name, why, stop });
      return;
    }
    until = seen.state.awaiting?.until ?? until;
    if (isHangUp(stop) || abandon.aborted)
      throw new StuckError(`"${name}" still waits for its confirmation`, {
        ...{ id, committed: false, cause: interruption(name, stop) },
        remedy: `to keep it: ${confirmOf(id)}; to roll it back: ${option(`bofh undo ${id}`, `undo('${id}')`)}`,
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

/**
 * Throws if the sequence has ended without a commit: RolledBackError or InterruptedError if it was
 * undone, StuckError if it was abandoned, so that its changes stay.
 */
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
  if (closed === 'abandoned')
    throw new StuckError(`"${name}" was abandoned while it waited for its confirmation`, {
      ...{ id, committed: false },
      remedy: `see what stays: bofh journal show ${id}`,
    });
  const undone = steps.filter((step) => step.undone !== undefined).toReversed();
  const leftUntouched = undone.flatMap((step) => (step.undone?.notOurs === undefined ? [] : describe(step)));
  const details = { id, undone: undone.map((step) => describe(step)), leftUntouched };
  if (stop.aborted && leftUntouched.length === 0) throw interruption(name, stop, details);
  const cause = stop.aborted
    ? interruption(name, stop)
    : new RefusedError(why, {
        code: 'timeout',
        remedy: `run the command again, and confirm it from a new connection: ${confirmOf('ID')}`,
      });
  throw new RolledBackError(`"${name}" failed and was rolled back: ${cause.message}`, { ...details, cause });
}
