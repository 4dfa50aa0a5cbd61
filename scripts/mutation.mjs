// `npm run test:mutation [-- FILE …]`: changes the engine in every small way that Stryker knows (a condition inverted, a call
// left out, a text emptied) and runs its fast tests against each; a change that no test detects is a survivor. FILE is one of
// src/atomic (`next.ts`); without any, all of them. `--report` writes the table of docs/tables/mutation.md from the runs so far.
//
// Stryker is not a dependency of the project: it is installed, with a pinned version, beside a copy of the sources in a separate
// directory (`--folder DIR`; .cache/mutation). The result of each file is kept there, so files can be run one by one, and an
// interrupted run continues where it ended.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheDirectory, root, say } from './lib/setup.mjs';

/** The last major version of Stryker that runs on Node 20. */
const stryker = '9.6.1';

/** Tests that need processes, strace or minutes prove other things: see docs/testing.md. */
const slow = ['bite', 'real'];

/** The sweep and the random programs in a size that is fast enough for a thousand runs. */
const measure = { BOFH_MATRIX: 'small', BOFH_SOAK_TRIALS: '150', BOFH_SEED: '20261120' };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    folder: { type: 'string' },
    report: { type: 'boolean', default: false },
    concurrency: { type: 'string', default: '1' },
  },
});
const folder = values.folder === undefined ? cacheDirectory('mutation') : resolve(values.folder);
const results = join(folder, 'results');
mkdirSync(results, { recursive: true });

const all = readdirSync(join(root, 'src/atomic'), { recursive: true }).filter((name) => name.endsWith('.ts'));
if (values.report) report();
else {
  setUp();
  const chosen = positionals.length > 0 ? positionals : all;
  const unknown = chosen.filter((file) => !all.includes(file));
  if (unknown.length > 0) throw new Error(`not in src/atomic: ${unknown.join(', ')}`);
  const failed = chosen.filter((file) => !mutate(file));
  if (failed.length > 0) throw new Error(`Stryker failed on ${failed.join(', ')}`);
}

function setUp() {
  for (const part of ['src', 'test/unit/atomic', 'test/support/crash', 'package.json', 'package-lock.json']) {
    rmSync(join(folder, part), { recursive: true, force: true });
    cpSync(join(root, part), join(folder, part), { recursive: true });
  }
  const vitest = {
    test: {
      include: ['test/unit/atomic/*.test.ts'],
      exclude: slow.map((name) => `test/unit/atomic/${name}.test.ts`),
      isolate: false,
      // Without recorded times the largest file runs first; the sweep and the random programs, both small, run last.
      cache: false,
      // A test that is slow on a busy machine must not count as a test that detects the change.
      testTimeout: 600_000,
      hookTimeout: 600_000,
    },
  };
  writeFileSync(join(folder, 'vitest.config.mjs'), `export default ${JSON.stringify(vitest)};\n`);
  const installed = join(folder, 'node_modules/@stryker-mutator/core/package.json');
  if (existsSync(installed) && JSON.parse(readFileSync(installed, 'utf8')).version === stryker) return;
  say(`installing Stryker ${stryker} in ${folder}`);
  npm('ci', '--ignore-scripts', '--no-audit', '--no-fund');
  const packages = ['core', 'vitest-runner'].map((name) => `@stryker-mutator/${name}@${stryker}`);
  npm('install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', ...packages);
}

function npm(...words) {
  const { status } = spawnSync('npm', words, { cwd: folder, stdio: 'inherit' });
  if (status !== 0) throw new Error(`npm ${words[0]} failed`);
}

/** True if Stryker finished, whatever it found. */
function mutate(file) {
  const name = file.replace(/\.ts$/, '').replaceAll('/', '-');
  const config = {
    testRunner: 'vitest',
    plugins: ['@stryker-mutator/vitest-runner'],
    vitest: { configFile: 'vitest.config.mjs', related: false },
    mutate: [`src/atomic/${file}`],
    coverageAnalysis: 'perTest',
    // Code that runs once while a module loads cannot be assigned to a test.
    ignoreStatic: true,
    concurrency: Number(values.concurrency),
    // On a busy machine the same tests may take many times as long; a longer run loops forever.
    timeoutMS: 20_000,
    timeoutFactor: 6,
    incremental: true,
    incrementalFile: join(folder, `incremental-${name}.json`),
    reporters: ['json', 'progress-append-only'],
    jsonReporter: { fileName: join(results, `${name}.json`) },
    thresholds: { high: 100, low: 0, break: null },
    disableTypeChecks: true,
    allowEmpty: true,
  };
  writeFileSync(join(folder, 'stryker.config.json'), JSON.stringify(config, null, 2));
  say(`src/atomic/${file}`);
  const { status } = spawnSync(join(folder, 'node_modules/.bin/stryker'), ['run', 'stryker.config.json'], {
    cwd: folder,
    stdio: 'inherit',
    env: { ...process.env, ...measure },
  });
  return status === 0;
}

/** Writes the table of the runs so far into docs/tables/mutation.md, between its two markers. */
function report() {
  const rows = readdirSync(results)
    .sort()
    .map((name) => {
      const { files } = JSON.parse(readFileSync(join(results, name), 'utf8'));
      const [[path, { mutants }]] = Object.entries(files);
      return { path, count: countOf(mutants.map(({ status }) => status)) };
    });
  const names = ['all', 'Killed', 'Timeout', 'Survived', 'NoCoverage', 'Ignored'];
  const sum = Object.fromEntries(
    names.map((name) => [name, rows.reduce((total, { count }) => total + (count[name] ?? 0), 0)]),
  );
  const line = (title, count) =>
    `| ${title} | ${names.map((name) => count[name] ?? 0).join(' | ')} | ${score(count)} |`;
  const page = join(root, 'docs/tables/mutation.md');
  const text = readFileSync(page, 'utf8');
  const [begin, end] = ['<!-- mutation: begin -->', '<!-- mutation: end -->'];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} has no place for the table`);
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const table = [
    `${new Date().toISOString().slice(0, 10)}, Stryker ${stryker}, Vitest ${devDependencies.vitest}, Node ${process.versions.node}.`,
    '',
    '| file | mutants | killed | timed out | survived | not covered | static, not tried | score |',
    '|---|---|---|---|---|---|---|---|',
    ...rows.map(({ path, count }) => line(`\`${path}\``, count)),
    line('**all**', sum),
  ];
  writeFileSync(page, `${text.slice(0, from + begin.length)}\n\n${table.join('\n')}\n\n${text.slice(to)}`);
}

function countOf(statuses) {
  const count = { all: statuses.length };
  for (const status of statuses) count[status] = (count[status] ?? 0) + 1;
  return count;
}

/** The share of the tried changes that a test detected. */
function score({ Killed = 0, Timeout = 0, Survived = 0, NoCoverage = 0 }) {
  const tried = Killed + Timeout + Survived + NoCoverage;
  return tried === 0 ? '–' : `${((100 * (Killed + Timeout)) / tried).toFixed(1)} %`;
}
