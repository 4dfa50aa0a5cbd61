import type { Claims, Operation } from '../operation.ts';

/** The methods that the body of a sequence uses. */
export interface Steps {
  /** Aborted at the first signal. */
  readonly signal: AbortSignal;
  /** Runs an operation: journalled, and undone if the sequence fails. */
  step<A, V>(code: Operation<A, V>, args: A): Promise<V>;
  /**
   * As `step`, for an object that is needed only for some steps: it is released at the end of the sequence at
   * the latest.
   */
  temporary<A, V extends object>(code: Operation<A, V>, args: A): Promise<V & Temporary>;
  /**
   * Runs a pair of functions, if bofh has no operation for it. `inverse` undoes it, and is also called,
   * without a result, if `forward` failed: it must find out the current state itself. Code cannot be
   * journalled, so after a crash recovery only reports the pair. Without `claims` bofh does not know the
   * objects of the pair, so it undoes no older step before this one.
   */
  effect<T>(
    name: string,
    forward: () => T | Promise<T>,
    inverse: (result: T | undefined) => unknown,
    options?: {
      /** The objects that the pair works on (default: unknown, so no older step is undone before it). */
      readonly claims?: Claims;
    },
  ): Promise<T>;
  /**
   * Runs a function whose inverse is known before it runs: that of the function (`withReverse`), else the one
   * from the sequence's `reverse`. Throws UsageError if there is none, and runs nothing. A call that throws
   * counts as not done, and its inverse does not run: use `effect` for a function that can fail half-way.
   * Like a pair of functions, it is undone while the process lives, and conflicts with every older step.
   */
  call<A extends readonly unknown[], T>(f: (...args: A) => T | Promise<T>, ...args: A): Promise<T>;
  /**
   * Claims objects for the sequence from now on, as if a step worked on them, so that refusals come before
   * the first act. Throws JournalError if another process has one.
   */
  reserve(claims: Claims): Promise<void>;
  /**
   * A savepoint with its own steps: if it fails, they are undone and the error is thrown; if it
   * succeeds, they join this sequence.
   */
  scope<T>(name: string, body: (tx: Steps) => T | Promise<T>): Promise<T>;
  /**
   * The same methods on another host, by its name. Steps there are undone with the rest. On a simulated host,
   * throws UsageError for an unknown name.
   */
  on(host: string): Steps;
}

export interface Temporary {
  /** Undoes the step now. A release that fails counts as a failed step. */
  release(): Promise<void>;
}
