import { decode } from '../../atomic/journal/lines.ts';
import {
  abandon,
  openJournals,
  recover,
  type RecoverOptions,
  removeJournalLeftovers,
} from '../../atomic/recovery/recover.ts';
import type { Signals } from '../../atomic/index.ts';
import { atomic, withBofh } from '../../bofh.ts';
import { type Bofh } from '../../connect.ts';
import { RolledBackError, StuckError } from '../../core/errors.ts';
import { fork } from '../fork.ts';
import type { AnyOperation } from '../../atomic/operation.ts';
import type { Tx } from '../../operations.ts';
import { defaultSite } from '../../site.ts';
import { simulatedBofh } from '../bofh.ts';
import { simulatedHost, type SimulatedHost } from '../host.ts';
import { differences, notNamed, stateOf, uuidsIn } from './judge.ts';

/** One way to use an operation on a simulated host: what must be there before, and the call. */
export interface Specimen {
  /** Distinguishes it from the other specimens of its kind. */
  readonly title?: string;
  /** Sets up what the operation needs on the host, and returns the call. */
  readonly stage: (host: SimulatedHost) => (tx: Tx) => Promise<unknown>;
  /**
   * If the undo restores less than the exact state (`restores: 'existence'`): changes the host from
   * the state before to what the undo leaves.
   */
  readonly restored?: (host: SimulatedHost) => void;
  /**
   * Changes by an administrator after a reboot, so that recovery can finish what follows the
   * commit.
   */
  readonly heal?: (host: SimulatedHost) => void;
  /**
   * After a reboot the step no longer discards data: the journal is stuck with this message, and an
   * administrator closes it.
   */
  readonly notAfterBoot?: RegExp;
}

/** A host on which a specimen is set up, and its call. */
export interface Staged {
  readonly host: SimulatedHost;
  readonly act: (tx: Tx) => Promise<unknown>;
  /** Operations of your own that recovery must know (default: none). */
  readonly operations?: readonly AnyOperation[];
}

/** Every trial of one fault on one specimen. */
export type Cell = (subject: Subject) => AsyncIterable<Titled>;

/** One trial, and where its fault occurred. */
export interface Titled {
  readonly title: string;
  readonly tried: Tried;
}

/** How a run, or a recovery, ended. */
export type Ending =
  | { readonly how: 'done' }
  | { readonly how: 'thrown'; readonly error: unknown }
  | { readonly how: 'died' };

/** What happens to the host between a crash and the recovery. */
export type Then = 'restart' | 'reboot' | 'power cut, none' | 'power cut, all' | `power cut, some: ${number}`;

/** How one trial ended. `stuck`: a journal was stuck meanwhile, and named what was left. */
export interface Tried {
  readonly ended: 'before' | 'after' | 'neither';
  readonly stuck: boolean;
  readonly why: string;
}

/** A specimen with hosts to try it on, and their states before and after it. */
export interface Subject {
  readonly kind: string;
  readonly operations: readonly AnyOperation[];
  readonly specimen: Specimen;
  readonly start: () => Staged;
  readonly reference: (then: Then) => Promise<Reference>;
  /** Selects the accesses at which a run is tried. */
  readonly sample: Sample;
}

type Sample = <T>(places: readonly T[]) => readonly T[];

interface Reference {
  /** More than one if the undo does not restore the exact state. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly known: ReadonlySet<string>;
}

export function subjectOf(
  kind: string,
  specimen: Specimen,
  {
    newHost = simulatedHost,
    operations = [],
    sample = (places) => places,
  }: {
    readonly newHost?: () => SimulatedHost;
    readonly operations?: readonly AnyOperation[];
    /** Selects the accesses (default: all). */
    readonly sample?: Sample;
  } = {},
): Subject {
  let ready: Staged | undefined;
  const start = (): Staged => {
    ready ??= stagedOnce(specimen, newHost());
    return { host: fork(ready.host), act: ready.act, operations };
  };
  const kept = new Map<Then, Promise<Reference>>();
  const reference = async (then: Then): Promise<Reference> => {
    const untouched = start();
    const known = uuidsIn(untouched.host.snapshot());
    const done = start();
    const ending = await run(done, { ends: 'well' });
    if (ending.how !== 'done') throw ending.how === 'thrown' ? ending.error : new Error('it died');
    const hosts = [untouched.host];
    if (specimen.restored !== undefined) {
      const blank = start().host;
      specimen.restored(blank);
      hosts.push(blank);
    }
    const later = (host: SimulatedHost): SimulatedHost => healed(specimen, next(host, then), then);
    const text = (host: SimulatedHost): string => stateOf(later(host), known);
    const after = [text(done.host)];
    if (specimen.heal !== undefined && then !== 'restart') {
      // What follows the commit may run after the reboot.
      const late = { ...start(), host: later(start().host) };
      const tried = await run(late, { ends: 'well' });
      if (tried.how === 'done') after.push(stateOf(late.host, known));
    }
    return { before: hosts.map(text), after, known };
  };
  return {
    kind,
    operations,
    specimen,
    start,
    sample,
    reference: (then) => {
      const made = kept.get(then) ?? reference(then);
      kept.set(then, made);
      return made;
    },
  };
}

/**
 * Sets up a host once. Each trial runs on a copy, so the call must not use the host on which the
 * specimen was set up.
 */
function stagedOnce({ stage }: Specimen, host: SimulatedHost): Staged {
  let isReady = false;
  const only = new Proxy(host, {
    get: (target, name) => {
      if (isReady)
        throw new TypeError(`a specimen's call uses "${String(name)}" of the host it was set up on`);
      return Reflect.get(target, name) as unknown;
    },
  });
  const act = stage(only);
  isReady = true;
  return { host, act };
}

/** Runs the call in a sequence that ends well, or fails after the call. */
export async function run(
  { host, act, operations = [] }: Staged,
  how: {
    readonly ends: 'well' | 'badly';
    /** Undefined: no signals; `watched`: those of this process. */
    readonly signals?: Signals | 'watched';
    readonly onBodyEnds?: () => void;
  },
): Promise<Ending> {
  const { signals, ...bofh } = knowing(operations, host);
  const own: Bofh = how.signals === 'watched' ? bofh : { ...bofh, signals: how.signals ?? signals ?? {} };
  return endingOf(host, () =>
    withBofh(own, () =>
      atomic('trial', async (tx) => {
        await act(tx);
        how.onBodyEnds?.();
        if (how.ends === 'badly') throw new Error('the script failed');
      }),
    ),
  );
}

/** Returns a context whose recovery also knows these operations. */
function knowing(operations: readonly AnyOperation[], host: SimulatedHost) {
  return simulatedBofh({ host, site: { ...defaultSite, operations } });
}

/** Runs `bofh recover --yes` in the process of this host. */
export async function recoverAll(
  host: SimulatedHost,
  {
    operations = [],
    ...options
  }: Pick<RecoverOptions, 'onWait' | 'stop' | 'abandon'> & {
    readonly operations?: readonly AnyOperation[];
  } = {},
): Promise<Ending> {
  const { engine } = knowing(operations, host);
  return endingOf(host, async () => {
    await removeJournalLeftovers(engine);
    for (const { id } of await openJournals(engine)) await recover(id, { engine, yes: true, ...options });
  });
}

export async function endingOf(host: SimulatedHost, work: () => Promise<unknown>): Promise<Ending> {
  try {
    await work();
    return host.process.alive ? { how: 'done' } : { how: 'died' };
  } catch (error) {
    return host.process.alive ? { how: 'thrown', error } : { how: 'died' };
  }
}

/** Returns the host after a restart of bofh, a reboot or a power cut. */
export function next(host: SimulatedHost, then: Then): SimulatedHost {
  host.kill();
  if (then === 'restart') return host.restart();
  if (then === 'reboot') return host.reboot();
  if (then === 'power cut, none' || then === 'power cut, all')
    return host.powerCut({ keep: then === 'power cut, none' ? 'none' : 'all' });
  return host.powerCut({ keep: { seed: Number(then.slice('power cut, some: '.length)) } });
}

function healed({ heal }: Specimen, host: SimulatedHost, then: Then): SimulatedHost {
  if (then !== 'restart') heal?.(host);
  return host;
}

/** Returns which state must result, from the journals on the disk. */
export function fateOf(host: SimulatedHost): 'before' | 'after' {
  const { store } = simulatedBofh({ host }).engine;
  const names = [...store.names('.'), ...store.names('history').map((name) => `history/${name}`)];
  for (const name of names.filter((each) => each.endsWith('.journal'))) {
    const file = store.open(name);
    if (file === undefined) continue;
    const { lines } = decode(file.read(), name);
    file.close();
    if (lines.some(({ t }) => t === 'committed')) return 'after';
  }
  return 'before';
}

/**
 * Ends a trial and judges it. If the process died, or left its journal open, runs `then` and a
 * recovery without faults.
 */
export async function conclude(
  subject: Subject,
  host: SimulatedHost,
  ending: Ending,
  then: Then = 'restart',
): Promise<Tried> {
  const stuck = ending.how === 'thrown' && ending.error instanceof StuckError;
  const failed = (why: string): Tried => ({ ended: 'neither', stuck, why });
  if (ending.how === 'thrown' && ending.error instanceof StuckError) {
    const hidden = await hiddenBy(subject, host, ending.error);
    if (hidden.length > 0) return failed(`the stuck journal does not name: ${hidden.join('\n   ')}`);
  }
  host.clearFaults();
  if (ending.how !== 'died' && !stuck) {
    const open = await openIn(host);
    const isSaid = ending.how === 'thrown' && isLeftOpen(ending.error);
    if (open.length > 0 && !isSaid)
      return failed(`it ended by ${inWords(ending)}, and ${open.join(', ')} is open`);
    const expected = ending.how === 'done' ? 'after' : 'before';
    // The next recovery moves a closed journal that could not be moved.
    if (leftovers(host).length === 0) return { stuck, ...(await judge(subject, host, expected, 'restart')) };
  }
  const again = next(host, then);
  const expected = ending.how === 'done' ? 'after' : fateOf(again);
  const first = await recoverAll(again, { operations: subject.operations });
  healed(subject.specimen, again, then);
  const isLeft = first.how === 'thrown' && first.error instanceof StuckError && then !== 'restart';
  const recovered =
    isLeft && subject.specimen.heal !== undefined
      ? await recoverAll(again, { operations: subject.operations })
      : first;
  if (recovered.how === 'thrown' && then !== 'restart' && isRefusedAfterBoot(subject, recovered.error)) {
    for (const id of (await openJournals(simulatedBofh({ host: again }).engine)).map((each) => each.id))
      await abandon(simulatedBofh({ host: again }).engine, id, 'the data are kept');
    return { stuck, ...(await judge(subject, again, 'before', then)) };
  }
  if (recovered.how !== 'done') return failed(`recovery ended by ${inWords(recovered)}`);
  if (leftovers(again).length > 0) return failed(`recovery left ${leftovers(again).join(', ')}`);
  return { stuck, ...(await judge(subject, again, expected, then)) };
}

function isRefusedAfterBoot({ specimen }: Subject, error: unknown): boolean {
  return error instanceof StuckError && specimen.notAfterBoot?.test(error.message) === true;
}

async function openIn(host: SimulatedHost): Promise<readonly string[]> {
  const journals = await openJournals(simulatedBofh({ host }).engine);
  return journals.filter(({ state }) => state.closed === undefined).map(({ id }) => `journal ${id}`);
}

function isLeftOpen(error: unknown): boolean {
  return error instanceof RolledBackError && error.message.includes('journal stays open');
}

/** Compares a host with the expected state. */
export async function judge(
  subject: Subject,
  host: SimulatedHost,
  expected: 'before' | 'after',
  then: Then,
): Promise<{ readonly ended: 'before' | 'after' | 'neither'; readonly why: string }> {
  const { known, ...states } = await subject.reference(then);
  const now = stateOf(host, known);
  if (states[expected].includes(now)) return { ended: expected, why: '' };
  const off = differences(states[expected][0] ?? '', now);
  return { ended: 'neither', why: `it should be as ${expected}:\n   ${off.join('\n   ')}` };
}

async function hiddenBy(
  subject: Subject,
  host: SimulatedHost,
  error: StuckError,
): Promise<readonly string[]> {
  const { known, ...states } = await subject.reference('restart');
  // If its sync failed, a process does not know whether `committed` is on the disk: compares both
  // states.
  const bases = error.committed ? states.after : [...states.before, ...states.after];
  const now = stateOf(host, known);
  const off = bases.map((base) => notNamed({ base, now }, error, known));
  return off.find((lines) => lines.length === 0) ?? off[0] ?? [];
}

/** Returns what is left in the state directory besides the history. */
export function leftovers(host: SimulatedHost): readonly string[] {
  return simulatedBofh({ host })
    .engine.store.names('.')
    .filter((name) => name !== 'history');
}

function inWords(ending: Ending): string {
  return ending.how === 'thrown' ? words(ending.error) : ending.how;
}

export function words(error: unknown): string {
  if (error instanceof AggregateError) return `${error.message} [${error.errors.map(words).join(' | ')}]`;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
