import type { Claims, Operation } from '../operation.ts';

/** What the body of a sequence works with. */
export interface Steps {
  /** Aborted at the first signal. */
  readonly signal: AbortSignal;
  /** Runs an operation: journalled, looked after, undone when the sequence fails. */
  step<A, V>(code: Operation<A, V>, args: A): Promise<V>;
  /** The same for what the sequence needs only for a while: released at the end at the latest. */
  temporary<A, V extends object>(code: Operation<A, V>, args: A): Promise<V & Temporary>;
  /**
   * Runs a pair of functions for what bofh has no operation for. `inverse` is also called, without a result, when
   * `forward` failed: it must find out what is there. It is code and cannot be journalled: after a crash recovery
   * reports it. Without claims it conflicts with every older step.
   */
  effect<T>(
    name: string,
    forward: () => T | Promise<T>,
    inverse: (result: T | undefined) => unknown,
    options?: { readonly claims?: Claims },
  ): Promise<T>;
  /**
   * Runs a function whose inverse is known before it runs: its own (`withReverse`), else the one that the sequence's
   * `reverse` makes. UsageError, and nothing is run, when there is none. A call that throws counts as not done, and its
   * inverse is not run: what can fail half-way wants `effect`. As with a bare pair, all this is undone while the process
   * lives, and conflicts with every older step.
   */
  call<A extends readonly unknown[], T>(f: (...args: A) => T | Promise<T>, ...args: A): Promise<T>;
  /**
   * Has objects for the sequence from now on, as if a step worked on them, so that what is refused is refused before the first act.
   * JournalError when somebody else has one.
   */
  reserve(claims: Claims): Promise<void>;
  /** A savepoint with its own steps: its failure undoes them and is thrown; its success joins this one. */
  scope<T>(name: string, body: (tx: Steps) => T | Promise<T>): Promise<T>;
  /**
   * The same on another host, by its name: what is done there is undone with the rest. JournalError for one that is not known.
   */
  on(host: string): Steps;
}

export interface Temporary {
  /** Undoes the step now. A failed release is a failed step. */
  release(): Promise<void>;
}
