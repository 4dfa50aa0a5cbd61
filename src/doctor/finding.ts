import { commandLine } from '../command/index.ts';
import { BofhError, CommandError, ToolError } from '../core/errors.ts';

/** What the doctor says of one thing that it looked at. */
export interface Finding {
  /** The sort of thing: `journal`, `leftover`, `programs`. */
  readonly check: string;
  readonly level: 'ok' | 'warning' | 'problem';
  /** One sentence. */
  readonly says: string;
  /** Command lines that show or mend it, in their order. */
  readonly run: readonly string[];
}

type Argv = readonly string[];

/** A finding. `run` are programs with their arguments. */
export function finding(
  check: string,
  level: Finding['level'],
  says: string,
  run: readonly Argv[] = [],
): Finding {
  return { check, level, says, run: run.map(([tool = '', ...argv]) => commandLine({ tool, argv })) };
}

/**
 * What a look comes to. One that fails says so: "could not tell" is not "nothing there". Without root many do, and
 * that is no fault of the host.
 */
export async function looking(
  at: { readonly check: string; readonly what: string; readonly root: boolean },
  look: () => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  try {
    return await look();
  } catch (error) {
    // The state directory is read without a host: its errors are the operating system's own.
    if (!(error instanceof BofhError || (error instanceof Error && 'code' in error))) throw error;
    if (!at.root) return [finding(at.check, 'warning', `needs root for ${at.what}`)];
    const level = error instanceof ToolError ? 'warning' : 'problem';
    const remedy = error instanceof BofhError && error.remedy !== undefined ? [error.remedy] : [];
    return [
      { check: at.check, level, says: `${at.what} could not be looked at: ${error.message}`, run: remedy },
    ];
  }
}

/** A file's text; undefined when there is no such file. */
export async function textOf(
  host: { readFile(path: string): Promise<Uint8Array> },
  path: string,
): Promise<string | undefined> {
  try {
    return new TextDecoder().decode(await host.readFile(path));
  } catch (error) {
    if (error instanceof CommandError && error.reason === 'not-found') return undefined;
    throw error;
  }
}

/** Names in a directory; none when there is no such directory. */
export async function namesIn(
  host: { readDir(path: string): Promise<readonly string[]> },
  path: string,
): Promise<readonly string[]> {
  try {
    return await host.readDir(path);
  } catch (error) {
    if (error instanceof CommandError && error.reason === 'not-found') return [];
    throw error;
  }
}
