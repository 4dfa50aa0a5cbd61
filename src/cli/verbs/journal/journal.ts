import type { Engine } from '../../../atomic/engine.ts';
import { bootsOf, type OpenJournal, plan, type PlannedStep } from '../../../atomic/recovery/recover.ts';
import { byHandOf, reason } from '../../../atomic/undo/report.ts';
import { objectsOf } from '../../../atomic/locks/host-key.ts';
import type { Met } from '../../../atomic/place.ts';
import { isLeft, type State, type Step } from '../../../atomic/journal/state.ts';
import { give } from '../../output/answer.ts';
import type { JournalList, JournalShow, ShownStep } from '../../output/answers/index.ts';
import { byHandAsData } from '../../errors/manual-recovery.ts';
import { hostsInWords, showInWords, unknownInWords } from './text.ts';
import {
  rawLines,
  readAnyById,
  readHistory,
  type ReadJournal,
  readOpen,
  readReservations,
} from '../../runtime/read-journals.ts';
import { reservedRow, showReserved } from './reservations.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession, refuseOtherHost } from '../../runtime/session.ts';
import { printable, textOf, typed } from '../../output/text.ts';

type Closed = 'committed' | 'rolled-back' | 'abandoned';

/** `bofh journal list`: exit 4 when one cannot be read. */
export async function list(runtime: Runtime): Promise<number> {
  refuseOtherHost(runtime, 'the journals');
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const { engine } = bofh;
  const journals = [...readHistory(engine), ...(await readOpen(engine))];
  const reserved = readReservations(engine);
  const own = await Promise.all(journals.map((journal) => rowOf(engine, journal)));
  const data: JournalList = [...own, ...reserved.map(reservedRow)];
  give(runtime, {
    data,
    head: ['ID', 'STATE', 'LAST CHANGE', 'STEPS', 'USER', 'NAME'],
    rows: data.map((row) => [
      row.id,
      stateInWords(row),
      row.at,
      String(row.steps),
      row.user,
      nameInWords(row),
    ]),
    none: `no sequence has been run yet (${bofh.engine.store.directory})`,
  });
  const unreadable = [
    ...journals.flatMap((journal) => (journal.is === 'unreadable' ? [journal.error] : [])),
    ...reserved.flatMap(({ found }) => (found instanceof Error ? [found] : [])),
  ];
  for (const { message } of unreadable) runtime.terminal.line(`bofh: ${printable(message)}`);
  return unreadable.length === 0 ? 0 : 4;
}

function stateInWords({ state, coordinator }: JournalList[number]): string {
  if (state === 'unknown') return unknownInWords;
  return coordinator === undefined ? state : `reserved by ${coordinator}`;
}

function nameInWords({ name, hosts }: JournalList[number]): string {
  return hosts === undefined ? name : `${name} (${hostsInWords(hosts)})`;
}

async function rowOf(engine: Engine, journal: ReadJournal): Promise<JournalList[number]> {
  const { id, at } = journal;
  if (journal.is === 'unreadable') return { id, name: '', user: '', state: 'unreadable', at, steps: 0 };
  const state = journal.is === 'open' ? journal.open.state : journal.state;
  const { begin, steps } = state;
  const [name, user] = [textOf(begin.name), textOf(begin.user)];
  const is = stateOf(journal);
  // Who is at work on it finds out for itself.
  const reaches = is === 'interrupted' && state.hosts.length > 0;
  const away = reaches ? (await bootsOf(engine, state)).away : none;
  return { id, name, user, state: is, at, steps: steps.length, ...hostsOf(state, away) };
}

const none: Met['away'] = new Map();

/** The other hosts on which it has, or had, objects reserved. */
function hostsOf(state: State, away: Met['away']): Pick<JournalShow, 'hosts'> {
  if (state.hosts.length === 0) return {};
  const hosts = state.hosts.map(({ name }) => {
    const why = away.get(name)?.message;
    return why === undefined ? { name } : { name, away: why };
  });
  return { hosts };
}

/** `bofh journal show ID` */
export async function show(runtime: Runtime, id: string): Promise<number> {
  refuseOtherHost(runtime, 'the journals');
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const journal = await readAnyById(bofh.engine, id);
  if (journal.is === 'reserved') return showReserved(runtime, bofh.engine, journal);
  if (journal.is === 'unreadable') {
    // The answer as JSON is the error, which is one value.
    const { terminal, settings } = runtime;
    for (const [index, line] of rawLines(bofh.engine, journal.id).entries()) {
      const text = `${String(index + 1).padStart(4)}  ${printable(line)}`;
      if (settings.answer === 'json') terminal.line(text);
      else terminal.answer(`${text}\n`);
    }
    throw journal.error;
  }
  const data = await shown(bofh.engine, journal);
  give(runtime, { data, lines: showInWords(data) });
  return 0;
}

async function shown(engine: Engine, journal: ReadJournal & { is: 'open' | 'closed' }): Promise<JournalShow> {
  const state = journal.is === 'open' ? journal.open.state : journal.state;
  const { begin } = state;
  const lines = journal.is === 'open' ? journal.open.lines : journal.lines;
  const because = lines.findLast((line) => line.t === 'closed')?.because ?? state.because;
  const owned = journal.is === 'open' && journal.open.owner !== 'dead';
  const left = journal.is === 'open' ? await planned(engine, state) : { steps: [], away: none };
  return {
    id: journal.id,
    name: textOf(begin.name),
    user: textOf(begin.user),
    command: [...begin.argv],
    bofh: begin.bofh,
    state: stateOf(journal),
    ...(because === undefined ? {} : { because }),
    ...hostsOf(state, left.away),
    steps: await Promise.all(state.steps.map((step) => stepOf(engine, state, step, owned))),
    recovery: left.steps.map(plannedOf),
  };
}

/** What recovery would do with a journal, on the boots that its hosts are in. */
export async function planned(
  engine: Engine,
  state: State,
): Promise<{ readonly steps: readonly PlannedStep[]; readonly away: Met['away'] }> {
  // The owner is a whole line where the state has it; `plan` makes a line of it, which must not be that one again.
  const { pid, started, boot, user, bofh } = state.owner;
  const { boots, away } = await bootsOf(engine, state);
  return { steps: plan({ ...state, owner: { pid, started, boot, user, bofh } }, boots), away };
}

function stateOf(journal: ReadJournal & { is: 'open' | 'closed' }): JournalShow['state'] {
  if (journal.is === 'open') return openState(journal.open);
  return journal.state.closed ?? 'interrupted';
}

function openState({ owner, state }: OpenJournal): JournalShow['state'] {
  // Closed, and not yet moved to the history.
  const closed: Closed | undefined = state.closed;
  return closed ?? (owner === 'dead' ? 'interrupted' : owner);
}

/** A step as it stands; what a person can do about it by hand is told once nobody is at work on it. */
async function stepOf(engine: Engine, state: State, step: Step, owned: boolean): Promise<ShownStep> {
  const { n, blocked } = step;
  const [is, note] = howItStands(step);
  const byHand = owned || !isLeft(state, step) ? undefined : await byHandOf(engine, state, step);
  const { holders = [], remedy } = blocked ?? {};
  const heldBy = holders.map(({ words, free }) => ({
    who: words,
    ...(free === undefined ? {} : { free: typed(free) }),
  }));
  return {
    ...{ n, ...whatOf(step), state: is },
    ...(note === undefined ? {} : { note }),
    ...(heldBy.length === 0 ? {} : { heldBy }),
    ...(remedy === undefined ? {} : { remedy }),
    ...(byHand === undefined ? {} : { byHand: byHandAsData(byHand) }),
  };
}

function howItStands({ done, undone, blocked, finished }: Step): readonly [ShownStep['state'], string?] {
  if (undone !== undefined) {
    if (undone.notOurs !== undefined) return ['undone', `left alone: ${undone.notOurs}`];
    return undone.by === undefined ? ['undone'] : ['undone', `with step ${String(undone.by)}`];
  }
  if (blocked !== undefined) return ['blocked', reason(blocked)];
  if (finished) return ['finished'];
  return [done === undefined ? 'started' : 'done'];
}

/** A planned step for the answers of `journal show` and `recover --dry-run`. */
export function plannedOf({ do: what, step, riders }: PlannedStep): JournalShow['recovery'][number] {
  return { do: what, n: step.n, ...whatOf(step), with: riders.map((rider) => rider.n) };
}

function whatOf({ intent }: Step): Pick<ShownStep, 'kind' | 'host' | 'objects'> {
  const on = intent.host === '' ? {} : { host: intent.host };
  return { kind: intent.kind, ...on, objects: [...objectsOf(intent)] };
}
