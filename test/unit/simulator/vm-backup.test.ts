import { beforeAll, describe } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { fork } from '../../../src/simulator/fork.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { backupVm, planBackup } from '../../../src/vm/backup.ts';
import { planRemove, removeVm } from '../../../src/vm/remove.ts';
import { planRestore, restoreVm } from '../../../src/vm/restore.ts';
import { bofhOn, hostWithSource, vmCreate } from './support.ts';
import { type Trial, testSweep } from './sweep.ts';

const directory = '/srv/backup';
const time = (day: number): Date => new Date(Date.UTC(2026, 10, day));

async function backup(host: SimulatedHost, day: number, keep?: number): Promise<void> {
  const bofh = bofhOn(host);
  const how = keep === undefined ? {} : { keep };
  const asked = { hosts: { host }, site: bofh.site, name: 'web1', directory, how, now: time(day) };
  const plan = await planBackup(asked);
  await withBofh(bofh, () => atomic('vm backup', (tx) => backupVm(tx, { host }, plan)));
}

async function restore(host: SimulatedHost): Promise<void> {
  const bofh = bofhOn(host);
  const file = `${directory}/web1.20261101T000000Z.json`;
  const plan = await planRestore({ host, site: bofh.site, file, how: { start: true } });
  await withBofh(bofh, () => atomic('vm restore', (tx) => restoreVm(tx, host, plan)));
}

/** A running guest, whose two disks are thin in one case. */
let running: SimulatedHost;
let thin: SimulatedHost;
let saved: SimulatedHost;
let removed: SimulatedHost;

beforeAll(async () => {
  running = hostWithSource();
  running.admin.mkdir(directory);
  await vmCreate(bofhOn(running));
  thin = hostWithSource();
  thin.admin.mkdir(directory);
  thin.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 64 });
  await vmCreate(bofhOn(thin), { thin: 'pool', start: false });
  saved = fork(running);
  await backup(saved, 1);
  removed = fork(saved);
  const bofh = bofhOn(removed);
  const plan = await planRemove({ host: removed, site: bofh.site, name: 'web1', running: 'destroy' });
  await withBofh(bofh, () => atomic('vm remove', (tx) => removeVm(tx, plan)));
});

const trials: readonly (readonly [string, Trial])[] = [
  [
    'a running guest is saved',
    { start: async () => fork(running).restart(), work: (host) => backup(host, 1) },
  ],
  [
    'a guest on thin volumes is saved',
    { start: async () => fork(thin).restart(), work: (host) => backup(host, 1) },
  ],
  [
    'a guest is saved and its older backup removed',
    { start: async () => fork(saved).restart(), work: (host) => backup(host, 2, 1) },
  ],
  ['a guest is restored', { start: async () => fork(removed).restart(), work: restore }],
];

describe.each(trials)('%s on the simulated host', { timeout: 300_000 }, (_, trial) => {
  testSweep(trial, { faults: ['fails before', 'acts then fails', 'no effect, exit 0'] });
});
