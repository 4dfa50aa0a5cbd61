import { beforeAll, describe } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { fork } from '../../../src/simulator/fork.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import {
  planSnapshot,
  planSnapshotRemoval,
  planSnapshotRestore,
  removeSnapshot,
  restoreSnapshot,
  snapshotVm,
} from '../../../src/vm/snapshots.ts';
import { bofhOn, hostWithSource, vmCreate } from './support.ts';
import { type Trial, testSweep } from './sweep.ts';

const [name, label] = ['web1', 'before'];

async function snapshot(host: SimulatedHost): Promise<void> {
  const bofh = bofhOn(host);
  const plan = await planSnapshot({ host, site: bofh.site, name, label, now: new Date(Date.UTC(2026, 10)) });
  await withBofh(bofh, () => atomic('vm snapshot', (tx) => snapshotVm(tx, host, plan)));
}

async function restore(host: SimulatedHost): Promise<void> {
  const bofh = bofhOn(host);
  const plan = await planSnapshotRestore({ host, site: bofh.site, name, label });
  await withBofh(bofh, () => atomic('vm snapshot restore', (tx) => restoreSnapshot(tx, plan)));
}

async function remove(host: SimulatedHost): Promise<void> {
  const bofh = bofhOn(host);
  const plan = await planSnapshotRemoval({ host, site: bofh.site, name, label });
  await withBofh(bofh, () => atomic('vm snapshot remove', (tx) => removeSnapshot(tx, plan)));
}

/** A running guest, and one that is off with snapshots of its two disks, which are thin in one case. */
let running: SimulatedHost;
let classic: SimulatedHost;
let thin: SimulatedHost;

beforeAll(async () => {
  running = hostWithSource();
  await vmCreate(bofhOn(running));
  classic = hostWithSource();
  await vmCreate(bofhOn(classic), { start: false });
  thin = hostWithSource();
  thin.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 64 });
  await vmCreate(bofhOn(thin), { thin: 'pool', start: false });
  for (const host of [classic, thin]) {
    await snapshot(host);
    const config = host.admin.readFile('/etc/xen/web1.cfg');
    host.admin.writeFile('/etc/xen/web1.cfg', `${config}# changed since then\n`);
  }
});

const trials: readonly (readonly [string, Trial])[] = [
  ['of a running guest', { start: async () => fork(running).restart(), work: snapshot }],
  ['restored', { start: async () => fork(classic).restart(), work: restore }],
  ['of thin volumes restored', { start: async () => fork(thin).restart(), work: restore }],
  ['removed', { start: async () => fork(classic).restart(), work: remove }],
];

describe.each(trials)('a snapshot %s on the simulated host', { timeout: 300_000 }, (_, trial) => {
  testSweep(trial, { faults: ['fails before', 'acts then fails', 'no effect, exit 0'] });
});
