import { escaped } from '../core/escaped.ts';
import { isOdd, shownName } from './odd-bytes.ts';
import type { Reason } from '../core/errors.ts';
import type { KeyInput } from './key-ref.ts';
import type { Secret } from './secret.ts';
import type { Tool } from './tools.ts';

/** The output of a program, as UTF-8 text. */
export interface Answer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `read` changes nothing; `destroy` is a change that loses data. */
export type Access = 'read' | 'change' | 'destroy';

/**
 * A program to run, as a value: creating the value changes nothing, so a dry run can print exactly
 * what would run.
 */
export interface Command<T, A extends Access = Access> {
  /** Name of the program in `tools`, which knows its package. */
  readonly tool: Tool;
  /** Its arguments, without the program itself. No shell reads them. */
  readonly argv: readonly string[];
  /** `read`: changes nothing. `destroy`: loses data. */
  readonly access: A;
  /**
   * Reads the output. Throws if it does not know the output; the runner turns that into a
   * ParseError.
   */
  readonly parse: (answer: Answer) => T;
  /**
   * Exit codes that are answers, which `parse` gets; every other code is a CommandError (default:
   * 0).
   */
  readonly accepts?: readonly number[];
  /** Finds the reason of a failure in the answer. Never decides whether the command failed. */
  readonly classify?: (answer: Answer) => Reason;
  /**
   * `latin1`: stdout has one character for each byte. For output with names that may not be UTF-8:
   * `parse` decodes each name separately. Without this, output that is not UTF-8 is an error.
   */
  readonly encoding?: 'latin1';
  /**
   * For output that can contain a secret (a password in a configuration, the content of a device):
   * stdout is never shown, and of stderr only the result of this function. `parse` and `classify`
   * get both completely.
   */
  readonly shownOf?: (stderr: string) => string;
  /** What the program reads from stdin. The host fetches a key right before the program starts. */
  readonly stdin?: Secret | KeyInput | Uint8Array | string;
  /** A second key, for a change that needs two: the program reads it from `secondKeyPath`. */
  readonly secondKey?: Secret | KeyInput;
  /** Whether the command may be retried if it fails as `busy` (reads always may). */
  readonly repeatable?: boolean;
  /**
   * A file of the kernel: while its content is the same, the program prints the same and is not run
   * again. Only on the host that bofh runs on. If the file is missing, the program runs each time.
   */
  readonly sameWhile?: string;
  /**
   * Runs on the host that bofh runs on, also in a step on another host: for the first commands of a pipeline, which only
   * read. The next command, on the other host, reads their output over the connection.
   */
  readonly here?: true;
  /** Time limit of a read (default: 30 s), and of a change with `stop: 'safe'` (default: none). */
  readonly timeoutMs?: number;
  /**
   * The command may be ended half-way: by SIGTERM at a signal, and by recovery. Every other command
   * runs to its end.
   */
  readonly stop?: 'safe';
  /**
   * This signal also ends the command, or the pipeline that it is part of: a change only if `stop` of
   * all its commands is `safe`. The command then fails as `killed`.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * The command in words, for a program with very long arguments. The progress shows this instead
   * of the arguments.
   */
  readonly title?: string;
  /** The completed part, 0 to 1, from the output so far; undefined if unknown. */
  readonly progress?: (output: string) => number | undefined;
  /** The present status line of a user's own program, from the output so far. */
  readonly says?: (output: string) => string | undefined;
}

export type ReadCommand<T> = Command<T, 'read'>;

/**
 * Commands joined by kernel pipes, first to last. Every exit code is checked; `parse` gets the
 * output of the last command.
 */
export interface Pipeline<T> {
  /** All commands in order; the first one reads. */
  readonly commands: readonly [Command<unknown>, ...Command<unknown>[]];
  /** Reads the output of the last command. */
  readonly parse: (answer: Answer) => T;
}

/**
 * The path from which a program reads its `secondKey`: an open file that has no name and
 * contains only the key.
 */
export const secondKeyPath = '/proc/self/fd/4';

/** The parser of commands that print no answer. */
export const nothing = (): void => undefined;

/** The `shownOf` of a command whose stdout can contain a secret, and whose stderr never does. */
export const stderrAlone = (stderr: string): string => stderr;

/**
 * Returns the command as an administrator would type it in bash. It contains no secret, because
 * secrets go through stdin or descriptor 4.
 */
export function commandLine(command: { readonly tool: string; readonly argv: readonly string[] }): string {
  return shellWords(commandWords(command));
}

/** Returns the program and its arguments, unquoted. */
export function commandWords(command: {
  readonly tool: string;
  readonly argv: readonly string[];
}): readonly string[] {
  return [command.tool, ...command.argv];
}

/**
 * Quotes words as an administrator would type them: one line without control characters, which bash
 * reads as exactly these words.
 */
export function shellWords(words: readonly string[]): string {
  return words
    .map((word) => (isOdd(word) || controls.test(word) ? escapedQuote(word) : quote(word)))
    .join(' ');
}

/** Quotes one word as `shellWords` does: for a path in a remedy. */
export function inShell(word: string): string {
  return shellWords([word]);
}

/** The remedy for an object that is in the way, which is looked at first. */
export function moveAway(path: string): string {
  const old = inShell(`${path}.old`);
  return `see what it is: ls -ld ${inShell(path)}; then move it away: mv ${inShell(path)} ${old}`;
}

/** Quotes words so that any POSIX shell reads exactly these words. None may be odd (`isOdd`). */
export function posixWords(words: readonly string[]): string {
  return words.map(quote).join(' ');
}

const controls = /[\u0000-\u001f\u007f]/;

/**
 * Quotes a word with `$'…'`, the only form that is one line and can contain any byte (bash(1),
 * QUOTING).
 */
function escapedQuote(word: string): string {
  return `$'${escaped(shownName(word.replaceAll(/['\\]/g, (char) => `\\${char}`)))}'`;
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
