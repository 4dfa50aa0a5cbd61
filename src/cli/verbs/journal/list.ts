import { bootsOf } from '../../../atomic/recovery/recover.ts';
import type { Engine } from '../../../atomic/engine.ts';
import { give } from '../../output/answer.ts';
import type { JournalList } from '../../output/answers/index.ts';
import { type Cell, stated } from '../../output/style.ts';
import { printable, textOf } from '../../output/text.ts';
import { type ReadJournal, readAll, readReservations, timesOf } from '../../runtime/read-journals.ts';
import { openSession, refuseOtherHost, tellWhose } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';
import { hostsOf, stateOf } from './journal-state.ts';
import { reservedRow } from './reservations.ts';
import { changeInWords, hostsInWords, tookInWords, unknownInWords } from './text.ts';

/** Exit code 4 if a journal cannot be read. */
export default verb({
  changes: false,
  answers: 'journal list',
  table: true,
  examples: ['journal list'],
  run: async (runtime) => {
    refuseOtherHost(runtime, 'the journals');
    tellWhose(runtime);
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const { engine } = bofh;
    const journals = await readAll(engine);
    const reserved = readReservations(engine);
    const own = await Promise.all(journals.map((journal) => rowOf(engine, journal)));
    const data: JournalList = [...own, ...reserved.map(reservedRow)];
    give(runtime, {
      data,
      head: ['ID', 'STATE', 'LAST CHANGE', 'TOOK', 'USER', 'NAME', 'STEPS'],
      rows: data.map((row) => [
        row.id,
        stateOfRow(row),
        { time: row.at },
        tookInWords(row),
        row.user,
        nameInWords(row),
        changesInWords(row),
      ]),
      none: `no sequence has been run yet (${bofh.engine.store.directory})`,
    });
    const unreadable = [
      ...journals.flatMap((journal) => (journal.is === 'unreadable' ? [journal.error] : [])),
      ...reserved.flatMap(({ found }) => (found instanceof Error ? [found] : [])),
    ];
    for (const { message } of unreadable) runtime.terminal.line(`bofh: ${printable(message)}`);
    return unreadable.length === 0 ? 0 : 4;
  },
});

function stateOfRow({ state, coordinator }: JournalList[number]): Cell {
  if (state === 'unknown') return stated(unknownInWords);
  return coordinator === undefined ? stated(state) : stated(`reserved by ${coordinator}`, 'warning');
}

function nameInWords({ name, hosts }: JournalList[number]): string {
  return hosts === undefined ? name : `${name} (${hostsInWords(hosts)})`;
}

/** The first steps; `journal show` has all of them. */
function changesInWords({ changes, steps }: JournalList[number]): string {
  const shown = changes.slice(0, 3);
  const more = steps > shown.length ? [`and ${String(steps - shown.length)} more`] : [];
  return [...shown, ...more].join(', ');
}

async function rowOf(engine: Engine, journal: ReadJournal): Promise<JournalList[number]> {
  const { id } = journal;
  const times = timesOf(journal);
  if (journal.is === 'unreadable')
    return { id, name: '', user: '', state: 'unreadable', ...times, steps: 0, changes: [] };
  const state = journal.is === 'open' ? journal.open.state : journal.state;
  const { begin } = state;
  // Without the steps of a committed sequence that were undone with their scope.
  const steps = state.committed ? state.steps.filter(({ undone }) => undone === undefined) : state.steps;
  const [name, user] = [textOf(begin.name), textOf(begin.user)];
  const is = stateOf(journal);
  // Only for an interrupted sequence: a running one checks its hosts itself.
  const reaches = is === 'interrupted' && state.hosts.length > 0;
  const away = reaches ? (await bootsOf(engine, state)).away : undefined;
  const changes = steps.map(({ intent }) => changeInWords(intent));
  return { id, name, user, state: is, ...times, steps: steps.length, changes, ...hostsOf(state, away) };
}
