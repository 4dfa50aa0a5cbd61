import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openCache } from '../../../src/script/cache.ts';
import { loadScript } from '../../../src/script/load.ts';
import { containing } from '../cli/support/containing.ts';

const root = process.getuid?.() === 0;

let work = '';
let directory = '';
let warnings: string[] = [];
const warn = (_message: string, facts: object): void => {
  warnings.push(JSON.stringify(facts));
};
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'bofh-cache-'));
  directory = join(work, 'cache');
  warnings = [];
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

function load(text: string, name = 'a.ts') {
  const path = join(work, name);
  writeFileSync(path, text);
  return loadScript(path, { cache: 'read-write', warn, cacheDirectory: directory, modules: {} });
}

describe('the cache of scripts', () => {
  it('is a private directory, which no other user may read', async () => {
    await load('export const a: number = 1;');

    expect(statSync(directory).mode & 0o7777).toBe(0o700);
    expect(readdirSync(directory)).toHaveLength(1);
    expect(statSync(join(directory, readdirSync(directory)[0] ?? '')).mode & 0o7777).toBe(0o600);
  });

  it('returns what was stored, and nothing for another key', () => {
    const cache = openCache(directory, warn);
    cache?.set('k', 'code\n');

    expect(cache?.get('k')?.toString()).toBe('code\n');
    expect(cache?.get('l')).toBeUndefined();
  });

  it('is used: a complete entry is run', async () => {
    const text = 'export const a: number = 1;';
    await load(text);
    const file = join(directory, readdirSync(directory)[0] ?? '');
    const code = readFileSync(file, 'utf8').split('\n').slice(1).join('\n').replace('= 1', '= 2');
    writeFileSync(file, `${String(crc32(code))}\n${code}`);

    expect(await load(text)).toMatchObject({ a: 2 });
    expect(await load(`${text}\n`)).toMatchObject({ a: 1 });
  });

  it('does not run a torn or edited entry', async () => {
    const text = 'export const a: number = 1;';
    await load(text);
    const file = join(directory, readdirSync(directory)[0] ?? '');
    writeFileSync(file, readFileSync(file, 'utf8').replace('= 1', '= 2'));

    expect(await load(text)).toMatchObject({ a: 1 });
  });

  it.skipIf(!root)('is neither read nor written when another user owns it', async () => {
    mkdirSync(directory, { mode: 0o700 });
    chownSync(directory, 65_534, 65_534);

    expect(await load('export const a: number = 1;')).toMatchObject({ a: 1 });
    expect(readdirSync(directory)).toEqual([]);
    expect(warnings.join()).toContain('belongs to user 65534');
  });

  it.skipIf(!root)('does not use a file of another user', async () => {
    const cache = openCache(directory, warn);
    cache?.set('k', 'code');
    chownSync(join(directory, readdirSync(directory)[0] ?? ''), 65_534, 65_534);

    expect(cache?.get('k')).toBeUndefined();
  });

  it('is neither read nor written when others may use it', async () => {
    mkdirSync(directory);
    chmodSync(directory, 0o777);

    expect(await load('export const a: number = 1;')).toMatchObject({ a: 1 });
    expect(readdirSync(directory)).toEqual([]);
    expect(warnings.join()).toContain('others may use it');
  });

  it('is not followed through a symbolic link', () => {
    mkdirSync(join(work, 'else'), { mode: 0o700 });
    symlinkSync(join(work, 'else'), directory);

    expect(openCache(directory, warn)).toBeUndefined();
    expect(warnings.join()).toContain('not a directory');
  });

  it('does not grow without limit', () => {
    const cache = openCache(directory, warn);
    for (let n = 0; n < 230; n += 1) cache?.set(String(n), 'code');

    expect(readdirSync(directory).length).toBeLessThanOrEqual(200);
    expect(cache?.get('229')?.toString()).toBe('code');
  });
});

describe('the transpiled code', () => {
  it('has the line numbers of the source', async () => {
    const text = `interface A {\n  readonly a: number;\n}\n\ntype B = A & { b: 1 };\nconst b: B = { a: 1, b: 1 };\nexport const stack = new Error(String(b.a)).stack;\n`;

    expect(await load(text)).toMatchObject({ stack: containing('a.ts:7:') });
  });

  it('is neither read from the directory of jiti nor written there, whatever the environment contains', async () => {
    const before = process.env.TMPDIR;
    Object.assign(process.env, { JITI_FS_CACHE: 'true', TMPDIR: work });
    try {
      await load('export const a: number = 1;');
    } finally {
      delete process.env.JITI_FS_CACHE;
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
    }

    expect(readdirSync(work).sort()).toEqual(['a.ts', 'cache']);
  });
});
