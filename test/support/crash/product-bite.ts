import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { copyWithBug, root } from './copies.ts';
import type { ProductBug, Tests } from './product-bugs.ts';

/** The project with a bug in it, as a copy of its own: its sources and its tests. Gives the folder. */
export function copyOfProject(bug: Pick<ProductBug, 'name' | 'patches'>): string {
  const parts = {
    src: 'src',
    test: 'test',
    'package.json': 'package.json',
    'site-specific.ts': 'site-specific.ts',
  };
  return copyWithBug(bug, parts, 'src');
}

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/** Runs tests of the project in a copy: how many passed, and the names of those that failed. A file that cannot be loaded is an error. */
export async function runTests(
  folder: string,
  { file, title, matrix }: Tests,
): Promise<{ readonly passed: number; readonly failed: readonly string[] }> {
  const output = join(folder, 'outcome.json');
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  // A busy machine is no bug that was seen.
  const slow = ['--testTimeout=300000', '--hookTimeout=300000'];
  const chosen = title === undefined ? [] : ['--testNamePattern', title];
  const argv = [
    vitest,
    'run',
    file,
    ...chosen,
    ...slow,
    '--root',
    folder,
    '--reporter=json',
    '--outputFile',
    output,
  ];
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST'));
  const env = { ...Object.fromEntries(own), ...(matrix === undefined ? {} : { BOFH_MATRIX: matrix }) };
  await new Promise<void>((resolve) => {
    execFile(process.execPath, argv, { cwd: folder, env }, () => resolve());
  });
  const { testResults } = JSON.parse(readFileSync(output, 'utf8')) as Report;
  const all = testResults.flatMap(({ assertionResults }) => assertionResults);
  const named = (status: string): readonly string[] =>
    all.filter((one) => one.status === status).map(({ fullName }) => fullName);
  if (named('passed').length + named('failed').length === 0) throw new Error(`${file}: no test was run`);
  return { passed: named('passed').length, failed: named('failed') };
}
