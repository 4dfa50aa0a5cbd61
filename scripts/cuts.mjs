// `npm run test:cuts -- --trials 200`: records every write and flush of both disks while a sequence runs, rebuilds them as a power cut
// may leave them, boots, recovers, compares. `--seed N` begins there, `--only PATTERN` takes the sequences whose name matches, and
// with both, `--path P` repeats one cut of the recordings in .cache/cuts. An interrupted run continues where it ended. The
// recordings belong to the bofh that made them: remove .cache/cuts to record with the current one.
// `--now` recovers with the current bofh. `--report` adds the outcomes to the stored ones, and writes the table of docs/tables/power-cuts.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheDirectory, ensureDependencies, ensurePackages, quiet, root, say } from './lib/setup.mjs';

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '200' },
    seed: { type: 'string' },
    path: { type: 'string' },
    only: { type: 'string' },
    now: { type: 'boolean', default: false },
    report: { type: 'boolean', default: false },
  },
});
if (!ensureDependencies()) process.exit(1);
await import('./lib/typescript.mjs');
const dir = cacheDirectory('cuts');
const kept = join(root, 'test', 'support', 'cuts', 'outcomes.json');

if (values.report) {
  const { readOutcomes } = await import('../test/support/cuts/outcomes.ts');
  const { lastOutcomes, writeReport } = await import('../test/support/cuts/report.ts');
  const all = lastOutcomes([...JSON.parse(readFileSync(kept, 'utf8')), ...readOutcomes(dir)]);
  writeFileSync(kept, `${JSON.stringify(all, undefined, 1)}\n`);
  writeReport(all, join(root, 'docs/tables/power-cuts.md'));
} else {
  const [trials, path] = [values.trials, values.path].map((text) =>
    text === undefined ? undefined : Number(text),
  );
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  if (![trials, path ?? 0, seed].every((n) => Number.isSafeInteger(n) && n >= 0))
    throw new Error('--trials, --seed and --path are whole numbers');
  if (path !== undefined && values.seed === undefined) throw new Error('--path belongs to a --seed');
  const { hostPackages } = await import('../test/support/rig/packages.ts');
  const missing = ensurePackages(hostPackages, 'the emulated Xen host');
  if (missing !== undefined) throw new Error(missing);
  say('building');
  if (!quiet(process.execPath, [join(root, 'scripts', 'build.mjs'), '--no-types']).ok) process.exit(1);
  const { runCuts } = await import('../test/support/cuts/main.ts');
  const outcomes = await runCuts({
    ...{ dir, trials, seed, say, now: values.now },
    ...(path === undefined ? {} : { path }),
    ...(values.only === undefined ? {} : { only: values.only }),
  });
  const failed = outcomes.filter(({ ended }) => ended === 'neither').length;
  say(`${outcomes.length} cuts from seed ${seed}, ${failed} ended as neither`);
  process.exitCode = failed === 0 ? 0 : 1;
}
