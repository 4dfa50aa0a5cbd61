import { expect } from 'vitest';
import { recover, withBofh } from '../../../src/index.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { fork } from '../../../src/simulator/fork.ts';

/** Expects that after a power cut at any change by these tools the host is as before, or as described. */
export async function expectSafePowerCuts(
  host: SimulatedHost,
  apply: (on: SimulatedHost) => Promise<unknown>,
  tools: readonly NonNullable<Parameters<SimulatedHost['fault']>[0]['tool']>[],
): Promise<void> {
  const done = fork(host);
  await apply(done);
  const ends = [host.snapshot(), done.snapshot()];
  const wrong: string[] = [];
  for (const tool of tools) {
    expect(done.points.map((point) => point.tool)).toContain(tool);
    for (let nth = 1; nth <= done.points.filter((point) => point.tool === tool).length; nth += 1)
      for (const keep of ['none', 'all'] as const) {
        const cut = fork(host);
        cut.fault({ tool, nth, mode: 'acts then crash' });
        await apply(cut).catch(() => undefined);
        cut.clearFaults();
        const next = cut.powerCut({ keep });
        await withBofh(simulatedBofh({ host: next }), () => recover());
        if (!ends.includes(next.snapshot())) wrong.push(`${tool} ${String(nth)} ${keep}`);
      }
  }
  expect(wrong).toEqual([]);
}
