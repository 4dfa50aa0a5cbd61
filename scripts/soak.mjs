// `npm run soak -- --trials 10000`: random sequences of real operations with random faults, on the simulated host.
// `--library` runs random scripts of the library at the same time, interrupted at random.
// `--seed N` begins there; `--path P` with it repeats one trial that failed. `--rig` does it on real hosts, `--machines 2` on two at once.
import { parseArgs } from 'node:util';
import { ensureDependencies, ensurePackages, quiet, root, say, table } from './lib/setup.mjs';
import { join } from 'node:path';

const { values } = parseArgs({
  options: {
    trials: { type: 'string' },
    seed: { type: 'string' },
    path: { type: 'string' },
    library: { type: 'boolean', default: false },
    rig: { type: 'boolean', default: false },
    machines: { type: 'string', default: '1' },
  },
});
if (!ensureDependencies()) process.exit(1);
await import('./lib/typescript.mjs');
const machines = Number(values.machines);
const trials = Number(
  values.trials ?? (values.rig ? 200 : values.path !== undefined ? 1 : values.library ? 3_000 : 10_000),
);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
if (![trials, machines].every((n) => Number.isSafeInteger(n) && n >= 1) || !Number.isSafeInteger(seed))
  throw new Error('--trials, --machines and --seed are whole numbers');

const begun = performance.now();
const { failures, figures, seeds } = values.rig ? await onRig() : await simulated();
for (const [title, of] of Object.entries(figures)) {
  const rows = [...of].sort(([a], [b]) => (a < b ? -1 : 1));
  if (rows.length > 0) process.stdout.write(`\n${table([title, 'times'], rows)}\n`);
}
say(
  `${trials} trials of ${seeds} seeds from ${seed}, ${failures.length} failed, ${Math.round((performance.now() - begun) / 1000)} s`,
);
process.exitCode = failures.length === 0 ? 0 : 1;

async function simulated() {
  const { soak } = await import('../test/support/undo/soak/run.ts');
  return soak({
    library: values.library,
    trials,
    seed,
    ...(values.path === undefined ? {} : { path: values.path }),
    onProgress: (done, failed) => say(`${done} of ${trials}, ${failed} failed`),
    onFailure: tell,
  });
}

async function onRig() {
  const { hostPackages } = await import('../test/support/rig/packages.ts');
  const missing = ensurePackages(hostPackages, 'the emulated Xen host');
  if (missing !== undefined) throw new Error(missing);
  say('building');
  if (!quiet(process.execPath, [join(root, 'scripts', 'build.mjs'), '--no-types']).ok) process.exit(1);
  const { soakOnRig } = await import('../test/support/matrix/soak.ts');
  return soakOnRig({ trials, seed, machines, say, onFailure: tell });
}

/** A failure, with the command that repeats it. */
function tell({ seed: of, path, found, counterexample }) {
  process.stdout.write(`\nFAILED: ${found.join('\n')}\n${JSON.stringify(counterexample)}\n`);
  const where = path === '' ? '' : ` --path ${path}`;
  const mode = values.rig ? ' --rig' : values.library ? ' --library' : '';
  process.stdout.write(`again: npm run soak --${mode} --seed ${of}${where}\n`);
}
