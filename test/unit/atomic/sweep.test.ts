import { expect, test } from 'vitest';
import { product } from '../../support/crash/engine.ts';
import {
  crashSweep,
  faultSweep,
  fullDiskSweep,
  wholeExtent,
  type Extent,
} from '../../support/crash/sweep.ts';

const subject = { modules: product };
const measure = process.env.BOFH_MATRIX;
const timeout = measure === 'whole' ? 3_600_000 : 300_000;

/** `small` is for mutation testing, which runs it a thousand times. */
function extentOf(usual: Partial<Extent>): Extent {
  if (measure === 'small') return { ...wholeExtent, kinds: ['none'], second: 0, enough: 1 };
  return measure === 'whole' ? wholeExtent : { ...wholeExtent, ...usual };
}

test('a kill or failure at any point, also of the recovery, ends as before or as after', {
  timeout,
}, async () => {
  const extent = extentOf({ kinds: ['kill', 'none', 'half'], inTurn: true, second: 97 });
  expect(await crashSweep(subject, extent)).toEqual([]);
});

test('whatever fails, is skipped, or completes and fails: undone, or stuck and recovered', {
  timeout,
}, async () => {
  const extent = extentOf({ kinds: ['kill', 'none'], inTurn: true });
  expect(await faultSweep(subject, extent)).toEqual([]);
});

test('a disk that is full from any line on, or within it: undone, at once or by recovery', {
  timeout,
}, async () => {
  expect(await fullDiskSweep(subject, wholeExtent)).toEqual([]);
});
