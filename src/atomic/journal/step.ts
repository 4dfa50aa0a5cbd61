import type { Blocked, IntentLine } from './lines.ts';

/** A step as recorded in the journal. */
export interface Step {
  readonly n: number;
  readonly intent: IntentLine;
  readonly done?: { readonly result: unknown } | undefined;
  /** The newest witness of the content that its undo destroys. */
  readonly witness?: string;
  /** An undo has begun to destroy the object, after it compared the content. */
  readonly compared?: true;
  readonly undone?: { readonly by?: number; readonly notOurs?: string };
  readonly finished: boolean;
  /** `true`: a copy of the object that its act after the commit removed is kept; otherwise the reason why not. */
  readonly kept?: true | string;
  /** The undo has restored the object that the commit removed. */
  readonly back?: true;
  /** In the present attempt. */
  readonly blocked?: Blocked;
}
