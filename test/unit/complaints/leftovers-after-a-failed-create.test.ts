import { expect, it } from 'vitest';
import { RolledBackError, StuckError } from '../../../src/core/errors.ts';
import { sampled } from '../../support/sampled.ts';
import { typed } from '../plan/support.ts';
import { hostWithSource } from '../simulator/support.ts';
import { countOf, create, does } from './support.ts';

it('leftovers after a failed create; the name is then unusable: after any failure nothing is left and the name can be used at once', async () => {
  const before = hostWithSource().snapshot();
  const changes = await countOf(async () => hostWithSource(), create);
  const all = Array.from({ length: changes }, (_, index) => index + 1);
  let undone = 0;
  let tried = 0;

  for (const mode of ['fails before', 'acts then fails'] as const)
    for (const nth of sampled(all, mode)) {
      tried += 1;
      const words = `change ${String(nth)} ${mode}`;
      const host = hostWithSource();
      host.fault({ nth, mode });
      const error = await typed(host, create.split(' ')).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      host.clearFaults();

      if (error instanceof RolledBackError) undone += 1;
      else {
        // What fails after the commit leaves a guest that is whole: then that is what goes without leftovers.
        if (error !== undefined) expect(error, words).toBeInstanceOf(StuckError);
        if (error !== undefined) await does(host.restart(), 'recover');
        await does(host, 'vm remove web1 --force-off');
      }
      expect(host.snapshot(), words).toBe(before);
      await does(host, create);
    }

  expect(undone).toBeGreaterThan(tried / 2);
});
