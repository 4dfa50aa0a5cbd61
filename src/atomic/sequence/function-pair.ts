import { append } from '../journal/journal-writer.ts';
import type { Claims } from '../operation.ts';
import { inverseOf, nameOf, type Reverse } from './reverse.ts';
import { takePair, type StepHome } from './run-step.ts';
import { checkClaims } from '../locks/check-claims.ts';
import { checkFunction } from '../../core/checks.ts';

/**
 * The inverse of each pair of functions, by the number of its step; it returns a text about the objects that
 * it left untouched.
 */
type Inverses = Map<number, () => Promise<string | undefined>>;

/** Runs `tx.effect`. The inverse is called without a result if `forward` failed. */
export async function takeEffect<T>(
  at: StepHome & { readonly inverses: Inverses },
  pair: { readonly name: string; readonly claims: Claims | undefined },
  forward: () => T | Promise<T>,
  inverse: (result: T | undefined) => unknown,
): Promise<T> {
  checkFunction(`${pair.name}: the function`, forward);
  checkFunction(`${pair.name}: its inverse`, inverse);
  if (pair.claims !== undefined) checkClaims(`${pair.name}: claims`, pair.claims);
  return take(at, pair, forward, async (done) => {
    await inverse(done?.result);
    return undefined;
  });
}

/** Runs `tx.call`: the inverse is known before the function runs, and called only if the function completed. */
export async function takeCall<A extends readonly unknown[], T>(
  at: StepHome & { readonly inverses: Inverses },
  f: (...args: A) => T | Promise<T>,
  args: A,
  reverse: Reverse | undefined,
): Promise<T> {
  checkFunction('tx.call: its first argument', f);
  const inverse = await inverseOf(f, args, reverse);
  const name = nameOf(f);
  const back = async (done: object | undefined): Promise<string | undefined> => {
    // The function may have failed because its object exists already and belongs to others.
    if (done === undefined) return `${name} failed, and its inverse was not called`;
    await inverse();
    return undefined;
  };
  return take(at, { name, claims: undefined }, () => f(...args), back);
}

async function take<T>(
  at: StepHome & { readonly inverses: Inverses },
  pair: { readonly name: string; readonly claims: Claims | undefined },
  forward: () => T | Promise<T>,
  back: (done: { readonly result: T } | undefined) => Promise<string | undefined>,
): Promise<T> {
  return takePair(at, pair, async (n, journal) => {
    const kept: { done?: { readonly result: T } } = {};
    at.inverses.set(n, () => back(kept.done));
    const result = await forward();
    kept.done = { result };
    append(journal, [{ t: 'done', n, result: null }], 'wait');
    return result;
  });
}
