import { type Paint, plain } from '../output/style.ts';

/** A sequence that this process started, as its journal describes it. */
export interface StartedSequence {
  readonly id: string;
  readonly name: string;
  /** `open`: the journal stays, because something must still be undone or finished. */
  readonly end: 'committed' | 'undone' | 'open';
  /** One line for each leftover. */
  readonly left: readonly string[];
}

/** An error for users: what failed, the state of the host, the next command. */
export interface Explanation {
  readonly class: string;
  readonly failed: string;
  readonly host: string;
  readonly next: string | undefined;
  /** One line for each refusal, step, or object that was left untouched. */
  readonly details: readonly string[];
  readonly exitCode: number;
}

/** An error that the child process has explained already. */
export class Explained extends Error {
  readonly explanation: Explanation;

  constructor(explanation: Explanation) {
    super(explanation.failed);
    this.explanation = explanation;
  }
}

/** Context of an error, for its explanation. */
export interface Circumstances {
  /** The user script that threw the error. */
  readonly script?: string | undefined;
  readonly root: boolean;
  /** False for a command that only reads (default: true). */
  readonly changes?: boolean;
  /** Noun and verb that failed, if any. */
  readonly verb?: string | undefined;
  /** The host of `--host`: statements about the host mean this one. */
  readonly on?: string | undefined;
  /** The sequences that this process started. */
  readonly sequences?: { readonly started: () => readonly StartedSequence[] };
}

/** Returns the explanation as printed on stderr. */
export function asText({ failed, details, host, next }: Explanation, paint: Paint = plain): string {
  return [
    `${paint('bad', 'bofh:')} ${failed}`,
    ...details.map((line) => `  ${line}`),
    `  ${paint('heading', 'host:')} ${host}`,
    ...(next === undefined ? [] : [`  ${paint('heading', 'next:')} ${next}`]),
  ].join('\n');
}
