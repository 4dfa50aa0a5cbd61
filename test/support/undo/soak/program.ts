import * as fc from 'fast-check';
import { anyAction, type Action } from '../../crash/program.ts';
import type { Then } from '../../../../src/simulator/matrix/trial.ts';

/** One call of a real operation, or of a recipe; `a` says on which of a few objects. */
export interface Leaf {
  readonly do: (typeof leaves)[number];
  readonly a: number;
  readonly b: number;
}

const leaves = [
  'lv',
  'format',
  'fill',
  'mount',
  'mount for a while',
  'remove lv',
  'rename lv',
  'file',
  'remove file',
  'start',
  'stop',
  'vm create',
  'vm remove',
] as const;

/** What can go wrong with one access, each where it can. */
export const modes = {
  change: [
    'fails before',
    'acts then fails',
    'acts then killed',
    'no effect, exit 0',
    'garbage answer',
    'no space',
    'hangs',
  ],
  question: ['fails before', 'garbage answer'],
  journal: ['fails before', 'acts then fails', 'no space', 'no space from here on'],
} as const;

/** What befalls one process of bofh. */
export interface Trouble {
  readonly faults: readonly Struck[];
  /** Killed, or signalled (and signalled again), at this change or write. */
  readonly end: { readonly how: 'SIGKILL' | 'a signal' | 'two signals'; readonly at: number } | null;
  /** What becomes of a process whose program hangs. */
  readonly hung: 'goes on' | 'SIGKILL' | 'two signals';
}

export type Struck = {
  readonly [K in keyof typeof modes]: {
    readonly on: K;
    readonly at: number;
    readonly mode: (typeof modes)[K][number];
  };
}[keyof typeof modes];

/** Another process takes a name that is free just then. */
export interface Takeover {
  readonly what: 'volume' | 'file' | 'domain';
  readonly which: number;
  readonly at: number;
}

/** What another process does to an object of a killed sequence, before the recovery: one of the possible things. */
export interface Meddling {
  readonly fault: 'foreign content' | 'identity reused';
  readonly which: number;
}

/** One trial. */
export interface Case {
  readonly body: readonly Action<Leaf>[];
  readonly fails: boolean;
  readonly run: Trouble;
  readonly takeover: Takeover | null;
  readonly meddling: Meddling | null;
  readonly then: Then;
  readonly recovery: Trouble | null;
  readonly again: Then;
}

const leaf: fc.Arbitrary<Leaf> = fc.record({
  do: fc.constantFrom(...leaves),
  a: fc.nat(3),
  b: fc.nat(3),
});

const action = anyAction({
  leaf,
  parallel: leaf,
  weights: { leaf: 9, together: 1, scope: 1 },
  longest: 3,
});

/** A volume from the bare group to its files: what most sequences are made of. */
const chain: fc.Arbitrary<readonly Leaf[]> = fc
  .record({ a: fc.nat(3), b: fc.nat(3), length: fc.integer({ min: 2, max: 4 }) })
  .map(({ a, b, length }) =>
    [
      { do: 'lv', a, b } as const,
      { do: 'format', a, b: 0 } as const,
      { do: 'fill', a, b } as const,
      { do: b % 2 === 0 ? 'mount' : 'mount for a while', a, b } as const,
    ].slice(0, length),
  );

const body: fc.Arbitrary<readonly Action<Leaf>[]> = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: action.map((one): readonly Action<Leaf>[] => [one]) },
      { weight: 1, arbitrary: chain },
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((parts) => parts.flat());

const at = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });

export const struck: fc.Arbitrary<Struck> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      on: fc.constant('change' as const),
      at: at(25),
      mode: fc.constantFrom(...modes.change),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      on: fc.constant('question' as const),
      at: at(80),
      mode: fc.constantFrom(...modes.question),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      on: fc.constant('journal' as const),
      at: at(25),
      mode: fc.constantFrom(...modes.journal),
    }),
  },
);

const trouble: fc.Arbitrary<Trouble> = fc.record({
  faults: fc.array(struck, { maxLength: 2 }),
  end: fc.option(
    fc.record({
      how: fc.constantFrom('SIGKILL', 'SIGKILL', 'SIGKILL', 'a signal', 'two signals'),
      at: at(50),
    }),
  ),
  hung: fc.constantFrom('goes on', 'SIGKILL', 'two signals'),
});

export const then: fc.Arbitrary<Then> = fc.oneof(
  ...(['restart', 'restart', 'reboot', 'power cut, none', 'power cut, all'] as const).map((one) =>
    fc.constant(one),
  ),
  fc.nat().map((seed): Then => `power cut, some: ${seed}`),
  fc.nat().map((seed): Then => `power cut, some: ${seed}`),
);

export const takeover: fc.Arbitrary<Takeover> = fc.record({
  what: fc.constantFrom('volume', 'volume', 'file', 'domain'),
  which: fc.nat(5),
  at: at(40),
});

/** Sequences of real operations with scopes and parallel steps, and what befalls them. */
export const anyCase: fc.Arbitrary<Case> = fc.record({
  body,
  fails: fc.constantFrom(true, false, false),
  run: trouble,
  takeover: fc.option(takeover, { freq: 3 }),
  meddling: fc.option(
    fc.record({ fault: fc.constantFrom('foreign content', 'identity reused'), which: fc.nat(1000) }),
    { freq: 2 },
  ),
  then,
  recovery: fc.option(trouble),
  again: then,
});
