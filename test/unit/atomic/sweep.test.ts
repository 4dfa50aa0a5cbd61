import { expect, test } from 'vitest';
import { product } from '../../support/crash/engine.ts';
import { crashSweep, faultSweep, fullDiskSweep, wholeExtent } from '../../support/crash/sweep.ts';

const subject = { modules: product };
const whole = process.env.BOFH_MATRIX === 'whole';
const timeout = whole ? 3_600_000 : 120_000;

test('ended at any point and in any way, and its recovery too: as before or as after', {
  timeout,
}, async () => {
  const extent = whole
    ? wholeExtent
    : { ...wholeExtent, kinds: ['kill', 'none', 'half'] as const, second: 31 };
  expect(await crashSweep(subject, extent)).toEqual([]);
});

test('whatever fails, fails to happen, or happens and fails: undone, or stuck and recovered', {
  timeout,
}, async () => {
  const extent = whole ? wholeExtent : { ...wholeExtent, kinds: ['kill', 'none'] as const };
  expect(await faultSweep(subject, extent)).toEqual([]);
});

test('a disk that is full from any line on, or in the middle of it: undone, then or by recovery', {
  timeout,
}, async () => {
  expect(await fullDiskSweep(subject, wholeExtent)).toEqual([]);
});
