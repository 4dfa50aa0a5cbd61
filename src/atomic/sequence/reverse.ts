import { messageOf, UsageError } from '../../core/errors.ts';

/** Any function. `reverse` can compare it with the functions that it knows. */
export type Callable = (...args: never) => unknown;

/**
 * Returns the inverse of a call, from its function and arguments, before the function runs.
 * Undefined if there is none: the call is refused then. It may look at the host first, to save the
 * current state.
 */
export type Reverse = (
  f: Callable,
  args: readonly unknown[],
) => (() => unknown) | undefined | Promise<(() => unknown) | undefined>;

const ownInverse = Symbol('the inverse of a call');

/** A function that carries its own inverse. */
export interface Reversible<A extends readonly unknown[], R> {
  (...args: A): R;
  readonly [ownInverse]: (args: A) => () => unknown;
}

/**
 * A function that, called by `tx.call`, is undone by `g` with the same arguments. Called directly
 * it is just `f`.
 */
export function withReverse<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  g: (...args: A) => unknown,
): Reversible<A, R>;
/** `g` gets the arguments that `argsOf` computes from those of the call, before the call. */
export function withReverse<A extends readonly unknown[], R, B extends readonly unknown[] | []>(
  f: (...args: A) => R,
  g: (...args: B) => unknown,
  argsOf: (...args: A) => B,
): Reversible<A, R>;
export function withReverse(
  f: (...args: readonly unknown[]) => unknown,
  g: (...args: readonly unknown[]) => unknown,
  argsOf = (...args: readonly unknown[]): readonly unknown[] => args,
): Reversible<readonly unknown[], unknown> {
  const inverse = (args: readonly unknown[]): (() => unknown) => {
    const own = argsOf(...args);
    return () => g(...own);
  };
  const called = (...args: readonly unknown[]): unknown => f(...args);
  Object.defineProperty(called, 'name', { value: f.name });
  return Object.assign(called, { [ownInverse]: inverse });
}

/** The name of a call in the journal and in errors. */
export function nameOf(f: { readonly name: string } | undefined): string {
  return f?.name === undefined || f.name === '' ? 'a function without a name' : f.name;
}

/**
 * The inverse of a call: that of the function, else the one from the `reverse` of the sequence. Throws
 * UsageError if there is none.
 */
export async function inverseOf<A extends readonly unknown[]>(
  f: ((...args: A) => unknown) & { readonly [ownInverse]?: (args: A) => () => unknown },
  args: A,
  reverse: Reverse | undefined,
): Promise<() => unknown> {
  let inverse: unknown;
  try {
    inverse = await (f[ownInverse] === undefined ? reverse?.(f, args) : f[ownInverse](args));
  } catch (cause) {
    throw new UsageError(`${nameOf(f)} was not called: its inverse cannot be made: ${messageOf(cause)}`, {
      cause,
    });
  }
  if (isFunction(inverse)) return inverse;
  throw new UsageError(`${nameOf(f)} was not called, because bofh does not know how to undo it`, {
    remedy:
      'give the function an inverse with withReverse() or with the `reverse` of the sequence, or use tx.effect',
  });
}

function isFunction(value: unknown): value is () => unknown {
  return typeof value === 'function';
}
