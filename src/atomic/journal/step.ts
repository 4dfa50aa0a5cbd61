import type { Blocked, IntentLine } from './lines.ts';

/** A step as recorded in the journal. */
export interface Step {
  readonly n: number;
  readonly intent: IntentLine;
  readonly done?: { readonly result: unknown } | undefined;
  /** The newest witness of the content that the undo of the step destroys. */
  readonly witness?: string;
  /** An undo has compared the content, and may have begun to destroy the object. */
  readonly compared?: true;
  readonly undone?: { readonly by?: number; readonly notOurs?: string };
  readonly finished: boolean;
  /** Opened again after the commit, to finish steps in it; then it is closed again. */
  readonly reopened?: true;
  /**
   * `true`: `bofh undo` has a copy of the object that the act after the commit removed; otherwise the reason
   * why not.
   */
  readonly kept?: true | string;
  /** The undo has restored the object that the commit removed. */
  readonly back?: true;
  /** Set if the step is blocked in the current attempt. */
  readonly blocked?: Blocked;
}
