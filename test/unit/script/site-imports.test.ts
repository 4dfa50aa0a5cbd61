import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/core/errors.ts';
import { loadScript } from '../../../src/script/load.ts';
import { modulesOf, readSite } from '../../../src/script/site.ts';
import { defineSite } from '../../../src/site.ts';
import { rejectionOf } from '../../support/rejection.ts';

const options = { cache: 'unused', warn: () => undefined } as const;
const ran = globalThis as { bofhTestRan?: string };

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bofh-site-'));
  delete ran.bofhTestRan;
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Writes it below the directory, for its owner alone unless told otherwise. */
function write(name: string, text: string, mode = 0o644): string {
  const path = join(directory, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

const policy = 'globalThis.bofhTestRan = "policy"; export default "vg0";';
const site = (from: string): string =>
  write('site.ts', `import group from '${from}'; export default { volumeGroup: group };`);

describe('imports of a site file', () => {
  it('run where only root can write', async () => {
    write('policy.ts', policy);
    expect(await readSite(site('./policy.ts'), options)).toMatchObject({ volumeGroup: 'vg0' });
    expect(ran.bofhTestRan).toBe('policy');
  });

  it.each<[string, string, string, string]>([
    ['a TypeScript file', './policy.ts', 'policy.ts', policy],
    ['a JavaScript module', './policy.mjs', 'policy.mjs', policy],
    [
      'a CommonJS file',
      './policy.cjs',
      'policy.cjs',
      'globalThis.bofhTestRan = "policy"; module.exports = "vg0";',
    ],
    ['JSON', './policy.json', 'policy.json', '"vg0"'],
    [
      'a package',
      'policy',
      'node_modules/policy/index.js',
      'globalThis.bofhTestRan = "policy"; module.exports = "vg0";',
    ],
  ])('are refused before they run where others can write: %s', async (_, from, name, text) => {
    const path = write(name, text, 0o646);
    const error = await rejectionOf(readSite(site(from), options));
    expect(error).toBeInstanceOf(UsageError);
    expect(String(error)).toContain(
      `site.ts is refused: it is code that bofh runs as you, and ${path} can be written by others`,
    );
    expect(ran.bofhTestRan).toBeUndefined();
  });

  it('are refused in a directory that others can write, and two imports away', async () => {
    write('open/inner.ts', policy);
    chmodSync(join(directory, 'open'), 0o777);
    write('policy.ts', `export { default } from './open/inner.ts';`);
    const error = await rejectionOf(readSite(site('./policy.ts'), options));
    expect(String(error)).toContain('open can be written by others (mode 777)');
    expect(ran.bofhTestRan).toBeUndefined();
  });

  it('are refused also if the site file catches the failure', async () => {
    write('policy.ts', policy, 0o666);
    const text = `try { await import('./policy.ts') } catch {} export default {};`;
    const error = await rejectionOf(readSite(write('site.ts', text), options));
    expect(String(error)).toContain('policy.ts can be written by others');
  });
});

describe.runIf(process.geteuid?.() === 0)('a script that root runs', () => {
  it('loads nothing that others can write, if only root can write the script', async () => {
    write('policy.ts', policy, 0o666);
    const script = write('script.ts', `import './policy.ts';`);
    expect(String(await rejectionOf(loadScript(script, options)))).toMatch(
      /policy\.ts, which \S+script\.ts loads, is refused: \S+policy\.ts can be written by others/,
    );
    expect(ran.bofhTestRan).toBeUndefined();
  });

  it('may be in a directory that its author can write', async () => {
    write('policy.ts', policy, 0o666);
    await loadScript(write('script.ts', `import './policy.ts';`, 0o664), options);
    expect(ran.bofhTestRan).toBe('policy');
  });
});

describe('a site file loads the whole library', () => {
  const usual = "import { defineSite } from 'bofh';\nexport default defineSite({ volumeGroup: 'vg0' });\n";
  const example = readFileSync(join(import.meta.dirname, '../../../site-specific.ts'), 'utf8');

  it.each([usual, usual.replaceAll("'", '"'), example])(
    'not if it imports only defineSite: %j',
    async (text) => {
      expect(modulesOf(text)).toEqual({ bofh: { defineSite } });
      await expect(readSite(write('site.ts', text), options)).resolves.toHaveProperty('guestConfigDirs');
    },
  );

  it.each([
    usual.replace('{ defineSite }', '{ defineSite, operation }'),
    `${usual}import { xen } from 'bofh';\n`,
    `${usual}export { xen } from 'bofh';\n`,
    `${usual}const { testing } = await import('bofh/testing');\n`,
    `${usual}const fs = require('node:fs');\n`,
    'export default {};\n',
  ])('if it may use more of it: %j', (text) => {
    expect(modulesOf(text)).toBeUndefined();
  });
});
