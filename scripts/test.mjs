// `npm test`: sets up what the tests need, runs them all, and says what was skipped and why.
// Only node: is imported, because it starts before the dependencies are there.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  cacheDirectory,
  ensureDependencies,
  ensurePackages,
  otherNode,
  root,
  say,
  show,
  table,
} from './lib/setup.mjs';

const requireAll = process.env.BOFH_REQUIRE === 'all';
const only = process.argv.slice(2).filter((word) => !word.startsWith('-'));
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const bin = (name) => join(root, 'node_modules', '.bin', name);
const totals = { passed: 0, failed: 0, skipped: 0 };
const rows = [];

if (!ensureDependencies()) {
  say('the dependencies could not be installed');
  finish(1);
}

stage('build', () => checked(show(process.execPath, [join(root, 'scripts', 'build.mjs')])));
stage('types', () => checked(show(bin('tsc'), ['--noEmit'])));
stage('lint', () =>
  checked(show(bin('eslint'), ['.']) && show(bin('biome'), ['format', '.']) && show(bin('knip'), [])),
);
stage('unit', () => ensurePackages(['strace'], 'faults in system calls') ?? tests('unit', process.execPath));
for (const version of ['20.19.0', '24'])
  stage(`unit on Node ${version}`, () => {
    const binary = otherNode(version);
    return binary === undefined ? 'that Node could not be had' : tests('unit', binary);
  });
stage('loop', () => loopReason() ?? tests('loop', process.execPath));
stage('rig', () => rigReason() ?? tests('rig', process.execPath));
finish(totals.failed > 0 || rows.some((row) => row[1] === 'failed') ? 1 : 0);

/** Runs one stage; what it gives is true or false, or the reason why it was skipped. */
function stage(name, run) {
  if (only.length > 0 && !only.some((word) => name === word || name.startsWith(`${word} `))) return;
  say(name);
  const start = performance.now();
  const outcome = run();
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  if (typeof outcome === 'string') {
    rows.push([name, requireAll ? 'failed' : 'skipped', seconds, outcome]);
    if (requireAll) totals.failed += 1;
    else totals.skipped += 1;
  } else rows.push([name, outcome ? 'passed' : 'failed', seconds, '']);
}

/** A check that has no count of its own counts as one test. */
function checked(ok) {
  if (ok) totals.passed += 1;
  else totals.failed += 1;
  return ok;
}

/** One vitest project, counted from its own report. */
function tests(project, node) {
  const report = join(cacheDirectory('test'), `${project}.json`);
  rmSync(report, { force: true });
  const args = [
    vitest,
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
  const ok = spawnSync(node, args, { cwd: root, stdio: 'inherit' }).status === 0;
  if (!existsSync(report)) {
    totals.failed += 1;
    return false;
  }
  const counted = JSON.parse(readFileSync(report, 'utf8'));
  totals.passed += counted.numPassedTests;
  totals.failed += counted.numFailedTests + (ok || counted.numFailedTests > 0 ? 0 : 1);
  totals.skipped += counted.numPendingTests + counted.numTodoTests;
  if (requireAll && counted.numPendingTests > 0) {
    say(`${counted.numPendingTests} tests were skipped, and BOFH_REQUIRE=all allows none`);
    totals.failed += 1;
    return false;
  }
  return ok;
}

function loopReason() {
  if (process.platform !== 'linux') return 'this is not Linux';
  if (process.getuid?.() !== 0) return 'not root';
  if (!existsSync('/dev/loop-control')) return 'there are no loop devices';
  return ensurePackages(
    ['e2fsprogs', 'util-linux', 'mount', 'tar', 'xz-utils', 'fdisk', 'lvm2'],
    'tests on loop devices',
  );
}

function rigReason() {
  if (process.getuid?.() !== 0) return 'not root';
  const packages = rigPackages();
  return ensurePackages(packages, 'the emulated Xen host');
}

/** One list, in test/support/rig/packages.ts: read by jiti, which is there by now. */
function rigPackages() {
  const code = `import('jiti').then(async ({ createJiti }) => {
    const jiti = createJiti(process.cwd() + '/x.js', { fsCache: false });
    const { hostPackages } = await jiti.import('./test/support/rig/packages.ts');
    console.log(JSON.stringify(hostPackages));
  })`;
  const asked = spawnSync(process.execPath, ['-e', code], { cwd: root, encoding: 'utf8' });
  if (asked.status !== 0) throw new Error(asked.stderr);
  return JSON.parse(asked.stdout);
}

function finish(code) {
  process.stdout.write(`\n${table(['stage', 'outcome', 'seconds', 'why'], rows)}\n\n`);
  process.stdout.write(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped\n`);
  process.exit(code);
}
