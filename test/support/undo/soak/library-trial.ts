import { AsyncLocalStorage } from 'node:async_hooks';
import type { SequenceEvent } from '../../../../src/atomic/index.ts';
import { decode } from '../../../../src/atomic/journal/lines.ts';
import { abandon } from '../../../../src/atomic/recovery/recover.ts';
import { recover } from '../../../../src/api/recover.ts';
import { atomic, withBofh } from '../../../../src/bofh.ts';
import {
  BofhError,
  errorCodes,
  InterruptedError,
  RolledBackError,
  SequenceEnded,
  StuckError,
} from '../../../../src/core/errors.ts';
import { explain } from '../../../../src/core/explain.ts';
import type { Tx } from '../../../../src/operations.ts';
import { parseSite } from '../../../../src/site.ts';
import { killProcess } from '../../../../src/simulator/faults/faults.ts';
import { fork } from '../../../../src/simulator/fork.ts';
import { simulatedBofh, type SimulatedHost } from '../../../../src/simulator/index.ts';
import { alone } from '../../../../src/simulator/matrix/signals.ts';
import { interpret, type Taken } from '../../crash/program.ts';
import { differences, stateOf, uuidsIn } from '../../../../src/simulator/matrix/judge.ts';
import { record, records } from '../record.ts';
import {
  type Ending,
  endingOf,
  leftovers,
  next,
  type Then,
  words,
} from '../../../../src/simulator/matrix/trial.ts';
import { count, type Figures } from './figures.ts';
import type { LibraryCase, LibraryLeaf, Script } from './library-program.ts';
import { type LibraryAt, libraryWorkOf } from './library-steps.ts';
import { startHost } from './steps.ts';
import { intrude, type Stranger } from './stranger.ts';
import { mended, toItsEnd } from './trial.ts';
import { strike } from './trouble.ts';

const site = parseSite({ volumeGroup: 'vg0', operations: [record] }, 'the soak');

/** What a caller of `atomic` did and got. */
interface Told {
  readonly script: Script;
  readonly taken: Taken<LibraryLeaf>[];
  readonly changed: Map<LibraryLeaf, boolean>;
  readonly events: SequenceEvent[];
  /** Thrown by its own function. */
  readonly own: Error;
  /** Each reason that it was given to stop, and where it was then. */
  readonly stops: { readonly reason: unknown; readonly where: Where }[];
  where: Where;
  /** A call of it ran when its function returned. */
  forgot: boolean;
  /** Its place among those that were committed. */
  committed: number;
  ending: Ending | undefined;
  value: unknown;
  tx: Tx | undefined;
}

type Where = 'not begun' | 'body' | 'ending' | 'undo' | 'over';

type Fate = 'before' | 'after';

let ready: SimulatedHost | undefined;

function libraryHost(): SimulatedHost {
  if (ready === undefined) {
    ready = startHost();
    ready.admin.mkdir(records);
  }
  return fork(ready);
}

/** Runs scripts at the same time, lets them fail, recovers; gives what is wrong. */
export async function libraryTrial(one: LibraryCase, figures: Figures): Promise<readonly string[]> {
  const signal =
    one.end?.how === 'signals' ? (['SIGINT', 'SIGTERM', 'SIGHUP'] as const)[one.end.at % 3] : undefined;
  return alone(signal ?? 'SIGINT', (deliver) =>
    trial(one, figures, () => {
      if (process.listenerCount(signal ?? 'SIGINT') > 0) deliver();
    }),
  );
}

async function trial(one: LibraryCase, figures: Figures, deliver: () => void): Promise<readonly string[]> {
  const known = uuidsIn(libraryHost().snapshot());
  const found: string[] = [];
  const registry = new Map<string, object>();
  const run = await disturbed(one, { figures, deliver, registry, found });
  const { told } = run;
  let { stranger } = run;
  for (const each of told) found.push(...verdictOf(each, one, run));
  // A journal that cannot be written may also not be closed.
  const isWhole =
    one.faults.every(({ on }) => on !== 'journal') &&
    told.every(({ ending }) => ending?.how !== 'died' && !isOpen(ending));
  if (isWhole) found.push(...(await leftInProcess(run.host, told)));
  run.host.clearFaults();
  const thens: Then[] = [one.then];
  const restarted = next(run.host, 'restart');
  const early = new Map(told.map((each) => [each, journalOf(restarted, each)]));
  let host = await mended(one.then === 'restart' ? restarted : next(restarted, one.then), found);
  const fates = new Map(told.map((each) => [each, fateOf(host, each, early.get(each))]));
  if (one.recovery !== null && leftovers(host).length > 0) {
    count(figures.fired, 'SIGKILL of the recovery');
    const end = { how: 'SIGKILL', at: one.recovery } as const;
    host.faults.decide(
      strike({ faults: [], end, hung: 'goes on' }, { fired: () => undefined, signal: () => undefined }),
    );
    await recovered(host);
    thens.push(one.again);
    host.clearFaults();
    host = await mended(next(host, one.again), found);
  }
  const named = new Map<string, Set<string>>();
  let last: Ending = { how: 'died' };
  for (let turn = 0; turn < 4; turn += 1) {
    last = await recovered(host);
    if (last.how === 'done') break;
    const stuck = stuckIn(last);
    for (const error of stuck) await byAPerson(host, error, named);
    if (stranger !== undefined) {
      const harm = stranger.harm(
        host,
        thens.some((then) => then !== 'restart'),
      );
      if (harm !== '') found.push(harm);
      stranger.leave(host);
      stranger = undefined;
    } else if (stuck.length === 0) break;
    host = next(host, 'restart');
  }
  const harm =
    stranger?.harm(
      host,
      thens.some((then) => then !== 'restart'),
    ) ?? '';
  if (harm !== '') found.push(harm);
  stranger?.leave(host);
  if (last.how !== 'done') found.push(`recovery ended by ${saying(last)}`);
  else {
    // What only code of the dead process could undo, a person has undone, as the error named it.
    for (const each of told)
      if (fates.get(each) === 'before')
        for (const [name, script] of registry)
          if (script === each.script && named.get(idOf(each) ?? '')?.has(name) === true)
            registry.delete(name);
    const wanted = await replayed(
      told.filter((each) => fates.get(each) === 'after'),
      thens,
      known,
    );
    found.push(...wanted.found);
    const off = differences(wanted.state, stateIn(host, known));
    if (off.length > 0) found.push(`it should be as after ${said(told, fates)}:\n  ${off.join('\n  ')}`);
    const effects = [...registry.keys()].sort().join();
    if (effects !== wanted.effects) found.push(`effects are ${effects}, not ${wanted.effects}`);
    if (leftovers(host).length > 0) found.push(`left in the state directory: ${leftovers(host).join(', ')}`);
  }
  for (const each of host.world.processes) killProcess(host.world, each);
  for (const each of told) {
    const { ending } = each;
    const code =
      ending?.how === 'thrown' ? ` ${ending.error instanceof BofhError ? ending.error.code : 'its own'}` : '';
    count(figures.outcomes, `${ending?.how ?? 'nothing'}${code}: ${fates.get(each) ?? ''}`);
    for (const { leaf } of each.taken) count(figures.steps, leaf.do);
  }
  return found.map((each) => `${each} [${told.map((of) => saying(of.ending)).join('; ')}]`);
}

interface Run {
  readonly host: SimulatedHost;
  readonly told: readonly Told[];
  readonly stranger: Stranger | undefined;
  /** Signals of the process that came. */
  readonly signals: number;
}

async function disturbed(
  one: LibraryCase,
  at: {
    readonly figures: Figures;
    readonly deliver: () => void;
    readonly registry: Map<string, object>;
    readonly found: string[];
  },
): Promise<Run> {
  const { figures } = at;
  const host = libraryHost();
  const foreign = new Set<string>();
  const who = new AsyncLocalStorage<(typeof running)[number]>();
  const state = { signals: 0, commits: 0, stranger: undefined as Stranger | undefined };
  const timers = fakeTimers();
  const running = one.scripts.map((script, i) => ({
    told: newTold(script),
    controller: new AbortController(),
    timeout: timeoutOf(i),
    accesses: { body: 0, undo: 0 },
  }));
  const signal = (): void => {
    const before = process.listenerCount('SIGINT') + process.listenerCount('SIGTERM');
    if (before === 0) return;
    state.signals += 1;
    count(figures.fired, `signal ${state.signals}`);
    for (const { told } of running) told.stops.push({ reason: 'signal', where: told.where });
    at.deliver();
  };
  const meanwhile = (n: number): void => {
    const { end, takeover } = one;
    if (end?.how === 'signals')
      for (let nth = 0; nth < end.times; nth += 1) if (n === end.at + nth * end.gap) signal();
    if (takeover !== null && n === takeover.at) {
      const stranger = intrude(host, takeover);
      if (stranger !== undefined) {
        state.stranger = stranger;
        foreign.add(stranger.identity);
        count(figures.fired, `a stranger takes the name of a ${takeover.what}`);
      }
    }
    const mine = who.getStore();
    const stop = mine?.told.script.stop;
    if (mine === undefined || stop === undefined || stop === null) return;
    const { told } = mine;
    if (told.where !== 'body' && told.where !== 'undo') return;
    mine.accesses[told.where] += 1;
    if (stop.when !== told.where || mine.accesses[told.where] !== stop.at) return;
    count(figures.fired, `${stop.how} in the ${stop.when}`);
    const reason = { of: told.script };
    told.stops.push({ reason: stop.how === 'abort' ? reason : 'timeout', where: told.where });
    if (stop.how === 'abort') mine.controller.abort(reason);
    else timers.fire(mine.timeout);
  };
  const end = one.end?.how === 'SIGKILL' ? one.end : null;
  host.faults.decide(
    strike(
      { faults: one.faults, end, hung: one.hung },
      { fired: (what) => count(figures.fired, what), signal: () => undefined, meanwhile },
    ),
  );
  const call = async (mine: (typeof running)[number]): Promise<void> => {
    const { told, controller, timeout } = mine;
    const { script } = told;
    for (let turn = 0; turn < script.delay; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    if (!host.process.alive) {
      told.ending = { how: 'died' };
      return;
    }
    const onEvent = (event: SequenceEvent): void => {
      told.events.push(event);
      // One that changed nothing has no commit: it relied on what it found until it ended.
      const unchanged = event.type === 'ended' && event.outcome === 'unchanged';
      if (event.type === 'committed' || unchanged) told.committed = state.commits += 1;
      if (event.type !== 'undo-started' || event.scope !== undefined) return;
      if (told.where === 'body' && state.signals < 3)
        at.found.push('the undo began while the function still ran');
      told.where = 'undo';
    };
    told.ending = await endingOf(host, async () => {
      told.value = await atomic(
        'soak',
        (tx) => bodyOf(told, tx, { host, foreign, registry: at.registry, found: at.found }),
        {
          ...{ onEvent, signal: controller.signal, timeout },
          ...(script.waits ? { wait: 20_000 } : {}),
        },
      );
    });
    told.where = 'over';
  };
  try {
    const { signals: _, ...bofh } = simulatedBofh({ host, site });
    const work = withBofh(
      { ...bofh, engine: { ...bofh.engine, onWaiting: () => undefined, onLeftUntouched: () => undefined } },
      () => Promise.all(running.map((mine) => who.run(mine, () => call(mine)))),
    );
    await toItsEnd(host, work, () => {
      if (one.hung === 'SIGKILL') host.kill();
      else if (one.hung === 'two signals' && state.signals < 3) signal();
      else host.letGo();
    });
    await work;
  } finally {
    timers.restore();
    // Node 20 visits each storage for each promise until then: 3,000 trials took four times as long.
    who.disable();
  }
  return { host, told: running.map(({ told }) => told), stranger: state.stranger, signals: state.signals };
}

function newTold(script: Script): Told {
  return {
    ...{ script, taken: [], changed: new Map(), events: [], own: new Error('the script failed'), stops: [] },
    ...{ where: 'not begun', forgot: false, committed: Infinity },
    ...{ ending: undefined, value: undefined, tx: undefined },
  };
}

async function bodyOf(
  told: Told,
  tx: Tx,
  around: Pick<LibraryAt, 'host' | 'foreign' | 'registry' | 'found'>,
): Promise<object> {
  const { script, taken, changed } = told;
  told.where = 'body';
  told.tx = tx;
  const at: LibraryAt = { ...around, tx, taken, changed, script, scopes: [] };
  try {
    await interpret(at, script.body, libraryWorkOf);
    if (script.ends === 'throws') throw told.own;
    if (script.ends === 'forgets') {
      const work =
        libraryWorkOf(at, { do: 'file', a: 0, b: 3 }) ?? libraryWorkOf(at, { do: 'reserve', a: 0, b: 0 });
      void work?.().catch(() => undefined);
      told.forgot = true;
    }
    return script;
  } finally {
    told.where = 'ending';
  }
}

const longest = 2_000_000_000;

/** A time that only the trial itself lets pass: one for each script. */
function timeoutOf(i: number): number {
  return longest + i;
}

/** Time-outs of sequences come when they are fired, so that a seed gives the same trial again. */
function fakeTimers(): { readonly fire: (ms: number) => void; readonly restore: () => void } {
  const real = globalThis.setTimeout;
  const set = new Map<number, () => void>();
  globalThis.setTimeout = ((act: () => void, ms = 0) => {
    if (ms < longest) return real(act, ms);
    set.set(ms, act);
    return undefined;
  }) as typeof setTimeout;
  return { fire: (ms) => set.get(ms)?.(), restore: () => void (globalThis.setTimeout = real) };
}

/** What is wrong with what a caller got, whatever the host looks like. */
function verdictOf(told: Told, one: LibraryCase, { signals, stranger }: Run): readonly string[] {
  const { ending, script, own, stops, events, forgot } = told;
  const found: string[] = [];
  const last = events.at(-1);
  const wasStopped = stops.some(({ where }) => where === 'body');
  const began = events.some(({ type }) => type === 'started');
  if (ending === undefined) return ['a sequence has no end'];
  if (ending.how === 'died')
    return one.end?.how === 'SIGKILL' || one.hung === 'SIGKILL' || hasCrash(one) ? [] : ['it died by itself'];
  if (began && events.some(({ number }, i) => number !== i + 1)) found.push('events are missing');
  if (began && last?.type !== 'ended') found.push('the last event is not "ended"');
  if (ending.how === 'done') {
    if (told.value !== script) found.push('it gave another value');
    if (script.ends === 'throws') found.push('its function threw, and it was committed');
    if (forgot) found.push('a call was not awaited, and it was committed');
    if (wasStopped) found.push('it was stopped in its body, and committed');
    if (stops.some(({ where, reason }) => where === 'not begun' && reason === 'signal'))
      found.push('it began after a signal');
    if (last?.type === 'ended' && !['committed', 'unchanged'].includes(last.outcome))
      found.push(`the last event says ${last.outcome}`);
    return found;
  }
  const { error } = ending;
  if (!(error instanceof BofhError)) {
    if (error !== own && !/is registered|the scope failed/.test(String(error)))
      found.push(`it threw ${words(error)}`);
    if (events.some(({ type }) => type === 'step-undone'))
      found.push('something was undone, and the error does not say so');
    return found;
  }
  if (!errorCodes.includes(error.code)) found.push(`the code ${error.code} is not in the table`);
  if (error.toJSON().code !== error.code || explain(error).split('\n').length < 2)
    found.push('it cannot be explained');
  if (last?.type === 'ended' && last.code !== error.code)
    found.push(`the last event has the code ${last.code ?? ''}, the error ${error.code}`);
  if (error instanceof InterruptedError) {
    const [first] = stops.filter(({ where }) => where !== 'undo' && where !== 'over');
    if (first === undefined) found.push('nobody interrupted it');
    else if ((first.reason === 'timeout') !== (error.code === 'timeout'))
      found.push(`it was stopped by ${JSON.stringify(first.reason)}, and says ${error.code}`);
    else if (typeof first.reason === 'object' && error.reason !== first.reason)
      found.push('it has another reason');
  }
  const isTroubled = one.faults.length > 0 || one.hung === 'SIGKILL' || signals > 1 || stranger !== undefined;
  if (error instanceof StuckError && !isTroubled) found.push(`it is stuck without a cause: ${error.message}`);
  if (error instanceof RolledBackError && script.ends === 'throws' && error.cause === undefined)
    found.push('it has no cause');
  if ('id' in error && error.id !== undefined && error.id !== idOf(told))
    found.push('it has the id of another sequence');
  if ((error instanceof RolledBackError || error instanceof InterruptedError) && error.id !== undefined) {
    const undone = new Set(events.flatMap((event) => (event.type === 'step-undone' ? event.step.n : [])));
    // Newest first: calls that run side by side begin in any order.
    const objects = events
      .flatMap((event) => (event.type === 'step-started' && undone.has(event.step.n) ? [event.step] : []))
      .map(({ objects: [first = ''] }) => first)
      .toReversed();
    if (
      objects.length !== error.undone.length ||
      objects.some((key, i) => !(error.undone[i] ?? '').includes(key.replace(/^.*?:/, '')))
    )
      found.push(
        `it says that it has undone ${error.undone.join(', ')}, and the events ${objects.join(', ')}`,
      );
  }
  return found;
}

function hasCrash({ faults }: LibraryCase): boolean {
  return faults.some(({ mode }) => mode === 'hangs');
}

/** What is left in a process whose sequences are all over. */
async function leftInProcess(host: SimulatedHost, told: readonly Told[]): Promise<readonly string[]> {
  const { world, process: own } = host;
  const locked = [...world.objectLocks].filter(([, holders]) => holders.size > 0).map(([key]) => key);
  const found = [
    ...(locked.length === 0 ? [] : [`still locked: ${locked.join(', ')}`]),
    ...(world.flocks.length === 0 ? [] : ['a lock of a file is held']),
    ...(own.open.size === 0 ? [] : ['a file is open']),
    ...(world.orphans.length === 0 ? [] : ['a program runs']),
    ...leftovers(host).map((name) => `left in the state directory: ${name}`),
  ];
  const before = host.snapshot();
  for (const { tx } of told) {
    const late = await tx?.file.create({ path: '/root/late', content: '', mode: 0o600 }).then(
      () => 'was taken',
      (error: unknown) => (error instanceof SequenceEnded ? undefined : String(error)),
    );
    if (late !== undefined) found.push(`a call after the end ${late}`);
  }
  if (host.snapshot() !== before) found.push('a call after the end changed the host');
  return found;
}

function isOpen(ending: Ending | undefined): boolean {
  if (ending?.how !== 'thrown') return false;
  const { error } = ending;
  return (
    error instanceof StuckError ||
    (error instanceof RolledBackError && error.message.includes('journal stays open'))
  );
}

function idOf({ events }: Told): string | undefined {
  return events[0]?.id;
}

/** What its journal says, on this host. */
function journalOf(
  host: SimulatedHost,
  told: Told,
): { readonly fate: Fate; readonly closed: boolean } | undefined {
  const id = idOf(told);
  const { store } = simulatedBofh({ host }).engine;
  for (const name of [`${id}.journal`, `history/${id}.journal`]) {
    const file = id === undefined ? undefined : store.open(name);
    if (file === undefined) continue;
    const bytes = file.read();
    file.close();
    try {
      const { lines } = decode(bytes, name);
      const has = (t: string): boolean => lines.some((line) => line.t === t);
      return { fate: has('committed') ? 'after' : 'before', closed: has('closed') };
    } catch {
      return undefined;
    }
  }
  return undefined;
}

/** What must be true in the end: what its caller was told, or else what the journal says. */
function fateOf(host: SimulatedHost, told: Told, early: ReturnType<typeof journalOf>): Fate {
  const { ending } = told;
  if (ending?.how === 'done') return 'after';
  const isStuck = ending?.how === 'thrown' && ending.error instanceof StuckError;
  if (isStuck && ending.error.committed) return 'after';
  if (ending?.how === 'thrown' && !isStuck) return 'before';
  // A power cut may take its file on the way to the history.
  return journalOf(host, told)?.fate ?? (early?.closed === true ? early.fate : 'before');
}

async function recovered(host: SimulatedHost): Promise<Ending> {
  const bofh = simulatedBofh({ host, site });
  const work = endingOf(host, () => withBofh(bofh, () => recover({ inUse: true })));
  await toItsEnd(host, work, () => host.letGo());
  return work;
}

function stuckIn(ending: Ending): readonly StuckError[] {
  if (ending.how !== 'thrown' || !(ending.error instanceof BofhError)) return [];
  const { error } = ending;
  const all: readonly unknown[] =
    error.cause instanceof AggregateError && !(error instanceof StuckError) ? error.cause.errors : [error];
  return all.filter((each) => each instanceof StuckError);
}

/** Undoes by hand what only code of the dead process could undo, and closes the journal. */
async function byAPerson(
  host: SimulatedHost,
  { id, blocked, remaining }: StuckError,
  named: Map<string, Set<string>>,
): Promise<void> {
  const steps = [...blocked, ...remaining];
  if (
    id === undefined ||
    steps.length === 0 ||
    steps.some(({ objects }) => !objects.every((key) => key.startsWith('demo:')))
  )
    return;
  named.set(id, new Set(steps.flatMap(({ objects }) => objects)));
  await abandon(simulatedBofh({ host }).engine, id, 'undone by hand');
}

/** What was committed, done again, one sequence after another, undisturbed. */
async function replayed(
  told: readonly Told[],
  thens: readonly Then[],
  known: ReadonlySet<string>,
): Promise<{ readonly state: string; readonly effects: string; readonly found: readonly string[] }> {
  let host = libraryHost();
  const found: string[] = [];
  const registry = new Map<string, object>();
  for (const { taken, script, changed } of [...told].sort((a, b) => a.committed - b.committed)) {
    const again = new Map<LibraryLeaf, boolean>();
    const ending = await endingOf(host, () =>
      withBofh(simulatedBofh({ host, site }), () =>
        atomic('replay', async (tx) => {
          const at = {
            ...{ tx, host, taken: [], scopes: [], foreign: new Set<string>() },
            ...{ registry, script, changed: again, found },
          };
          for (const { leaf } of taken) {
            const work = libraryWorkOf(at, leaf);
            if (work === undefined) found.push(`${leaf.do} was done, and cannot be done alone`);
            await work?.();
          }
        }),
      ),
    );
    if (ending.how !== 'done') found.push(`alone it ended by ${saying(ending)}`);
    for (const { leaf } of taken)
      if (again.get(leaf) !== changed.get(leaf))
        found.push(`${leaf.do} said changed: ${String(changed.get(leaf))}`);
  }
  for (const then of thens) host = next(host, then);
  return { state: stateIn(host, known), effects: [...registry.keys()].sort().join(), found };
}

/** A loop device has whatever number was free, and a new volume whatever extents. */
function stateIn(host: SimulatedHost, known: ReadonlySet<string>): string {
  const paths = new Map([...host.world.loops.values()].map(({ minor, path }) => [String(minor), path]));
  return stateOf(host, known)
    .replaceAll(/\bloop(?<minor>\d+)\b/g, (_, minor: string) => `loop:${paths.get(minor) ?? 'unused'}`)
    .replaceAll(/^(?<volume>lv \S+ UUID .*) at=\S+/gm, '$<volume>')
    .split('\n')
    .filter((line) => !line.includes('loop:unused'))
    .sort()
    .join('\n');
}

function said(told: readonly Told[], fates: ReadonlyMap<Told, Fate>): string {
  const after = told.map((each, i) => [each, i + 1] as const).filter(([each]) => fates.get(each) === 'after');
  return after.length === 0 ? 'none of them' : `script ${after.map(([, i]) => i).join(', ')}`;
}

function saying(ending: Ending | undefined): string {
  return ending?.how === 'thrown' ? words(ending.error) : (ending?.how ?? 'nothing');
}
