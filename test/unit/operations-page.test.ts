import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { operationsPage, operationsPath } from '../support/operations-page.ts';

it('docs/operations.md matches the operations; npm run docs writes it', async () => {
  expect(readFileSync(operationsPath, 'utf8')).toBe(await operationsPage());
});
