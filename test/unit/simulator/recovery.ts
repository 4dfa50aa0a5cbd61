import { expect } from 'vitest';
import { openJournals } from '../../../src/atomic/recovery/recover.ts';
import { RefusedError, RolledBackError, type UsageError } from '../../../src/core/errors.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { bofhOn, recoverAll } from './support.ts';
import { unnamed } from './sweep.ts';

/** The work is refused, and the host is as before. Returns the error. */
export async function expectRefused(
  host: SimulatedHost,
  work: Promise<unknown>,
  kind: typeof RefusedError | typeof UsageError = RefusedError,
): Promise<RefusedError> {
  const before = host.snapshot();
  const error = await rejectionOf(work);
  expect(error).toBeInstanceOf(kind);
  expect(host.snapshot()).toBe(before);
  return error as RefusedError;
}

/** The work fails at its end: the host is as before, and nothing is left untouched. */
export async function expectUndone(host: SimulatedHost, work: () => Promise<unknown>): Promise<void> {
  const before = host.snapshot();
  const error = await rejectionOf(work());
  expect(error).toBeInstanceOf(RolledBackError);
  expect((error as RolledBackError).leftUntouched).toEqual([]);
  expect(host.snapshot()).toBe(before);
}

/** Kills the work at each of its changes: after recovery the host is as before or as after, and no journal is open. */
export async function expectRecovery(of: {
  readonly start: () => SimulatedHost;
  readonly work: (host: SimulatedHost) => Promise<unknown>;
  /** The state of a host, without values that are random in each run. */
  readonly plain?: (host: SimulatedHost) => string;
  /** Other states that are accepted. */
  readonly also?: readonly string[];
  /** The work makes more changes than this (default: 0). */
  readonly moreThan?: number;
}): Promise<void> {
  const { start, work, plain = (host) => unnamed(host.snapshot()), also = [], moreThan = 0 } = of;
  const done = start();
  const before = plain(done);
  const begun = done.changes.length;
  await work(done);
  const after = plain(done);
  const all = done.changes.length - begun;
  expect(all).toBeGreaterThan(moreThan);
  for (let nth = 1; nth <= all; nth += 1) {
    const victim = start();
    victim.fault({ nth, mode: 'acts then crash' });
    await work(victim).catch(() => undefined);
    victim.clearFaults();
    const next = victim.restart();

    await recoverAll(next);

    expect([before, ...also, after]).toContain(plain(next));
    expect(await openJournals(bofhOn(next).engine)).toEqual([]);
  }
}
