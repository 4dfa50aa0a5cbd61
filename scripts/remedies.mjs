// `npm run test:remedies [-- FILE …]`: sets up and runs the unit tests, and types the remedies of errors on copies of the
// simulated host; then it runs the tests on loop devices, to count the places where they make an error too. Exit code 1 if a command fails without a reason
// in test/support/remedies/exceptions.ts. `--report` writes the counts into docs/tables/remedies.md.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root, say } from './lib/setup.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { report: { type: 'boolean', default: false } },
});
if (values.report && positionals.length > 0) throw new Error('--report needs every test: name no file');
const folder = mkdtempSync(join(tmpdir(), 'bofh-remedies-'));
try {
  const file = join(folder, 'told.jsonl');
  const env = { ...process.env, BOFH_REMEDIES: file };
  const run = (...args) => spawnSync(process.execPath, args, { cwd: root, env, stdio: 'inherit' }).status;
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const status =
    positionals.length > 0
      ? run(vitest, 'run', '--project', 'unit', ...positionals)
      : run(join(root, 'scripts/test.mjs'), 'build', 'unit', 'loop');
  if (status !== 0) say('tests failed: their remedies count all the same');
  await import('./lib/typescript.mjs');
  const { report } = await import('../test/support/remedies/report.ts');
  const { wrong, lines } = report(file);
  for (const each of wrong) say(`does not help: ${each}`);
  if (values.report) replace(lines);
  else process.stdout.write(`${lines.join('\n')}\n`);
  process.exitCode = wrong.length > 0 || status !== 0 ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true });
}

function replace(lines) {
  const page = join(root, 'docs/tables/remedies.md');
  const text = readFileSync(page, 'utf8');
  const next = text.replace(/(<!-- remedies -->\n)[^]*?(<!-- end of remedies -->)/, (_, begin, end) =>
    [begin, '\n', lines.join('\n'), '\n\n', end].join(''),
  );
  if (next === text) throw new Error(`${page} has no place for the counts`);
  writeFileSync(page, next);
}
