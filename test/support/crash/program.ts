import * as fc from 'fast-check';

/** A program for a sequence: leaves, some of them side by side, some in scopes. */
export type Action<L> = L | Together<L> | Scope<L>;

interface Together<L> {
  readonly do: 'together';
  readonly all: readonly L[];
}

interface Scope<L> {
  readonly do: 'scope';
  readonly fails: boolean;
  readonly caught: boolean;
  readonly body: readonly Action<L>[];
}

/** Programs of these leaves. */
export function anyAction<L>(of: {
  readonly leaf: fc.Arbitrary<L>;
  /** Those that may run side by side. */
  readonly parallel: fc.Arbitrary<L>;
  readonly weights: { readonly leaf: number; readonly together: number; readonly scope: number };
  /** The longest body of a scope. */
  readonly longest: number;
}): fc.Arbitrary<Action<L>> {
  const { leaf, parallel, weights, longest } = of;
  return fc.letrec<{ action: Action<L>; scope: Action<L>; together: Action<L> }>((tie) => ({
    action: fc.oneof(
      { weight: weights.leaf, arbitrary: leaf },
      { weight: weights.together, arbitrary: tie('together') },
      { weight: weights.scope, arbitrary: tie('scope') },
    ),
    together: fc.record({
      do: fc.constant('together' as const),
      all: fc.array(parallel, { minLength: 2, maxLength: 3 }),
    }),
    scope: fc.record({
      do: fc.constant('scope' as const),
      fails: fc.boolean(),
      caught: fc.constantFrom(true, true, false),
      body: fc.array(tie('action'), { maxLength: longest }),
    }),
  })).action;
}

/** One step that was taken and not undone with its scope. */
export interface Taken<L> {
  readonly leaf: L;
  readonly scopes: readonly object[];
}

interface Scoping<T> {
  scope<R>(name: string, body: (tx: T) => Promise<R>): Promise<R>;
}

/** A program at work. */
interface At<L, T> {
  readonly tx: T & Scoping<T>;
  readonly taken: Taken<L>[];
  readonly scopes: readonly object[];
}

interface Leaf {
  readonly do: string;
}

/** Does what the program says, in order. `workOf` gives undefined where the host does not allow a leaf now. */
export async function interpret<L extends Leaf, T extends Scoping<T>, A extends At<L, T>>(
  at: A,
  body: readonly Action<L>[],
  workOf: (at: A, leaf: L) => (() => Promise<unknown>) | undefined,
): Promise<void> {
  const take = async (leaf: L): Promise<void> => {
    const work = workOf(at, leaf);
    if (work === undefined) return;
    await work();
    at.taken.push({ leaf, scopes: at.scopes });
  };
  for (const one of body) {
    if (isTogether(one)) {
      const settled = one.all.map(take);
      await Promise.allSettled(settled);
      await Promise.all(settled);
    } else if (isScope(one)) await takeScope(at, one, workOf);
    else await take(one);
  }
}

async function takeScope<L extends Leaf, T extends Scoping<T>, A extends At<L, T>>(
  at: A,
  one: Scope<L>,
  workOf: (at: A, leaf: L) => (() => Promise<unknown>) | undefined,
): Promise<void> {
  const own = {};
  try {
    await at.tx.scope('inner', async (tx) => {
      await interpret({ ...at, tx, scopes: [...at.scopes, own] }, one.body, workOf);
      if (one.fails) throw new Error('the scope failed');
    });
  } catch (error) {
    for (const each of at.taken.filter(({ scopes }) => scopes.includes(own)))
      at.taken.splice(at.taken.indexOf(each), 1);
    if (!one.caught) throw error;
  }
}

function isScope<L extends Leaf>(one: Action<L>): one is Scope<L> {
  return one.do === 'scope';
}

function isTogether<L extends Leaf>(one: Action<L>): one is Together<L> {
  return one.do === 'together';
}
