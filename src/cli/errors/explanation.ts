/** A sequence that this process began, as its journal tells it. */
export interface Begun {
  readonly id: string;
  readonly name: string;
  /** `open`: the journal stays, for something is left to undo, or to finish after the commit. */
  readonly end: 'committed' | 'undone' | 'open';
  /** What is left, a line each. */
  readonly left: readonly string[];
}

/** An error for people: what failed, what state the host is in, what to do next. */
export interface Explanation {
  readonly class: string;
  readonly failed: string;
  readonly host: string;
  readonly next: string | undefined;
  /** One a line: refusals, steps, what was left alone. */
  readonly details: readonly string[];
  readonly exitCode: number;
}

/** An error that another process of ours has explained already. */
export class Explained extends Error {
  readonly explanation: Explanation;

  constructor(explanation: Explanation) {
    super(explanation.failed);
    this.explanation = explanation;
  }
}

/** What the one who explains knows besides the error. */
export interface Circumstances {
  /** The user script that threw it. */
  readonly script?: string | undefined;
  readonly root: boolean;
  /** Noun and verb of what failed, where there is a verb. */
  readonly verb?: string | undefined;
  /** The host that was named (`--host`): what is said of the host is said of it. */
  readonly on?: string | undefined;
  /** What this process has begun. */
  readonly sequences?: { readonly begun: () => readonly Begun[] };
}

/** The explanation as it stands on stderr. */
export function asText({ failed, details, host, next }: Explanation): string {
  return [
    `bofh: ${failed}`,
    ...details.map((line) => `  ${line}`),
    `  host: ${host}`,
    ...(next === undefined ? [] : [`  next: ${next}`]),
  ].join('\n');
}
