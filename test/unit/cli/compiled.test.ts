import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import * as os from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadCompiled } from '../../../src/cli/compiled.ts';
import { run } from './support/built.ts';

const root = join(import.meta.dirname, '../../..');
const isRoot = process.getuid?.() === 0;
let directory = '';
let cache = '';

beforeEach(() => {
  directory = mkdtempSync(join(os.tmpdir(), 'bofh-compiled-'));
  cache = join(directory, 'cache');
  writeFileSync(
    join(directory, 'main-a1.cjs'),
    'const { half } = require("./half-b2.cjs"); exports.twice = (n) => n / half; exports.name = () => "/slow"; exports.os = () => importOfNode("node:os");',
  );
  writeFileSync(
    join(directory, 'half-b2.cjs'),
    'exports.half = 0.5; exports.join = require("node:path").join;',
  );
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

interface Main {
  readonly twice: (n: number) => number;
  readonly name: () => string;
  readonly os: () => Promise<typeof os>;
}

const load = () => loadCompiled<Main>(join(directory, 'main-a1.cjs'), 'a1', cache);
const names = () => readdirSync(cache);
const file = () => join(cache, names()[0] ?? '');

/** The name that a process of its own gets; in this one V8 would take what it has compiled itself. */
async function inProcess(work?: string): Promise<string> {
  const code = `await import('./scripts/lib/typescript.mjs');
    const { loadCompiled } = await import('./src/cli/compiled.ts');
    const { exports, keep } = loadCompiled(${JSON.stringify(join(directory, 'main-a1.cjs'))}, 'a1', ${JSON.stringify(cache)});
    const { hostname } = await exports.os();
    process.stdout.write(exports.name() + hostname());
    if (${String(work !== undefined)}) keep(${JSON.stringify(work ?? '')});`;
  const { exitCode, stdout } = await run(process.execPath, ['--input-type=module', '-e', code], {
    cwd: root,
  });
  return exitCode === 0 ? stdout : 'failed';
}

/** Replaces code in the cache: what then runs shows whether it was taken. */
function change(from: string, to: string): void {
  const all = readFileSync(file());
  const body = all.subarray(all.indexOf('\n') + 1);
  const at = body.indexOf(from, 0, 'latin1');
  expect(at).toBeGreaterThan(0);
  body.write(to, at, 'latin1');
  writeFileSync(file(), Buffer.concat([Buffer.from(`${String(crc32(body))}\n`), body]));
}

describe('compiled code', () => {
  it('runs a file, those beside it, and modules of Node.js', () => {
    expect(load().exports.twice(3)).toBe(6);
  });

  it.skipIf(!isRoot)('is stored once for each source, and then loaded', async () => {
    await inProcess('lvm create');
    expect(names()).toHaveLength(1);
    change('/slow', '/fast');
    expect(await inProcess()).toBe(`/fast${os.hostname()}`);
    const { mtimeNs } = statSync(file(), { bigint: true });

    await inProcess('lvm create');
    expect(statSync(file(), { bigint: true }).mtimeNs).toBe(mtimeNs);
    expect(await inProcess('lvm remove')).toBe(`/fast${os.hostname()}`);
    expect(statSync(file(), { bigint: true }).mtimeNs).toBeGreaterThan(mtimeNs);
    expect(names()).toHaveLength(1);
  });

  it.skipIf(!isRoot)('is not loaded when torn', () => {
    load().keep('lvm create');
    writeFileSync(file(), readFileSync(file()).subarray(0, -1));

    expect(load().exports.twice(3)).toBe(6);
    load().keep('lvm create');
    expect(load().exports.twice(3)).toBe(6);
  });

  it.skipIf(!isRoot)('is not loaded from a directory that others may use', async () => {
    await inProcess('lvm create');
    change('/slow', '/fast');
    chmodSync(cache, 0o755);

    expect(await inProcess()).toBe(`/slow${os.hostname()}`);
  });

  it('is not written while nothing may be stored, nor is its directory created', () => {
    load().exports.twice(3);

    expect(existsSync(cache)).toBe(false);
  });
});
