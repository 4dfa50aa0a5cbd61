// `npm run test:matrix -- --shard i/n`: every fault of the table on a real Xen host. `--only TEXT` runs the trials whose
// title has it; `--report` makes the table of docs/reliability.md from the outcomes of the last shards.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheDirectory, ensureDependencies, ensurePackages, quiet, root, say } from './lib/setup.mjs';

const { values } = parseArgs({
  options: {
    shard: { type: 'string', default: '1/1' },
    only: { type: 'string' },
    report: { type: 'boolean', default: false },
  },
});
if (!ensureDependencies()) process.exit(1);
const { createJiti } = await import('jiti');
const jiti = createJiti(import.meta.url, { fsCache: false });
const outcomes = cacheDirectory('matrix');

if (values.report) {
  const { writeReport } = await jiti.import('../test/support/matrix/report.ts');
  // Of a trial that was run again the last outcome counts.
  const files = readdirSync(outcomes).map((name) => join(outcomes, name));
  const byAge = files.sort((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs);
  const known = byAge.flatMap((file) => JSON.parse(readFileSync(file, 'utf8')));
  const all = [...new Map(known.map((each) => [`${each.group}: ${each.name}`, each])).values()];
  const page = join(root, 'docs', 'reliability.md');
  if (all.length > 0) await writeReport(all, page);
  // Of the last whole `npm test -- unit`.
  const undo = join(cacheDirectory('.'), 'undo-matrix.json');
  if (existsSync(undo)) {
    const { writeUndoReport } = await jiti.import('../test/support/undo/report.ts');
    writeUndoReport(JSON.parse(readFileSync(undo, 'utf8')), page);
  }
} else {
  const match = /^(?<shard>\d+)\/(?<of>\d+)$/.exec(values.shard)?.groups;
  if (match === undefined) throw new Error(`--shard ${values.shard}: write for example 1/2`);
  const { hostPackages } = await jiti.import('../test/support/rig/packages.ts');
  const missing = ensurePackages(hostPackages, 'the emulated Xen host');
  if (missing !== undefined) throw new Error(missing);
  say('building');
  if (!quiet(process.execPath, [join(root, 'scripts', 'build.mjs'), '--no-types']).ok) process.exit(1);
  const slug = values.only === undefined ? '' : `-${values.only.replace(/\W+/g, '-')}`;
  const { runMatrix } = await jiti.import('../test/support/matrix/main.ts');
  const failed = await runMatrix({
    shard: Number(match.shard),
    of: Number(match.of),
    out: join(outcomes, `shard-${match.shard}-of-${match.of}${slug}.json`),
    ...(values.only === undefined ? {} : { only: values.only }),
  });
  say(`${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}
