import * as fc from 'fast-check';
import { withoutWaiting } from '../../../../src/simulator/matrix/clock.ts';
import { anyLibraryCase } from './library-program.ts';
import { libraryTrial } from './library-trial.ts';
import { anyCase } from './program.ts';
import { count, type Figures, newFigures } from './figures.ts';
import { soakTrial } from './trial.ts';

/** A trial that ended as neither before nor after, as small as it could be made. */
export interface Failure {
  readonly seed: number;
  readonly path: string;
  readonly found: readonly string[];
  readonly counterexample: unknown;
}

type Trial<C> = (one: C, figures: Figures) => Promise<readonly string[]>;

/** Random sequences one by one, or with `library` random scripts at the same time. */
export async function soak(
  options: Parameters<typeof trials>[2] & { readonly library: boolean },
): ReturnType<typeof trials> {
  return options.library
    ? trials(anyLibraryCase, libraryTrial, options)
    : trials(anyCase, soakTrial, options);
}

/** So many trials, in portions of a seed each. Goes on after a failure, with the next portion. */
async function trials<C>(
  any: fc.Arbitrary<C>,
  trial: Trial<C>,
  options: {
    readonly trials: number;
    readonly seed: number;
    /** Repeats one trial that failed. */
    readonly path?: string;
    readonly onProgress?: (done: number, failed: number) => void;
    readonly onFailure?: (failure: Failure) => void;
  },
): Promise<{ readonly figures: Figures; readonly seeds: number; readonly failures: readonly Failure[] }> {
  const figures = newFigures();
  const failures: Failure[] = [];
  const portion = 500;
  let seeds = 0;
  for (let done = 0; done < options.trials; done += portion) {
    const seed = options.seed + seeds;
    seeds += 1;
    const numRuns = Math.min(portion, options.trials - done);
    const more = options.path === undefined ? {} : { path: options.path, endOnFailure: true };
    const found = { last: [] as readonly string[], failed: false, since: 0 };
    const property = fc.asyncProperty(any, async (one) => {
      // Shrinking tries much that is not counted, and not for ever.
      if (found.failed && Date.now() - found.since > 60_000) return true;
      const into = found.failed ? newFigures() : figures;
      const wrong = await withoutWaiting(() => trial(one, into), { limitMs: 3_600_000 }).catch(thrown);
      if (!found.failed) count(figures.outcomes, 'trials');
      if (wrong.length === 0) return true;
      if (!found.failed) found.since = Date.now();
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
