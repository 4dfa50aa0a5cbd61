import { expect, it } from 'vitest';
import { StuckError } from '../../../src/core/errors.ts';
import type { Fault } from '../../../src/simulator/index.ts';
import { withoutWaiting } from '../../../src/simulator/matrix/clock.ts';
import { sampled } from '../../support/sampled.ts';
import { typed } from '../plan/support.ts';
import { hostWithSource } from '../simulator/support.ts';
import { countOf, create, does, withGuest } from './support.ts';

const destroy = 'vm remove web1 --force-off';

/** Every change of the removal, failing; and each of its programs that says "done" and has done nothing. */
async function faults(): Promise<readonly Fault[]> {
  const changes = await countOf(withGuest, destroy);
  const points = Array.from({ length: changes }, (_, index) => index + 1);
  const failing = (['fails before', 'acts then fails'] as const).flatMap((mode) =>
    points.map((nth): Fault => ({ nth, mode })),
  );
  const silent = (['xl', 'lvchange', 'lvrename', 'lvremove'] as const).flatMap((tool) =>
    [1, 2, 3].map((nth): Fault => ({ tool, nth, mode: 'no effect, exit 0' })),
  );
  return [...failing, ...silent];
}

it('stuck half-deleted objects: after any failure of vm remove the guest is complete or removed, and the same command works', async () => {
  const gone = hostWithSource().snapshot();
  let stuck = 0;
  let back = 0;

  for (const fault of sampled(await faults(), destroy, 4)) {
    const host = await withGuest();
    const words = JSON.stringify(fault);
    host.fault(fault);
    const error = await withoutWaiting(() => typed(host, ['--yes', ...destroy.split(' ')])).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    host.clearFaults();

    if (error instanceof StuckError) {
      stuck += 1;
      await does(host.restart(), 'recover');
    } else if (error !== undefined) {
      back += 1;
      await does(host, destroy);
    }
    expect(host.snapshot(), words).toBe(gone);
    await does(host, create);
  }

  // Both must have occurred: an undo, and an act that recovery finished after the commit.
  expect(stuck).toBeGreaterThan(0);
  expect(back).toBeGreaterThan(0);
});
