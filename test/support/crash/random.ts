import * as fc from 'fast-check';
import type { Steps } from '../../../src/atomic/sequence.ts';
import { newMachine, type Event, type Fault, type Plan } from './process.ts';
import type { Toys } from './toys.ts';
import {
  crash,
  judge,
  look,
  recoverAll,
  run,
  startWorld,
  uidsOf,
  unnamed,
  words,
  type CrashKind,
  type Script,
  type Subject,
} from './trial.ts';
import { copyWorld, type World } from './world.ts';

interface Leaf {
  readonly do:
    | 'make'
    | 'format'
    | 'open'
    | 'temporary'
    | 'fill'
    | 'rename'
    | 'set'
    | 'remove'
    | 'wipe'
    | 'file';
  readonly a: number;
  readonly b: number;
}

export type Action =
  | Leaf
  | { readonly do: 'together'; readonly all: readonly Leaf[] }
  | {
      readonly do: 'scope';
      readonly fails: boolean;
      readonly caught: boolean;
      readonly body: readonly Action[];
    };

/** What goes wrong in one process: faults by event number, and its end. */
interface Trouble {
  readonly faults: readonly { readonly at: number; readonly how: Fault }[];
  readonly crash: { readonly at: number; readonly kind: CrashKind } | null;
}

export interface Case {
  readonly body: readonly Action[];
  readonly fails: boolean;
  readonly run: Trouble;
  readonly recovery: Trouble;
  /** What ends the run when nothing in it does. */
  readonly kind: CrashKind;
}

const leaf: fc.Arbitrary<Leaf> = fc.record({
  do: fc.constantFrom(
    ...([
      'make',
      'make',
      'format',
      'open',
      'temporary',
      'fill',
      'rename',
      'set',
      'remove',
      'wipe',
      'file',
    ] as const),
  ),
  a: fc.nat(2),
  b: fc.nat(2),
});

const action = fc.letrec<{ action: Action; scope: Action; together: Action }>((tie) => ({
  action: fc.oneof(
    { weight: 8, arbitrary: leaf },
    { weight: 1, arbitrary: tie('together') },
    { weight: 2, arbitrary: tie('scope') },
  ),
  // Not `fill`: it is named by the volume, which a rename beside it may have moved by the time of the replay.
  together: fc.record({
    do: fc.constant('together' as const),
    all: fc.array(
      leaf.filter(({ do: what }) => what !== 'fill'),
      { minLength: 2, maxLength: 3 },
    ),
  }),
  scope: fc.record({
    do: fc.constant('scope' as const),
    fails: fc.boolean(),
    caught: fc.constantFrom(true, true, false),
    body: fc.array(tie('action'), { maxLength: 4 }),
  }),
})).action;

const kind: fc.Arbitrary<CrashKind> = fc.oneof(
  fc.constantFrom('kill' as const, 'reboot' as const, 'none' as const, 'half' as const, 'whole' as const),
  fc.record({ bytes: fc.integer({ min: 1, max: 400 }) }),
);

const trouble: fc.Arbitrary<Trouble> = fc.record({
  faults: fc.array(
    fc.record({
      at: fc.integer({ min: 1, max: 70 }),
      how: fc.constantFrom('before' as const, 'after' as const, 'nothing' as const),
    }),
    { maxLength: 2 },
  ),
  crash: fc.option(fc.record({ at: fc.integer({ min: 5, max: 80 }), kind })),
});

/** Programs with scopes and parallel steps, and what befalls them. */
export const anyCase: fc.Arbitrary<Case> = fc.record({
  body: fc.array(action, { minLength: 1, maxLength: 8 }),
  fails: fc.boolean(),
  run: trouble,
  recovery: trouble,
  kind,
});

/** One step that was taken and not undone with its scope. */
interface Taken {
  readonly leaf: Leaf;
  readonly scopes: readonly object[];
}

/** Runs it, lets it crash, recovers; gives what is wrong. Here what holds is told by what was reported, as always. */
export async function randomTrial(subject: Subject, one: Case): Promise<readonly string[]> {
  const start = startWorld();
  const foreign = uidsOf(start);
  const world = copyWorld(start);
  const taken: Taken[] = [];
  const body = { ended: false };
  const script: Script = {
    name: 'random',
    body: async (tx, toys) => {
      await interpret({ tx, toys, world, taken, scopes: [] }, one.body);
      body.ended = true;
      if (one.fails) throw new Error('the script failed');
    },
  };
  const { process, ending } = await run(subject, world, script, {
    machine: newMachine(),
    plan: planOf(one.run),
  });
  const after = body.ended && !one.fails ? await replayed(subject, start, taken) : look(start, foreign);
  const expected = { start, before: look(start, foreign), after, foreign };
  const found: string[] = [];
  let as: readonly ('before' | 'after')[] = body.ended && !one.fails ? ['before', 'after'] : ['before'];
  const { StuckError } = subject.modules.errors;
  if (ending.how === 'done') as = ['after'];
  else if (ending.how === 'thrown' && !(ending.error instanceof StuckError)) as = ['before'];
  else if (ending.how === 'thrown' && ending.error instanceof StuckError) {
    if (ending.error.committed) as = ['after'];
    found.push(...unnamed(world, expected, ending.error, ending.error.committed ? 'after' : 'before'));
  }
  process.kill();
  const last = ending.how === 'died' ? (one.run.crash?.kind ?? one.kind) : one.kind;
  crash(world, last);
  let rebooted = last !== 'kill';
  await recoverAll(subject, world, { plan: planOf(one.recovery) });
  if (one.recovery.crash !== null) {
    crash(world, one.recovery.crash.kind);
    rebooted ||= one.recovery.crash.kind !== 'kill';
  }
  const recovery = await recoverAll(subject, world);
  if (recovery.ending.how !== 'done')
    found.push(
      `recovery ended by ${recovery.ending.how === 'thrown' ? words(recovery.ending.error) : 'death'}`,
    );
  else found.push(...judge(world, expected, { as, rebooted }));
  const said = ending.how === 'thrown' ? words(ending.error) : ending.how;
  return found.map((fault) => `${fault} [it said ${said}]`);
}

function planOf({ faults, crash: end }: Trouble): Plan {
  return {
    ...(end === null ? {} : { crashBefore: end.at }),
    faulty: (event: Event) => {
      const how = faults.find(({ at }) => at === event.n)?.how;
      // A disk that says "synced" and lies is beyond anybody's promise.
      return how === 'nothing' && event.kind !== 'effect' ? undefined : how;
    },
  };
}

interface At {
  readonly tx: Steps;
  readonly toys: Toys;
  readonly world: World;
  readonly taken: Taken[];
  readonly scopes: readonly object[];
}

async function interpret(at: At, body: readonly Action[]): Promise<void> {
  for (const one of body) {
    if (one.do === 'together') await together(one.all.map((each) => () => takeLeaf(at, each)));
    else if (one.do === 'scope') await takeScope(at, one);
    else await takeLeaf(at, one);
  }
}

async function together(works: readonly (() => Promise<void>)[]): Promise<void> {
  const settled = works.map((work) => work());
  await Promise.allSettled(settled);
  await Promise.all(settled);
}

async function takeScope(at: At, one: Action & { readonly do: 'scope' }): Promise<void> {
  const own = {};
  try {
    await at.tx.scope('inner', async (tx) => {
      await interpret({ ...at, tx, scopes: [...at.scopes, own] }, one.body);
      if (one.fails) throw new Error('the scope failed');
    });
  } catch (error) {
    for (const each of at.taken.filter(({ scopes }) => scopes.includes(own)))
      at.taken.splice(at.taken.indexOf(each), 1);
    if (!one.caught) throw error;
  }
}

async function takeLeaf(at: At, leafToTake: Leaf): Promise<void> {
  const work = workOf(at, leafToTake);
  if (work === undefined) return;
  await work();
  at.taken.push({ leaf: leafToTake, scopes: at.scopes });
}

/** Undefined where the world does not allow it now. */
function workOf({ tx, toys, world }: At, { do: what, a, b }: Leaf): (() => Promise<unknown>) | undefined {
  const name = ['a', 'b', 'old'][a] ?? 'a';
  const other = ['c', 'b', 'a'][b] ?? 'c';
  const uid = world.disk.get(`vol:${name}`)?.uid;
  const fs = [...world.disk].find(([key, { over }]) => over === uid && key.startsWith('fs:'))?.[0];
  const used = [...world.boot.values()].some(({ over }) => over === uid);
  const there = uid !== undefined;
  const size = world.disk.get('prop:size')?.value;
  switch (what) {
    case 'make':
      return there ? undefined : () => tx.step(toys.make, { name });
    case 'format':
      return there && fs === undefined ? () => tx.step(toys.format, { name }) : undefined;
    case 'open':
      return there ? () => tx.step(toys.open, { name }) : undefined;
    case 'temporary':
      return there ? () => tx.temporary(toys.open, { name }) : undefined;
    case 'fill':
      return fs === undefined || world.disk.get(fs)?.files?.[`${b}1`] !== undefined
        ? undefined
        : () => tx.step(toys.fill, { fs, name: String(b) });
    case 'rename':
      return there && !world.disk.has(`vol:${other}`)
        ? () => tx.step(toys.rename, { from: name, to: other })
        : undefined;
    case 'remove':
      return there && !used ? () => tx.step(toys.remove, { name }) : undefined;
    case 'set':
      return size === `v${b}` ? undefined : () => tx.step(toys.setValue, { name: 'size', value: `v${b}` });
    case 'wipe':
      return () => tx.step(toys.wipe, { name: 'size' });
    case 'file':
      return world.disk.has(`file:${name}`)
        ? undefined
        : () => tx.step(toys.writeFile, { path: name, text: 'ours' });
  }
}

/** The same steps on a fresh world, one after the other, with nothing to disturb them. */
async function replayed(
  subject: Subject,
  start: World,
  taken: readonly Taken[],
): Promise<ReadonlyMap<string, string>> {
  const world = copyWorld(start);
  const script: Script = {
    name: 'replay',
    body: async (tx, toys) => {
      for (const { leaf: each } of taken) await workOf({ tx, toys, world, taken: [], scopes: [] }, each)?.();
    },
  };
  const { ending } = await run(subject, world, script);
  if (ending.how === 'thrown') throw ending.error;
  return look(world, uidsOf(start));
}
