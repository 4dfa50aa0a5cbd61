import { type Command, nothing, tools } from '../command/index.ts';
import { CommandError, ParseError, type Reason, ToolError } from '../core/errors.ts';
import { type End, installing, type Program } from './program.ts';
import type { Setting } from './setting.ts';
import { tooLong } from './start.ts';

/** A program that was run. Its output is fetched as needed: it may be long. */
export interface Ran {
  readonly program: Program;
  readonly end: End;
  readonly stdout: Output;
  readonly stderr: Output;
  /** We ended it. Whatever it exited with then is no answer. */
  readonly stopped?: { readonly reason: 'killed' | 'timeout'; readonly what: string } | undefined;
}

export interface Output {
  /** Undefined when it is longer than any answer may be. */
  readonly whole: () => Uint8Array | undefined;
  readonly tail: () => Uint8Array;
}

type Question<T> = Pick<Command<T>, 'accepts' | 'parse' | 'classify' | 'encoding' | 'shownOf'>;

/** Did it end with an exit code that is an answer? */
export function isAnswer(ran: Ran, { accepts }: Pick<Command<unknown>, 'accepts'>): boolean {
  return ran.stopped === undefined && ran.end.how === 'exit' && (accepts ?? [0]).includes(ran.end.exitCode);
}

/** The parsed answer; CommandError or ToolError when it failed, ParseError when it was not understood. */
export async function answerOf<T>(
  ran: Ran,
  question: Question<T>,
  setting: Pick<Setting, 'version'>,
): Promise<T> {
  if (!isAnswer(ran, question) || ran.end.how !== 'exit') throw failureOf(ran, question);
  const { exitCode } = ran.end;
  // Nobody reads the output of a command whose answer is only "it worked": it may be long, and in any encoding.
  const parse: unknown = question.parse;
  if (parse === nothing) return question.parse({ exitCode, stdout: '', stderr: '' });
  const stdout = ran.stdout.whole();
  const stderr = ran.stderr.whole();
  if (stdout === undefined || stderr === undefined) throw tooLong(ran.program);
  try {
    const said = question.encoding === 'latin1' ? Buffer.from(stdout).toString('latin1') : strictText(stdout);
    return question.parse({ exitCode, stdout: said, stderr: text(stderr) });
  } catch (error) {
    throw await misunderstood(ran, question.shownOf === undefined ? text(stdout) : undefined, error, setting);
  }
}

/** Why it failed, as an error. */
export function failureOf(
  ran: Ran,
  { classify, shownOf }: Pick<Command<unknown>, 'classify' | 'shownOf'>,
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
  if (end.how === 'not-started') return notStarted(program, end.why, said.stderr);
  let reason: Reason = 'unknown';
  try {
    reason = classify?.({ exitCode: end.exitCode, ...output }) ?? reason;
  } catch {
    // The reason is for people and for retries; a fault in finding it must not hide the failure.
  }
  return new CommandError({ ...said, reason, exitCode: end.exitCode });
}

function notStarted(program: Program, why: string, stderr: string): ToolError {
  const said = stderr.trim() === '' ? '' : `: ${stderr.trim()}`;
  const known = Object.entries(tools).find(([tool]) => tool === program.tool);
  return new ToolError(`${program.tool} (${program.file}) could not be started: ${why}${said}`, {
    remedy: known === undefined ? `see whether ${program.file} works` : installing(known[1].package),
  });
}

/** A fault in choosing what may be shown must not show it all. */
function shown(stderr: string, shownOf: (stderr: string) => string): string {
  try {
    return shownOf(stderr);
  } catch {
    return '';
  }
}

/** Undefined stdout: it can hold a secret, and so can the words and the cause of the parser's complaint. */
async function misunderstood(
  ran: Ran,
  stdout: string | undefined,
  cause: unknown,
  setting: Pick<Setting, 'version'>,
): Promise<ParseError> {
  const { program } = ran;
  const version = await setting.version(program);
  const what = `the answer of ${[program.tool, ...program.argv].join(' ')} (${version ?? 'version unknown'})`;
  if (stdout === undefined)
    return new ParseError(`${what} could not be parsed; it is not shown, because it can hold a secret`, {
      remedy: 'nothing was concluded from it; run it yourself, and report it without the secrets in it',
    });
  const why = cause instanceof Error ? cause.message : String(cause);
  const start = JSON.stringify(stdout.slice(0, 1000));
  return new ParseError(`${what} was not understood: ${why}; it begins ${start}`, {
    cause,
    remedy: 'nothing was concluded from it; report it to the authors of bofh with this message',
  });
}

function strictText(bytes: Uint8Array): string {
  // A replacement character in a name would make it another name.
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}

/** Text for people and for guesses: what is not UTF-8 is replaced. */
export function text(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}
