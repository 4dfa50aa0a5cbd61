import { codeOf, type ErrorCode, type Reason } from './error-codes.ts';
import { escaped } from './escaped.ts';
import { lastLine } from './last-line.ts';
import { present } from './present.ts';

export { type ErrorCode, errorCodes, type Reason } from './error-codes.ts';

/** All errors of bofh. Each class is one answer to "what is the state of the host now?". */

interface Held {
  /** A text for the administrator: "mounted on /mnt (mount 41)". */
  readonly words: string;
  /** The command that ends this use, as a program and its arguments; undefined if there is none. */
  readonly free?: readonly string[];
}

/** What uses an object, and so prevents its removal. Plain JSON. */
export type Holder =
  | (Held & { readonly kind: 'mount'; readonly path: string; readonly mountId: number } & {
      /** A process in the other mount namespace that has the mount. */
      readonly namespaceOf?: { readonly pid: number; readonly command: string };
      /** The systemd unit that mounts it, and may mount it again. */
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
  /** A SCSI or NVMe target of this host serves it to other hosts. */
  | (Held & { readonly kind: 'target'; readonly name: string })
  /** The NFS server of this host exports the directory. */
  | (Held & { readonly kind: 'export'; readonly path: string })
  /** The object is in use, but no user was found; or something that bofh could not examine may use it. */
  | (Held & { readonly kind: 'unknown' });

/** An error as plain JSON. */
export interface ErrorAsJson {
  readonly class: string;
  readonly code?: ErrorCode;
  readonly message: string;
  /** The state of the host; missing in causes. */
  readonly host?: string;
  readonly remedy?: string;
  readonly id?: string;
  readonly cause?: ErrorAsJson;
  /** Several causes. */
  readonly errors?: readonly ErrorAsJson[];
  /** Only in a DiffersError: the differences. */
  readonly differences?: readonly Difference[];
  /** What uses the object that could not be changed. */
  readonly holders?: readonly Holder[];
  /** Only in a RolledBackError: the code of the error that made the sequence fail. */
  readonly causeCode?: ErrorCode;
  /** Only in a RolledBackError: the method that failed. */
  readonly failed?: string;
  /** Only in a RolledBackError: the host of the failed step, if it is not the host of the sequence. */
  readonly failedOn?: string;
  /** The steps that were undone, newest first; of a StuckError with all that is known of them. */
  readonly undone?: readonly (string | StuckStep)[];
  /** Objects that others changed; bofh did not touch them. */
  readonly leftUntouched?: readonly string[];
  /** Changes that the same call made before, in a separate sequence, and that cannot be undone. */
  readonly stays?: string;
  /** Only in a StuckError: whether the sequence was committed, and its steps by state. */
  readonly committed?: boolean;
  readonly done?: readonly StuckStep[];
  readonly blocked?: readonly StuckStep[];
  readonly remaining?: readonly StuckStep[];
  /** Only in a CommandError: the program, the reason if known, and its output. */
  readonly tool?: string;
  readonly argv?: readonly string[];
  readonly reason?: unknown;
  readonly exitCode?: number;
  readonly stderr?: string;
}

/** The fields of single classes that are copied to their JSON. */
const ofSomeClasses = [
  ...(['id', 'differences', 'causeCode', 'failed', 'failedOn', 'undone', 'leftUntouched', 'stays'] as const),
  ...(['committed', 'done', 'blocked', 'remaining'] as const),
  ...(['tool', 'argv', 'reason', 'exitCode', 'stderr'] as const),
] satisfies readonly (keyof ErrorAsJson)[];

/** The base class: an error that bofh can explain. `remedy` is one sentence on what to do next. */
export class BofhError extends Error {
  readonly code: ErrorCode;
  readonly remedy: string | undefined;
  /**
   * The holders of the object that could not be changed, in the order in which to end them; including those
   * of the cause.
   */
  readonly holders: readonly Holder[];

  constructor(
    message: string,
    options: {
      readonly cause?: unknown;
      readonly remedy?: string | undefined;
      readonly holders?: readonly Holder[] | undefined;
      /** Missing: the code of the class, of the holders or of the cause. */
      readonly code?: ErrorCode | undefined;
    } = {},
  ) {
    super(inOneLine(message, options.cause), present({ cause: options.cause }));
    this.name = new.target.name;
    this.remedy = options.remedy === undefined ? undefined : escaped(options.remedy);
    this.holders = options.holders ?? holdersIn(options.cause);
    this.code = options.code ?? this.usualCode();
  }

  /** The code of an error without a more exact one. */
  protected usualCode(): ErrorCode {
    if (this.holders.length > 0) return 'in-use';
    return this.cause instanceof BofhError ? this.cause.code : 'refused';
  }

  /** The state of the host, in words. */
  hostState(): string {
    return 'unchanged';
  }

  toJSON(): ErrorAsJson {
    return asJson(this, new Set());
  }
}

/** Anything thrown as JSON. The chain of causes ends if an error is among its own causes. */
function asJson(error: unknown, around: ReadonlySet<unknown>): ErrorAsJson {
  if (!(error instanceof Error)) return { class: typeof error, message: messageOf(error) };
  const within = new Set([...around, error]);
  const { cause } = error;
  const own = error instanceof BofhError ? error : undefined;
  return {
    class: error.name,
    ...present({ code: own?.code }),
    message: messageOf(error),
    // A cause gets none: its state is that of the moment when it was thrown.
    ...(own === undefined || around.size > 0 ? {} : { host: own.hostState() }),
    ...present({ remedy: own?.remedy }),
    ...(cause === undefined || within.has(cause) ? {} : { cause: asJson(cause, within) }),
    ...(own === undefined || own.holders.length === 0 ? {} : { holders: own.holders }),
    ...(own === undefined ? {} : fieldsOf(own)),
    ...(error instanceof AggregateError ? { errors: error.errors.map((each) => asJson(each, within)) } : {}),
  };
}

function fieldsOf(error: BofhError): Partial<ErrorAsJson> {
  const fields = error as Partial<Record<(typeof ofSomeClasses)[number], unknown>>;
  return Object.fromEntries(
    ofSomeClasses.flatMap((name) => (fields[name] === undefined ? [] : [[name, fields[name]]])),
  );
}

/** Input rejected before anything ran, the site file and guest configs included. The host is untouched. */
export class UsageError extends BofhError {
  protected override usualCode(): ErrorCode {
    return 'invalid';
  }
}

/** A check refused: in use, not created by bofh, holds data, not root. The host is untouched. */
export class RefusedError extends BofhError {}

/** A property of an existing object that differs from the request. Sizes are in bytes. */
export interface Difference {
  readonly property: string;
  readonly asked: unknown;
  /** Null if the object does not have the property. */
  readonly found: unknown;
}

/** `ensure` found the object, but it differs from the request. It was not touched. */
export class DiffersError extends RefusedError {
  readonly differences: readonly Difference[];

  constructor(
    what: string,
    { differences, show }: { readonly differences: readonly Difference[]; readonly show: string },
  ) {
    const each = differences.map(
      ({ property, asked, found }) =>
        `${property} ${inWords(property, asked)} was requested, but it is ${inWords(property, found)}`,
    );
    super(`${what} exists, but differs: ${each.join('; ')}`, {
      remedy: `see its properties: ${show}; then request these, or change the object first`,
    });
    this.differences = differences;
  }

  protected override usualCode(): ErrorCode {
    return 'differs';
  }
}

function inWords(property: string, value: unknown): string {
  if (value === null) return 'none';
  if (typeof value === 'number' && property === 'mode') return `0${value.toString(8)}`;
  if (typeof value === 'number' && /(?:size|offset|memory)$/i.test(property)) return `${value} bytes`;
  return typeof value === 'string' ? `"${value}"` : JSON.stringify(value);
}

/**
 * A program, or an access to a file, failed. `reason` is for people and for retries; bofh never infers a
 * success from it.
 */
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
    const { tool, argv, what } = failure;
    // `what` is about the path itself, so no command is named.
    const command =
      tool === 'file' && argv[0] === 'stat' && what !== undefined ? argv.slice(1) : [tool, ...argv];
    super(`${command.join(' ')}: ${how}${said ? `: ${said}` : ''}`, {
      cause: failure.cause,
      remedy: failure.remedy ?? usualRemedy(failure),
      holders: failure.holders,
      code: codeOf(failure.reason, (failure.holders ?? []).length > 0),
    });
    this.tool = failure.tool;
    this.argv = failure.argv;
    this.reason = failure.reason;
    this.exitCode = failure.exitCode;
    this.stdout = failure.stdout ?? '';
    this.stderr = failure.stderr ?? '';
  }

  protected override usualCode(): ErrorCode {
    return codeOf(this.reason, this.holders.length > 0);
  }
}

/** A remedy that fits any program; undefined if only the message of the program helps. */
function usualRemedy({
  reason,
  tool,
  argv,
  what,
}: Pick<CommandError, 'reason' | 'tool' | 'argv'> & { readonly what?: string }): string | undefined {
  if (tool === 'file' && what?.startsWith('EROFS') === true)
    return 'its filesystem is read-only: see why: findmnt; dmesg; mount it writable (mount -o remount,rw); then run the command again';
  if (reason === 'busy') return 'end that use, then run the command again';
  if (reason === 'no-space')
    return 'see what is full: df -h; bofh lvm vg list; make room there; then run the command again';
  if (reason !== 'not-found' || tool !== 'file') return undefined;
  return argv.at(-1)?.startsWith('/dev/') === true
    ? 'see all devices: bofh block tree'
    : 'name one that exists, then run the command again';
}

/**
 * Another host could not be reached, or the connection was lost while something ran there: its
 * result is unknown until the host is checked.
 */
export class ConnectionError extends BofhError {
  readonly host: string;
  /** With `lost` it is unknown how the program ended; with `none` no program was started. */
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
    const usual = `see whether it answers: ssh ${details.host} true`;
    super(message, { cause: details.cause, remedy: details.remedy ?? usual });
    this.host = details.host;
    this.connection = details.connection;
  }

  protected override usualCode(): ErrorCode {
    return 'unreachable';
  }

  override hostState(): string {
    return this.connection === 'none' ? 'unchanged' : 'unknown: see what runs there';
  }
}

/** A program is missing or too old. The host is untouched. */
export class ToolError extends BofhError {
  protected override usualCode(): ErrorCode {
    return 'tool-missing';
  }
}

/** Output of a program, or a file, could not be parsed. It is never taken for an empty answer. */
export class ParseError extends BofhError {
  protected override usualCode(): ErrorCode {
    return 'not-understood';
  }
}

/** The details of an error about an undone sequence. */
interface Undone {
  readonly id?: string | undefined;
  readonly failed?: string | undefined;
  readonly failedOn?: string | undefined;
  readonly undone?: readonly string[];
  readonly leftUntouched?: readonly string[];
  /** Changes that the same call made before, in a separate sequence, and that cannot be undone. */
  readonly stays?: string | undefined;
  /** Missing: the remedy of the cause. */
  readonly remedy?: string | undefined;
}

/** The sequence failed, and all of it is undone; `cause` is the error that made it fail. */
export class RolledBackError extends BofhError {
  readonly id: string | undefined;
  /** The code of the cause; undefined if the cause is not an error of bofh. */
  readonly causeCode: ErrorCode | undefined;
  /**
   * The step or call that failed: the method of a step (`lvm.createLv`), the kind of an operation of your
   * own, or the name of a call. Undefined if none of these failed.
   */
  readonly failed: string | undefined;
  /** The host of the failed step or call, as in `tx.on`; undefined: the host of the sequence. */
  readonly failedOn: string | undefined;
  /** The steps that were undone, newest first. */
  readonly undone: readonly string[];
  /** Objects that others changed before the undo; bofh did not touch them. */
  readonly leftUntouched: readonly string[];
  /**
   * Changes that the same call made before, in a separate sequence, and that cannot be undone; undefined if
   * there are none.
   */
  readonly stays: string | undefined;

  constructor(message: string, details: { readonly cause: unknown } & Undone) {
    const { cause } = details;
    const { remedy = cause instanceof BofhError ? cause.remedy : undefined } = details;
    super(message, { cause, remedy });
    this.stays = details.stays;
    this.id = details.id;
    this.causeCode = cause instanceof BofhError ? cause.code : undefined;
    this.failed = details.failed;
    this.failedOn = details.failedOn;
    this.undone = details.undone ?? [];
    this.leftUntouched = details.leftUntouched ?? [];
  }

  protected override usualCode(): ErrorCode {
    return 'rolled-back';
  }

  override hostState(): string {
    if (this.stays !== undefined) return this.stays;
    return this.leftUntouched.length === 0 ? 'restored' : 'restored, except objects that others replaced';
  }
}

/**
 * Thrown by an operation if another process took its chosen identity (a UUID, a loop number): the
 * engine prepares it again.
 */
export class IdentityTaken extends BofhError {
  protected override usualCode(): ErrorCode {
    return 'busy';
  }
}

/**
 * Thrown by `run` of an operation after it began to act, if it knows that it changed nothing, although an
 * object with the tag exists: another process created the object first. The engine does not undo the step.
 */
export class NotDone extends RefusedError {
  /** A text for the existing object, which is left untouched. */
  readonly found: string;

  constructor(
    message: string,
    details: { readonly found: string; readonly remedy?: string | undefined; readonly cause?: unknown },
  ) {
    super(message, { cause: details.cause, remedy: details.remedy });
    this.found = details.found;
  }

  protected override usualCode(): ErrorCode {
    return 'exists';
  }
}

/** A call on a `tx` whose sequence has failed or ended. */
export class SequenceEnded extends BofhError {
  protected override usualCode(): ErrorCode {
    return 'ended';
  }

  override hostState(): string {
    return 'as its sequence says';
  }
}

/** Manual recovery of one step. Each command is a program and its arguments. */
export interface ManualRecovery {
  /** The object with its identity: `the logical volume vg0/web1 with the tag bofh.5e1f.1`. */
  readonly what: string;
  /** Commands that show the object, and change nothing. */
  readonly look: readonly (readonly string[])[];
  /** Commands that replace the work of bofh: they undo the step, or finish it after the commit. */
  readonly clear: readonly (readonly string[])[];
}

/** The state of one step in a stuck journal. */
export interface StuckStep {
  readonly n: number;
  readonly kind: string;
  /** Missing: the host that the journal is on. */
  readonly host?: string;
  /** Keys of the objects that the step makes or changes, as on that host. */
  readonly objects: readonly string[];
  readonly why?: string;
  /** The holders that prevented the undo of the step. */
  readonly holders?: readonly Holder[];
  readonly remedy?: string;
  /** For a step that is left, if its kind has a description. */
  readonly manualRecovery?: ManualRecovery;
}

/** An undo, or the work after a commit, failed, or bofh got a second signal. The journal stays open. */
export class StuckError extends BofhError {
  readonly id: string | undefined;
  readonly committed: boolean;
  /** The value of the sequence, if it was committed. */
  readonly value: unknown;
  /** Steps that are committed, and need no more work. */
  readonly done: readonly StuckStep[];
  readonly undone: readonly StuckStep[];
  readonly blocked: readonly StuckStep[];
  readonly remaining: readonly StuckStep[];
  /**
   * Objects that others changed before the undo, or before the work after the commit; bofh did not touch
   * them.
   */
  readonly leftUntouched: readonly string[];

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
      readonly leftUntouched?: readonly string[];
      readonly cause?: unknown;
      /** Missing: the commands to show the journal and to recover. */
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
    this.leftUntouched = details.leftUntouched ?? [];
  }

  protected override usualCode(): ErrorCode {
    return 'stuck';
  }

  override hostState(): string {
    return this.committed ? 'changed: done, but not cleaned up' : 'changed: something is left';
  }
}

/** A journal is unreadable, not writable or locked, or an object belongs to an unfinished sequence. The host is untouched. */
export class JournalError extends BofhError {
  /** Only the last line is damaged, so it may be cut off. */
  readonly lastLine: boolean;

  constructor(
    message: string,
    options: ConstructorParameters<typeof BofhError>[1] & { readonly lastLine?: boolean } = {},
  ) {
    super(message, options);
    this.lastLine = options.lastLine ?? false;
  }

  protected override usualCode(): ErrorCode {
    return this.cause instanceof BofhError ? super.usualCode() : 'journal';
  }
}

/** A signal ended the work, and all of it is undone. */
export class InterruptedError extends BofhError {
  /** The id of the sequence; undefined if none had begun. */
  readonly id: string | undefined;
  /** The signal, for example SIGINT; or the reason that the program gave to `abort()`. */
  readonly reason: unknown;
  /** The steps that were undone, newest first. */
  readonly undone: readonly string[];
  /** As in a RolledBackError. */
  readonly stays: string | undefined;

  constructor(
    message: string,
    details: {
      readonly cause?: unknown;
      readonly remedy?: string;
      readonly reason?: unknown;
      /** `timeout`: the sequence took too long. */
      readonly code?: ErrorCode;
    } & Pick<Undone, 'id' | 'undone' | 'stays'> = {},
  ) {
    super(message, details);
    this.id = details.id;
    this.stays = details.stays;
    this.reason = details.reason;
    this.undone = details.undone ?? [];
  }

  protected override usualCode(): ErrorCode {
    return 'interrupted';
  }

  override hostState(): string {
    return this.stays ?? (this.undone.length === 0 ? 'unchanged' : 'restored');
  }
}

/**
 * A message in one line. Joins the lines of a cause that is not an error of bofh. Any other control character
 * is part of a name, and is escaped.
 */
function inOneLine(message: string, cause: unknown): string {
  const said = cause instanceof Error && !(cause instanceof BofhError) ? messageOf(cause) : '';
  if (!said.includes('\n')) return escaped(message);
  return escaped(message.replaceAll(said, () => said.trim().replaceAll(/\s*\n\s*/g, '; ')));
}

/**
 * The holders in a cause, also inside an error with several causes, such as that of a sequence whose undo
 * failed.
 */
function holdersIn(cause: unknown): readonly Holder[] {
  if (cause instanceof BofhError) return cause.holders;
  if (!(cause instanceof AggregateError)) return [];
  // The cause that stopped the act often stops its undo too.
  const all = new Map(cause.errors.flatMap(holdersIn).map((holder) => [JSON.stringify(holder), holder]));
  return [...all.values()];
}

/** The text of anything thrown. Never throws, because an undo must not end because of a strange error. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return 'a value without a text was thrown';
  }
}
