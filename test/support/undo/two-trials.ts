import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { withoutWaiting } from '../../../src/simulator/matrix/clock.ts';
import { isWhole, sampled } from '../sampled.ts';
import { faults } from './two-faults.ts';
import { crossings, type Made, type Reference, type Trouble, tryOnTwo } from './two-hosts.ts';
import type { TwoCounts } from './two-report.ts';

/** How the trials of one fault ended; `places` counts the crossings, `found` says of each trial that ended as neither how. */
export async function tryEach(
  made: Made,
  reference: Reference,
  trouble: Omit<Trouble, 'at'>,
): Promise<Omit<TwoCounts, 'title'> & { readonly places: number; readonly found: readonly string[] }> {
  const count = { trials: 0, before: 0, after: 0, neither: 0 };
  const found: string[] = [];
  const places = await crossings(made, trouble.ends);
  for (const at of sampled(places, `${trouble.fault} ${trouble.then}`, 10)) {
    const tried = await withoutWaiting(() => tryOnTwo(made, reference, { ...trouble, at }));
    count.trials += 1;
    count[tried.ended] += 1;
    if (tried.ended === 'neither') found.push(`${String(at)}: ${tried.why}`);
  }
  return { ...count, places: places.length, found };
}

const cache = fileURLToPath(new URL('../../../.cache/two-hosts/', import.meta.url));

/** Counts by fault, for a table of docs/tables/two-hosts.md: npm run test:matrix -- --report */
export function counting() {
  const counts = new Map<string, TwoCounts>();
  return {
    add: (title: string, { trials, before, after, neither }: Omit<TwoCounts, 'title'>): void => {
      const had = counts.get(title) ?? { title, trials: 0, before: 0, after: 0, neither: 0 };
      counts.set(title, {
        title,
        trials: had.trials + trials,
        before: had.before + before,
        after: had.after + after,
        neither: had.neither + neither,
      });
    },
    /** A sample, or a run of some of the faults, leaves the table as it is. */
    write: (file: string): void => {
      if (!isWhole || counts.size < Object.keys(faults).length) return;
      mkdirSync(cache, { recursive: true });
      const run = {
        date: new Date().toISOString().slice(0, 10),
        node: process.version,
        counts: [...counts.values()],
      };
      writeFileSync(`${cache}${file}.json`, `${JSON.stringify(run, undefined, 1)}\n`);
    },
  };
}
