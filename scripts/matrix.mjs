// `npm run test:matrix -- --shard i/n`: every fault of the table on a real Xen host. `--only TEXT` runs the trials whose
// title has it; `--report` makes the table of docs/reliability.md from the outcomes of the last shards.
import { readdirSync, readFileSync } from 'node:fs';
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
  const all = readdirSync(outcomes).flatMap((name) => JSON.parse(readFileSync(join(outcomes, name), 'utf8')));
  writeReport(all, join(root, 'docs', 'reliability.md'));
} else {
  const match = /^(?<shard>\d+)\/(?<of>\d+)$/.exec(values.shard)?.groups;
  if (match === undefined) throw new Error(`--shard ${values.shard}: write for example 1/2`);
  const { hostPackages } = await jiti.import('../test/support/rig/packages.ts');
  const missing = ensurePackages(hostPackages, 'the emulated Xen host');
  if (missing !== undefined) throw new Error(missing);
  say('building');
  if (!quiet(process.execPath, [join(root, 'scripts', 'build.mjs'), '--no-types']).ok) process.exit(1);
  const { runMatrix } = await jiti.import('../test/support/matrix/main.ts');
  const failed = await runMatrix({
    shard: Number(match.shard),
    of: Number(match.of),
    out: join(outcomes, `shard-${match.shard}-of-${match.of}.json`),
    ...(values.only === undefined ? {} : { only: values.only }),
  });
  say(`${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}
