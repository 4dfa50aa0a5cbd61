import { refuseRestored } from '../../../atomic/journal/scan.ts';
import { guardSequence } from '../../../atomic/recovery/confirmation.ts';
import {
  recover as recoverJournal,
  refuseOtherMachine,
  removeJournalLeftovers,
} from '../../../atomic/recovery/recover.ts';
import type { Bofh } from '../../../connect.ts';
import {
  InterruptedError,
  JournalError,
  RefusedError,
  StuckError,
  UsageError,
} from '../../../core/errors.ts';
import { explain } from '../../errors/explain.ts';
import { asText } from '../../errors/explanation.ts';
import { messageOf, oneLine, printable, textOf } from '../../output/text.ts';
import { agrees, confirm } from '../../runtime/confirm.ts';
import type { ReadJournal } from '../../runtime/read-journals.ts';
import type { RecoveredList } from '../../output/answers/index.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { logged } from '../../runtime/system-log.ts';
import { type BootLimit, withinLimit } from './boot-limit.ts';
import { endWords, planOf, type Row, tell } from './text.ts';

/** Recovers these journals, one after another. Resolves to the exit code of the worst. */
export async function recoverAll(
  runtime: Runtime<RecoveredList>,
  bofh: Bofh,
  found: readonly ReadJournal[],
  how: How = {},
): Promise<number> {
  const { engine } = bofh;
  const shown = await Promise.all(found.map((journal) => withPlan(bofh, journal, how)));
  const journals = shown.map(({ journal }) => journal);
  const plans = shown.map(({ plan }) => plan);
  if (runtime.settings.mode === 'plan') {
    if (plans.flat().length === 0) runtime.terminal.line('nothing is unfinished');
    return await (await import('../../plan/plan-recovery.ts')).planRecovery(
      runtime,
      bofh,
      journals,
      plans.flat(),
    );
  }
  await removeJournalLeftovers(engine);
  if (runtime.settings.consent === 'ask' && runtime.terminal.interactive && plans.flat().length > 0)
    await confirm(runtime, plans.flat());
  const act = () => inTurn(runtime, bofh, journals, how);
  const rows = journals.length === 0 ? [] : await logged(runtime, bofh.host, act, inShort);
  tell(
    runtime,
    rows.map(([row]) => row),
  );
  const codes = new Set(rows.map(([, code]) => code));
  return [3, 4].find((code) => codes.has(code)) ?? (runtime.signals.stop.aborted ? 130 : 0);
}

/** The options of a recovery. */
interface How {
  /** The reason to leave a journal open. */
  readonly guard?: (journal: ReadJournal) => RefusedError | undefined;
  readonly limit?: BootLimit | undefined;
  /** Objects that may be destroyed with the content that others wrote to them. */
  readonly discard?: readonly string[] | undefined;
  readonly ignoreMachineId?: boolean;
}

type Ended = readonly [Row, number];

/** Starts no further journal after a signal. */
async function inTurn(
  runtime: Runtime,
  bofh: Bofh,
  journals: readonly ReadJournal[],
  how: How,
): Promise<readonly Ended[]> {
  const rows: Ended[] = [];
  for (const journal of journals)
    if (!runtime.signals.stop.aborted) rows.push(await recoverOne(runtime, bofh, journal, how));
  return rows;
}

function inShort(rows: readonly Ended[]): string {
  return rows.map(([{ id, end }]) => `${id} ${endWords[end]}`).join(', ');
}

/** Recovers one journal. Its failure does not stop the others. */
async function recoverOne(
  runtime: Runtime,
  bofh: Bofh,
  journal: ReadJournal,
  { guard, limit, discard, ignoreMachineId = false }: How,
): Promise<Ended> {
  const { id } = journal;
  const name = journal.is === 'open' ? textOf(journal.open.state.begin.name) : '';
  try {
    if (journal.is === 'unreadable') throw journal.error;
    const refused = guard?.(journal);
    if (refused !== undefined) throw refused;
    const { end, leftUntouched } = await withinLimit(bofh.engine, id, limit, (over) =>
      recoverAsking(runtime, bofh, id, { over, discard, ignoreMachineId }),
    );
    return [{ id, name, end, leftUntouched: [...leftUntouched] }, 0];
  } catch (error) {
    if (error instanceof InterruptedError) throw error;
    const explanation = explain(error, runtime);
    const { terminal } = runtime;
    terminal.line(asText({ ...explanation, host: hostAfter(error, id, explanation.host) }, terminal.paint));
    const because = oneLine(messageOf(error));
    return [{ id, name, end: 'open', leftUntouched: [], because }, error instanceof JournalError ? 4 : 3];
  }
}

/** The state of the host after a failure. An unexpected error may come between any two changes. */
function hostAfter(error: unknown, id: string, host: string): string {
  if (error instanceof RefusedError) return `as it was; the journal ${id} stays open`;
  return error instanceof StuckError || error instanceof JournalError
    ? host
    : `not known; the journal ${id} stays open`;
}

/** Recovers a journal. Undoes objects in use only with `--yes`, or after a yes on a terminal. */
async function recoverAsking(
  runtime: Runtime,
  bofh: Bofh,
  id: string,
  {
    over,
    discard = [],
    ignoreMachineId = false,
  }: Pick<How, 'discard' | 'ignoreMachineId'> & { readonly over: AbortSignal | undefined },
) {
  const { settings, terminal, signals } = runtime;
  const or = (signal: AbortSignal) => (over === undefined ? signal : AbortSignal.any([signal, over]));
  const options = {
    engine: bofh.engine,
    discard,
    ignoreMachineId,
    stop: or(signals.stop),
    abandon: or(signals.abandon),
    onWait: (
      waiting: string,
      { host, pid, command }: { readonly host?: string; readonly pid: number; readonly command: string },
    ): void =>
      terminal.line(
        `bofh: journal ${waiting}: waiting for process ${String(pid)}${host === undefined ? '' : ` on ${host}`}: ${printable(command)}`,
      ),
  };
  try {
    return await recoverJournal(id, { ...options, yes: settings.consent === 'given' });
  } catch (error) {
    if (!(error instanceof RefusedError) || !terminal.interactive) throw error;
    if (!(await agrees(runtime, [printable(error.message), 'Undo it anyway?']))) throw error;
    return await recoverJournal(id, { ...options, yes: true });
  }
}

/**
 * Adds the plan. A journal without one is treated like an unreadable one: it stays open, while the others are
 * recovered.
 */
async function withPlan(bofh: Bofh, journal: ReadJournal, { ignoreMachineId = false }: How) {
  try {
    if (journal.is === 'open') refuseRestored(bofh.engine, journal.id, journal.open.state);
    if (journal.is === 'open' && !ignoreMachineId)
      refuseOtherMachine(bofh.engine, journal.id, journal.open.state);
    return { journal, plan: await planOf(bofh, journal) };
  } catch (cause) {
    const { id, at } = journal;
    const why = `no plan for journal ${id}: ${oneLine(messageOf(cause))}; it is left untouched`;
    const error = cause instanceof JournalError ? cause : new JournalError(why, { cause });
    return { journal: { id, at, is: 'unreadable', error } as const, plan: [`${id}: ${error.message}`] };
  }
}

/**
 * Waits for the confirmation of a sequence, and rolls it back at the deadline. Runs in the background: it
 * asks no questions, and its output is not read.
 */
export async function guardOne(
  runtime: Runtime<RecoveredList>,
  { engine }: Bofh,
  id: string,
): Promise<number> {
  if (runtime.settings.mode === 'plan')
    throw new UsageError('--unconfirmed ID has no dry run: how it ends depends on the confirmation', {
      remedy: `see what a rollback would undo: bofh journal show ${id}`,
    });
  const { stop, abandon } = runtime.signals;
  const ended = await guardSequence(id, { engine, yes: true, stop, abandon });
  tell(runtime, ended === undefined ? [] : [{ ...ended, leftUntouched: [...ended.leftUntouched] }]);
  return 0;
}
