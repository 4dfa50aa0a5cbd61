import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { product } from '../../support/crash/engine.ts';
import { anyCase, randomTrial } from '../../support/crash/random.ts';

const soak = process.env.BOFH_SOAK_TRIALS;
// The same programs each time, so that a change is what turns it red; a soak goes where nobody has been.
const seed = Number(process.env.BOFH_SEED ?? (soak === undefined ? 20261120 : Date.now() % 2 ** 31));

test(`random programs, faults and crashes end as before or as after (seed ${seed})`, {
  timeout: soak === undefined ? 60_000 : 24 * 3_600_000,
}, async () => {
  const property = fc.asyncProperty(anyCase, async (one) => {
    expect(await randomTrial({ modules: product }, one)).toEqual([]);
  });

  await fc.assert(property, {
    seed,
    numRuns: soak === undefined ? 12_000 : Number(soak),
    ...(soak === undefined ? { interruptAfterTimeLimit: 20_000, markInterruptAsFailure: false } : {}),
  });
});
