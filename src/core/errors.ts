/** Everything that bofh throws. Each class is one answer to "what state is the host in now?". */

interface Held {
  /** "mounted on /mnt (mount 41)" */
  readonly words: string;
  /** The command that would end it, as a program and its arguments; undefined where there is none. */
  readonly free?: readonly string[];
}

/** Who keeps an object from being taken away. Plain JSON. */
export type Holder =
  | (Held & { readonly kind: 'mount'; readonly path: string; readonly mountId: number } & {
      /** A process of the other mount namespace that it is in. */
      readonly namespaceOf?: { readonly pid: number; readonly command: string };
      /** The unit by which systemd mounts it, also again. */
      readonly unit?: string;
    })
  | (Held & { readonly kind: 'process'; readonly pid: number; readonly command: string })
  | (Held & { readonly kind: 'mapping' | 'array' | 'device'; readonly name: string })
  | (Held & { readonly kind: 'loop'; readonly device: string })
  | (Held & { readonly kind: 'swap'; readonly path: string })
  | (Held & { readonly kind: 'drbd'; readonly device: string; readonly resource?: string })
  | (Held & { readonly kind: 'volume'; readonly volume: string })
  | (Held & { readonly kind: 'btrfs'; readonly filesystem: string })
  | (Held & { readonly kind: 'guest'; readonly domid: number; readonly name?: string })
  /** It is held, but by nobody that was found; or what could not be looked into, and may hold it. */
  | (Held & { readonly kind: 'unknown' });

/** The common base: an error that bofh can explain. `remedy` is one sentence on what to do next. */
export class BofhError extends Error {
  readonly remedy: string | undefined;
  /** Who holds what could not be changed, in the order in which they are to be ended; those of the cause, too. */
  readonly holders: readonly Holder[];

  constructor(
    message: string,
    options: {
      readonly cause?: unknown;
      readonly remedy?: string | undefined;
      readonly holders?: readonly Holder[] | undefined;
    } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = new.target.name;
    this.remedy = options.remedy;
    this.holders = options.holders ?? holdersIn(options.cause);
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
    readonly remedy?: string | undefined;
    readonly holders?: readonly Holder[] | undefined;
    readonly cause?: unknown;
  }) {
    const said = lastLine(failure.stderr ?? '') || lastLine(failure.stdout ?? '');
    const how =
      failure.what ?? (failure.exitCode === undefined ? failure.reason : `exit ${failure.exitCode}`);
    super(`${failure.tool} ${failure.argv.join(' ')}: ${how}${said ? `: ${said}` : ''}`, {
      cause: failure.cause,
      remedy: failure.remedy,
      holders: failure.holders,
    });
    this.tool = failure.tool;
    this.argv = failure.argv;
    this.reason = failure.reason;
    this.exitCode = failure.exitCode;
    this.stdout = failure.stdout ?? '';
    this.stderr = failure.stderr ?? '';
  }
}

/**
 * Another host could not be reached, or the connection was lost while something ran there: how that ended is not known,
 * and only a look at the host can tell.
 */
export class ConnectionError extends BofhError {
  readonly host: string;
  /** `lost` says nothing about what ran; with `none` nothing was started. */
  readonly connection: 'none' | 'lost';

  constructor(
    message: string,
    details: {
      readonly host: string;
      readonly connection: 'none' | 'lost';
      readonly remedy?: string | undefined;
      readonly cause?: unknown;
    },
  ) {
    super(message, { cause: details.cause, remedy: details.remedy });
    this.host = details.host;
    this.connection = details.connection;
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

/**
 * Thrown by an operation's `run` that has begun to act and knows that it has done nothing, though what it was to make is
 * there, mark and all: somebody else was quicker. The engine does not undo the step.
 */
export class NotDone extends RefusedError {
  /** What is there and is left alone. */
  readonly found: string;

  constructor(
    message: string,
    details: { readonly found: string; readonly remedy?: string | undefined; readonly cause?: unknown },
  ) {
    super(message, { cause: details.cause, remedy: details.remedy });
    this.found = details.found;
  }
}

/** A call on a `tx` whose sequence has failed or ended. */
export class SequenceEnded extends BofhError {}

/** What a person can do about one step by hand. Each command is a program and its arguments. */
export interface ManualRecovery {
  /** The thing with its identity: "the logical volume vg0/web1 that bears the tag bofh.5e1f.1". */
  readonly what: string;
  /** These show it, and change nothing. */
  readonly look: readonly (readonly string[])[];
  /** These bring it to where bofh would have: back, or after the commit to its end. */
  readonly clear: readonly (readonly string[])[];
}

/** One step as it stands in a stuck journal. */
export interface StuckStep {
  readonly n: number;
  readonly kind: string;
  /** Missing: the host that the journal is on. */
  readonly host?: string;
  /** Keys of the objects that the step makes or changes, as that host has them. */
  readonly objects: readonly string[];
  readonly why?: string;
  /** Who kept it from being undone. */
  readonly holders?: readonly Holder[];
  readonly remedy?: string;
  /** Of a step that is left, where its kind can tell. */
  readonly manualRecovery?: ManualRecovery;
}

/** An undo, or the work after a commit, failed, or a second signal came. The journal stays open. */
export class StuckError extends BofhError {
  readonly id: string | undefined;
  readonly committed: boolean;
  /** What the sequence returned, when it was committed. */
  readonly value: unknown;
  /** Steps that are committed and have nothing left to do. */
  readonly done: readonly StuckStep[];
  readonly undone: readonly StuckStep[];
  readonly blocked: readonly StuckStep[];
  readonly remaining: readonly StuckStep[];
  /** Objects that were no longer ours when the undo, or the work after the commit, came to them; they were not touched. */
  readonly leftAlone: readonly string[];

  constructor(
    message: string,
    details: {
      readonly id?: string | undefined;
      readonly committed: boolean;
      readonly value?: unknown;
      readonly done?: readonly StuckStep[];
      readonly undone?: readonly StuckStep[];
      readonly blocked?: readonly StuckStep[];
      readonly remaining?: readonly StuckStep[];
      readonly leftAlone?: readonly string[];
      readonly cause?: unknown;
      /** Left out: to look at the journal and to recover. */
      readonly remedy?: string | undefined;
    },
  ) {
    const usual = details.id === undefined ? 'bofh recover' : `bofh journal show ${details.id}; bofh recover`;
    super(message, { cause: details.cause, remedy: details.remedy ?? usual });
    this.id = details.id;
    this.committed = details.committed;
    this.value = details.value;
    this.done = details.done ?? [];
    this.undone = details.undone ?? [];
    this.blocked = details.blocked ?? [];
    this.remaining = details.remaining ?? [];
    this.leftAlone = details.leftAlone ?? [];
  }
}

/** A journal is unreadable, not writable or locked, or an object belongs to an unfinished sequence. The host is untouched. */
export class JournalError extends BofhError {
  /** It is the last line that is damaged: the only one that may be cut off. */
  readonly lastLine: boolean;

  constructor(
    message: string,
    options: ConstructorParameters<typeof BofhError>[1] & { readonly lastLine?: boolean } = {},
  ) {
    super(message, options);
    this.lastLine = options.lastLine ?? false;
  }
}

/** A signal ended the work; all of it is undone. */
export class InterruptedError extends BofhError {}

/** Also in an error of several, such as that of a sequence whose undo failed. */
function holdersIn(cause: unknown): readonly Holder[] {
  if (cause instanceof BofhError) return cause.holders;
  if (!(cause instanceof AggregateError)) return [];
  // What stopped the act often stops its undo as well.
  const all = new Map(cause.errors.flatMap(holdersIn).map((holder) => [JSON.stringify(holder), holder]));
  return [...all.values()];
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)?.trim() ?? '';
}

/** The text of anything thrown. Never throws itself: an undo must not end because of what its error looks like. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return 'a value without a text was thrown';
  }
}
