import { type Command, nothing, tools, unparsed } from '../command/index.ts';
import { CommandError, type Reason, ToolError } from '../core/errors.ts';
import { type End, installing, type Program } from './program.ts';
import type { Setting } from './setting.ts';
import { tooLong } from './start.ts';

/** A finished program. Its output is read as needed, because it may be long. */
export interface Ran {
  readonly program: Program;
  readonly end: End;
  readonly stdout: Output;
  readonly stderr: Output;
  /** bofh ended the program, so its exit code means nothing. */
  readonly stopped?: { readonly reason: 'killed' | 'timeout'; readonly what: string } | undefined;
}

export interface Output {
  /** Undefined if it is longer than an answer may be. */
  readonly whole: () => Uint8Array | undefined;
  readonly tail: () => Uint8Array;
  /** For an empty output: true if the disk of the output file is full, so that output may be lost. */
  readonly isLost?: () => boolean;
}

type Question<T> = Pick<Command<T>, 'accepts' | 'parse' | 'classify' | 'encoding' | 'shownOf' | 'title'>;

/** Whether the program ended with an exit code that counts as an answer. */
export function isAnswer(ran: Ran, { accepts }: Pick<Command<unknown>, 'accepts'>): boolean {
  return ran.stopped === undefined && ran.end.how === 'exit' && (accepts ?? [0]).includes(ran.end.exitCode);
}

/**
 * Parses the answer. Throws CommandError or ToolError if the program failed, ParseError if the output could
 * not be parsed.
 */
export async function answerOf<T>(
  ran: Ran,
  question: Question<T>,
  setting: Pick<Setting, 'version'>,
): Promise<T> {
  if (!isAnswer(ran, question) || ran.end.how !== 'exit') throw failureOf(ran, question);
  const { exitCode } = ran.end;
  // The output of a command without an answer is not read: it may be long, and in any encoding.
  const parse: unknown = question.parse;
  if (parse === nothing) return question.parse({ exitCode, stdout: '', stderr: '' });
  const stdout = ran.stdout.whole();
  const stderr = ran.stderr.whole();
  if (stdout === undefined || stderr === undefined) throw tooLong(ran.program);
  try {
    const said = question.encoding === 'latin1' ? Buffer.from(stdout).toString('latin1') : strictText(stdout);
    return question.parse({ exitCode, stdout: said, stderr: text(stderr) });
  } catch (error) {
    if (isDenied(text(stderr))) throw failureOf(ran, question);
    const { tool, argv } = ran.program;
    const version = (await setting.version(ran.program)) ?? 'version unknown';
    const answer = `the output of ${[tool, ...argv].join(' ')} (${version})`;
    throw unparsed(question, { answer, stdout: text(stdout), cause: error });
  }
}

/** The error for a failed program. */
export function failureOf(
  ran: Ran,
  { classify, shownOf, title }: Pick<Command<unknown>, 'classify' | 'shownOf' | 'title'>,
): Error {
  const { program, end, stopped } = ran;
  const output = { stdout: text(ran.stdout.tail()), stderr: text(ran.stderr.tail()) };
  const said = {
    ...program,
    ...(shownOf === undefined ? output : { stdout: '', stderr: shown(output.stderr, shownOf) }),
  };
  if (stopped !== undefined) return new CommandError({ ...said, ...stopped });
  if (end.how === 'signal')
    return new CommandError({ ...said, reason: 'killed', what: `ended by ${end.signal}` });
  if (end.how === 'unknown') return new CommandError({ ...said, reason: 'unknown', what: end.why });
  // With these exit codes, a program of the user reports that it could not start another program.
  if (end.how === 'not-started' && (title === undefined || end.exitCode === undefined))
    return notStarted(program, end.why, said.stderr);
  const { exitCode = 0 } = end;
  let reason: Reason = 'unknown';
  try {
    reason = classify?.({ exitCode, ...output }) ?? reason;
  } catch {
    // The reason is for people and for retries; an error in the search for it must not hide the failure.
  }
  if (reason === 'unknown' && isDenied(output.stderr)) reason = 'denied';
  if (reason === 'unknown' && output.stderr === '' && ran.stderr.isLost?.() === true)
    return new CommandError({
      ...{ ...said, exitCode, reason: 'no-space' },
      what: `exit ${String(exitCode)}; the disk with the state directory is full, so the output may be incomplete`,
    });
  return new CommandError({ ...said, reason, exitCode });
}

/**
 * Whether stderr reports denied access, in the C locale. blkid then exits as for a blank device, debugfs with
 * 0.
 */
function isDenied(stderr: string): boolean {
  return /Permission denied|Operation not permitted/.test(stderr);
}

function notStarted(program: Program, why: string, stderr: string): ToolError {
  const said = stderr.trim() === '' ? '' : `: ${stderr.trim()}`;
  const known = Object.entries(tools).find(([tool]) => tool === program.tool);
  return new ToolError(`${program.tool} (${program.file}) could not be started: ${why}${said}`, {
    remedy: known === undefined ? `see whether ${program.file} works` : installing(known[1].package),
  });
}

/** The part of stderr to show. If `shownOf` throws, nothing is shown. */
function shown(stderr: string, shownOf: (stderr: string) => string): string {
  try {
    return shownOf(stderr);
  } catch {
    return '';
  }
}

function strictText(bytes: Uint8Array): string {
  // A replacement character would turn a name into another name.
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}

/** Text for people and for guesses: bytes that are not UTF-8 are replaced. */
export function text(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}
