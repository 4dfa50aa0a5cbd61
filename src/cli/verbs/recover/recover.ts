import { recover as recoverOne, sweepUnborn } from '../../../atomic/recovery/recover.ts';
import type { Bofh } from '../../../bofh.ts';
import {
  InterruptedError,
  JournalError,
  RefusedError,
  StuckError,
  UsageError,
} from '../../../core/errors.ts';
import { bootLimit, type BootLimit, withinLimit } from './boot-limit.ts';
import { ofEarlierBoots, ofUnit, startedGuest } from './boot-journals.ts';
import { agrees, confirm } from '../../runtime/confirm.ts';
import { explain } from '../../errors/explain.ts';
import { asText } from '../../errors/explanation.ts';
import type { Options } from '../../runtime/options.ts';
import { readById, readOpen, type ReadJournal } from '../../runtime/read-journals.ts';
import { abandonOne, cutOne } from './close-one.ts';
import { endWords, planOf, type Row, tell } from './text.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession, refuseOtherHost } from '../../runtime/session.ts';
import { logged } from '../../runtime/system-log.ts';
import { messageOf, oneLine, printable, textOf } from '../../output/text.ts';

/** `bofh recover [ID]`. It needs no site file: all that an undo needs is in the journal. */
export async function recover(runtime: Runtime, id: string | undefined, options: Options): Promise<number> {
  const { abandon: abandoned, because, cutLastLine: cut } = options;
  if ((abandoned !== undefined || cut !== undefined) && id !== undefined)
    throw new UsageError(`either recover ${id}, or --abandon or --cut-last-line with an id: not both`);
  if (because !== undefined && abandoned === undefined)
    throw new UsageError('--because belongs to --abandon ID');
  refuseOtherHost(runtime, 'the journals, whatever hosts they reach');
  const discard = discarded(options);
  if (discard.length > 0 && (id === undefined || options.boot === true))
    throw new UsageError('--discard belongs to one journal: bofh recover ID --discard OBJECT');
  const limit = bootLimit(options);
  if (options.network === true && options.boot !== true) throw new UsageError('--network belongs to --boot');
  if (options.boot === true)
    return await recoverAtBoot(runtime, id, options.network === true ? 'others' : 'this host', limit);
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'needed' });
  if (typeof abandoned === 'string') return await abandonOne(runtime, bofh, abandoned, because);
  if (typeof cut === 'string') return await cutOne(runtime, bofh, cut);
  const journals = id === undefined ? await readOpen(bofh.engine) : [await readById(bofh.engine, id)];
  return await recoverAll(runtime, bofh, journals, { discard });
}

function discarded({ discard }: Options): readonly string[] {
  return typeof discard === 'string' ? discard.split(',').filter((each) => each !== '') : [];
}

/** At boot nobody is there to ask. */
async function recoverAtBoot(
  runtime: Runtime,
  id: string | undefined,
  reach: 'this host' | 'others',
  limit: BootLimit | undefined,
): Promise<number> {
  if (id !== undefined || runtime.settings.consent === 'given')
    throw new UsageError('--boot takes every journal of an earlier boot and destroys nothing that is in use');
  const unattended = { ...runtime, terminal: { ...runtime.terminal, interactive: false } };
  const { bofh } = await openSession(unattended, { site: 'unused', root: 'needed' });
  const { boot } = await bofh.host.facts();
  const open = await readOpen(bofh.engine);
  const before = ofEarlierBoots(open, boot);
  if (before.length < open.length)
    runtime.terminal.line('what was begun since this boot is left alone: bofh journal list');
  const earlier = ofUnit(before, reach);
  if (reach === 'this host' && earlier.length < before.length)
    runtime.terminal.line(
      'what reaches other hosts waits for the network: bofh recover --boot --network (bofh-recover-hosts.service)',
    );
  if (runtime.settings.mode === 'act')
    return await recoverAll(unattended, bofh, earlier, { guard: startedGuest, limit });
  const left = earlier.flatMap((journal) => startedGuest(journal) ?? []);
  for (const { message } of left) runtime.terminal.line(message);
  const planned = earlier.filter((journal) => startedGuest(journal) === undefined);
  return Math.max(await recoverAll(unattended, bofh, planned), left.length > 0 ? 3 : 0);
}

async function recoverAll(
  runtime: Runtime,
  bofh: Bofh,
  found: readonly ReadJournal[],
  how: How = {},
): Promise<number> {
  const { engine } = bofh;
  const told = await Promise.all(found.map((journal) => withPlan(bofh, journal)));
  const journals = told.map(({ journal }) => journal);
  const plans = told.map(({ plan }) => plan);
  if (runtime.settings.mode === 'plan') {
    if (plans.flat().length === 0) runtime.terminal.line('nothing is unfinished');
    return await (await import('../../plan/plan-recovery.ts')).planRecovery(
      runtime,
      bofh,
      journals,
      plans.flat(),
    );
  }
  await sweepUnborn(engine);
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

/** At boot. */
interface How {
  /** Why a journal is left open. */
  readonly guard?: (journal: ReadJournal) => RefusedError | undefined;
  readonly limit?: BootLimit | undefined;
  /** Objects that may be destroyed with what others wrote there. */
  readonly discard?: readonly string[] | undefined;
}

type Ended = readonly [Row, number];

/** After a signal no other one is begun. */
async function inTurn(
  runtime: Runtime,
  bofh: Bofh,
  journals: readonly ReadJournal[],
  how: How,
): Promise<readonly Ended[]> {
  const rows: Ended[] = [];
  for (const journal of journals)
    if (!runtime.signals.stop.aborted) rows.push(await bringToEnd(runtime, bofh, journal, how));
  return rows;
}

function inShort(rows: readonly Ended[]): string {
  return rows.map(([{ id, end }]) => `${id} ${endWords[end]}`).join(', ');
}

/** One journal; its failure does not keep the others. The exit code is that of the worst. */
async function bringToEnd(
  runtime: Runtime,
  bofh: Bofh,
  journal: ReadJournal,
  { guard, limit, discard }: How,
): Promise<Ended> {
  const { id } = journal;
  const name = journal.is === 'open' ? textOf(journal.open.state.begin.name) : '';
  try {
    if (journal.is === 'unreadable') throw journal.error;
    const refused = guard?.(journal);
    if (refused !== undefined) throw refused;
    const { end, leftAlone } = await withinLimit(bofh.engine, id, limit, (over) =>
      recoverAsking(runtime, bofh, id, { over, discard }),
    );
    return [{ id, name, end, leftAlone: [...leftAlone] }, 0];
  } catch (error) {
    if (error instanceof InterruptedError) throw error;
    const explanation = explain(error, runtime);
    runtime.terminal.line(asText({ ...explanation, host: hostAfter(error, id, explanation.host) }));
    const because = oneLine(messageOf(error));
    return [{ id, name, end: 'open', leftAlone: [], because }, error instanceof JournalError ? 4 : 3];
  }
}

/** What none of ours has said may have happened between any two changes. */
function hostAfter(error: unknown, id: string, host: string): string {
  if (error instanceof RefusedError) return `as it was; the journal ${id} stays open`;
  return error instanceof StuckError || error instanceof JournalError
    ? host
    : `not known; the journal ${id} stays open`;
}

/** What is in use by now is undone only by `--yes`, or by a yes on a terminal. */
async function recoverAsking(
  runtime: Runtime,
  bofh: Bofh,
  id: string,
  { over, discard = [] }: Pick<How, 'discard'> & { readonly over: AbortSignal | undefined },
) {
  const { settings, terminal, signals } = runtime;
  const or = (signal: AbortSignal) => (over === undefined ? signal : AbortSignal.any([signal, over]));
  const options = {
    engine: bofh.engine,
    discard,
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
    return await recoverOne(id, { ...options, yes: settings.consent === 'given' });
  } catch (error) {
    if (!(error instanceof RefusedError) || !terminal.interactive) throw error;
    if (!(await agrees(runtime, [printable(error.message), 'Undo it all the same?']))) throw error;
    return await recoverOne(id, { ...options, yes: true });
  }
}

/** A journal of which nobody can tell what would be done is left alone, as one that cannot be read; no other is kept. */
async function withPlan(bofh: Bofh, journal: ReadJournal) {
  try {
    return { journal, plan: await planOf(bofh, journal) };
  } catch (cause) {
    const { id, at } = journal;
    const why = `what would be done with journal ${id} cannot be told: ${oneLine(messageOf(cause))}`;
    const error = new JournalError(`${why}; it is left alone`, { cause });
    return { journal: { id, at, is: 'unreadable', error } as const, plan: [`${id}: ${error.message}`] };
  }
}
