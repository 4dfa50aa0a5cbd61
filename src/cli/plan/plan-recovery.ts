import type { Place } from '../../atomic/index.ts';
import { bootsOf, recover } from '../../atomic/recovery/recover.ts';
import type { Bofh } from '../../connect.ts';
import { BofhError, JournalError, RefusedError, StuckError } from '../../core/errors.ts';
import { type Findings, planOf, type Reached, readJournals, showPlan } from './plan.ts';
import { present } from '../../core/present.ts';
import type { ReadJournal } from '../runtime/read-journals.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { textOf } from '../output/text.ts';

/**
 * `bofh recover --dry-run`: runs the recovery on copies of the journals on a simulated host.
 * Returns the exit code of a real run: 3 if something would stay open, 4 if a journal cannot be
 * read or claimed.
 */
export async function planRecovery(
  runtime: Runtime,
  real: Bofh,
  journals: readonly ReadJournal[],
  head: readonly string[],
): Promise<number> {
  const codes = new Set<number>();
  const recovering = async (bofh: Bofh, found: Findings): Promise<void> => {
    for (const journal of journals) codes.add(await recoverOne(runtime, bofh, journal, found));
  };
  const reached = await reachedBy(real, journals);
  const planned = await planOf(real, readJournals(real.engine.store), recovering, reached);
  showPlan(runtime, planned, { head });
  return [3, 4].find((code) => codes.has(code)) ?? 0;
}

/**
 * Returns the other hosts of the journals. An unreachable host cannot be planned: its steps are
 * shown as blocked.
 */
async function reachedBy({ engine }: Bofh, journals: readonly ReadJournal[]): Promise<Reached> {
  const states = journals.flatMap((journal) => (journal.is === 'open' ? [journal.open.state] : []));
  const reached = new Map<string, { readonly place: Place; readonly left: 'something' | 'nothing' }>();
  for (const state of states) {
    const { boots } = await bootsOf(engine, state);
    for (const { name, reach } of state.hosts) {
      const place = engine.place?.(name, reach);
      if (place === undefined || reached.get(name)?.left === 'something') continue;
      reached.set(name, { place, left: boots[name] === undefined ? 'nothing' : 'something' });
    }
  }
  return reached;
}

/** Shows what `--abandon` and `--cut-last-line` would do; they change nothing else on the host. */
export function showAbandonOrCut(
  runtime: Runtime,
  journal: Findings['journals'][number],
  what: 'the journal' | 'the reservation' = 'the journal',
): number {
  const head =
    journal.line === undefined
      ? [`dry run: ${what} ${journal.id} would be closed, and nothing of it done or undone`]
      : [`dry run: this line would be cut off the journal ${journal.id}: ${journal.line}`];
  showPlan(runtime, { steps: [], refused: [], journals: [journal] }, { head });
  return 0;
}

async function recoverOne(
  { settings }: Runtime,
  { engine }: Bofh,
  journal: ReadJournal,
  found: Findings,
): Promise<number> {
  const { id } = journal;
  if (journal.is === 'unreadable') {
    found.journals.push({ id, name: '', end: 'unreadable', waitsFor: [] });
    found.refused.push(refusalOf(id, journal.error));
    return 4;
  }
  const name = textOf((journal.is === 'open' ? journal.open : journal).state.begin.name);
  const holders = journal.is === 'open' ? journal.open.holders : [];
  const waitsFor = holders.map(({ pid, command }) => `process ${String(pid)}: ${command}`);
  // The simulated host cannot know the owner on the real host.
  if (journal.is === 'open' && journal.open.owner === 'running') {
    found.journals.push({ id, name, end: 'running', waitsFor: [] });
    return 0;
  }
  try {
    const { end } = await recover(id, { engine, yes: settings.consent === 'given', discard: 'all' });
    found.journals.push({ id, name, end, waitsFor });
    return 0;
  } catch (error) {
    if (!(error instanceof StuckError || error instanceof RefusedError || error instanceof JournalError))
      throw error;
    found.journals.push({ id, name, end: 'open', waitsFor });
    found.refused.push(refusalOf(id, error));
    return error instanceof JournalError ? 4 : 3;
  }
}

function refusalOf(id: string, error: BofhError): Findings['refused'][number] {
  const why = error instanceof StuckError && error.cause instanceof Error ? error.cause : error;
  const remedy = present({ remedy: error.remedy });
  return { what: `journal ${id}`, why: why.message, ...remedy };
}
