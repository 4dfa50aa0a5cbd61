import type { Blocked, IntentLine } from './lines.ts';

/** A step as recorded in the journal. */
export interface Step {
  readonly n: number;
  readonly intent: IntentLine;
  readonly done?: { readonly result: unknown } | undefined;
  /** The newest witness of the content that its undo destroys. */
  readonly witness?: string;
  /** An undo has begun to destroy it, after a look at all that is inside. */
  readonly compared?: true;
  readonly undone?: { readonly by?: number; readonly notOurs?: string };
  readonly finished: boolean;
  /** What its act after the commit removed is kept; else why it is not, in words. */
  readonly kept?: true | string;
  /** What the commit removed is there again. */
  readonly back?: true;
  /** In the present attempt. */
  readonly blocked?: Blocked;
}
