import type { Engine } from '../atomic/engine.ts';
import { type OpenJournal, plan, type PlannedStep } from '../atomic/recover.ts';
import { exclusive, type State, type Step } from '../atomic/state.ts';
import { give } from './answer.ts';
import type { JournalList, JournalShow, ShownStep } from './answers.ts';
import { readById, readHistory, readOpen, type ReadJournal, rawLines } from './read-journals.ts';
import type { Runtime } from './runtime.ts';
import { openSession } from './session.ts';
import { table } from './table.ts';
import { printable } from './text.ts';

type Closed = 'committed' | 'rolled-back' | 'abandoned';

/** `bofh journal list`: exit 4 when one cannot be read. */
export async function list(runtime: Runtime): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const journals = [...readHistory(bofh.engine), ...(await readOpen(bofh.engine))];
  const data: JournalList = journals.map((journal) => rowOf(journal));
  give(runtime, {
    data,
    head: ['ID', 'STATE', 'LAST CHANGE', 'STEPS', 'USER', 'NAME'],
    rows: data.map((row) => [row.id, row.state, row.at, String(row.steps), row.user, row.name]),
    none: `no sequence has been run yet (${bofh.engine.store.directory})`,
  });
  const unreadable = journals.flatMap((journal) => (journal.is === 'unreadable' ? [journal.error] : []));
  for (const { message } of unreadable) runtime.terminal.line(`bofh: ${printable(message)}`);
  return unreadable.length === 0 ? 0 : 4;
}

function rowOf(journal: ReadJournal): JournalList[number] {
  const { id, at } = journal;
  if (journal.is === 'unreadable') return { id, name: '', user: '', state: 'unreadable', at, steps: 0 };
  const state = journal.is === 'open' ? journal.open.state : journal.state;
  const { begin, steps } = state;
  return { id, name: begin.name, user: begin.user, state: stateOf(journal), at, steps: steps.length };
}

/** `bofh journal show ID` */
export async function show(runtime: Runtime, id: string): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const journal = await readById(bofh.engine, id);
  if (journal.is === 'unreadable') {
    for (const [index, line] of rawLines(bofh.engine, journal.id).entries())
      runtime.terminal.answer(`${String(index + 1).padStart(4)}  ${printable(line)}\n`);
    throw journal.error;
  }
  const data = await shown(bofh.engine, journal);
  give(runtime, { data, lines: inWords(data) });
  return 0;
}

async function shown(engine: Engine, journal: ReadJournal & { is: 'open' | 'closed' }): Promise<JournalShow> {
  const state = journal.is === 'open' ? journal.open.state : journal.state;
  const { begin } = state;
  const lines = journal.is === 'open' ? journal.open.lines : journal.lines;
  const reason = lines.findLast((line) => line.t === 'closed')?.because ?? state.because;
  return {
    id: journal.id,
    name: begin.name,
    user: begin.user,
    command: [...begin.argv],
    bofh: begin.bofh,
    state: stateOf(journal),
    ...(reason === undefined ? {} : { because: reason }),
    steps: state.steps.map(stepOf),
    recovery: journal.is === 'open' ? (await planned(engine, state)).map(plannedOf) : [],
  };
}

/** What recovery would do with a journal, on the boot that this host is in. */
export async function planned(engine: Engine, state: State): Promise<readonly PlannedStep[]> {
  // The owner is a whole line where the state has it; `plan` makes a line of it, which must not be that one again.
  const { pid, started, boot, user, bofh } = state.owner;
  const now = await engine.host.facts();
  return plan({ ...state, owner: { pid, started, boot, user, bofh } }, { [engine.host.name]: now.boot });
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

function stepOf(step: Step): ShownStep {
  const { n, intent } = step;
  const [state, note] = howItStands(step);
  const objects = [...exclusive(intent.claims ?? {})];
  return { n, kind: intent.kind, objects, state, ...(note === undefined ? {} : { note }) };
}

function howItStands({ done, undone, blocked, finished }: Step): readonly [ShownStep['state'], string?] {
  if (undone !== undefined) {
    if (undone.notOurs !== undefined) return ['undone', `left alone: ${undone.notOurs}`];
    return undone.by === undefined ? ['undone'] : ['undone', `with step ${String(undone.by)}`];
  }
  if (blocked !== undefined) return ['blocked', blockedBecause(blocked)];
  if (finished) return ['finished'];
  return [done === undefined ? 'started' : 'done'];
}

function blockedBecause({ why, message }: NonNullable<Step['blocked']>): string {
  if (why === 'bare') return 'its inverse was code of a process that is gone';
  if (why === 'failed') return message ?? 'its undo failed';
  return `step ${String(why.by)} stands in the way`;
}

/** A planned step for the answers of `journal show` and `recover --dry-run`. */
export function plannedOf({ do: what, step, riders }: PlannedStep): JournalShow['recovery'][number] {
  const { n, intent } = step;
  const objects = [...exclusive(intent.claims ?? {})];
  return { do: what, n, kind: intent.kind, objects, with: riders.map((rider) => rider.n) };
}

const plannedWords = {
  undo: 'undo',
  look: 'look only, for it went with an earlier boot:',
  finish: 'finish, which cannot be undone:',
  blocked: 'blocked:',
} as const;

/** A planned step in words. */
export function plannedInWords(planned: JournalShow['recovery'][number]): string {
  const { n, kind, objects, with: riders } = planned;
  const along = riders.length === 0 ? '' : `, and with it step ${riders.join(', ')}`;
  const of = objects.length === 0 ? '' : ` (${objects.join(', ')})`;
  return printable(`${plannedWords[planned.do]} step ${String(n)} ${kind}${of}${along}`);
}

function inWords(data: JournalShow): readonly string[] {
  const rows = data.steps.map((step) => [
    String(step.n),
    step.state,
    step.kind,
    step.objects.join(' '),
    step.note ?? '',
  ]);
  const steps =
    rows.length === 0 ? [] : ['', table(['STEP', 'STATE', 'KIND', 'OBJECTS', ''], rows).trimEnd()];
  const recovery = data.recovery.map((each) => `  ${plannedInWords(each)}`);
  return [
    `journal:  ${data.id}`,
    `name:     ${printable(data.name)}`,
    `user:     ${printable(data.user)}`,
    `command:  ${printable(data.command.join(' '))}`,
    `bofh:     ${data.bofh}`,
    `state:    ${data.state}${data.because === undefined ? '' : `: ${printable(data.because)}`}`,
    ...steps,
    ...(recovery.length === 0 ? [] : ['', 'bofh recover would:', ...recovery]),
  ];
}
