import {
  AtomicOperationSequence,
  type Callable,
  type SequenceOptions,
  type Steps,
} from '../../atomic/index.ts';
import * as api from '../../index.ts';

/** Maps stand-ins of a script's functions to the originals; `reverse` gets the original. */
const originals = new WeakMap<Callable, Callable>();

/** `atomic` for a plan: reports a bare pair of functions of the script, and does not call it. */
export const planningAtomic: typeof api.atomic = (name, body, options) =>
  api.atomic(name, (tx) => body(withoutCode(tx)), ofOriginals(options ?? {}));

/** A sequence for a plan that the script opens itself. */
export class PlanningSequence extends AtomicOperationSequence {
  constructor(options: SequenceOptions) {
    super(ofOriginals(options));
  }

  override run<T>(body: (tx: Steps) => T | Promise<T>): Promise<T> {
    return super.run((tx) => body(withoutCode(tx)));
  }
}

function ofOriginals<O extends Pick<SequenceOptions, 'reverse'>>(options: O): O {
  const { reverse } = options;
  if (reverse === undefined) return options;
  return { ...options, reverse: (f, args) => reverse(originals.get(f) ?? f, args) };
}

interface Calling<T> extends Pick<Steps, 'effect' | 'call'> {
  scope<R>(name: string, body: (tx: T) => R | Promise<R>): Promise<R>;
}

function withoutCode<T extends Calling<T>>(tx: T): T {
  return {
    ...tx,
    effect: uncalled(tx),
    // A plan also refuses a function without an inverse, before the call.
    call: (f, ...args) => tx.call(standIn(f), ...args),
    scope: (title, body) => tx.scope(title, (inner) => body(withoutCode(inner))),
  };
}

// The result is unknown, so a script gets none; it can check `tx.planning`.
function uncalled(tx: Pick<Steps, 'effect'>): Steps['effect'] {
  const nothing = (): never => undefined as never;
  return (name, _forward, _inverse, options) => tx.effect(name, nothing, nothing, options);
}

/** Returns a stand-in with the name of the function and, if it has one, its inverse. */
function standIn<A extends readonly unknown[], T>(f: (...args: A) => T): (...args: A) => T {
  const stand = Object.assign((): never => undefined as never, f);
  Object.defineProperty(stand, 'name', { value: f.name });
  originals.set(stand, f);
  return stand;
}
