import { expect, test } from 'vitest';
import { product } from '../../support/crash/engine.ts';
import { scenarios } from '../../support/crash/scenarios/all.ts';

for (const { name, run } of scenarios)
  test(name, async () => {
    const found = await run({ modules: product });

    expect(found).toEqual([]);
  });
