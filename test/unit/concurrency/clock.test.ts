import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { bofhOn, hostWithSource, vmCreate } from '../simulator/support.ts';
import { unnamed } from '../simulator/sweep.ts';
import { interfered, linesOnlyIn, moments, type Work } from './support.ts';

const work: Work = {
  start: hostWithSource,
  run: (host) => vmCreate(bofhOn(host)),
  last: { tool: 'xl', argvIncludes: 'create', mode: 'fails before' },
};
const years = 365 * 86_400_000;
const jumps = [-40, 25, -3, 90, -70, 0.01] as const;

/** The time of day only: what counts how long something lasted is another clock, and goes on. */
let jumped = 0;
function jump(): void {
  jumped += 1;
  vi.setSystemTime(Date.now() + (jumps[jumped % jumps.length] ?? 0) * years);
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 0, 1) }));
afterEach(() => void vi.useRealTimers());

describe('a clock that jumps by years', () => {
  test('before each access does not change the result of a sequence', async () => {
    const [still, jumping] = [hostWithSource(), hostWithSource()];
    await work.run(still);
    const first = jumped;

    jumping.faults.watch(jump);
    await work.run(jumping);

    expect(jumped - first).toBeGreaterThan(300);
    expect(unnamed(jumping.snapshot())).toBe(unnamed(still.snapshot()));
  });

  test('before each access does not change the result of an undo', async () => {
    const host = hostWithSource();
    host.faults.watch(jump);
    host.fault({ tool: 'xl', argvIncludes: 'create', mode: 'acts then fails' });

    await expect(work.run(host)).rejects.toThrow('failed and was rolled back');

    expect(unnamed(host.snapshot())).toBe(unnamed(hostWithSource().snapshot()));
  });

  test('between the kill, at any line of the journal, and the recovery: the host is as before or as after', async () => {
    const before = unnamed(hostWithSource().snapshot());
    const done = hostWithSource();
    await work.run(done);
    const after = unnamed(done.snapshot());
    const all = await moments(work, 'is killed there and recovered', () => true);
    expect(all.length).toBeGreaterThan(8);

    for (const nth of all) {
      const { host, end } = await interfered(work, { nth, then: 'is killed there and recovered', act: jump });
      const now = unnamed(host.snapshot());
      const wanted = now.includes('domain web1 ') ? after : before;
      expect([linesOnlyIn(now, wanted), linesOnlyIn(wanted, now)], `line ${String(nth)}: ${end}`).toEqual([
        [],
        [],
      ]);
    }
  });
});
