import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { referencePage, referencePath } from '../support/api/reference-page.ts';

it('docs/reference.md matches the types: npm run docs', async () => {
  const page = readFileSync(referencePath, 'utf8');
  expect(page).toBe(await referencePage());
  // Codes are found by following the code: some that are known well.
  const errors = (name: string): string =>
    /^- Errors: (?<codes>.*)$/m.exec(page.slice(page.indexOf(`\n### ${name}\n`)))?.groups?.codes ?? '';
  expect(errors('lvm.createLv')).toBe('`exists`, `no-space`, `not-found`');
  expect(errors('filesystem.create')).toBe('`has-data`, `in-use`');
  expect(errors('tx.file.create')).toContain('`exists`');
  expect(errors('vm.create')).toContain('`no-space`');
});
