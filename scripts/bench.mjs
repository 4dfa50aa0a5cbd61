// `npm run bench`: the cost of bofh, as ratios to the same work without it; both run alternately.
// `--rounds N` for steadier figures; `--only TEXT` for one row; `--json` for the raw seconds.
// `--rig` measures on an emulated Xen host what needs LVM or guests. `--containers` compares a description of a host
// with Ansible, and with pyinfra if BOFH_BENCH_PYINFRA is the directory that `pip install --no-deps --target` filled.
// `--write` puts the table into docs/performance.md, and what a failure leaves behind into docs/compare.md.
// Exit code 1 if a row exceeds its bound.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureDependencies, ensurePackages, quiet, root, say } from './lib/setup.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' },
    rig: { type: 'boolean', default: false },
    containers: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});
if (values.rig && values.containers) throw new Error('--rig and --containers: one of them');
const rounds = values.rounds ?? (values.rig ? '3' : values.containers ? '5' : '15');
if (!/^[1-9]\d{0,3}$/.test(rounds)) throw new Error(`--rounds ${rounds}: a whole number from 1`);
if (!ensureDependencies()) process.exit(1);
if (values.containers && process.getuid() !== 0) throw new Error('--containers: only root boots them');
const packages = values.containers
  ? ['docker.io', 'mmdebstrap']
  : ['e2fsprogs', 'openssh-client', 'openssh-server'];
const missing = values.rig || process.getuid() !== 0 ? undefined : ensurePackages(packages, 'the bench');
if (missing !== undefined) throw new Error(missing);
// The emulated host gets the same build as its tests.
const dist = values.rig ? join(root, 'dist') : join(root, '.cache', 'bench', 'dist');
if (!values.json) say('building');
if (!quiet(process.execPath, [join(root, 'scripts', 'build.mjs'), '--no-types', '--out', dist]).ok)
  process.exit(1);
await import('./lib/typescript.mjs');
const { runBench } = await import('../test/bench/bench.ts');
if (values.write && values.only !== '') throw new Error('--write needs every row: leave out --only');
if (values.containers && values.only !== '') throw new Error('--containers measures all: leave out --only');
const docs = values.write ? { docs: join(root, 'docs') } : {};
const isWithin = await runBench({ ...values, ...docs, dist, rounds: Number(rounds), say });
process.exitCode = isWithin ? 0 : 1;
