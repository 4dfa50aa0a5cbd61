import {
  messageOf,
  ConnectionError,
  InterruptedError,
  RefusedError,
  RolledBackError,
} from '../../core/errors.ts';
import { stepName } from '../../core/option.ts';
import { codeOf, type Engine } from '../engine.ts';
import { append, AppendError, close, type Journal, note } from '../journal/journal-writer.ts';
import type { Line } from '../journal/lines.ts';
import { conflictsOf } from '../journal/state.ts';
import { placeOf } from '../place.ts';
import { syncStep, unlessOutOfReach } from './out-of-reach.ts';
import { describe, stuck } from './report.ts';
import { interruption, untilAborted } from '../sequence/signal.ts';
import type { Unwinding } from './act.ts';
import { unwind, type Unwound } from './unwind.ts';
import { finalWitnesses } from './witness.ts';

/** The parts of a sequence that its end needs. */
export interface Ending {
  readonly unwinding: Unwinding;
  /** Objects that its scopes left untouched. */
  readonly leftUntouched: readonly string[];
  readonly stop: AbortSignal;
  /** Steps into whose objects the sequence itself may have written. */
  readonly trusted: () => NonNullable<Unwinding['trusted']>;
  /** Releases temporary objects, newest first. */
  readonly release: () => Promise<void>;
  /**
   * An act that still runs after a second signal: until it ends it needs the journal and the locks.
   */
  readonly leave: (acting: Promise<unknown>) => void;
  /** The step or call that threw an error. */
  readonly thrownBy: (error: unknown) => Thrower | undefined;
}

/**
 * Ends a sequence whose body succeeded: returns its value after everything is committed and
 * finished.
 */
export async function commit<T>(ending: Ending, value: T): Promise<T> {
  const { unwinding } = ending;
  const { journal, engine } = unwinding;
  const leftUntouched = [...ending.leftUntouched];
  await endSteps(ending, () => ({ t: 'committed' }));
  try {
    const { end, errors, stillRunning, ...unwound } = await unwind({ ...unwinding, trusted: 'all' });
    leftUntouched.push(...unwound.leftUntouched);
    if (stillRunning !== undefined) ending.leave(stillRunning);
    if (end === 'stuck' || journal.incomplete !== undefined)
      throw await stuck(unwinding, {
        cause: errors[0] ?? journal.incomplete,
        value,
        errors: errors.slice(1),
        leftUntouched,
      });
    await releaseHosts(engine, journal).catch(async (cause: unknown) => {
      throw await stuck(unwinding, { cause, value, leftUntouched });
    });
    close(journal, { t: 'closed', outcome: 'committed' });
  } catch (error) {
    if (error instanceof AppendError || error instanceof ConnectionError)
      throw await stuck(unwinding, { cause: error, value, leftUntouched });
    throw error;
  }
  for (const found of leftUntouched) engine.onLeftUntouched?.(found);
  return value;
}

/** Syncs the writes of the steps, and appends the line that records it. Rolls back, and throws, if that fails. */
export async function endSteps(ending: Ending, line: () => Line): Promise<void> {
  const { unwinding, stop } = ending;
  const { journal, abandon, engine } = unwinding;
  try {
    const preparing = makeReady(ending);
    if ((await untilAborted(abandon, preparing)) === undefined) ending.leave(preparing);
    if (stop.aborted || abandon?.aborted === true) throw interruption(journal.state.begin.name, stop);
    append(journal, [...(await finalWitnesses(engine, journal)), line()]);
  } catch (error) {
    throw await rollBack(ending, error);
  }
}

/** Syncs the writes of the steps, before `committed` is written. */
async function makeReady({ unwinding, release }: Ending): Promise<'ready'> {
  const { engine, journal } = unwinding;
  await release();
  for (const step of journal.state.steps) {
    if (step.undone !== undefined || step.intent.kind === 'bare') continue;
    await unlessOutOfReach(engine, journal, { step, work: () => syncStep(engine, journal, step) });
  }
  await refuseBooted(engine, journal);
  await refuseUsed(engine, journal);
  return 'ready';
}

/**
 * RefusedError if a deferred act would be refused after the commit, because a newer step of the
 * sequence mounted or opened its device, or gave it to a guest: the sequence would be stuck.
 */
async function refuseUsed(engine: Engine, { id, state }: Journal): Promise<void> {
  for (const step of state.steps) {
    const { n, intent, undone } = step;
    if (undone !== undefined || !intent.after || intent.kind === 'bare') continue;
    const code = await codeOf(engine, intent, id);
    // For any other step, the act after the commit (such as removing its tag) works on a device in use.
    if (!code.defers(intent.undo)) continue;
    const user = conflictsOf(state, step).find(
      (each) => each.n > n && each.intent.lives === 'boot' && each.done !== undefined,
    );
    if (user === undefined) continue;
    const { host } = placeOf(engine, intent.host);
    const look = await code.look({ undo: intent.undo, host });
    const [holder] = look.state === 'ours' ? (look.holders ?? []) : [];
    if (holder === undefined) continue;
    throw new RefusedError(
      `step ${String(n)} ${stepName(intent.kind)} acts after the commit, but its device is in use: ${holder.words} (step ${String(user.n)} ${stepName(user.intent.kind)} of this sequence uses it)`,
      { remedy: 'use the device in a second sequence, after this one, or only in tx.temporary' },
    );
  }
}

/**
 * Throws if another host of the sequence rebooted: it lost unwritten data, and a later sync does not detect
 * that.
 */
async function refuseBooted(engine: Engine, { state }: Journal): Promise<void> {
  for (const { name } of state.hosts) {
    const { boot } = await placeOf(engine, name).host.facts();
    const older = state.steps.some(
      ({ intent, undone }) => undone === undefined && intent.host === name && intent.boot !== boot,
    );
    if (older)
      throw new RefusedError(
        `${name} rebooted while the sequence worked on it: the content of its disks is uncertain`,
        {
          remedy: 'see why it went down, then run the command again',
        },
      );
  }
}

/**
 * Removes the reservations of a sequence, so that others may use the objects. Called before the journal is
 * closed, because nothing would remove them later.
 */
export async function releaseHosts(engine: Engine, { id, state }: Journal): Promise<void> {
  for (const { name } of state.hosts) await placeOf(engine, name).reservations?.release(id);
}

/** Rolls back a sequence that failed; returns the error that describes the result. */
export async function rollBack(ending: Ending, cause: unknown): Promise<unknown> {
  const { unwinding } = ending;
  const { journal, abandon } = unwinding;
  if (journal.dead?.at === 'sync' || abandon?.aborted === true)
    return await stuck(unwinding, { cause, leftUntouched: ending.leftUntouched });
  let unwound: Unwound;
  try {
    note(journal, [{ t: 'rollback', because: messageOf(cause) }]);
    unwound = await unwind({ ...unwinding, trusted: ending.trusted() });
  } catch (error) {
    return await stuck(unwinding, { cause, errors: [error], leftUntouched: ending.leftUntouched });
  }
  if (unwound.stillRunning !== undefined) ending.leave(unwound.stillRunning);
  const leftUntouched = [...ending.leftUntouched, ...unwound.leftUntouched];
  if (unwound.end === 'stuck')
    return await stuck(unwinding, { cause, errors: unwound.errors, leftUntouched });
  return await rolledBack(ending, cause, leftUntouched);
}

async function rolledBack(
  { unwinding: { engine, journal }, thrownBy }: Ending,
  cause: unknown,
  leftUntouched: readonly string[],
): Promise<Error> {
  let left = '';
  try {
    if (journal.incomplete !== undefined) throw journal.incomplete;
    await releaseHosts(engine, journal);
    close(journal, { t: 'closed', outcome: 'rolled-back' });
  } catch (error) {
    left = `; its journal stays open until "bofh recover" (${messageOf(error)})`;
  }
  const { id, state } = journal;
  const undone = state.steps
    .filter((step) => step.undone !== undefined && step.undone.notOurs === undefined)
    .toReversed()
    .map((step) => describe(step));
  if (cause instanceof InterruptedError && leftUntouched.length === 0 && left === '')
    return new InterruptedError(cause.message, {
      ...{ cause: cause.cause, reason: cause.reason, code: cause.code },
      ...{ id, undone },
    });
  if (state.steps.length === 0 && left === '' && cause instanceof Error) return cause;
  const by = thrownBy(cause);
  const on = by === undefined || by.failedOn === engine.host.name ? {} : { failedOn: by.failedOn };
  const where = on.failedOn === undefined ? '' : `on ${on.failedOn}: `;
  return new RolledBackError(
    `"${state.begin.name}" failed and was rolled back${left}: ${where}${messageOf(cause)}`,
    {
      ...{ cause, id, undone, leftUntouched },
      ...{ failed: by?.failed, ...on },
    },
  );
}

/** The step or call that threw an error: its name and its host. */
export interface Thrower {
  readonly failed: string;
  readonly failedOn: string;
}
