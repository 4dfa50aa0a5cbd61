import { atWork, type Reserved } from '../../../atomic/locks/reservations.ts';
import { abandon, cutLastLine, damagedEnd } from '../../../atomic/recovery/recover.ts';
import type { Bofh } from '../../../bofh.ts';
import { JournalError, UsageError } from '../../../core/errors.ts';
import { confirm } from '../../runtime/confirm.ts';
import { programsOf } from '../journal/reservations.ts';
import { rawBytes, readAnyById, readById, type ReadReservation } from '../../runtime/read-journals.ts';
import { planOf, tell } from './text.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { untilInterrupted } from '../../runtime/session.ts';
import { logged } from '../../runtime/system-log.ts';
import { printable, textOf } from '../../output/text.ts';

/** `bofh recover --abandon ID --because TEXT`: of a journal of this host, or of what another host has reserved here. */
export async function abandonOne(
  runtime: Runtime,
  bofh: Bofh,
  id: string,
  because: string | boolean | undefined,
): Promise<number> {
  if (typeof because !== 'string' || because.trim() === '')
    throw new UsageError('--abandon needs --because TEXT: the reason is written into the journal');
  const journal = await readAnyById(bofh.engine, id);
  if (journal.is === 'reserved') return await abandonReserved(runtime, bofh, journal, because);
  if (journal.is === 'closed') throw new JournalError(`the journal ${journal.id} is closed already`);
  const plan = await planOf(bofh, journal);
  runtime.terminal.line('This stays as it is on the host, and bofh forgets it:');
  for (const line of plan) runtime.terminal.line(line);
  const name = journal.is === 'open' ? textOf(journal.open.state.begin.name) : '';
  if (runtime.settings.mode === 'plan')
    return (await import('../../plan/plan-recovery.ts')).showTending(runtime, {
      ...{ id: journal.id, name, end: 'abandoned', waitsFor: [] },
    });
  const away = await logged(runtime, bofh.host, () => abandon(bofh.engine, journal.id, because));
  for (const host of away)
    runtime.terminal.line(
      `${printable(host)} could not be reached, and keeps it reserved: bofh recover --abandon ${journal.id} --because '…' there`,
    );
  tell(runtime, [{ id: journal.id, name, end: 'abandoned', leftAlone: [], because }]);
  return 0;
}

const unknown: Pick<Reserved, 'name' | 'coordinator' | 'exclusive'> = {
  name: '',
  coordinator: 'another host',
  exclusive: [],
};

/** What another host began here, and will never end. */
async function abandonReserved(
  runtime: Runtime,
  bofh: Bofh,
  { id, found }: ReadReservation,
  because: string,
): Promise<number> {
  const { engine } = bofh;
  const { name, coordinator, exclusive } = found instanceof Error ? unknown : found;
  const lines = [
    `This stays as it is on this host, and can be changed again; what the bofh on ${coordinator} had begun with it is not undone:`,
    ...(found instanceof Error ? ['  (the reservation cannot be read)'] : exclusive.map((key) => `  ${key}`)),
  ];
  for (const line of lines) runtime.terminal.line(printable(line));
  if (programsOf(engine, id).length > 0) throw atWork(id);
  if (runtime.settings.mode === 'plan') {
    const { showTending } = await import('../../plan/plan-recovery.ts');
    return showTending(runtime, { id, name, end: 'abandoned', waitsFor: [] }, 'the reservation');
  }
  await logged(runtime, bofh.host, async () => engine.reserved?.abandon(id, because));
  tell(runtime, [{ id, name, end: 'abandoned', leftAlone: [], because }]);
  return 0;
}

/** `bofh recover --cut-last-line ID` */
export async function cutOne(runtime: Runtime, bofh: Bofh, id: string): Promise<number> {
  const journal = await untilInterrupted(runtime, readById(bofh.engine, id));
  if (journal.is === 'closed') throw new JournalError(`the journal ${journal.id} is closed`);
  const last = printable(damagedEnd(rawBytes(bofh.engine, journal.id), journal.id).text);
  if (runtime.settings.mode === 'plan')
    return (await import('../../plan/plan-recovery.ts')).showTending(runtime, {
      ...{ id: journal.id, name: '', end: 'cut', waitsFor: [], line: last },
    });
  await confirm(runtime, [`The damaged end of journal ${journal.id} is cut off:`, last]);
  await logged(runtime, bofh.host, () => cutLastLine(bofh.engine, journal.id));
  tell(runtime, [{ id: journal.id, name: '', end: 'cut', leftAlone: [], because: last }]);
  return 0;
}
