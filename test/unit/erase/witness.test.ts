import { describe, expect, it } from 'vitest';
import { rangesOf } from '../../../src/erase/witness.ts';

const [kib, gib] = [1024, 1024 ** 3];

describe('where a device is sampled', () => {
  it.each([
    512,
    4 * kib,
    64 * kib,
    65 * kib,
    304 * kib,
    305 * kib,
    544 * kib,
    545 * kib,
    gib + 512,
    20 * gib,
  ])('of %d bytes: at its head, at its end, and never twice', (size) => {
    const ranges = rangesOf(size);
    const [first, last] = [ranges[0], ranges.at(-1)];
    expect(first).toEqual({ from: 0, count: Math.min(size, 64 * kib) });
    expect((last?.from ?? 0) + (last?.count ?? 0)).toBe(size);
    let end = 0;
    for (const { from, count } of ranges) {
      expect(from).toBeGreaterThanOrEqual(end);
      end = from + count;
    }
    expect(ranges.reduce((sum, { count }) => sum + count, 0)).toBe(size > 544 * kib ? 304 * kib : size);
  });
});
