import type { Signals } from '../../../../src/atomic/index.ts';
import { atomic, withBofh } from '../../../../src/bofh.ts';
import { decode } from '../../../../src/atomic/journal/lines.ts';
import { cutLastLine } from '../../../../src/atomic/recovery/recover.ts';
import { JournalError, StuckError } from '../../../../src/core/errors.ts';
import { killProcess } from '../../../../src/simulator/faults/faults.ts';
import { simulatedBofh, type SimulatedHost } from '../../../../src/simulator/index.ts';
import { differences, notNamed, stateOf, uuidsIn } from '../../../../src/simulator/matrix/judge.ts';
import {
  type Ending,
  endingOf,
  fateOf,
  leftovers,
  next,
  recoverAll,
  type Then,
  words,
} from '../../../../src/simulator/matrix/trial.ts';
import { interpret, type Action, type Taken } from '../../crash/program.ts';
import type { Case, Leaf, Trouble } from './program.ts';
import { type At, startHost, workOf } from './steps.ts';
import { intrude, type Stranger } from './stranger.ts';
import { count, type Figures } from './figures.ts';
import { meddle } from './meddle.ts';
import { strike } from './trouble.ts';

interface Run {
  readonly host: SimulatedHost;
  readonly ending: Ending;
  readonly taken: readonly Taken<Leaf>[];
  readonly stranger: Stranger | undefined;
}

/** Runs it, lets it fail, recovers; gives what is wrong. */
export async function soakTrial(one: Case, figures: Figures): Promise<readonly string[]> {
  const known = uuidsIn(startHost().snapshot());
  const run = await disturbed(one, figures);
  const { ending, taken } = run;
  let { stranger } = run;
  const states = statesOf(taken, known);
  const found: string[] = [];
  const isStuck = ending.how === 'thrown' && ending.error instanceof StuckError;
  if (isStuck) found.push(...(await hidden(run.host, ending.error, states, stranger, known)));
  const thens: Then[] = [one.then];
  run.host.clearFaults();
  // Closed: a power cut may take its file on the way to the history, so it is asked now.
  const restarted = next(run.host, 'restart');
  const closed = leftovers(restarted).length === 0 ? fateOf(restarted) : undefined;
  let host = await mended(one.then === 'restart' ? restarted : next(restarted, one.then), found);
  if (ending.how === 'died' && stranger === undefined && one.takeover !== null) {
    stranger = intrude(host, one.takeover);
    if (stranger !== undefined)
      count(figures.fired, `a stranger takes the name of a ${one.takeover.what} between kill and recovery`);
  }
  if (one.meddling !== null && stranger === undefined && leftovers(host).length > 0)
    found.push(...(await meddle(host, { meddling: one.meddling, then: one.then, taken }, figures)));
  // Whether `committed` is on the disk, only the disk can tell.
  const expected =
    ending.how === 'done'
      ? 'after'
      : ending.how === 'died' || isStuck
        ? (closed ?? fateOf(host))
        : ('before' as const);
  if (one.recovery !== null) {
    await troubled(host, one.recovery, figures, (signals) => recoverAll(host, signals));
    thens.push(one.again);
    host.clearFaults();
    host = await mended(next(host, one.again), found);
  }
  host.clearFaults();
  const rebooted = thens.some((then) => then !== 'restart');
  // A program that still hangs comes to its end once it is waited for.
  const recover = (): Promise<Ending> => recoverAll(host, { onWait: () => host.letGo() });
  let recovered = await recover();
  const harm = stranger?.harm(host, rebooted) ?? '';
  if (harm !== '') found.push(harm);
  stranger?.leave(host);
  let wasStuck = isStuck;
  if (recovered.how === 'thrown' && recovered.error instanceof StuckError && stranger !== undefined) {
    // The stranger had the name that the undo needs; now the name is free again.
    wasStuck = true;
    host = next(host, 'restart');
    recovered = await recover();
  }
  if (recovered.how !== 'done') found.push(`recovery ended by ${saying(recovered)}`);
  else {
    const state = stateOf(host, known);
    const wanted = await states(expected, thens);
    const off = differences(wanted, state);
    if (off.length > 0) found.push(`it should be as ${expected}:\n  ${off.join('\n  ')}`);
    if (leftovers(host).length > 0) found.push(`left in the state directory: ${leftovers(host).join(', ')}`);
  }
  for (const each of host.world.processes) killProcess(host.world, each);
  count(figures.outcomes, found.length > 0 ? 'neither' : wasStuck ? `stuck, then ${expected}` : expected);
  return found.map((each) => `${each} [it said ${saying(ending)}]`);
}

/**
 * A power cut may leave holes in what was not synced of the journal. Recovery refuses it then and touches nothing, and the
 * administrator runs `bofh recover --cut-last-line`.
 */
export async function mended(host: SimulatedHost, found: string[]): Promise<SimulatedHost> {
  const { engine } = simulatedBofh({ host });
  const { store } = engine;
  for (const name of store.names('.').filter((each) => each.endsWith('.journal'))) {
    const file = store.open(name);
    const bytes = file?.read();
    file?.close();
    if (bytes === undefined || isReadable(bytes, name)) continue;
    const before = host.snapshot();
    const { how, error } = { error: undefined, ...(await recoverAll(host)) };
    if (
      how !== 'thrown' ||
      !(error instanceof JournalError) ||
      host.snapshot() !== before ||
      !bytes.includes(0)
    )
      found.push(`a damaged journal was not refused: ${how} ${String(error)}`);
    await cutLastLine(engine, name.slice(0, -'.journal'.length));
  }
  return host;
}

function isReadable(bytes: Uint8Array, name: string): boolean {
  try {
    decode(bytes, name);
    return true;
  } catch {
    return false;
  }
}

async function disturbed(one: Case, figures: Figures): Promise<Run> {
  const host = startHost();
  const taken: Taken<Leaf>[] = [];
  const foreign = new Set<string>();
  const kept: { stranger?: Stranger } = {};
  const { takeover } = one;
  const ending = await troubled(
    host,
    one.run,
    figures,
    (signals) => sequence(host, signals, { body: one.body, fails: one.fails, taken, foreign }),
    (n) => {
      if (takeover === null || n !== takeover.at) return;
      const stranger = intrude(host, takeover);
      if (stranger === undefined) return;
      kept.stranger = stranger;
      foreign.add(stranger.identity);
      count(figures.fired, `a stranger takes the name of a ${takeover.what}`);
    },
  );
  for (const { leaf } of taken) count(figures.steps, leaf.do);
  return { host, ending, taken, stranger: kept.stranger };
}

async function sequence(
  host: SimulatedHost,
  signals: Signals,
  program: Pick<At, 'taken' | 'foreign'> & {
    readonly body: readonly Action<Leaf>[];
    readonly fails: boolean;
  },
): Promise<Ending> {
  const { body, fails, ...rest } = program;
  return endingOf(host, () =>
    withBofh({ ...simulatedBofh({ host }), signals }, () =>
      atomic('soak', async (tx) => {
        await interpret({ ...rest, tx, host, scopes: [] }, body, workOf);
        if (fails) throw new Error('the script failed');
      }),
    ),
  );
}

/** Runs work under trouble, and finishes it also where a program hangs. */
async function troubled(
  host: SimulatedHost,
  trouble: Trouble,
  figures: Figures,
  work: (signals: Required<Pick<Signals, 'stop' | 'abandon'>>) => Promise<Ending>,
  meanwhile: (n: number) => void = () => undefined,
): Promise<Ending> {
  const [stop, abandon] = [new AbortController(), new AbortController()];
  const signal = (): void => {
    if (stop.signal.aborted) abandon.abort();
    stop.abort();
  };
  host.faults.decide(strike(trouble, { fired: (what) => count(figures.fired, what), signal, meanwhile }));
  const running = work({ stop: stop.signal, abandon: abandon.signal });
  await toItsEnd(host, running, () => {
    if (trouble.hung === 'SIGKILL') host.kill();
    else if (trouble.hung === 'two signals' && !abandon.signal.aborted) signal();
    else host.letGo();
  });
  return running;
}

/** Lets work come to its end; `unhang` is called each time that a program hangs and nothing else goes on. */
export async function toItsEnd(
  host: SimulatedHost,
  running: Promise<unknown>,
  unhang: () => void,
): Promise<void> {
  const state = { isOver: false };
  void running.finally(() => (state.isOver = true));
  for (let idle = 0, turns = 0; !state.isOver; turns += 1) {
    if (turns > 200_000) throw new Error('it does not come to an end');
    await new Promise((resolve) => setImmediate(resolve));
    idle = host.world.orphans.length > 0 ? idle + 1 : 0;
    if (idle < 20) continue;
    idle = 0;
    unhang();
  }
}

/** The states before and after, each followed by what happened to the host; what was done is done again undisturbed. */
function statesOf(taken: readonly Taken<Leaf>[], known: ReadonlySet<string>) {
  return async (which: 'before' | 'after', thens: readonly Then[]): Promise<string> => {
    let host = startHost();
    if (which === 'after') {
      const { how, ...rest } = await replayed(host, taken);
      if (how !== 'done') throw 'error' in rest ? rest.error : new Error('the replay died');
    }
    for (const then of thens) host = next(host, then);
    return stateOf(host, known);
  };
}

async function replayed(host: SimulatedHost, taken: readonly Taken<Leaf>[]): Promise<Ending> {
  return endingOf(host, () =>
    withBofh(simulatedBofh({ host }), () =>
      atomic('replay', async (tx) => {
        const at = { tx, host, taken: [], scopes: [], foreign: new Set<string>() };
        for (const { leaf } of taken) await workOf(at, leaf)?.();
      }),
    ),
  );
}

/** What a stuck journal does not name of the difference. */
async function hidden(
  host: SimulatedHost,
  error: StuckError,
  states: ReturnType<typeof statesOf>,
  stranger: Stranger | undefined,
  known: ReadonlySet<string>,
): Promise<readonly string[]> {
  // What a stranger has brought in is his to name.
  if (stranger !== undefined) return [];
  const bases: ('before' | 'after')[] = error.committed ? ['after'] : ['before', 'after'];
  const now = stateOf(host, known);
  let fewest: readonly string[] | undefined;
  for (const which of bases) {
    const base = await states(which, []).catch(() => undefined);
    if (base === undefined) continue;
    const lines = notNamed({ base, now }, error, known);
    if (fewest === undefined || lines.length < fewest.length) fewest = lines;
  }
  return (fewest ?? []).map((line) => `the stuck journal does not name: ${line}`);
}

function saying(ending: Ending): string {
  return ending.how === 'thrown' ? words(ending.error) : ending.how;
}
