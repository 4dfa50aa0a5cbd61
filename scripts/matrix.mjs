// `npm run test:matrix -- --shard i/n`: every fault of the table on a real Xen host. `--only PATTERN` runs the trials whose
// title matches (a regular expression), `--missing` those without a stored outcome, `--suite trixie` on Debian 13,
// `--two-machines` those over two hosts, on a pair of emulated ones;
// `--report` adds the outcomes to the stored ones, and writes the tables of docs/tables/ from all of them.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheDirectory, ensureDependencies, ensurePackages, quiet, root, say } from './lib/setup.mjs';

const { values } = parseArgs({
  options: {
    shard: { type: 'string', default: '1/1' },
    only: { type: 'string' },
    missing: { type: 'boolean', default: false },
    'two-machines': { type: 'boolean', default: false },
    suite: { type: 'string', default: 'bookworm' },
    report: { type: 'boolean', default: false },
  },
});
if (!ensureDependencies()) process.exit(1);
await import('./lib/typescript.mjs');
const outcomes = cacheDirectory('matrix');
const kept = join(root, 'test', 'support', 'matrix', 'outcomes.json');

if (values.report) {
  const { lastOutcomes, writeReport } = await import('../test/support/matrix/report.ts');
  // If a trial was run again, the last outcome counts.
  const files = readdirSync(outcomes).map((name) => join(outcomes, name));
  const byAge = files.sort((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs);
  const known = [kept, ...byAge].flatMap((file) => JSON.parse(readFileSync(file, 'utf8')));
  const all = await lastOutcomes(known);
  writeFileSync(kept, `${JSON.stringify(all, undefined, 2)}\n`);
  const page = (name) => join(root, 'docs', 'tables', `${name}.md`);
  if (all.length > 0) await writeReport(all, page('real-xen'));
  // From the last complete `npm test -- unit`: a file for each driver; otherwise the tables stay as they are.
  const undo = cacheDirectory('undo-matrix');
  const { specimens } = await import('../test/support/undo/specimens.ts');
  const drivers = Object.keys(specimens).map((driver) => join(undo, `${driver}.json`));
  if (drivers.every((file) => existsSync(file))) {
    const { writeUndoReport } = await import('../test/support/undo/report.ts');
    writeUndoReport(
      drivers.map((file) => JSON.parse(readFileSync(file, 'utf8'))),
      page('operations'),
    );
  }
  const two = join(cacheDirectory('two-hosts'), 'run.json');
  if (existsSync(two)) {
    const { writeTwoReport } = await import('../test/support/undo/two-report.ts');
    writeTwoReport(JSON.parse(readFileSync(two, 'utf8')), page('two-hosts'));
  }
  const recipes = readdirSync(cacheDirectory('two-hosts')).filter((name) => / .*\.json$/.test(name));
  if (recipes.length > 0) {
    const { writeRecipesReport } = await import('../test/support/undo/two-report.ts');
    const read = (name) => JSON.parse(readFileSync(join(cacheDirectory('two-hosts'), name), 'utf8'));
    writeRecipesReport(
      new Map(recipes.map((name) => [name.slice(0, -'.json'.length), read(name)])),
      page('two-hosts'),
    );
  }
  if (existsSync(join(root, '.cache', 'two-machines'))) {
    const { writeRealReport } = await import('../test/support/dom0/real-report.ts');
    writeRealReport(page('two-hosts'));
  }
} else if (values['two-machines']) {
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const files = ['pair-faults', 'replica'].map((name) => join('test', 'rig', `${name}.test.ts`));
  const env = { ...process.env, BOFH_REQUIRE_RIG: '1' };
  const { status } = spawnSync(process.execPath, [vitest, 'run', '--project', 'rig', ...files], {
    ...{ cwd: root, env, stdio: 'inherit' },
  });
  process.exitCode = status ?? 1;
} else {
  if (!['bookworm', 'trixie'].includes(values.suite))
    throw new Error(`--suite ${values.suite}: bookworm or trixie`);
  const match = /^(?<shard>\d+)\/(?<of>\d+)$/.exec(values.shard)?.groups;
  if (match === undefined) throw new Error(`--shard ${values.shard}: write for example 1/2`);
  const { hostPackages } = await import('../test/support/rig/packages.ts');
  const missing = ensurePackages(hostPackages, 'the emulated Xen host');
  if (missing !== undefined) throw new Error(missing);
  say('building');
  if (!quiet(process.execPath, [join(root, 'scripts', 'build.mjs'), '--no-types']).ok) process.exit(1);
  const slug = `${values.missing ? '-missing' : ''}${values.suite === 'bookworm' ? '' : `-${values.suite}`}${values.only === undefined ? '' : `-${values.only.replace(/\W+/g, '-')}`}`;
  const { runMatrix } = await import('../test/support/matrix/main.ts');
  const failed = await runMatrix({
    suite: values.suite,
    shard: Number(match.shard),
    of: Number(match.of),
    out: join(outcomes, `shard-${match.shard}-of-${match.of}${slug}.json`),
    ...(values.only === undefined ? {} : { only: values.only }),
    ...(values.missing ? { known: JSON.parse(readFileSync(kept, 'utf8')) } : {}),
  });
  say(`${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}
