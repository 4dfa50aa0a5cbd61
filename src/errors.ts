/** Everything that bofh throws. Each class is one answer to "what state is the host in now?". */

/** The common base: an error that bofh can explain. `remedy` is one sentence on what to do next. */
export class BofhError extends Error {
  readonly remedy: string | undefined;

  constructor(message: string, options: { readonly cause?: unknown; readonly remedy?: string } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = new.target.name;
    this.remedy = options.remedy;
  }
}

/** Input rejected before anything ran, the site file and guest configs included. The host is untouched. */
export class UsageError extends BofhError {}

/** A guard said no: in use, not ours, holds data, not root. The host is untouched. */
export class RefusedError extends BofhError {}

/** What a failed program meant, as far as its driver understands it. */
export type Reason =
  | 'not-found'
  | 'exists'
  | 'busy'
  | 'no-space'
  | 'denied'
  | 'killed'
  | 'timeout'
  | 'unknown';

/** A program, or an access to a file, failed. `reason` is for people and for retries; success is never guessed from it. */
export class CommandError extends BofhError {
  readonly tool: string;
  readonly argv: readonly string[];
  readonly reason: Reason;
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;

  constructor(failure: {
    readonly tool: string;
    readonly argv: readonly string[];
    readonly reason: Reason;
    readonly exitCode?: number | undefined;
    readonly stdout?: string;
    readonly stderr?: string;
    readonly what?: string;
    readonly cause?: unknown;
  }) {
    const said = lastLine(failure.stderr ?? '') || lastLine(failure.stdout ?? '');
    const how =
      failure.what ?? (failure.exitCode === undefined ? failure.reason : `exit ${failure.exitCode}`);
    super(`${failure.tool} ${failure.argv.join(' ')}: ${how}${said ? `: ${said}` : ''}`, {
      cause: failure.cause,
    });
    this.tool = failure.tool;
    this.argv = failure.argv;
    this.reason = failure.reason;
    this.exitCode = failure.exitCode;
    this.stdout = failure.stdout ?? '';
    this.stderr = failure.stderr ?? '';
  }
}

/** A program is missing or too old. The host is untouched. */
export class ToolError extends BofhError {}

/** An answer was not understood: rule zero. */
export class ParseError extends BofhError {}

/** The sequence failed and all of it is undone; `cause` is why. */
export class RolledBackError extends BofhError {
  readonly id: string | undefined;
  /** Objects that were no longer ours when the undo came to them; they were not touched. */
  readonly leftAlone: readonly string[];

  constructor(
    message: string,
    details: { readonly cause: unknown; readonly id?: string; readonly leftAlone?: readonly string[] },
  ) {
    super(message, { cause: details.cause });
    this.id = details.id;
    this.leftAlone = details.leftAlone ?? [];
  }
}

/** Thrown by an operation whose chosen identity (a UUID, a loop number) somebody else took: the engine prepares it again. */
export class IdentityTaken extends BofhError {}

/** A call on a `tx` whose sequence has failed or ended. */
export class SequenceEnded extends BofhError {}

/** One step as it stands in a stuck journal. */
export interface StuckStep {
  readonly n: number;
  readonly kind: string;
  /** Keys of the objects that the step makes or changes. */
  readonly objects: readonly string[];
  readonly why?: string;
}

/** An undo, or the work after a commit, failed, or a second signal came. The journal stays open. */
export class StuckError extends BofhError {
  readonly id: string | undefined;
  readonly committed: boolean;
  /** What the sequence returned, when it was committed. */
  readonly value: unknown;
  readonly undone: readonly StuckStep[];
  readonly blocked: readonly StuckStep[];
  readonly remaining: readonly StuckStep[];

  constructor(
    message: string,
    details: {
      readonly id?: string | undefined;
      readonly committed: boolean;
      readonly value?: unknown;
      readonly undone?: readonly StuckStep[];
      readonly blocked?: readonly StuckStep[];
      readonly remaining?: readonly StuckStep[];
      readonly cause?: unknown;
    },
  ) {
    super(message, {
      cause: details.cause,
      remedy: details.id === undefined ? 'bofh recover' : `bofh journal show ${details.id}; bofh recover`,
    });
    this.id = details.id;
    this.committed = details.committed;
    this.value = details.value;
    this.undone = details.undone ?? [];
    this.blocked = details.blocked ?? [];
    this.remaining = details.remaining ?? [];
  }
}

/** A journal is unreadable, not writable or locked, or an object belongs to an unfinished sequence. The host is untouched. */
export class JournalError extends BofhError {}

/** A signal ended the work; all of it is undone. */
export class InterruptedError extends BofhError {}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)?.trim() ?? '';
}
