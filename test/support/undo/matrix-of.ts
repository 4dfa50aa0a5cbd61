import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { isWhole } from '../sampled.ts';
import { type FaultName, faultNames } from './fault-names.ts';
import { type Counts, driverOf, fill, rows } from './matrix.ts';
import type { MatrixRun } from './report.ts';
import type { specimens } from './specimens.ts';

/** Which faults `npm test` tries on the nth operation: one of three, so that each three operations meet all of them. */
function third(nth: number): readonly FaultName[] {
  return faultNames.filter((_, index) => (index + nth) % 3 === 0);
}

/** The tests of one driver's operations: a file for each of them, so that two run at a time. */
export async function testMatrixOf(driver: keyof typeof specimens): Promise<void> {
  const mine = (await rows()).filter((row) => driverOf(row) === driver);
  const filled: Counts[] = [];

  describe(`every operation of ${driver} × every fault, on the simulated host`, { timeout: 300_000 }, () => {
    for (const [at, row] of mine.entries())
      describe(row.kind, () => {
        for (const fault of isWhole ? faultNames : third(at))
          it(`${fault}: the host is as before, as after, or stuck, named and recovered`, async () => {
            const counts = await fill(row, fault);
            filled.push(counts);

            expect(counts.neither.slice(0, 5)).toEqual([]);
          });
      });

    // The tables of docs/tables/operations.md are made of it: npm run test:matrix -- --report; a sample would make them smaller.
    afterAll(() => {
      if (!isWhole || filled.length < mine.length * faultNames.length) return;
      const cache = fileURLToPath(new URL('../../../.cache/undo-matrix/', import.meta.url));
      mkdirSync(cache, { recursive: true });
      const run: MatrixRun = {
        date: new Date().toISOString().slice(0, 10),
        node: process.version,
        counts: filled,
      };
      writeFileSync(`${cache}${driver}.json`, `${JSON.stringify(run, undefined, 1)}\n`);
    });
  });
}
