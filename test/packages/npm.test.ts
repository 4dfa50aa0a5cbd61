import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mustRun } from '../support/rig/process.ts';
import { projectAs } from './support.ts';

const work = mkdtempSync(join(tmpdir(), 'bofh-npm-'));
const tarball = join(work, 'bofh-9.9.9.tgz');
const install = ['npm', 'install', '--offline', '--no-audit', '--no-fund'];

beforeAll(async () => {
  const copy = join(work, 'copy');
  await projectAs('9.9.9', copy);
  await mustRun({ argv: [process.execPath, 'scripts/build.mjs'], cwd: copy });
  await mustRun({ argv: ['npm', 'pack', '--pack-destination', work], cwd: copy });
}, 600_000);
afterAll(() => rmSync(work, { recursive: true, force: true }));

test('npm install --global installs the command, and nothing else, without a registry', async () => {
  await mustRun({ argv: [...install, '--global', '--prefix', join(work, 'global'), tarball] });

  const { stdout } = await mustRun({ argv: [join(work, 'global/bin/bofh'), '--version'], cwd: '/' });
  expect(stdout.toString()).toBe('9.9.9\n');
  expect(readdirSync(join(work, 'global/lib/node_modules'))).toEqual(['bofh']);
});

test('the types pass tsc --strict in a program without @types/node', async () => {
  const program = join(work, 'program');
  mkdirSync(program);
  writeFileSync(join(program, 'package.json'), '{ "type": "module" }');
  await mustRun({ argv: [...install, tarball], cwd: program });
  const tsc = (text: string) => {
    writeFileSync(join(program, 'a.ts'), text);
    const compiler = join(import.meta.dirname, '../../node_modules/typescript/bin/tsc');
    const words = ['--strict', '--noEmit', '--skipLibCheck', 'false', '--module', 'nodenext', 'a.ts'];
    return mustRun({ argv: [process.execPath, compiler, '--target', 'es2022', ...words], cwd: program });
  };

  const imports = `import * as bofh from 'bofh'; import * as engine from 'bofh/atomic'; import * as testing from 'bofh/testing';`;
  await tsc(`${imports} export const host = testing.simulatedHost(); export { bofh, engine };`);
  await expect(tsc(`${imports} export const wrong: number = bofh.atomic;`)).rejects.toThrow(
    /a\.ts\(1,.*TS2322/s,
  );
});
