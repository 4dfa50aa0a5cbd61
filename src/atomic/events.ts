import type { ErrorCode, Holder } from '../core/errors.ts';
import type { Line } from './journal/lines.ts';
import type { State } from './journal/state.ts';

/** A step in an event. */
export interface EventStep {
  /** Number of the step in its sequence, from 1. */
  readonly n: number;
  /** The kind of its operation; for `tx.effect` and `tx.call` the name. */
  readonly kind: string;
  /** Empty: the host that bofh runs on. */
  readonly host: string;
  /** Keys of the objects that the step makes or changes, as that host names them. */
  readonly objects: readonly string[];
}

/** What can happen in a sequence. */
export type SequenceEventBody =
  /** The sequence begins. */
  | { readonly type: 'started' }
  /** The intent of a step is on disk. */
  | { readonly type: 'step-started'; readonly step: EventStep }
  | {
      readonly type: 'progress';
      /** Number of the step in its sequence, from 1. */
      readonly n: number;
      /** The kind of its operation. */
      readonly kind: string;
      /** The program that runs, and its arguments. */
      readonly command: { readonly tool: string; readonly argv: readonly string[] };
      /** 0 to 1, if the program reports it. */
      readonly fraction?: number;
      /** The last line that the script printed: of a role, of a description in a guest, or of `tx.shell.run`. */
      readonly line?: string;
    }
  | {
      readonly type: 'step-done';
      readonly step: EventStep;
      /** Milliseconds since its `step-started`. */
      readonly took: number;
    }
  /** The sequence waits for another one. */
  | { readonly type: 'waiting'; readonly for: string }
  /** The undo begins, of the whole sequence or of a scope. */
  | { readonly type: 'undo-started'; readonly because: string; readonly scope?: string }
  /** `notOurs`: an object of others is in its place, and was not touched. */
  | { readonly type: 'step-undone'; readonly step: EventStep; readonly notOurs?: string }
  | { readonly type: 'undo-done'; readonly scope?: string }
  /** A step cannot be undone, or cannot be finished after the commit. */
  | {
      readonly type: 'stuck';
      /** The step that could not be undone or finished. */
      readonly step: EventStep;
      /** Why not. */
      readonly why: string;
      /** What to do next. */
      readonly remedy?: string;
      /** What uses the object, in the order in which to end it. */
      readonly holders?: readonly Holder[];
    }
  | { readonly type: 'committed' }
  /** An irreversible step, which ran after the commit. */
  | { readonly type: 'step-finished'; readonly step: EventStep; readonly notOurs?: string }
  /** The last event. `unchanged`: it ended before its first step. */
  | {
      readonly type: 'ended';
      /** The end of the sequence. */
      readonly outcome: 'committed' | 'rolled-back' | 'stuck' | 'unchanged';
      /** The code of the error that `atomic()` throws; missing after a commit. */
      readonly code?: ErrorCode;
      /** The message of that error. */
      readonly message?: string;
    };

/** An event of a sequence, numbered from 1. */
export type SequenceEvent = SequenceEventBody & {
  /** The id of the sequence, as in `bofh journal list`; empty if the sequence was refused before it began. */
  readonly id: string;
  /** The name that the caller gave to `atomic()`. */
  readonly name: string;
  /** Number of the event in its sequence, from 1. */
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** `back` while the sequence, or a scope of it, is undone. */
  readonly direction: 'forward' | 'back';
};

/** Reports the events of one sequence. */
export interface EventReporter {
  readonly report: (what: SequenceEventBody) => void;
  /** Reports a new line of its journal; `state` is the one after that line. */
  readonly line: (line: Line, state: State) => void;
}
