import type { Engine } from '../../../atomic/engine.ts';
import { codesOf } from '../../../atomic/recovery/recover.ts';
import { whyNotUndone } from '../../../atomic/recovery/undo-sequence.ts';
import { BofhError } from '../../../core/errors.ts';
import { manualRecoveryLeft, reason } from '../../../atomic/undo/report.ts';
import type { State, Step } from '../../../atomic/journal/state.ts';
import { manualRecoveryData } from '../../errors/manual-recovery.ts';
import { give } from '../../output/answer.ts';
import type { JournalShow, ShownStep } from '../../output/answers/index.ts';
import { printable, textOf, typed } from '../../output/text.ts';
import { rawLines, readAnyById, type ReadJournal, timesOf } from '../../runtime/read-journals.ts';
import { openSession, refuseOtherHost, tellWhose } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';
import { hostsOf, stateOf } from './journal-state.ts';
import { planned, plannedOf, whatOf } from './planned-steps.ts';
import { showReserved } from './reservations.ts';
import { showInWords } from './text.ts';
import { present } from '../../../core/present.ts';

export default verb({
  changes: false,
  answers: 'journal show',
  args: { id: ['<id>', 'ID of the sequence, as bofh journal list shows it'] },
  examples: ['journal show 3f0c1a4e'],
  run: async (runtime, { id }) => {
    refuseOtherHost(runtime, 'the journals');
    tellWhose(runtime);
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    const journal = await readAnyById(bofh.engine, id);
    if (journal.is === 'reserved') return showReserved(runtime, bofh.engine, journal);
    if (journal.is === 'unreadable') {
      // With --json the error is the only value on stdout.
      const { terminal, settings } = runtime;
      for (const [index, line] of rawLines(bofh.engine, journal.id).entries()) {
        const text = `${String(index + 1).padStart(4)}  ${printable(line)}`;
        if (settings.answer === 'json') terminal.line(text);
        else terminal.answer(`${text}\n`);
      }
      throw journal.error;
    }
    const data = await shown(bofh.engine, journal);
    give(runtime, { data, lines: showInWords(data, runtime.terminal.look) });
    return 0;
  },
});

async function shown(engine: Engine, journal: ReadJournal & { is: 'open' | 'closed' }): Promise<JournalShow> {
  const state = journal.is === 'open' ? journal.open.state : journal.state;
  const { begin } = state;
  const lines = journal.is === 'open' ? journal.open.lines : journal.lines;
  const because = lines.findLast((line) => line.t === 'closed')?.because ?? state.because;
  const owned = journal.is === 'open' && journal.open.owner !== 'dead';
  const left = journal.is === 'open' ? await planned(engine, state) : undefined;
  const refused = left === undefined || owned ? undefined : await refusalOf(engine, journal.id, state);
  return {
    id: journal.id,
    name: textOf(begin.name),
    user: textOf(begin.user),
    command: [...begin.argv],
    bofh: begin.bofh,
    state: stateOf(journal),
    ...present({ because }),
    ...timesOf(journal),
    ...hostsOf(state, left?.away),
    ...(journal.is === 'closed' && state.closed === 'committed'
      ? { notUndoable: (await whyNotUndone(engine, journal.id)) ?? null }
      : {}),
    steps: await Promise.all(state.steps.map((step) => stepOf(engine, state, step, owned))),
    recovery: refused === undefined ? (left?.steps.map(plannedOf) ?? []) : [],
    ...present({ refused }),
  };
}

/** Why recovery would not begin, for example because this bofh does not know the kind of a step. */
async function refusalOf(engine: Engine, id: string, state: State): Promise<JournalShow['refused']> {
  try {
    await codesOf(engine, id, state);
    return undefined;
  } catch (error) {
    if (!(error instanceof BofhError)) throw error;
    const { remedy } = error;
    return { why: error.message, ...present({ remedy }) };
  }
}

/** A step and its state. The commands of manual recovery are shown if no process is at work on the journal. */
async function stepOf(engine: Engine, state: State, step: Step, owned: boolean): Promise<ShownStep> {
  const { n, blocked } = step;
  const [is, note] = howItStands(step);
  const manualRecovery = owned ? undefined : await manualRecoveryLeft(engine, state, step);
  const { holders = [], remedy } = blocked ?? {};
  const heldBy = holders.map(({ words, free }) => ({
    who: words,
    ...(free === undefined ? {} : { free: typed(free) }),
  }));
  return {
    ...{ n, ...whatOf(step), state: is },
    ...present({ note }),
    ...(heldBy.length === 0 ? {} : { heldBy }),
    ...present({ remedy }),
    ...(manualRecovery === undefined ? {} : { manualRecovery: manualRecoveryData(manualRecovery) }),
  };
}

function howItStands({ done, undone, blocked, finished }: Step): readonly [ShownStep['state'], string?] {
  if (undone !== undefined) {
    if (undone.notOurs !== undefined) return ['undone', `left untouched: ${undone.notOurs}`];
    return undone.by === undefined ? ['undone'] : ['undone', `with step ${String(undone.by)}`];
  }
  if (blocked !== undefined) return ['blocked', reason(blocked)];
  if (finished) return ['finished'];
  return [done === undefined ? 'started' : 'done'];
}
