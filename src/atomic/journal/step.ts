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
  /** In the present attempt. */
  readonly blocked?: Blocked;
}
