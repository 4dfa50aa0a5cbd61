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
 * A program to run, as a value: building one changes nothing, so a dry run prints exactly what
 * would run.
 */
export interface Command<T, A extends Access = Access> {
  /** The program, by the name under which bofh knows where it is and which package has it. */
  readonly tool: Tool;
  /** Its arguments, without the program itself. No shell reads them. */
  readonly argv: readonly string[];
  /** `read`: changes nothing. `destroy`: a change that loses data. */
  readonly access: A;
  /** Strict: throws if it does not understand the output (the runner makes a ParseError of it). */
  readonly parse: (answer: Answer) => T;
  /**
   * Exit codes that are answers and go to `parse`; every other one is a CommandError. Default: only
   * 0.
   */
  readonly accepts?: readonly number[];
  /** Why it failed, from the answer. It never decides whether it failed. */
  readonly classify?: (answer: Answer) => Reason;
  /**
   * `latin1`: stdout comes with one character for each byte. For output with names that need not be
   * UTF-8: `parse` decodes each name separately. Without it, output that is not UTF-8 is an error.
   */
  readonly encoding?: 'latin1';
  /**
   * For output that can contain a secret (a password in a configuration, the content of a device):
   * stdout is never shown, and of stderr only what this function leaves. `parse` and `classify` get
   * all of both.
   */
  readonly shownOf?: (stderr: string) => string;
  /** What it reads from its standard input; a key is fetched by the host, right before the program starts. */
  readonly stdin?: Secret | KeyInput | Uint8Array | string;
  /** A second key, for a change that needs two: the program finds it at `secondKeyPath`. */
  readonly secondKey?: Secret | KeyInput;
  /** May be retried if it fails as `busy` (reads always may). */
  readonly repeatable?: boolean;
  /**
   * A file of the kernel: as long as it reads the same, the program prints the same, and is not run
   * again. Only on the host that bofh runs on. If the file is missing, the program runs each time.
   */
  readonly sameWhile?: string;
  /** Reads: 30 s by default. Changes have no limit, unless `stop` is `safe`. */
  readonly timeoutMs?: number;
  /**
   * May be ended half-way: by SIGTERM at a signal, and by recovery. Everything else runs to its
   * end.
   */
  readonly stop?: 'safe';
  /** Also ends it, if `stop` is `safe`; a pipeline ends completely. It then fails as `killed`. */
  readonly signal?: AbortSignal | undefined;
  /** What it is, in words: for a program whose arguments are a long text. The progress shows it instead of them. */
  readonly title?: string;
  /** The part done, 0 to 1, from the output so far; undefined if unknown. */
  readonly progress?: (output: string) => number | undefined;
  /** What it says now, from the output so far, for a program of the user's own. */
  readonly says?: (output: string) => string | undefined;
}

export type ReadCommand<T> = Command<T, 'read'>;

/**
 * Commands joined by kernel pipes, first to last; every status is checked, `parse` gets the output
 * of the last one.
 */
export interface Pipeline<T> {
  /** From the first, which reads, to the last. */
  readonly commands: readonly [Command<unknown>, ...Command<unknown>[]];
  /** Reads what the last one prints. */
  readonly parse: (answer: Answer) => T;
}

/**
 * The path at which a program finds its `secondKey`: an open file without a name that contains only
 * the key.
 */
export const secondKeyPath = '/proc/self/fd/4';

/** For commands that print no answer. */
export const nothing = (): void => undefined;

/** For a command whose stdout can hold a secret, and whose stderr never does. */
export const stderrAlone = (stderr: string): string => stderr;

/**
 * The command as a person would type it, quoted for a POSIX shell. Secrets are on stdin and never
 * in it.
 */
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

/**
 * Words as a person would type them: one line without control characters, which bash reads as
 * exactly these words.
 */
export function shellWords(words: readonly string[]): string {
  return words
    .map((word) => (isOdd(word) || controls.test(word) ? escapedQuote(word) : quote(word)))
    .join(' ');
}

/** Words for a shell to run, which any POSIX shell reads as exactly these; none may be odd (`isOdd`). */
export function posixWords(words: readonly string[]): string {
  return words.map(quote).join(' ');
}

const controls = /[\u0000-\u001f\u007f]/;

/** Only this form can contain any byte, and is one line (bash(1), QUOTING). */
function escapedQuote(word: string): string {
  return `$'${escaped(shownName(word.replaceAll(/['\\]/g, (char) => `\\${char}`)))}'`;
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
