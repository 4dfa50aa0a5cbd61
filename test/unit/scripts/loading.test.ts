import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '../../..');

// Their loader does not translate all of TypeScript: `await using` needs a helper that is not installed.
it('the scripts can load every module that they import', { timeout: 120_000 }, () => {
  const folder = join(root, 'scripts');
  const modules = new Set(
    readdirSync(folder)
      .filter((name) => name.endsWith('.mjs'))
      .flatMap(
        (name) => readFileSync(join(folder, name), 'utf8').match(/(?<=import\('\.\.\/)test\/[^']+/g) ?? [],
      ),
  );
  expect(modules.size).toBeGreaterThan(15);

  const lines = ['./scripts/lib/typescript.mjs', ...[...modules].map((path) => `./${path}`)];
  const code = lines.map((path) => `await import(${JSON.stringify(path)});`).join('\n');
  const { stderr, status } = spawnSync(process.execPath, ['--input-type=module', '--eval', code], {
    cwd: root,
    encoding: 'utf8',
  });

  expect(stderr).toBe('');
  expect(status).toBe(0);
});
