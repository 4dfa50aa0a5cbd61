import { describe, expect, test } from 'vitest';
import { firstCatch, withBug } from '../../support/crash/bite.ts';
import { bugs } from '../../support/crash/bugs.ts';

const depth = process.env.BOFH_BITE === 'whole' ? 'whole' : 'quick';

describe('the crash matrix sees each deliberate bug', { timeout: 300_000 }, () => {
  for (const bug of bugs)
    test(bug.name, async () => {
      const caught = await firstCatch(await withBug(bug), depth);

      if (depth === 'whole') console.log(`${bug.name}: ${caught ?? 'not seen'}`);
      expect(caught).toBeDefined();
    });

  test('and sees nothing in a copy that has none', async () => {
    const caught = await firstCatch(await withBug({ name: 'no bug', patches: [] }), depth);

    expect(caught).toBeUndefined();
  });
});
