import * as fc from 'fast-check';
import type { Steps } from '../../../src/atomic/sequence/sequence.ts';
import { anyAction, interpret, type Action, type Taken } from './program.ts';
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

/** What goes wrong in one process: faults by event number, and its end. */
interface Trouble {
  readonly faults: readonly { readonly at: number; readonly how: Fault }[];
  readonly crash: { readonly at: number; readonly kind: CrashKind } | null;
}

export interface Case {
  readonly body: readonly Action<Leaf>[];
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

const action = anyAction({
  leaf,
  // Not `fill`: it is named by the volume, which a rename beside it may have moved by the time of the replay.
  parallel: leaf.filter(({ do: what }) => what !== 'fill'),
  weights: { leaf: 8, together: 1, scope: 2 },
  longest: 4,
});

const kind: fc.Arbitrary<CrashKind> = fc.oneof(
  fc.constantFrom('kill' as const, 'reboot' as const, 'none' as const, 'half' as const, 'whole' as const),
  fc.record({ bytes: fc.integer({ min: 1, max: 400 }) }),
  fc.record({ seed: fc.nat() }),
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

/** Runs it, lets it crash, recovers; returns what is wrong, judged by what was reported. */
export async function randomTrial(subject: Subject, one: Case): Promise<readonly string[]> {
  const start = startWorld();
  const foreign = uidsOf(start);
  const world = copyWorld(start);
  const taken: Taken<Leaf>[] = [];
  const body = { ended: false };
  const script: Script = {
    name: 'random',
    body: async (tx, toys) => {
      await interpret({ tx, toys, world, taken, scopes: [] }, one.body, workOf);
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
  const recovery = await recoverDamaged(subject, world);
  if (recovery.ending.how !== 'done')
    found.push(
      `recovery ended by ${recovery.ending.how === 'thrown' ? words(recovery.ending.error) : 'death'}`,
    );
  else found.push(...judge(world, expected, { as, rebooted }));
  const said = ending.how === 'thrown' ? words(ending.error) : ending.how;
  return found.map((fault) => `${fault} [it said ${said}]`);
}

/**
 * What was not synced of the journal may have holes after a power cut. Then recovery refuses it and touches nothing, and an
 * administrator runs `bofh recover --cut-last-line`.
 */
async function recoverDamaged(subject: Subject, world: World): ReturnType<typeof recoverAll> {
  const before = JSON.stringify([...look(world, new Set())]);
  const refused = await recoverAll(subject, world);
  const { ending } = refused;
  if (ending.how !== 'thrown' || !(ending.error instanceof subject.modules.errors.JournalError))
    return refused;
  if (!ending.error.lastLine || before !== JSON.stringify([...look(world, new Set())])) return refused;
  return recoverAll(subject, world, { cut: true });
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
  readonly taken: Taken<Leaf>[];
  readonly scopes: readonly object[];
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
  taken: readonly Taken<Leaf>[],
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
