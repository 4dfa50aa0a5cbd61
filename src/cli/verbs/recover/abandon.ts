import { atWork, type Reserved } from '../../../atomic/locks/reservations.ts';
import { abandon } from '../../../atomic/recovery/recover.ts';
import type { State } from '../../../atomic/journal/state.ts';
import { describe, manualRecoveryLeft } from '../../../atomic/undo/report.ts';
import type { Bofh } from '../../../connect.ts';
import { shellWords } from '../../../command/index.ts';
import { JournalError, UsageError } from '../../../core/errors.ts';
import { programsOf } from '../journal/reservations.ts';
import { readAnyById, type ReadReservation } from '../../runtime/read-journals.ts';
import { planOf, tell } from './text.ts';
import type { RecoveredList } from '../../output/answers/index.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { logged } from '../../runtime/system-log.ts';
import { printable, textOf } from '../../output/text.ts';

/** Closes a journal of this host, or a reservation of another host, and changes nothing else. */
export async function abandonOne(
  runtime: Runtime<RecoveredList>,
  bofh: Bofh,
  id: string,
  because = '',
): Promise<number> {
  if (because.trim() === '')
    throw new UsageError('--abandon needs --because TEXT: the reason is written to the journal');
  const journal = await readAnyById(bofh.engine, id);
  if (journal.is === 'reserved') return await abandonReserved(runtime, bofh, journal, because);
  if (journal.is === 'closed') throw new JournalError(`the journal ${journal.id} is closed already`);
  const plan = await planOf(bofh, journal);
  runtime.terminal.line('This stays as it is on the host, and bofh closes the journal:');
  const opened = journal.is === 'open' ? await openedAgain(bofh, journal.open.state) : [];
  for (const line of [...plan, ...opened]) runtime.terminal.line(line);
  const name = journal.is === 'open' ? textOf(journal.open.state.begin.name) : '';
  if (runtime.settings.mode === 'plan')
    return (await import('../../plan/plan-recovery.ts')).showAbandonOrCut(runtime, {
      ...{ id: journal.id, name, end: 'abandoned', waitsFor: [] },
    });
  const away = await logged(runtime, bofh.host, () => abandon(bofh.engine, journal.id, because));
  for (const host of away)
    runtime.terminal.line(
      `${printable(host)} could not be reached, and keeps the objects reserved; on ${printable(host)}: bofh recover --abandon ${journal.id} --because "…"`,
    );
  tell(runtime, [{ id: journal.id, name, end: 'abandoned', leftUntouched: [], because }]);
  return 0;
}

/** What the commit opened again to finish its steps, with the commands that close it, newest first. */
async function openedAgain({ engine }: Bofh, state: State): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const step of state.steps.filter(({ reopened }) => reopened === true).toReversed()) {
    const { clear = [] } = (await manualRecoveryLeft(engine, state, step)) ?? {};
    if (clear.length === 0) continue;
    lines.push(
      `  step ${String(step.n)} ${describe(step)} was opened again by the commit, and stays open; to close it: ${clear.map(shellWords).join('; ')}`,
    );
  }
  return lines.map(printable);
}

const unknown: Pick<Reserved, 'name' | 'coordinator' | 'exclusive'> = {
  name: '',
  coordinator: 'another host',
  exclusive: [],
};

/** Abandons a reservation of another host whose sequence was never finished. */
async function abandonReserved(
  runtime: Runtime<RecoveredList>,
  bofh: Bofh,
  { id, found }: ReadReservation,
  because: string,
): Promise<number> {
  const { engine } = bofh;
  const { name, coordinator, exclusive } = found instanceof Error ? unknown : found;
  const lines = [
    `This stays as it is on this host, and can be changed again; what the bofh on ${coordinator} started with it is not undone:`,
    ...(found instanceof Error ? ['  (the reservation cannot be read)'] : exclusive.map((key) => `  ${key}`)),
  ];
  for (const line of lines) runtime.terminal.line(printable(line));
  if (programsOf(engine, id).length > 0) throw atWork(id);
  if (runtime.settings.mode === 'plan') {
    const { showAbandonOrCut } = await import('../../plan/plan-recovery.ts');
    return showAbandonOrCut(runtime, { id, name, end: 'abandoned', waitsFor: [] }, 'the reservation');
  }
  await logged(runtime, bofh.host, async () => engine.reserved?.abandon(id, because));
  tell(runtime, [{ id, name, end: 'abandoned', leftUntouched: [], because }]);
  return 0;
}
