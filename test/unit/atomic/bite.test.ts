import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { whatCatches, withBug } from '../../support/crash/bite.ts';
import { keepOutcome } from '../../support/crash/bite-report.ts';
import { root } from '../../support/crash/copies.ts';
import { bugs } from '../../support/crash/bugs.ts';
import { copyOfProject, runTests } from '../../support/crash/product-bite.ts';
import { productBugs } from '../../support/crash/product-bugs.ts';
import { ruleBugs } from '../../support/crash/rule-bugs.ts';

const depth = process.env.BOFH_BITE === 'whole' ? 'whole' : 'quick';
const timeout = 1_800_000;
const inProduct = depth === 'whole' ? [...productBugs, ...ruleBugs] : productBugs.slice(0, 1);
const has = { strace: spawnSync('strace', ['-V']).status === 0, root: process.getuid?.() === 0 };

describe('the crash matrix finds each deliberate bug', { timeout }, () => {
  for (const bug of depth === 'whole' ? bugs : bugs.filter((_, at) => at % 3 === 0))
    test(bug.name, async () => {
      const caught = await whatCatches(await withBug(bug), depth);

      if (depth === 'whole') keepOutcome(bug.name, caught?.by ?? []);
      expect(caught).toBeDefined();
    });

  test('and finds nothing in an unchanged copy', async () => {
    const caught = await whatCatches(await withBug({ name: 'no bug', patches: [] }), depth);

    expect(caught).toBeUndefined();
  });
});

// Code that has changed is noticed at once, not at the next whole run.
test.each([
  ...bugs.map((bug) => [bug.name, 'src/atomic', bug.patches] as const),
  ...[...productBugs, ...ruleBugs].map((bug) => [bug.name, 'src', bug.patches] as const),
])('%s: its place in the sources exists once', (_, folder, patches) => {
  for (const { file, old } of patches)
    expect(readFileSync(join(root, folder, file), 'utf8').split(old)).toHaveLength(2);
});

// Each test file is a process of its own: the quick measure takes some bugs, and one file for each; `npm run test:bite` all.
describe('the tests of the project find each deliberate bug in the product', { timeout }, () => {
  for (const { name, patches, seenBy } of inProduct)
    test.skipIf(seenBy.some(({ needs }) => needs !== undefined && !has[needs]))(name, async () => {
      const folder = copyOfProject({ name, patches });
      const by: string[] = [];
      for (const tests of depth === 'whole' ? seenBy : seenBy.slice(-1)) {
        const { failed } = await runTests(folder, tests);
        expect(failed, `${tests.file} sees nothing`).not.toEqual([]);
        by.push(...failed.map((title) => `\`${tests.file}\`: ${title}`));
      }

      if (depth === 'whole') keepOutcome(name, by);
      expect(by).not.toEqual([]);
    });

  // Not `runIf`: nothing is left out of the quick measure that it promises.
  if (depth === 'whole')
    test('and find nothing in an unchanged copy', async () => {
      const folder = copyOfProject({ name: 'no bug in the product', patches: [] });
      const tests = new Map(
        inProduct.flatMap(({ seenBy }) => seenBy.map((each) => [JSON.stringify(each), each])),
      );

      for (const each of tests.values())
        expect(await runTests(folder, each)).toMatchObject({
          failed: [],
          passed: expect.any(Number) as number,
        });
    });
});
