import {
  BofhError,
  CommandError,
  IdentityTaken,
  InterruptedError,
  JournalError,
  ParseError,
  RefusedError,
  RolledBackError,
  SequenceEnded,
  StuckError,
  type StuckStep,
  ToolError,
  UsageError,
} from '../errors.ts';
import { type Begun, withBegun } from './begun.ts';
import { byHandInWords, holdersInWords } from './by-hand.ts';
import { oneLine, printable } from './text.ts';

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
  /** What this process has begun. */
  readonly sequences?: { readonly begun: () => readonly Begun[] };
}

const untouched = 'untouched; nothing was changed';

/** The only place that turns errors into text and exit codes. */
export function explain(error: unknown, circumstances: Circumstances): Explanation {
  if (error instanceof Explained) return error.explanation;
  const plain = known(error, circumstances);
  const lines = circumstances.script === undefined ? [] : scriptLines(error, circumstances.script);
  const told = { ...plain, details: [...plain.details, ...lines] };
  return withBegun(told, error, circumstances.sequences?.begun() ?? []);
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

function known(error: unknown, circumstances: Circumstances): Explanation {
  if (error instanceof StuckError) return stuck(error);
  if (error instanceof RolledBackError) return rolledBack(error, circumstances);
  if (error instanceof InterruptedError)
    return say(error, { host: 'restored; all that was done is undone', exitCode: 130 });
  if (error instanceof UsageError) return say(error, { host: untouched, exitCode: 2 });
  if (error instanceof RefusedError) return say(error, { host: untouched, exitCode: 1 });
  if (error instanceof ToolError) return say(error, { host: untouched, exitCode: 69 });
  if (error instanceof ParseError)
    return say(error, { host: 'untouched by this, for it was a question', exitCode: 70 });
  if (error instanceof JournalError)
    return say(error, {
      host: untouched,
      next: error.remedy ?? 'bofh journal list shows what is unfinished',
      exitCode: 4,
    });
  if (error instanceof SequenceEnded)
    return say(error, { host: 'as its sequence says', next: 'bofh journal list', exitCode: 5 });
  if (error instanceof CommandError) return failedCommand(error, circumstances);
  if (isUsageOfCommander(error)) return usage(error);
  if (error instanceof AggregateError && error.errors.length > 0) return several(error, circumstances);
  if (circumstances.script !== undefined) return scriptFailed(error, circumstances.script);
  return bug(error, 'untouched, as far as bofh knows: no change had been begun, or all of it is undone');
}

function say(
  error: BofhError,
  about: { readonly host: string; readonly exitCode: number; readonly next?: string },
): Explanation {
  const next = about.next ?? error.remedy;
  const details = refusals(error.cause);
  return {
    class: error.name,
    failed: details.length > 1 ? `refused for ${String(details.length)} reasons` : oneLine(error.message),
    host: about.host,
    next: details.length > 1 ? undefined : next,
    details,
    exitCode: about.exitCode,
  };
}

/** A check that found several faults has them all in its cause. */
function refusals(cause: unknown): readonly string[] {
  if (!(cause instanceof AggregateError) || cause.errors.length < 2) return [];
  return cause.errors.map((each: unknown) => `- ${messageOf(each)}${remedyOf(each)}`);
}

function several(error: AggregateError, circumstances: Circumstances): Explanation {
  const all = error.errors.map((each: unknown) => known(each, circumstances));
  // What is left half-done outweighs everything, whatever its number.
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

function rolledBack(error: RolledBackError, circumstances: Circumstances): Explanation {
  const { cause } = error;
  const why = known(cause, circumstances);
  const left = error.leftAlone.map((each) => `left alone, for it is not ours: ${printable(each)}`);
  return {
    class: error.name,
    failed: oneLine(error.message),
    host:
      left.length === 0
        ? 'restored; all that was done is undone'
        : 'restored, but for what others put in the place of our objects',
    next: why.exitCode === 70 ? bugReport : (error.remedy ?? why.next),
    details: [...(why.exitCode === 70 ? [] : why.details), ...left],
    exitCode: 5,
  };
}

function stuck(error: StuckError): Explanation {
  const done = error.committed
    ? 'changed: the work itself is done and stays, but its cleaning up is not finished'
    : 'changed: a part of the work could not be undone';
  return {
    class: error.name,
    failed: oneLine(error.message),
    host: `${done}; the journal${error.id === undefined ? '' : ` ${error.id}`} stays open`,
    next: error.remedy,
    details: [
      ...error.done.map((step) => stepLine('done', step)),
      ...error.undone.map((step) => stepLine('undone', step)),
      ...inOrder(error).flatMap(({ word, step }) => [stepLine(word, step), ...byHandLines(step)]),
      ...(error.cause === undefined ? [] : [`because: ${messageOf(error.cause)}`]),
    ],
    exitCode: 3,
  };
}

function stepLine(word: string, { n, kind, objects, why }: StuckStep): string {
  const of = objects.length === 0 ? '' : ` (${objects.join(', ')})`;
  return printable(`${word}: step ${String(n)} ${kind}${of}${why === undefined ? '' : `: ${why}`}`);
}

/** What is left, in the order in which a person would clear it: the newest first, after the commit the oldest. */
function inOrder({ blocked, remaining, committed }: StuckError) {
  const left = [
    ...blocked.map((step) => ({ word: 'blocked', step })),
    ...remaining.map((step) => ({ word: 'remaining', step })),
  ].toSorted((a, b) => a.step.n - b.step.n);
  return committed ? left : left.toReversed();
}

/** What a person needs about a step that is left: who holds it, what it is, how to see it and how to clear it. */
function byHandLines(step: StuckStep): readonly string[] {
  const lines = [...holdersInWords(step), ...(step.byHand === undefined ? [] : byHandInWords(step.byHand))];
  return lines.map((line) => `  ${line}`);
}

function failedCommand(error: CommandError, { root }: Circumstances): Explanation {
  const denied =
    error.reason === 'denied' || /permission denied|operation not permitted|must be root/i.test(error.stderr);
  const next = denied && !root ? 'run it as root, for example with sudo' : error.remedy;
  return { ...say(error, { host: untouched, exitCode: 1 }), next };
}

function isUsageOfCommander(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('commander.');
}

function usage(error: Error & { readonly code: string }): Explanation {
  const said = error.message.replaceAll('\n', ' ').replace(/^error: /, '');
  return {
    class: 'UsageError',
    failed:
      error.code === 'commander.help' ? 'a command is missing; the help above names them' : printable(said),
    host: untouched,
    next: 'bofh --help, or --help after any command',
    details: [],
    exitCode: 2,
  };
}

function scriptFailed(error: unknown, script: string): Explanation {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : `it threw ${String(error)}`;
  return {
    class: error instanceof Error ? error.name : 'Error',
    failed: oneLine(`the script ${script} failed: ${text}`),
    host: 'as the script left it; whatever it began in atomic() is committed or undone',
    next: 'bofh journal list shows whether anything is unfinished',
    details: [],
    exitCode: 1,
  };
}

/** Where in the user's own files it happened: the innermost error tells it best. */
function scriptLines(error: unknown, script: string): readonly string[] {
  if (!(error instanceof Error)) return [];
  const inner = scriptLines(error.cause, script);
  if (inner.length > 0) return inner;
  const folder = script.slice(0, script.lastIndexOf('/') + 1);
  return (error.stack ?? '')
    .split('\n')
    .filter(
      (line) => line.trim().startsWith('at ') && line.includes(folder) && !line.includes('/node_modules/'),
    )
    .map((line) => printable(line.trim()));
}

const bugReport = 'report it to the authors of bofh; --log-level debug shows the details';

function bug(error: unknown, host: string): Explanation {
  return {
    class: error instanceof Error ? error.name : typeof error,
    failed: `this is a bug in bofh: ${messageOf(error)}${error instanceof IdentityTaken ? ' (a taken identity)' : ''}`,
    host,
    next: bugReport,
    details: [],
    exitCode: 70,
  };
}

function messageOf(error: unknown): string {
  return oneLine(error instanceof Error ? error.message : String(error));
}

function remedyOf(error: unknown): string {
  return error instanceof BofhError && error.remedy !== undefined ? ` (${error.remedy})` : '';
}
