import { describe, expect, it } from 'vitest';
import { changedAt, rangesOf, takeWitness } from '../../../src/erase/witness.ts';
import { simulatedHost } from '../../../src/simulator/index.ts';

const [kib, gib] = [1024, 1024 ** 3];

describe('the samples of a device', () => {
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
  ])('of %d bytes: its head, its end, and nothing twice', (size) => {
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

describe('a later comparison', () => {
  it('finds data that was not there before; zeros of an interrupted act are none', async () => {
    const [path, size] = ['/dev/vdx', 1024 * kib];
    const host = simulatedHost({ disks: [{ name: 'vdx', size }] });
    host.admin.writeBytes(path, 8 * kib, Buffer.from('data'));
    const of = await takeWitness(host, path, size);
    host.admin.writeBytes(path, 8 * kib, Buffer.alloc(4));

    expect(await changedAt(host, { path, size, of, from: 0 })).toBeUndefined();

    host.admin.writeBytes(path, 4 * kib, Buffer.from('of others'));
    expect(await changedAt(host, { path, size, of, from: 0 })).toBe(4 * kib);
  });
});
