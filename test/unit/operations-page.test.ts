import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { operationsPage, operationsPath } from '../support/operations-page.ts';

it('docs/operations.md is what the operations do now; npm run docs makes it anew', async () => {
  expect(readFileSync(operationsPath, 'utf8')).toBe(await operationsPage());
});
