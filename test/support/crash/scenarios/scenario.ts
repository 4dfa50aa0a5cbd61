import { newMachine, type Event, type Plan } from '../process.ts';
import {
  crash,
  judge,
  look,
  recoverAll,
  run,
  startWorld,
  uidsOf,
  words,
  type CrashKind,
  type Ending,
  type Expected,
  type Script,
  type Subject,
} from '../trial.ts';
import { copyWorld, differences, put, type Thing, type World } from '../world.ts';

/** One behaviour; `run` gives what is wrong. */
export interface Scenario {
  readonly name: string;
  readonly run: (subject: Subject) => Promise<readonly string[]>;
}

/** A trial of one script: the world, what was there before, and what is found wrong. */
export function trial() {
  const start = startWorld();
  const world = copyWorld(start);
  const foreign = uidsOf(start);
  const before = look(start, foreign);
  const found: string[] = [];
  const machine = newMachine();
  const expect = (holds: boolean, what: string): void => {
    if (!holds) found.push(what);
  };
  const t = {
    world,
    machine,
    found,
    expect,
    /** As another process: objects that are added are foreign from now on. */
    add: (key: string, thing: Partial<Thing> = {}): number => {
      const uid = (world.uids += 1);
      const whole = { ...thing, uid };
      if (/^(?:map|use):/.test(key)) world.boot.set(key, whole);
      else put(world, key, whole, 'durable');
      return uid;
    },
    expectBefore: (
      options: { readonly rebooted?: boolean; readonly besides?: readonly string[] } = {},
    ): void => {
      const besides = new Set(options.besides ?? []);
      const expected: Expected = { start, before, after: before, foreign };
      if (besides.size === 0) {
        found.push(...judge(world, expected, { as: ['before'], rebooted: options.rebooted === true }));
        return;
      }
      const wrong = differences(before, look(world, foreign)).filter(
        (key) => !besides.has(key) && !(options.rebooted === true && key.startsWith('map:')),
      );
      if (wrong.length > 0) found.push(`not as before: ${wrong.join(', ')}`);
    },
    /** A foreign object is just as it was made. */
    expectKept: (key: string, uid: number, more: Partial<Thing> = {}): void => {
      const now = world.disk.get(key) ?? world.boot.get(key);
      const same = JSON.stringify(sorted({ ...now })) === JSON.stringify(sorted({ ...more, uid }));
      expect(same, `${key} is ${JSON.stringify(now)}`);
    },
    expectEnding: (ending: Ending, wanted: string | RegExp): void => {
      const said = ending.how === 'thrown' ? words(ending.error) : ending.how;
      expect(typeof wanted === 'string' ? said === wanted : wanted.test(said), `it ended: ${said}`);
    },
    run: (subject: Subject, body: Script['body'], options: Parameters<typeof run>[3] = {}) =>
      run(subject, world, { name: 'trial', body }, { machine, ...options }),
    /** Ends just before the first event that a pattern fits, and gives what a new process then finds. */
    runUntil: async (subject: Subject, body: Script['body'], label: RegExp, kind: CrashKind = 'kill') => {
      const { process } = await run(subject, world, { name: 'trial', body }, { machine, plan: until(label) });
      expect(process.dead, `there was no event ${String(label)}`);
      process.kill();
      crash(world, kind);
    },
    recover: (subject: Subject, plan?: Plan) =>
      recoverAll(subject, world, { machine, ...(plan === undefined ? {} : { plan }) }),
  };
  return t;
}

function sorted(thing: object): readonly unknown[] {
  return Object.entries(thing).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** A plan by labels: the process ends just before the first event that fits. */
export function until(label: RegExp): Plan {
  return { crashBefore: (event) => label.test(event.label) };
}

/** Something that others do just before the first event that fits. */
export function meanwhile(label: RegExp, act: () => void): Plan {
  let done = false;
  return {
    meanwhile: (event: Event) => {
      if (done || !label.test(event.label)) return;
      done = true;
      act();
    },
  };
}

export function removeThing(world: World, key: string): void {
  put(world, key, undefined, 'durable');
}

export function renameThing(world: World, from: string, to: string): void {
  const thing = world.disk.get(from);
  put(world, from, undefined, 'durable');
  put(world, to, thing, 'durable');
}

export { words };
