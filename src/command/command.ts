import { isOdd, shownName } from './odd-bytes.ts';
import type { Reason } from '../core/errors.ts';
import type { KeyInput } from './key-ref.ts';
import type { Secret } from './secret.ts';
import type { Tool } from './tools.ts';

/** What a program said. Output is UTF-8 text. */
export interface Answer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `read` changes nothing; `destroy` is a change that loses data. */
export type Access = 'read' | 'change' | 'destroy';

/** A program to be run, as a value: building one touches nothing, so a dry run prints exactly what would run. */
export interface Command<T, A extends Access = Access> {
  readonly tool: Tool;
  readonly argv: readonly string[];
  readonly access: A;
  /** Strict: throws when it does not understand the answer (the runner makes a ParseError of it). */
  readonly parse: (answer: Answer) => T;
  /** Exit codes that are an answer and go to `parse`; every other one is a CommandError. Default: 0 alone. */
  readonly accepts?: readonly number[];
  /** Why it failed, from the answer. It never decides whether it failed. */
  readonly classify?: (answer: Answer) => Reason;
  /**
   * `latin1`: stdout comes with a character for each byte. For output with names in it that need not be UTF-8, of which
   * `parse` decodes each by itself. Without it, output that is no UTF-8 is an error.
   */
  readonly encoding?: 'latin1';
  /**
   * Set where the output can hold a secret (a password in a configuration, the content of a device): stdout is shown
   * nowhere, and of stderr no more than this function leaves. `parse` and `classify` get all of both.
   */
  readonly shownOf?: (stderr: string) => string;
  /** What it reads from its standard input; a key is fetched by the host, right before the program starts. */
  readonly stdin?: Secret | KeyInput | Uint8Array | string;
  /** A second key, for a change that needs two: the program finds it at `secondKeyPath`. */
  readonly secondKey?: Secret | KeyInput;
  /** May be tried again when it fails as `busy` (reads always may). */
  readonly repeatable?: boolean;
  /** Reads: 30 s unless it says otherwise. Changes have no limit, unless `stop` is `safe`. */
  readonly timeoutMs?: number;
  /** May be ended half-way: by SIGTERM at a signal, and by recovery. Everything else is let finish. */
  readonly stop?: 'safe';
  /** Ends it as well, where `stop` is `safe`: of a pipeline all of it. It then fails as `killed`. */
  readonly signal?: AbortSignal | undefined;
  /** The part done, 0 to 1, from the output so far; undefined when it cannot be told. */
  readonly progress?: (output: string) => number | undefined;
}

export type ReadCommand<T> = Command<T, 'read'>;

/** Commands joined by kernel pipes, first to last; every status is checked, `parse` gets the last one's answer. */
export interface Pipeline<T> {
  readonly commands: readonly [Command<unknown>, ...Command<unknown>[]];
  readonly parse: (answer: Answer) => T;
}

/** Where a program finds its `secondKey`: an open file without a name, whose whole content it is. */
export const secondKeyPath = '/proc/self/fd/4';

/** For commands whose answer is only "it worked". */
export const nothing = (): void => undefined;

/** For a command whose stdout can hold a secret, and whose stderr never does. */
export const stderrAlone = (stderr: string): string => stderr;

/** How a person would type it, quoted for a POSIX shell. Secrets are on stdin and so never in it. */
export function commandLine(command: { readonly tool: string; readonly argv: readonly string[] }): string {
  return shellWords(commandWords(command));
}

/** The program and its arguments, unquoted. */
export function commandWords(command: {
  readonly tool: string;
  readonly argv: readonly string[];
}): readonly string[] {
  return [command.tool, ...command.argv];
}

/** Words as one line that a POSIX shell reads as these very words. */
export function shellWords(words: readonly string[]): string {
  return words.map(quote).join(' ');
}

function quote(word: string): string {
  // Only this form has a way to write any byte (bash(1), QUOTING).
  if (isOdd(word)) return `$'${shownName(word.replaceAll(/['\\]/g, (char) => `\\${char}`))}'`;
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
