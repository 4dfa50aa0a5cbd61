import { newMachine, type Event, type Fault, type Plan } from './process.ts';
import { programs } from './programs.ts';
import {
  crash,
  crashKinds,
  judge,
  look,
  recoverAll,
  run,
  startWorld,
  uidsOf,
  unnamed,
  words,
  type CrashKind,
  type Expected,
  type Script,
  type Subject,
} from './trial.ts';
import { copyWorld, type World } from './world.ts';

/** How much of the matrix is gone through. */
export interface Extent {
  /** Every so many points of the recovery, a second crash; 0: none. */
  readonly second: number;
  readonly kinds: readonly CrashKind[];
  /** At each point one of the kinds, another one than at the point before; else all of them. */
  readonly inTurn?: true;
  /** Ends when so much is found. */
  readonly enough: number;
  readonly programs: readonly Script[];
}

export const wholeExtent: Extent = {
  second: 1,
  kinds: crashKinds,
  enough: Number.POSITIVE_INFINITY,
  programs,
};

interface Undisturbed extends Expected {
  readonly events: readonly Event[];
  /** Where it does not do what the script is for: everything else would be found right then. */
  readonly wrong: readonly string[];
}

async function undisturbed(subject: Subject, script: Script): Promise<Undisturbed> {
  const start = startWorld();
  const world = copyWorld(start);
  const foreign = uidsOf(start);
  const { process, ending } = await run(subject, world, script);
  const wanted = /, then a failure$/.test(script.name) ? 'RolledBackError' : 'done';
  const ended = said(ending);
  return {
    wrong: ended.startsWith(wanted) ? [] : [`${script.name}: undisturbed it ended: ${ended}`],
    start,
    before: look(start, foreign),
    after: look(world, foreign),
    foreign,
    events: process.events,
  };
}

const rebootedBy = (kind: CrashKind): boolean => kind !== 'kill';

/** Every script, ended at every point, in every way, and its recovery ended at every point too. */
export async function crashSweep(subject: Subject, extent: Extent): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const script of extent.programs) {
    const expected = await undisturbed(subject, script);
    faults.push(...expected.wrong);
    for (let at = 1; at <= expected.events.length + 1; at += 1)
      for (const kind of inTurn(kindsAt(expected.events[at - 2], extent.kinds), at, extent)) {
        faults.push(...(await crashAt(subject, script, expected, at, kind, extent)));
        if (faults.length >= extent.enough) return faults;
      }
  }
  return faults;
}

/** After a write that is not synced, a power cut may keep any number of its bytes: the torn line. */
function kindsAt(last: Event | undefined, kinds: readonly CrashKind[]): readonly CrashKind[] {
  if (last?.kind !== 'write') return kinds;
  return [...kinds, ...[1, 8, 9, 10, 40, 80, 160, 320].map((bytes) => ({ bytes }))];
}

/** All of them, or with `inTurn` the one whose turn it is at this point. */
function inTurn<T>(all: readonly T[], at: number, extent: Pick<Extent, 'inTurn'>): readonly T[] {
  return extent.inTurn === undefined ? all : all.filter((_, index) => (index + at) % all.length === 0);
}

async function crashAt(
  subject: Subject,
  script: Script,
  expected: Undisturbed,
  at: number,
  kind: CrashKind,
  extent: Extent,
): Promise<readonly string[]> {
  const world = copyWorld(expected.start);
  const { process, ending } = await run(subject, world, script, { plan: { crashBefore: at } });
  process.kill();
  crash(world, kind);
  const where = `${script.name}; ${JSON.stringify(kind)} before ${at} (${expected.events[at - 1]?.label ?? 'the end'})`;
  const as = reported(ending.how);
  const found: string[] = [];
  const begun = copyWorld(world);
  const recovery = await recoverAll(subject, world);
  found.push(...verdict(recovery.ending, world, expected, as, rebootedBy(kind)));
  found.push(...(await twice(subject, world)));
  const points = recovery.process.events.length;
  // Another part of the points each time, so that all come up.
  for (let second = 1 + (at % extent.second); extent.second > 0 && second <= points; second += extent.second)
    for (const again of ['kill', 'none'] as const) {
      const faults = await recoverTwice(subject, begun, expected, second, again, as, rebootedBy(kind));
      found.push(...faults.map((fault) => `${again} before ${second} of the recovery: ${fault}`));
    }
  return found.map((fault) => `${where}: ${fault}`);
}

/** What was said holds, a crash after it or not. */
function reported(how: 'done' | 'thrown' | 'died'): readonly ('before' | 'after')[] {
  if (how === 'done') return ['after'];
  return how === 'thrown' ? ['before'] : ['before', 'after'];
}

async function recoverTwice(
  subject: Subject,
  begun: World,
  expected: Expected,
  second: number,
  kind: CrashKind,
  as: readonly ('before' | 'after')[],
  was: boolean,
): Promise<readonly string[]> {
  const world = copyWorld(begun);
  await recoverAll(subject, world, { plan: { crashBefore: second } });
  crash(world, kind);
  const { ending } = await recoverAll(subject, world);
  return verdict(ending, world, expected, as, was || rebootedBy(kind));
}

function verdict(
  ending: { readonly how: string; readonly error?: unknown },
  world: World,
  expected: Expected,
  as: readonly ('before' | 'after')[],
  wasRebooted: boolean,
): readonly string[] {
  if (ending.how !== 'done') return [`recovery ended by ${words(ending.error)}`];
  return judge(world, expected, { as, rebooted: wasRebooted });
}

/** Recovering twice equals recovering once. */
async function twice(subject: Subject, world: World): Promise<readonly string[]> {
  const before = look(world, new Set());
  const { process } = await recoverAll(subject, world);
  const acts = process.events.filter(({ kind }) => kind === 'effect' || kind === 'write');
  const same = JSON.stringify([...before]) === JSON.stringify([...look(world, new Set())]);
  return same && acts.length === 0
    ? []
    : [`a second recovery did ${acts.map(({ label }) => label).join(', ')}`];
}

const faultsOf: Readonly<Partial<Record<Event['kind'], readonly Fault[]>>> = {
  effect: ['before', 'after', 'nothing'],
  sync: ['before', 'after'],
  write: ['before', 'after'],
  fdatasync: ['before', 'after'],
  names: ['before', 'after'],
  fsyncdir: ['before', 'after'],
};

/** Every script, with every event failing in every way; then repaired, and recovered by a new process. */
export async function faultSweep(
  subject: Subject,
  extent: Omit<Extent, 'second'>,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const script of extent.programs) {
    const expected = await undisturbed(subject, script);
    for (const event of expected.events)
      for (const fault of faultsOf[event.kind] ?? [])
        for (const kind of inTurn(extent.kinds, event.n, extent)) {
          const plan = { faults: new Map([[event.n, fault]]) };
          const faults = await disturbed(subject, script, expected, plan, kind);
          const where = `${script.name}; ${event.n} (${event.label}) fails ${fault}, then ${JSON.stringify(kind)}`;
          found.push(...faults.map((each) => `${where}: ${each}`));
          if (found.length >= extent.enough) return found;
        }
  }
  return found;
}

/** The disk is full from each write on: at once or after 7 bytes, and the ballast helps or does not. */
export async function fullDiskSweep(
  subject: Subject,
  extent: Pick<Extent, 'enough' | 'programs'>,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const script of extent.programs) {
    const expected = await undisturbed(subject, script);
    for (const event of expected.events.filter(({ kind }) => kind === 'write'))
      for (const free of [0, 7])
        for (const ballast of ['helps', 'does not help'] as const)
          for (const kind of ['kill', 'none'] as const) {
            const plan = { full: { at: event.n, free, ballast } };
            const faults = await disturbed(subject, script, expected, plan, kind);
            const where = `${script.name}; full after ${free} bytes of ${event.n} (${event.label}), ballast ${ballast}, then ${kind}`;
            found.push(...faults.map((each) => `${where}: ${each}`));
            if (found.length >= extent.enough) return found;
          }
  }
  return found;
}

/** One run under a plan: what it reports must be true, and stay true; what is stuck must be recovered after the repair. */
async function disturbed(
  subject: Subject,
  script: Script,
  expected: Expected,
  plan: Plan,
  kind: CrashKind,
): Promise<readonly string[]> {
  const { StuckError, RolledBackError } = subject.modules.errors;
  const world = copyWorld(expected.start);
  const machine = newMachine();
  const { process, ending } = await run(subject, world, script, { machine, plan });
  const found: string[] = [];
  let as: readonly ('before' | 'after')[] = ['before', 'after'];
  if (ending.how === 'done') as = ['after'];
  else if (ending.how === 'thrown' && ending.error instanceof StuckError) {
    found.push(...unnamed(world, expected, ending.error, ending.error.committed ? 'after' : 'before'));
    if (ending.error.committed) as = ['after'];
  } else {
    as = ['before'];
    if (
      ending.how === 'thrown' &&
      ending.error instanceof RolledBackError &&
      ending.error.leftUntouched.length > 0
    )
      found.push(`left untouched: ${ending.error.leftUntouched.join(', ')}`);
    if (different(world, expected)) found.push('reported as undone, but it is not');
  }
  process.kill();
  crash(world, kind);
  world.files.free = Number.POSITIVE_INFINITY;
  const recovery = await recoverAll(subject, world);
  found.push(...verdict(recovery.ending, world, expected, as, rebootedBy(kind)));
  return found.map((fault) => `${fault} [it said ${said(ending)}]`);
}

function different(world: World, expected: Expected): boolean {
  const now = look(world, expected.foreign);
  return JSON.stringify([...now]) !== JSON.stringify([...expected.before]);
}

function said(ending: Awaited<ReturnType<typeof run>>['ending']): string {
  return ending.how === 'thrown' ? words(ending.error) : ending.how;
}
