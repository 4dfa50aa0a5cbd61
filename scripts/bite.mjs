// `npm run test:bite`: every deliberate bug against the whole matrix. `--report` writes the table of docs/tables/bite.md
// from the results of the last complete run.
import { parseArgs } from 'node:util';
import { ensureDependencies, show } from './lib/setup.mjs';

const { values } = parseArgs({ options: { report: { type: 'boolean', default: false } } });
if (!ensureDependencies()) process.exit(1);
if (values.report) {
  await import('./lib/typescript.mjs');
  const { writeReport } = await import('../test/support/crash/bite-report.ts');
  writeReport();
} else {
  const vitest = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project',
    'unit',
    'test/unit/atomic/bite.test.ts',
  ];
  const env = { ...process.env, BOFH_BITE: 'whole' };
  process.exitCode = show(process.execPath, vitest, { env }) ? 0 : 1;
}
