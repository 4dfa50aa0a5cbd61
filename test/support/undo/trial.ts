import { decode } from '../../../src/atomic/journal/lines.ts';
import {
  abandon,
  openJournals,
  recover,
  type RecoverOptions,
  sweepUnborn,
} from '../../../src/atomic/recovery/recover.ts';
import type { Signals } from '../../../src/atomic/index.ts';
import { atomic, type Bofh, withBofh } from '../../../src/bofh.ts';
import { RolledBackError, StuckError } from '../../../src/core/errors.ts';
import { fork } from '../../../src/simulator/fork.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { differences, notNamed, stateOf, uuidsIn } from './judge.ts';
import type { Specimen } from './specimens.ts';
import { neighbourhood, type Staged } from './stage.ts';

/** How a run, or a recovery, ended. */
export type Ending =
  | { readonly how: 'done' }
  | { readonly how: 'thrown'; readonly error: unknown }
  | { readonly how: 'died' };

/** What becomes of the host between a crash and the recovery. */
export type Then = 'restart' | 'reboot' | 'power cut, none' | 'power cut, all' | `power cut, some: ${number}`;

/** How one trial ended. `stuck`: on the way there a journal was stuck, and named what was left. */
export interface Tried {
  readonly ended: 'before' | 'after' | 'neither';
  readonly stuck: boolean;
  readonly why: string;
}

/** A specimen made ready: hosts to try it on, and what they look like when nothing, or all of it, was done. */
export interface Subject {
  readonly kind: string;
  readonly specimen: Specimen;
  readonly start: () => Staged;
  readonly reference: (then: Then) => Promise<Reference>;
}

interface Reference {
  /** More than one where undo does not bring back the very state. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly known: ReadonlySet<string>;
}

export function subjectOf(kind: string, specimen: Specimen): Subject {
  let ready: Staged | undefined;
  const start = (): Staged => {
    ready ??= stagedOnce(specimen);
    return { host: fork(ready.host), act: ready.act };
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
      // What comes after the commit may come after the boot.
      const late = { ...start(), host: later(start().host) };
      const tried = await run(late, { ends: 'well' });
      if (tried.how === 'done') after.push(stateOf(late.host, known));
    }
    return { before: hosts.map(text), after, known };
  };
  return {
    kind,
    specimen,
    start,
    reference: (then) => {
      const made = kept.get(then) ?? reference(then);
      kept.set(then, made);
      return made;
    },
  };
}

/** What a specimen is tried on is a copy of this, so its call may use nothing of the host that it was staged on. */
function stagedOnce({ stage }: Specimen): Staged {
  const host = neighbourhood();
  let isReady = false;
  const only = new Proxy(host, {
    get: (target, name) => {
      if (isReady)
        throw new TypeError(`a specimen's call uses "${String(name)}" of the host it was staged on`);
      return Reflect.get(target, name) as unknown;
    },
  });
  const act = stage(only);
  isReady = true;
  return { host, act };
}

/** Runs the call in a sequence of one that ends well, or fails once the call is done. */
export async function run(
  { host, act }: Staged,
  how: {
    readonly ends: 'well' | 'badly';
    /** Undefined: none; `watched`: those of this process. */
    readonly signals?: Signals | 'watched';
    readonly onBodyEnds?: () => void;
  },
): Promise<Ending> {
  const { signals, ...bofh } = simulatedBofh({ host });
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

/** `bofh recover --yes` in the process of this host. */
export async function recoverAll(
  host: SimulatedHost,
  options: Pick<RecoverOptions, 'onWait' | 'stop' | 'abandon'> = {},
): Promise<Ending> {
  const { engine } = simulatedBofh({ host });
  return endingOf(host, async () => {
    await sweepUnborn(engine);
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

/** The host after what happens to it: a new process of bofh on it. */
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

/** What the journals on its disk say that has to hold in the end. */
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
 * Brings a trial to its end and judges it. A process that died, or that left its journal open, is followed by `then` and by a
 * recovery, once whatever was in the way is away.
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
    // A closed journal that could not be moved is for the next recovery.
    if (leftovers(host).length === 0) return { stuck, ...(await judge(subject, host, expected, 'restart')) };
  }
  const again = next(host, then);
  const expected = ending.how === 'done' ? 'after' : fateOf(again);
  const first = await recoverAll(again);
  healed(subject.specimen, again, then);
  const isLeft = first.how === 'thrown' && first.error instanceof StuckError && then !== 'restart';
  const recovered = isLeft && subject.specimen.heal !== undefined ? await recoverAll(again) : first;
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

/** Compares a host with the state in which it should be. */
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
  // Whether `committed` is on the disk, a process whose sync failed does not know; then both are looked at.
  const bases = error.committed ? states.after : [...states.before, ...states.after];
  const now = stateOf(host, known);
  const off = bases.map((base) => notNamed({ base, now }, error, known));
  return off.find((lines) => lines.length === 0) ?? off[0] ?? [];
}

/** What is left in the state directory beside the history. */
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
