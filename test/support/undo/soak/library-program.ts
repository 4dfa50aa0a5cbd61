import * as fc from 'fast-check';
import { anyAction, type Action } from '../../crash/program.ts';
import type { Then } from '../../../../src/simulator/matrix/trial.ts';
import { type Leaf, struck, takeover, type Takeover, then, type Trouble } from './program.ts';

/** What scripts do besides the leaves of the other soak. */
const own = [
  'image',
  'loop',
  'ensure lv',
  'ensure image',
  'ensure format',
  'effect',
  'own step',
  'reserve',
  'atomic inside',
  'sleep',
] as const;

export interface LibraryLeaf {
  readonly do: (typeof own)[number] | Leaf['do'];
  readonly a: number;
  readonly b: number;
}

/** Ends one script from outside: while its body runs, or while it is undone. */
export interface Stop {
  readonly how: 'abort' | 'timeout';
  readonly when: 'body' | 'undo';
  /** At this change or write of the script itself, counted from there. */
  readonly at: number;
}

/** One call of `atomic`. */
export interface Script {
  readonly body: readonly Action<LibraryLeaf>[];
  /** How its function ends. `forgets`: a last call is not awaited. */
  readonly ends: 'well' | 'throws' | 'forgets';
  readonly waits: boolean;
  readonly stop: Stop | null;
  /** Turns of the event loop before it begins. */
  readonly delay: number;
}

/** Scripts of one process, and what befalls it. */
export interface LibraryCase {
  readonly scripts: readonly Script[];
  readonly faults: Trouble['faults'];
  readonly hung: Trouble['hung'];
  /** `at` counts the changes and writes of all scripts; each further signal comes `gap` later. */
  readonly end:
    | { readonly how: 'SIGKILL'; readonly at: number }
    | { readonly how: 'signals'; readonly times: 1 | 2 | 3; readonly at: number; readonly gap: number }
    | null;
  readonly takeover: Takeover | null;
  readonly then: Then;
  /** The first recovery is killed at this change or write. */
  readonly recovery: number | null;
  readonly again: Then;
}

const leaf: fc.Arbitrary<LibraryLeaf> = fc.record({
  do: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...own) },
    {
      weight: 2,
      arbitrary: fc.constantFrom<Leaf['do']>(
        ...(['lv', 'lv', 'format', 'format', 'fill', 'mount', 'mount for a while', 'remove lv'] as const),
        ...(['rename lv', 'file', 'file', 'remove file', 'start', 'stop', 'vm create', 'vm remove'] as const),
      ),
    },
  ),
  a: fc.nat(3),
  b: fc.nat(3),
});

const action = anyAction({ leaf, parallel: leaf, weights: { leaf: 6, together: 2, scope: 2 }, longest: 3 });

const at = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });

const script: fc.Arbitrary<Script> = fc.record({
  body: fc.array(action, { minLength: 1, maxLength: 5 }),
  ends: fc.constantFrom('well', 'well', 'well', 'well', 'throws', 'forgets'),
  waits: fc.boolean(),
  stop: fc.option(
    fc.record({
      how: fc.constantFrom('abort', 'timeout'),
      when: fc.constantFrom('body', 'body', 'undo'),
      at: at(15),
    }),
    { freq: 3 },
  ),
  delay: fc.nat(40),
});

/** Scripts that run at the same time, on shared and on separate objects. */
export const anyLibraryCase: fc.Arbitrary<LibraryCase> = fc.record({
  scripts: fc.array(script, { minLength: 1, maxLength: 4 }),
  faults: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 2, arbitrary: fc.array(struck, { minLength: 1, maxLength: 2 }) },
  ),
  hung: fc.constantFrom('goes on', 'SIGKILL', 'two signals'),
  end: fc.oneof(
    { weight: 2, arbitrary: fc.constant(null) },
    { weight: 2, arbitrary: fc.record({ how: fc.constant('SIGKILL' as const), at: at(150) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        how: fc.constant('signals' as const),
        times: fc.constantFrom(1, 2, 3),
        at: at(100),
        gap: fc.nat(6),
      }),
    },
  ),
  takeover: fc.option(takeover, { freq: 3 }),
  then,
  recovery: fc.option(at(20), { freq: 3 }),
  again: then,
});
