import { cannotTell } from '../../../atomic/journal/scan.ts';
import { isWaiting } from '../../../atomic/recovery/recover.ts';
import type { Bofh } from '../../../connect.ts';
import { give } from '../../output/answer.ts';
import type { RecoveredList } from '../../output/answers/index.ts';
import { stated } from '../../output/style.ts';
import { planned, plannedOf } from '../journal/planned-steps.ts';
import { awayInWords, plannedInWords } from '../journal/text.ts';
import type { ReadJournal } from '../../runtime/read-journals.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { printable } from '../../output/text.ts';

/** The result for one journal. */
export type Row = RecoveredList[number];

/** The actions of a recovery of a journal, as text. */
export async function planOf({ engine }: Bofh, journal: ReadJournal): Promise<readonly string[]> {
  const { id } = journal;
  if (journal.is === 'unreadable') return [`${id}: ${printable(journal.error.message)}`];
  if (journal.is === 'closed') return [];
  const { owner, state, holders } = journal.open;
  const head = `${id} "${printable(state.begin.name)}" by ${printable(state.begin.user)}:`;
  if (owner === 'running')
    return [`${head} process ${String(state.owner.pid)} is at work on it; it is left untouched`];
  if (owner === 'unknown') return [`${head} ${cannotTell(id).message}; it is left untouched`];
  if (isWaiting(state, engine.processes.self.boot))
    return [`${head} ${endWords.unconfirmed} (bofh confirm ${id}); it is left untouched`];
  const waits = holders.map(({ pid, command }) => `  wait for process ${String(pid)}: ${printable(command)}`);
  const { steps: left, away } = await planned(engine, state);
  const steps = left.map((step) => `  ${plannedInWords(plannedOf(step))}`);
  const hosts = [...away].map(([name, { message }]) => `  ${awayInWords({ name, away: message })}`);
  return [head, ...waits, ...hosts, ...(steps.length === 0 ? ['  close it: nothing is left to do'] : steps)];
}

/** The text for each end. */
export const endWords: Readonly<Record<Row['end'], string>> = {
  'rolled-back': 'undone',
  committed: 'finished',
  'nothing-to-do': 'nothing to do',
  running: 'still at work, left untouched',
  unconfirmed: 'waits for its confirmation',
  abandoned: 'abandoned',
  cut: 'its last line is cut off',
  open: 'stays open',
};

/** The answer of `bofh recover`. */
export function tell(runtime: Runtime<RecoveredList>, rows: RecoveredList): void {
  for (const { leftUntouched } of rows)
    for (const each of leftUntouched) runtime.terminal.line(`left untouched: ${printable(each)}`);
  give(runtime, {
    data: rows,
    head: ['ID', 'END', 'NAME', 'BECAUSE'],
    rows: rows.map((row) => [row.id, stated(endWords[row.end]), row.name, row.because ?? '']),
    none: 'nothing is unfinished',
  });
}
