import type { Steps } from '../../../src/atomic/sequence/sequence.ts';
import type { EngineModule } from './engine.ts';
import { newMachine, spawn, type Machine, type Plan, type Process } from './process.ts';
import { findToy, toys, type ToyBugs, type Toys } from './toys.ts';
import {
  copyWorld,
  cutPower,
  differences,
  fingerprint,
  newWorld,
  put,
  reboot,
  unmarked,
  type Keep,
  type World,
} from './world.ts';

/** The engine on trial, and bugs of the drivers on it. */
export interface Subject {
  readonly modules: EngineModule;
  readonly bugs?: ToyBugs;
}

/** What a script of the toy host works with. */
export interface Script {
  readonly name: string;
  readonly body: (tx: Steps, toys: Toys, process: Process) => unknown;
}

export type CrashKind = 'kill' | 'reboot' | Keep;

export const crashKinds: readonly CrashKind[] = ['kill', 'reboot', 'none', 'half', 'whole'];

/** How a run, or a recovery, ended. */
export type Ending =
  | { readonly how: 'done'; readonly value: unknown }
  | { readonly how: 'thrown'; readonly error: unknown }
  | { readonly how: 'died' };

/** A world at the start of a trial: with things of others, whose names are like ours. */
export function startWorld(): World {
  const world = newWorld();
  const add = (key: string, more: { readonly value?: string; readonly mark?: string } = {}): void =>
    put(world, key, { uid: (world.uids += 1), ...more }, 'durable');
  add('vol:old');
  add('vol:older');
  add('vol:a2', { mark: 'bofh.other.1' });
  add('vol:gone_other');
  add('prop:size', { value: '1' });
  add('prop:size2', { value: 'of others' });
  add('file:a.cfg.old', { value: 'of others' });
  world.boot.set('map:0', { uid: (world.uids += 1), over: world.disk.get('vol:older')?.uid ?? 0 });
  return world;
}

/** The uids that existed before: foreign objects keep them. */
export function uidsOf(world: World): ReadonlySet<number> {
  return new Set([...world.disk.values(), ...world.boot.values()].map(({ uid }) => uid));
}

function launch(subject: Subject, world: World, machine: Machine, plan?: Plan): Process & { toys: Toys } {
  const process = spawn(world, machine, {
    ...(plan === undefined ? {} : { plan }),
    find: (kind) => findToy(all, kind),
  });
  const all = toys(subject.modules, process, subject.bugs);
  return Object.assign(process, { toys: all });
}

/** Runs a script as a process of its own; the process lives on when it is not killed. */
export async function run(
  subject: Subject,
  world: World,
  script: Script,
  options: {
    readonly machine?: Machine;
    readonly plan?: Plan;
    readonly stop?: AbortSignal;
    readonly abandon?: AbortSignal;
  } = {},
) {
  const process = launch(subject, world, options.machine ?? newMachine(), options.plan);
  const sequence = new subject.modules.sequence.AtomicOperationSequence({
    engine: process.engine,
    name: script.name,
    ...(options.stop === undefined ? {} : { stop: options.stop }),
    ...(options.abandon === undefined ? {} : { abandon: options.abandon }),
  });
  const ending = await endingOf(process, () => sequence.run((tx) => script.body(tx, process.toys, process)));
  return { process, ending, id: sequence.id };
}

async function endingOf(process: Process, work: () => Promise<unknown>): Promise<Ending> {
  try {
    const value = await work();
    return process.dead ? { how: 'died' } : { how: 'done', value };
  } catch (error) {
    return process.dead ? { how: 'died' } : { how: 'thrown', error };
  }
}

/** What happens to the host around its processes. All of them are gone afterwards. */
export function crash(world: World, kind: CrashKind): void {
  if (kind === 'reboot') reboot(world);
  else if (kind !== 'kill') cutPower(world, kind);
}

/** A new process recovers all that is open, as `bofh recover --yes` does; `cut`: after `bofh recover --cut-last-line`. */
export async function recoverAll(
  subject: Subject,
  world: World,
  options: { readonly machine?: Machine; readonly plan?: Plan; readonly cut?: boolean } = {},
) {
  const process = launch(subject, world, options.machine ?? newMachine(), options.plan);
  const { cutLastLine, openJournals, recover, removeJournalLeftovers } = subject.modules.recover;
  const ending = await endingOf(process, async () => {
    await removeJournalLeftovers(process.engine);
    if (options.cut === true)
      for (const name of process.engine.store.names('.').filter((each) => each.endsWith('.journal')))
        await cutLastLine(process.engine, name.slice(0, -'.journal'.length));
    const ended = [];
    for (const { id } of await openJournals(process.engine))
      ended.push(await recover(id, { engine: process.engine, yes: true }));
    return ended;
  });
  process.kill();
  return { process, ending };
}

/** A script run undisturbed: what is there before, and after. */
export interface Expected {
  readonly start: World;
  readonly before: ReadonlyMap<string, string>;
  readonly after: ReadonlyMap<string, string>;
  readonly foreign: ReadonlySet<number>;
}

export function look(world: World, foreign: ReadonlySet<number>): ReadonlyMap<string, string> {
  return fingerprint(world, foreign);
}

/** The same without what a reboot takes. */
function rebooted(all: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...all].filter(([key]) => !/^(?:map|use):/.test(key)));
}

/**
 * Is the world in one of the two states, durable, with all journals closed? Says what is wrong.
 * `without` a boot: what a reboot takes is gone in both.
 */
export function judge(
  world: World,
  expected: Expected,
  options: { readonly as: readonly ('before' | 'after')[]; readonly rebooted: boolean },
): readonly string[] {
  const wanted = options.as.map((name) => (options.rebooted ? rebooted(expected[name]) : expected[name]));
  const faults: string[] = [];
  const match = (what: string, of: World, states: typeof wanted): void => {
    const now = look(of, expected.foreign);
    if (states.some((state) => differences(state, now).length === 0)) return;
    const [first] = states;
    const keys = first === undefined ? [] : differences(first, now);
    faults.push(`${what}: ${keys.map((key) => `${key}=${now.get(key) ?? 'nothing'}`).join(', ')}`);
  };
  match(`neither ${options.as.join(' nor ')}`, world, wanted);
  const cut = copyWorld(world);
  cutPower(cut, 'none');
  match('not so after a power cut', cut, wanted.map(rebooted));
  const left = [...world.files.names.keys()].filter((name) => !name.startsWith('history/'));
  if (left.length > 0) faults.push(`left in the state directory: ${left.join(', ')}`);
  return faults;
}

/** Does the stuck error name every object in which the world differs from what it was? */
export function unnamed(
  world: World,
  expected: Expected,
  error: { readonly blocked: readonly NamedStep[]; readonly remaining: readonly NamedStep[] },
  base: 'before' | 'after',
): readonly string[] {
  const named = [...error.blocked, ...error.remaining].flatMap(({ objects }) => objects.map(unmarked));
  const now = look(world, expected.foreign);
  const covers = (key: string): boolean =>
    named.some((name) => name === key || name.startsWith(`${key}/`)) ||
    /^vol:gone_|^file:\./.test(key) ||
    // The content of an object is removed with it.
    /"over":"vol:gone_/.test(now.get(key) ?? '');
  return differences(expected[base], now)
    .filter((key) => !covers(key))
    .map((key) => `the stuck error does not name ${key}`);
}

interface NamedStep {
  readonly objects: readonly string[];
}

export function words(error: unknown): string {
  if (error instanceof AggregateError) return `${error.message} [${error.errors.map(words).join(' | ')}]`;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
