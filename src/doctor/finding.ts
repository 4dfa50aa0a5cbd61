import { commandLine } from '../command/index.ts';
import { BofhError, ToolError } from '../core/errors.ts';

/** A finding of the doctor. */
export interface Finding {
  /** The area: `journal`, `leftover`, `programs`. */
  readonly check: string;
  readonly level: 'ok' | 'warning' | 'problem';
  /** One sentence. */
  readonly says: string;
  /** Commands that show or fix it, in order. */
  readonly run: readonly string[];
}

type Argv = readonly string[];

/** Returns a finding. `run` are programs with their arguments. */
export function finding(
  check: string,
  level: Finding['level'],
  says: string,
  run: readonly Argv[] = [],
): Finding {
  return { check, level, says, run: run.map(([tool = '', ...argv]) => commandLine({ tool, argv })) };
}

/**
 * Runs a check. A failed check is a finding too: "unknown" is not "nothing found". Without root many checks
 * fail, which is not a problem of the host.
 */
export async function looking(
  at: { readonly check: string; readonly what: string; readonly root: boolean },
  look: () => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  try {
    return await look();
  } catch (error) {
    // The state directory is read without a host, so its errors are those of the operating system.
    if (!(error instanceof BofhError || (error instanceof Error && 'code' in error))) throw error;
    if (!at.root) return [finding(at.check, 'warning', `needs root for ${at.what}`)];
    const level = error instanceof ToolError ? 'warning' : 'problem';
    const remedy = error instanceof BofhError && error.remedy !== undefined ? [error.remedy] : [];
    return [
      { check: at.check, level, says: `${at.what} could not be examined: ${error.message}`, run: remedy },
    ];
  }
}
