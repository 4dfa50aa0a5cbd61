import { BofhError, JournalError, RefusedError } from '../../core/errors.ts';
import { createJournal } from '../journal/create-journal.ts';
import type { Journal } from '../journal/journal-writer.ts';
import { newId, type Line } from '../journal/lines.ts';
import { type ClosedJournal, closedJournals } from '../journal/scan.ts';
import {
  blocks,
  conflicting,
  directoriesOver,
  exclusive,
  fold,
  journalled,
  type State,
  type Step,
} from '../journal/state.ts';
import { claim } from '../locks/claims.ts';
import { keyInWords } from '../locks/host-key.ts';
import type { Engine } from '../engine.ts';
import type { AnyOperation, Claims, Look } from '../operation.ts';
import { eachOnce, placeOf } from '../place.ts';
import { keptAt } from '../undo/keep.ts';
import { describe } from '../undo/report.ts';
import { refuseUnmounted } from '../undo/unmounted.ts';
import { type Asking, reachedByWriters, refuseChanged } from '../undo/witness.ts';
import { plan } from './plan.ts';
import {
  finishSequence,
  codesOf,
  type RecoverOptions,
  type Recovered,
  refuseOtherMachine,
  usesOf,
} from './recover.ts';
import { letGo } from './close-journal.ts';

/**
 * Undoes a committed sequence of this host, as a sequence of its own whose journal has the recorded inverses:
 * a crash in it is recovered like any other. `history`: the closed journals, including the one to undo.
 *
 * Throws RefusedError, with nothing changed, if a step cannot be undone any more, if a newer sequence used
 * its objects, if others use them (unless `yes`) or changed them (unless `discard` names them). Throws
 * StuckError if the undo cannot finish.
 */
export async function undoSequence(
  id: string,
  history: readonly ClosedJournal[],
  options: Omit<RecoverOptions, 'ignoreMachineId' | 'onWait'>,
): Promise<Recovered> {
  const { engine, yes, discard = [] } = options;
  const undone = history.find((each) => each.id === id);
  if (undone === undefined)
    throw new RefusedError(`there is no ended sequence ${id}`, {
      code: 'not-found',
      remedy: 'see all of them: bofh journal list',
    });
  refuseUnfit(undone, history);
  refuseOtherMachine(engine, id, undone.state);
  const own = newId();
  const begin = undone.state.begin;
  const fresh = undone.lines.filter(({ t }) => copied.has(t)).map((line) => renamed(line, id, own));
  const state = fold([{ ...begin, id: own }, ...fresh]);
  const codes = await codesOf(engine, id, state);
  // Checked before `refuseNewer`: if content is lost, undoing the newer sequences would not help.
  await refuseLost(engine, undone, codes);
  refuseNewer({ id, state }, history);
  const locks = engine.locks.open();
  let stillRunning: Promise<unknown> | undefined;
  let journal: Journal | undefined;
  try {
    const running = new Map<number, never>();
    const stop = options.stop ?? new AbortController().signal;
    const enter = (): Promise<never> =>
      Promise.reject(new JournalError('an undo reserves nothing on other hosts'));
    await claim({ engine, id: own, locks, running, stop, enter }, 'the undo', 0, claimsOf(state));
    const boots = { [engine.host.name]: (await engine.host.facts()).boot };
    const used = yes ? [] : await usesOf(eachOnce(engine), { state, boots }, codes);
    if (used.length > 0)
      throw new RefusedError(
        `${named(undone)} is not undone: objects that it created or changed are in use: ${used.join('; ')}`,
        {
          remedy: `end that use, then run the command again; bofh undo ${id} --in-use undoes it anyway`,
        },
      );
    journal = await createJournal(
      engine,
      { id: own, name: `undo of ${id} ${begin.name}`, undoes: id },
      () => fresh,
    );
    await refuseChangedAbove(journal, undone, { ...options, discard, boots, codes });
    return await finishSequence(journal, options, (acting) => {
      stillRunning = acting;
    });
  } finally {
    letGo(stillRunning, locks, journal?.file);
  }
}

/** The types of the lines that record the work of a sequence. */
const copied: ReadonlySet<Line['t']> = new Set<Line['t']>([
  'scope',
  'intent',
  'done',
  'witness',
  'undone',
  'scope-end',
]);

/**
 * A step with a part after the commit gets private names of the new sequence, so that leftovers of an earlier
 * undo never have the same name.
 */
function renamed(line: Line, id: string, own: string): Line {
  if (line.t !== 'intent' || !line.after) return line;
  const mark = new RegExp(`\\bbofh\\.${id}\\.${String(line.n)}(?![0-9])`, 'g');
  const undo: unknown = JSON.parse(JSON.stringify(line.undo).replace(mark, `bofh.${own}.${String(line.n)}`));
  return { ...line, undo };
}

function named({ id, state }: Pick<ClosedJournal, 'id' | 'state'>): string {
  return `sequence ${id} "${state.begin.name}"`;
}

function refuseUnfit(of: ClosedJournal, history: readonly ClosedJournal[]): void {
  const { id, state } = of;
  const refuse = (why: string, remedy: string): never => {
    throw new RefusedError(`${named(of)} cannot be undone: ${why}`, { remedy });
  };
  const show = byHand(id);
  const already = undoOf(id, history);
  if (already !== undefined) refuse(`${already.id} has undone it already`, `bofh journal show ${already.id}`);
  if (state.closed !== 'committed')
    refuse(
      state.closed === 'rolled-back' ? 'it was rolled back' : 'it was abandoned',
      `bofh journal show ${id}`,
    );
  const left = state.steps.filter(({ undone }) => undone === undefined);
  if (left.length === 0) refuse('none of its changes still exists', `bofh journal show ${id}`);
  if (left.some(({ intent }) => intent.kind === 'bare' || intent.claims === null))
    refuse('it has steps that only its program could undo', show);
  const away = left.find(({ intent }) => intent.host !== '');
  if (away !== undefined) refuse(`it changed ${away.intent.host} too`, show);
}

/**
 * The reason, from the journals, why a sequence of the history cannot be undone any more; undefined if it
 * can.
 */
export async function whyNotUndone(engine: Engine, id: string): Promise<string | undefined> {
  try {
    const history = closedJournals(engine);
    const of = history.find((each) => each.id === id);
    if (of === undefined) return `there is no ended sequence ${id}`;
    refuseUnfit(of, history);
    await refuseLost(engine, of, await codesOf(engine, id, of.state));
    refuseNewer(of, history);
    return undefined;
  } catch (error) {
    if (error instanceof BofhError) return error.message;
    throw error;
  }
}

/**
 * Throws RefusedError for the first step whose undo needs an object that the commit removed, if no copy was
 * kept.
 */
async function refuseLost(
  engine: Engine,
  of: ClosedJournal,
  codes: ReadonlyMap<number, AnyOperation>,
): Promise<void> {
  for (const step of of.state.steps) {
    const { n, intent, undone, kept } = step;
    const later = codes.get(n)?.later;
    if (undone !== undefined || !intent.after) continue;
    let why = typeof kept === 'string' ? `: ${kept}` : '';
    if (later !== undefined && why === '') {
      if (!later.keeps(intent.undo)) continue;
      if (kept === true && (await engine.host.stat(keptAt(engine, of.id, n))) !== undefined) continue;
      if (kept === true) why = ': the kept copy was removed to free space';
    }
    throw new RefusedError(
      `${named(of)} cannot be undone: its commit discarded what the undo of ${describe(step)} needs${why}`,
      { remedy: byHand(of.id) },
    );
  }
}

function byHand(id: string): string {
  return `see its steps: bofh journal show ${id}; reverse them with other commands`;
}

/** The sequence that has undone the one with this id, if any. */
function undoOf(id: string, history: readonly ClosedJournal[]): ClosedJournal | undefined {
  return history.find(({ state }) => state.begin.undoes === id && state.closed === 'rolled-back');
}

/**
 * Throws RefusedError if newer sequences worked on objects of this one. The clock only selects the
 * candidates; `look` detects any other change.
 */
function refuseNewer(
  { id, state }: Pick<ClosedJournal, 'id' | 'state'>,
  history: readonly ClosedJournal[],
): void {
  const changedMs = history.find((each) => each.id === id)?.changedMs ?? 0;
  const made = { changes: state.steps.flatMap(({ intent }) => exclusive(intent.claims ?? {})) };
  for (const other of history.toSorted((a, b) => b.changedMs - a.changedMs)) {
    const { closed, steps } = other.state;
    if (other.id === id || other.changedMs < changedMs || closed !== 'committed') continue;
    if (undoOf(other.id, history) !== undefined) continue;
    for (const step of steps.filter(({ undone }) => undone === undefined)) {
      const key = conflicting(made, step.intent.claims ?? {});
      if (key !== undefined)
        throw new RefusedError(
          `${named({ id, state })} cannot be undone: ${named(other)} worked on ${keyInWords('', key)} later`,
          { remedy: `undo that one first: bofh undo ${other.id}` },
        );
    }
  }
}

function claimsOf({ steps }: State): Claims {
  const all = steps.flatMap(({ undone, intent }) => (undone === undefined ? (intent.claims ?? []) : []));
  return {
    changes: [...new Set(all.flatMap(exclusive))],
    needs: [...new Set(all.flatMap(({ needs = [] }) => needs))],
  };
}

/**
 * Before anything is undone, compares the content of the topmost objects; the content below them is compared
 * when its step is undone. If it throws, the journal is removed.
 */
async function refuseChangedAbove(
  journal: Journal,
  undone: ClosedJournal,
  {
    engine,
    yes,
    discard,
    boots,
    codes,
  }: Pick<RecoverOptions, 'engine' | 'yes'> & {
    readonly discard: NonNullable<RecoverOptions['discard']>;
    readonly boots: Readonly<Record<string, string>>;
    readonly codes: ReadonlyMap<number, AnyOperation>;
  },
): Promise<void> {
  const { state } = journal;
  const trusted = yes ? await reachedByWriters(engine, journal) : undefined;
  const asking = { engine, journal, trusted, discard: discard === 'all' ? discard : new Set(discard) };
  const before: Step[] = [];
  try {
    for (const { do: what, step, inside } of plan(state, boots)) {
      const isTop = !before.some((newer) => blocks(newer.intent, step.intent));
      before.push(step, ...inside);
      if (what !== 'undo') continue;
      // Its files are seen only when the undo has mounted or unmounted something over them.
      if ([step, ...inside].some((each) => before.some((newer) => changesMountsOver(newer, each)))) continue;
      // Detects a missing device before the undo begins.
      const [look] = await Promise.all([step, ...inside].map((each) => lookAt(asking, each)));
      if (isTop)
        await codes.get(step.n)?.later?.refuse({
          ...journalled(state, step),
          host: placeOf(engine, step.intent.host).host,
        });
      if (!isTop || look?.state !== 'ours') continue;
      await refuseChanged(asking, { step, inside, holders: look.holders });
    }
  } catch (error) {
    // If this journal were in the history, the doctor would report its objects as leftovers.
    for (const end of ['journal', 'ballast', 'd']) engine.store.remove(`${journal.id}.${end}`);
    engine.store.syncDir('.');
    if (!(error instanceof RefusedError)) throw error;
    const { holders, remedy } = error;
    throw new RefusedError(`${named(undone)} is not undone: ${error.message}`, {
      ...(remedy === undefined
        ? {}
        : { remedy: remedy.replaceAll(`recover ${journal.id}`, `undo ${undone.id}`) }),
      ...{ holders, cause: error },
    });
  }
}

/** Whether a newer step mounted or unmounted something at a directory above the objects of an older one. */
function changesMountsOver(newer: Step, { intent: { claims, mounts = [] } }: Step): boolean {
  const over = new Set([
    ...exclusive(claims ?? {}).flatMap(directoriesOver),
    ...mounts.map(({ path }) => `mnt:${path}`),
  ]);
  return exclusive(newer.intent.claims ?? {}).some((key) => key.startsWith('mnt:') && over.has(key));
}

async function lookAt({ engine, journal, discard }: Asking, step: Step): Promise<Look | undefined> {
  const code = await engine.find(step.intent.kind, step.intent.version);
  const { host } = placeOf(engine, step.intent.host);
  const look = await code?.look({ ...journalled(journal.state, step), host });
  if (look !== undefined) await refuseUnmounted({ engine, journal, discard }, step, look);
  return look;
}
