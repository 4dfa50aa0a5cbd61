import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { allOperations, findOperation } from '../../src/operations.ts';
// What is wrong with a value is said in words once this is loaded.
import '../../src/site.ts';

describe('the registry of operations', () => {
  it('finds each by kind and version, as recovery does', async () => {
    for (const code of await allOperations()) expect(await findOperation(code.kind, code.version)).toBe(code);
  });

  it('has no kind twice, and finds no others', async () => {
    const kinds = (await allOperations()).map(({ kind, version }) => `${kind} ${version}`);
    expect(new Set(kinds).size).toBe(kinds.length);
    expect(kinds.length).toBeGreaterThan(8);
    expect(await findOperation('lvm.lv.create', 99)).toBeUndefined();
    expect(await findOperation('toString.x', 1)).toBeUndefined();
  });

  it('has manual commands for each', async () => {
    const silent = (await allOperations()).filter(({ describe: tell }) => tell === undefined);
    expect(silent.map(({ kind }) => kind)).toEqual([]);
  });

  it('refuses an unknown argument, such as a misspelt one', async () => {
    for (const code of await allOperations())
      expect(() => code.parseArgs({ uuuid: 'x' }), code.kind).toThrow(/there is no option "uuuid"/);
  });

  it('has a row for each in docs/undo.md', async () => {
    const page = readFileSync(new URL('../../docs/undo.md', import.meta.url), 'utf8');
    const missing = (await allOperations()).filter(({ kind }) => !page.includes(`| \`${kind}\` |`));
    expect(missing.map(({ kind }) => kind)).toEqual([]);
  });
});
