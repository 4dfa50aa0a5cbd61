// `npm test`: sets up what the tests need, runs all of them, and says what was skipped and why.
// Imports only node: modules, because it starts before the dependencies are installed.
import { spawn } from 'node:child_process';
import { chmodSync, closeSync, cpSync, existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  cacheDirectory,
  ensureDependencies,
  ensurePackages,
  otherNode,
  root,
  say,
  table,
} from './lib/setup.mjs';
import { failedTests, failure, names, onNode, otherNodes, stages, wrongWords } from './lib/stages.mjs';

const requireAll = process.env.BOFH_REQUIRE === 'all';
const only = process.argv.slice(2);
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const bin = (name) => join(root, 'node_modules', '.bin', name);
/** The next run removes the directory of a killed process (test/unit/cli/support/built.ts). */
const shared = join(tmpdir(), `bofh-test-${process.pid}`);
const totals = { passed: 0, failed: 0, skipped: 0 };
const running = new Set();
const rows = [];
const failed = [];

// A terminal sends its signals to all of them; any other sender sends them only to this process.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.once(signal, () => {
    for (const child of running) child.kill(signal);
    process.kill(process.pid, signal);
  });

const wrong = wrongWords(only);
if (wrong !== undefined) {
  say(wrong);
  process.exit(2);
}
if (!ensureDependencies()) {
  say('the dependencies could not be installed');
  totals.failed += 1;
  finish();
}

process.env.BOFH_RIG ??= 'sample';
await build();
// The tests on loop devices and in containers mostly wait, for a disk, a login or a service, so they run beside unit.
// But not both at once: a mount namespace of a container has what a loop test mounted, and keeps it in use.
const waiting = stage(
  'loop',
  () => loopReason() ?? tests('loop', process.execPath, { log: logOf('loop') }),
).then(() =>
  stage(
    'container',
    () => containerReason() ?? tests('container', process.execPath, { log: logOf('container') }),
  ),
);
await stage('unit', () => {
  // Without them a few tests skip themselves, and count as skipped; no other unit test needs root or Debian.
  const lacking = ensurePackages(['strace', 'mount'], 'faults in system calls, and a full disk');
  if (lacking !== undefined) say(`the tests that need strace or mount may be skipped: ${lacking}`);
  return tests('unit', process.execPath, { priority: 5 });
});
// Silently and at a lower priority, on the cores that the loop tests, which run one after the other, leave free.
const beside = lint().then(types).then(unitOnOtherNodes);
await waiting;
// The rig runs alone: its emulators leave no core free.
await stage('rig', async () => (await rigReason()) ?? tests('rig', process.execPath));
await beside;
finish();

/** Prints its output only if it fails. */
async function build() {
  await stage('build', async () => {
    const ok = await allQuietly('build', [[process.execPath, [join(root, 'scripts', 'build.mjs')]]]);
    if (ok) shareBuild();
    return checked(ok);
  });
}

/** Otherwise every worker builds it again. Tests of other users than root cannot read a checkout in a private directory. */
function shareBuild() {
  rmSync(shared, { recursive: true, force: true });
  cpSync(join(root, 'dist'), shared, { recursive: true });
  chmodSync(shared, 0o755);
  process.env.BOFH_BUILT = shared;
}

function lint() {
  return stage('lint', async () =>
    checked(
      await allQuietly('lint', [
        [bin('oxlint'), []],
        [bin('biome'), ['format', '.']],
        [bin('knip'), []],
      ]),
    ),
  );
}

function types() {
  return stage('types', async () => checked(await allQuietly('types', [[bin('tsc'), ['--noEmit']]])));
}

/** The unit tests on every other Node, one after the other. */
async function unitOnOtherNodes() {
  for (const version of otherNodes)
    await stage(onNode(version), () => {
      const binary = otherNode(version);
      return binary === undefined
        ? 'that Node could not be had'
        : tests('unit', binary, {
            log: logOf(`node-${version}`),
            priority: 10,
            within: meetNode(version).map((name) => `test/unit/${name}`),
          });
    });
}

/**
 * The tests that depend on Node itself: files, processes, signals, ssh, the loading of scripts, the built program. For the others, on
 * the simulated host, another Node would detect no more than tsc; the scripts of this checkout run on its own Node. An older
 * release with the same major version differs only in features that it lacks.
 */
function meetNode(version) {
  const major = (text) => text.split('.')[0];
  const own = ['cli/boot', 'host/', 'plain-node', 'script/'];
  return major(version) === major(process.versions.node) ? own : [...own, 'atomic/lock', 'cli/run'];
}

/** Runs one stage. Returns true or false, or the reason why it was skipped. */
async function stage(name, run) {
  if (only.length > 0 && !only.some((word) => names(word, name))) return;
  say(name);
  const start = performance.now();
  const outcome = await run();
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  if (typeof outcome === 'string') {
    rows.push([name, requireAll ? 'failed' : 'skipped', seconds, outcome]);
    if (requireAll) totals.failed += 1;
    else totals.skipped += 1;
  } else rows.push([name, outcome ? 'passed' : 'failed', seconds, '']);
}

function logOf(name) {
  return join(cacheDirectory('test'), `${name}.log`);
}

/** A check without a count of tests counts as one test. */
function checked(ok) {
  if (ok) totals.passed += 1;
  else totals.failed += 1;
  return ok;
}

/** One vitest project, counted from its report. With `log` it runs beside others, and its output is shown only if it fails. */
async function tests(project, node, { log, priority = 0, within = [] } = {}) {
  const report = log === undefined ? join(cacheDirectory('test'), `${project}.json`) : `${log}.json`;
  rmSync(report, { force: true });
  const args = [
    vitest,
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...within,
  ];
  const ok =
    log === undefined
      ? await started(node, args, 'inherit', priority)
      : await quietly(node, args, log, priority);
  if (!existsSync(report)) {
    totals.failed += 1;
    return false;
  }
  const counted = JSON.parse(readFileSync(report, 'utf8'));
  const these = failedTests(counted, root);
  failed.push(...these);
  totals.passed += counted.numPassedTests;
  totals.failed += ok ? 0 : Math.max(1, these.length);
  totals.skipped += counted.numPendingTests + counted.numTodoTests;
  if (requireAll && counted.numPendingTests > 0) {
    say(`${counted.numPendingTests} tests were skipped, and BOFH_REQUIRE=all allows none`);
    totals.failed += 1;
    return false;
  }
  return ok;
}

/** Not spawnSync, because nothing could run beside it. */
function started(program, args, output, priority = 0) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', output, output] });
    running.add(child);
    child.on('error', () => resolve(false));
    child.on('close', (code) => {
      running.delete(child);
      resolve(code === 0);
    });
    if (priority > 0 && child.pid !== undefined) setPriority(child.pid, priority);
  });
}

/** Runs one program after the other, up to the first that fails, and shows the output of that one. */
async function allQuietly(name, programs) {
  const log = join(cacheDirectory('test'), `${name}.log`);
  for (const [program, args] of programs) if (!(await quietly(program, args, log, 10))) return false;
  return true;
}

async function quietly(program, args, log, priority) {
  const file = openSync(log, 'w');
  const ok = await started(program, args, file, priority);
  closeSync(file);
  if (!ok) process.stdout.write(readFileSync(log, 'utf8'));
  return ok;
}

function loopReason() {
  if (process.platform !== 'linux') return 'this is not Linux';
  if (process.getuid?.() !== 0) return 'not root';
  if (!existsSync('/dev/loop-control')) return 'there are no loop devices';
  return ensurePackages(
    [
      ...['e2fsprogs', 'xfsprogs', 'btrfs-progs', 'dosfstools', 'util-linux', 'mount', 'tar', 'xz-utils'],
      ...[
        'fdisk',
        'lvm2',
        'cryptsetup-bin',
        'iproute2',
        'locales',
        'qemu-utils',
        'mmdebstrap',
        'age',
        'zstd',
      ],
      ...['openssh-client', 'openssh-server', 'sudo', 'acl', 'attr', 'libcap2-bin', 'git', 'python3-venv'],
    ],
    'tests on loop devices',
  );
}

function containerReason() {
  if (process.platform !== 'linux') return 'this is not Linux';
  if (process.getuid?.() !== 0) return 'not root';
  return ensurePackages(['docker.io', 'mmdebstrap', 'util-linux'], 'containers of Debian 12 and 13');
}

async function rigReason() {
  if (process.getuid?.() !== 0) return 'not root';
  await import('./lib/typescript.mjs');
  const { hostPackages } = await import('../test/support/rig/packages.ts');
  return ensurePackages(hostPackages, 'the emulated Xen host');
}

function finish() {
  rmSync(shared, { recursive: true, force: true });
  const inOrder = rows.toSorted(([a], [b]) => stages.indexOf(a) - stages.indexOf(b));
  process.stdout.write(`\n${table(['stage', 'outcome', 'seconds', 'why'], inOrder)}\n\n`);
  for (const test of failed) process.stdout.write(`failed: ${test}\n\n`);
  process.stdout.write(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped\n`);
  const why = failure(totals);
  if (why !== undefined) say(why);
  process.exit(why === undefined ? 0 : 1);
}
