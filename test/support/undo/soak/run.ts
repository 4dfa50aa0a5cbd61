import * as fc from 'fast-check';
import { withoutWaiting } from '../clock.ts';
import { anyCase, type Case } from './program.ts';
import { count, type Figures, newFigures } from './figures.ts';
import { soakTrial } from './trial.ts';

/** A trial that ended as neither before nor after, as small as it could be made. */
export interface Failure {
  readonly seed: number;
  readonly path: string;
  readonly found: readonly string[];
  readonly counterexample: Case;
}

/** So many trials, in portions of a seed each. Goes on after a failure, with the next portion. */
export async function soak(options: {
  readonly trials: number;
  readonly seed: number;
  /** Repeats one trial that failed. */
  readonly path?: string;
  readonly onProgress?: (done: number, failed: number) => void;
  readonly onFailure?: (failure: Failure) => void;
}): Promise<{ readonly figures: Figures; readonly seeds: number; readonly failures: readonly Failure[] }> {
  const figures = newFigures();
  const failures: Failure[] = [];
  const portion = 500;
  let seeds = 0;
  for (let done = 0; done < options.trials; done += portion) {
    const seed = options.seed + seeds;
    seeds += 1;
    const numRuns = Math.min(portion, options.trials - done);
    const more = options.path === undefined ? {} : { path: options.path, endOnFailure: true };
    const found = { last: [] as readonly string[], failed: false };
    const property = fc.asyncProperty(anyCase, async (one) => {
      // Shrinking tries much that is not counted.
      const into = found.failed ? newFigures() : figures;
      const wrong = await withoutWaiting(() => soakTrial(one, into), { limitMs: 3_600_000 }).catch(thrown);
      if (!found.failed) count(figures.outcomes, 'trials');
      if (wrong.length === 0) return true;
      found.failed = true;
      found.last = wrong;
      return false;
    });
    const result = await fc.check(property, { seed, numRuns, ...more });
    if (result.failed && result.counterexample !== null) {
      const [counterexample] = result.counterexample;
      const failure = { seed, path: result.counterexamplePath, found: found.last, counterexample };
      failures.push(failure);
      options.onFailure?.(failure);
    }
    options.onProgress?.(Math.min(done + portion, options.trials), failures.length);
  }
  return { figures, seeds, failures };
}

function thrown(error: unknown): readonly string[] {
  return [
    `the trial itself failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  ];
}
