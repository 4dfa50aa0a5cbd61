import {
  BofhError,
  CommandError,
  ConnectionError,
  IdentityTaken,
  InterruptedError,
  JournalError,
  ParseError,
  RefusedError,
  RolledBackError,
  SequenceEnded,
  StuckError,
  ToolError,
  UsageError,
} from '../../core/errors.ts';
import { exitCodeOf } from '../../core/exit-code.ts';
import { withStarted } from './sequences.ts';
import { asTheScriptLeftIt, scriptFailed, scriptLines, scriptNext } from './explain-script.ts';
import { stuck } from './explain-stuck.ts';
import { type Circumstances, Explained, type Explanation } from './explanation.ts';
import { messageOf, oneLine, printable, textOf } from '../output/text.ts';

const untouched = 'unchanged';
const restored = 'restored: everything was rolled back';

/** The only place that turns errors into text and exit codes. */
export function explain(error: unknown, circumstances: Circumstances): Explanation {
  if (error instanceof Explained) return error.explanation;
  const complete = withNext(
    error,
    ofScript(error, known(error, circumstances), circumstances),
    circumstances,
  );
  const whole = withStarted(complete, error, circumstances.sequences?.started() ?? []);
  return circumstances.on === undefined ? whole : { ...whole, host: `${circumstances.on}: ${whole.host}` };
}

/**
 * Explains an error of bofh. `around`: the errors whose cause this one is. An error that is its own cause is
 * explained without a cause.
 */
function known(
  error: unknown,
  circumstances: Circumstances,
  around: ReadonlySet<unknown> = new Set(),
): Explanation {
  if (around.has(error)) return unexpected(error, circumstances);
  const within = new Set([...around, error]);
  if (error instanceof StuckError) return stuck(error);
  if (error instanceof RolledBackError) return rolledBack(error, circumstances, within);
  if (error instanceof InterruptedError)
    return say(error, { host: error.stays ?? (error.undone.length === 0 ? untouched : restored) });
  if (error instanceof UsageError) return say(error, { host: untouched });
  if (error instanceof RefusedError) return say(error, { host: untouched });
  if (error instanceof ToolError) return say(error, { host: untouched });
  if (error instanceof ParseError)
    return say(error, {
      host: circumstances.changes === false ? 'unchanged (this command only reads)' : untouched,
    });
  if (error instanceof JournalError)
    return say(error, {
      host: untouched,
      next: error.remedy ?? 'see what is unfinished: bofh journal list',
    });
  if (error instanceof SequenceEnded)
    return say(error, { host: 'as its sequence says', next: 'bofh journal list' });
  if (error instanceof ConnectionError) return say(error, { host: untouched });
  if (error instanceof CommandError) return failedCommand(error, circumstances);
  if (isUsageOfCommander(error)) return usage(error);
  if (error instanceof AggregateError && error.errors.length > 0)
    return several(error, circumstances, within);
  return unexpected(error, circumstances);
}

/**
 * Adapts the explanation for a script: the failed call changed nothing, but earlier calls may have changed
 * the host.
 */
function ofScript(error: unknown, plain: Explanation, { script }: Circumstances): Explanation {
  if (script === undefined) return plain;
  const withLines = { ...plain, details: [...plain.details, ...scriptLines(error, script)] };
  if (plain.host !== untouched) return withLines;
  const exitCode = plain.exitCode === 2 ? 1 : plain.exitCode;
  return { ...withLines, host: asTheScriptLeftIt, next: plain.next ?? scriptNext, exitCode };
}

/** Adds the next command, which every failure names; each of several reasons has its own. */
function withNext(error: unknown, plain: Explanation, circumstances: Circumstances): Explanation {
  if (plain.next !== undefined || severalIn(error)) return plain;
  const cause = error instanceof RolledBackError ? error.cause : error;
  return { ...plain, next: nextOf(cause, circumstances) };
}

function severalIn(error: unknown): boolean {
  const cause = error instanceof RolledBackError ? error.cause : error;
  return cause instanceof AggregateError || (cause instanceof Error && refusals(cause.cause).length > 1);
}

function unexpected(error: unknown, { script }: Circumstances): Explanation {
  if (script !== undefined) return scriptFailed(error, script);
  return bug(error, 'unchanged as far as bofh knows: no change was started, or everything was rolled back');
}

function say(error: BofhError, about: { readonly host: string; readonly next?: string }): Explanation {
  const next = about.next ?? error.remedy;
  const details = refusals(error.cause);
  return {
    class: error.name,
    failed: details.length > 1 ? `refused for ${String(details.length)} reasons` : oneLine(error.message),
    host: about.host,
    next: details.length > 1 ? undefined : next,
    details,
    exitCode: exitCodeOf(error),
  };
}

/** The refusals of a check: if there are several, all of them are in its cause. */
function refusals(cause: unknown): readonly string[] {
  if (!(cause instanceof AggregateError) || cause.errors.length < 2) return [];
  return cause.errors.map((each: unknown) => `- ${oneLine(messageOf(each))}${remedyOf(each)}`);
}

function several(
  error: AggregateError,
  circumstances: Circumstances,
  around: ReadonlySet<unknown>,
): Explanation {
  const all = error.errors.map((each: unknown) => known(each, circumstances, around));
  // A leftover (exit code 3) is the worst result, although its exit code is not the highest.
  const weight = ({ exitCode }: Explanation): number => (exitCode === 3 ? 1000 : exitCode);
  const worst = all.reduce((a, b) => (weight(b) > weight(a) ? b : a));
  if (all.length === 1) return worst;
  return {
    ...worst,
    failed: error.message === '' ? `${String(all.length)} things are wrong` : oneLine(error.message),
    details: all.map(({ failed, next }) => `- ${failed}${next === undefined ? '' : ` (${next})`}`),
    next: undefined,
  };
}

function rolledBack(
  error: RolledBackError,
  circumstances: Circumstances,
  around: ReadonlySet<unknown>,
): Explanation {
  const { cause } = error;
  const why = known(cause, circumstances, around);
  const left = error.leftUntouched.map((each) => `left untouched: ${printable(each)}`);
  // Nothing of it is unfinished.
  const next = error.remedy ?? (why.next === scriptNext ? 'correct the script, then run it again' : why.next);
  return {
    class: error.name,
    failed: oneLine(error.message),
    host:
      error.stays ??
      (left.length > 0
        ? 'restored, except objects that others replaced'
        : isShuttingDown(cause)
          ? 'everything was rolled back, but the guest was asked to shut down and may still be shutting down'
          : restored),
    next: why.exitCode === 70 ? bugReport : severalIn(error) ? why.next : next,
    details: [...(why.exitCode === 70 ? [] : why.details), ...left],
    exitCode: exitCodeOf(error),
  };
}

/** Whether a guest is shutting down: a shutdown that xl has requested cannot be cancelled. */
function isShuttingDown(cause: unknown): boolean {
  return (
    cause instanceof CommandError &&
    cause.reason === 'timeout' &&
    cause.tool === 'xl' &&
    cause.argv[0] === 'shutdown'
  );
}

function failedCommand(error: CommandError, { root }: Circumstances): Explanation {
  const denied =
    error.reason === 'denied' || /permission denied|operation not permitted|must be root/i.test(error.stderr);
  const next = denied && !root ? 'run it as root, for example with sudo' : error.remedy;
  return { ...say(error, { host: untouched }), next };
}

function isUsageOfCommander(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('commander.');
}

function usage(error: Error & { readonly code: string; readonly at?: unknown }): Explanation {
  const said = messageOf(error)
    .replaceAll('\n', ' ')
    .replace(/^error: /, '');
  return {
    class: 'UsageError',
    failed:
      error.code === 'commander.help' ? 'a command is missing; the help above names them' : printable(said),
    host: untouched,
    next: `${['bofh', ...(typeof error.at === 'string' ? [error.at] : [])].join(' ')} --help`,
    details: [],
    exitCode: 2,
  };
}

function bug(error: unknown, host: string): Explanation {
  return {
    class: error instanceof Error ? textOf(error.name) : typeof error,
    failed: `this is a bug in bofh: ${oneLine(messageOf(error))}${error instanceof IdentityTaken ? ' (a taken identity)' : ''}`,
    host,
    next: bugReport,
    details: [],
    exitCode: 70,
  };
}

function remedyOf(error: unknown): string {
  return error instanceof BofhError && error.remedy !== undefined ? ` (${error.remedy})` : '';
}

const bugReport = 'report it to the authors of bofh; for the details, add --log-level debug';

/** Returns the next command for an error without a remedy of its own. */
function nextOf(error: unknown, { verb }: Circumstances): string {
  if (error instanceof UsageError)
    return `${['bofh', ...(verb === undefined ? [] : [verb])].join(' ')} --help`;
  if (error instanceof CommandError)
    return 'fix the cause that the message names, then run the command again; to see what was run, add --log-level debug';
  if (error instanceof ToolError) return 'install it, then run the command again';
  if (error instanceof ParseError) return bugReport;
  if (error instanceof InterruptedError) return 'nothing; run the command again if you still want it';
  return 'fix that, then run the command again';
}
