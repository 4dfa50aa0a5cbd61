import { access, constants, stat } from 'node:fs/promises';
import { constants as os } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { type Tool, toolDirectories, tools, isOdd, notUtf8 } from '../command/index.ts';
import { ToolError, UsageError } from '../core/errors.ts';
import { text } from '../core/request.ts';
import * as z from 'zod/mini';

/**
 * A command ready to start: the absolute path of its file, and its arguments after those that this
 * host adds.
 */
export interface Program {
  readonly tool: string;
  readonly file: string;
  readonly argv: readonly string[];
}

/** How a program ended, if known. */
export type End =
  | { readonly how: 'exit'; readonly exitCode: number }
  | { readonly how: 'signal'; readonly signal: string }
  /** `exitCode`: 126 or 127, from the shell around the program. */
  | { readonly how: 'not-started'; readonly why: string; readonly exitCode?: number }
  /** The program was started, but it is unknown how it ended. */
  | { readonly how: 'unknown'; readonly why: string };

/** Other paths for programs, by their names in the tool table. */
export const ownTools = z.strictObject(
  Object.fromEntries(Object.keys(tools).map((tool) => [tool, z.optional(text)])),
);

/** Options of the local host for the programs that it starts. */
export interface ProgramOptions {
  /** Absolute paths instead of those of the tool table. */
  readonly tools?: Partial<Readonly<Record<Tool, string>>>;
  /** Arguments added before the arguments of every lvm2 tool. */
  readonly lvmConfig?: readonly string[];
}

/**
 * Returns the function that resolves commands to programs. It throws ToolError for a missing
 * program.
 */
export function programs(
  options: ProgramOptions,
): (command: { readonly tool: Tool; readonly argv: readonly string[] }) => Promise<Program> {
  for (const [tool, path] of Object.entries(options.tools ?? {}))
    if (!isAbsolute(path)) throw new UsageError(`the path of ${tool} must be absolute, not "${path}"`);
  const found = new Map<Tool, string>();
  return async ({ tool, argv }) => {
    const own = options.tools?.[tool];
    const debianPackage: string = tools[tool].package;
    const file =
      found.get(tool) ??
      (own === undefined
        ? await findProgram(tool, debianPackage)
        : await findProgram(tool, debianPackage, [own]));
    found.set(tool, file);
    const inFront = debianPackage === 'lvm2' ? (options.lvmConfig ?? []) : [];
    return { tool, file, argv: checked(tool, [...inFront, ...argv]) };
  };
}

/**
 * The first of `paths` (default: `name` in the fixed directories) that can be executed. Throws ToolError if
 * there is none.
 */
export async function findProgram(
  name: string,
  debianPackage: string,
  paths: readonly string[] = placesOf(name),
): Promise<string> {
  for (const path of paths) if (await executable(path)) return path;
  throw notInstalled(name, debianPackage, paths);
}

/** The error for a program that is not at any of these paths. */
export function notInstalled(name: string, debianPackage: string, paths: readonly string[]): ToolError {
  return new ToolError(`${name} is not installed (looked for ${paths.join(', ')})`, {
    remedy: installing(debianPackage),
  });
}

/** The paths where bofh looks for a program. */
export function placesOf(name: string): readonly string[] {
  return toolDirectories.map((directory) => join(directory, name));
}

/** One sentence on how to get a Debian package. */
export function installing(debianPackage: string): string {
  return `install the Debian package ${debianPackage}: apt-get install ${debianPackage}`;
}

/**
 * How a program ended, from the exit code of the shell around it. POSIX, "Exit Status for Commands": 127 not
 * found, 126 found but not executable, above 128 a signal; dash and bash add the signal's number to 128. 255
 * is no signal: xl uses it.
 */
export function endInShell(exitCode: number): End {
  if (exitCode === 126) return { how: 'not-started', why: 'it cannot be executed', exitCode };
  if (exitCode === 127) return { how: 'not-started', why: 'it, or its interpreter, is not there', exitCode };
  const signal = Object.entries(os.signals).find(([, number]) => number === exitCode - 128);
  if (signal !== undefined) return { how: 'signal', signal: signal[0] };
  return exitCode > 128 && exitCode <= 128 + 64
    ? { how: 'signal', signal: `signal ${exitCode - 128}` }
    : { how: 'exit', exitCode };
}

/** Text for the log. */
export function endInWords(end: End): string {
  if (end.how === 'exit') return `exit ${end.exitCode}`;
  return end.how === 'signal' ? end.signal : end.why;
}

async function executable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    // Any reason counts as missing; the error names every path that was tried.
    return false;
  }
}

function checked(tool: string, argv: readonly string[]): readonly string[] {
  const bad = argv.findIndex((word) => word.includes('\0'));
  if (bad !== -1) throw new UsageError(`argument ${bad + 1} of ${tool} contains a NUL byte`);
  const odd = argv.find(isOdd);
  if (odd !== undefined) throw notUtf8(odd);
  return argv;
}
