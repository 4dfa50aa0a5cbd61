import { beforeAll, describe } from 'vitest';
import { withBofh } from '../../../src/bofh.ts';
import { attachDisk, createDisk, detachDisk, removeDisk } from '../../../src/api/guest-disks.ts';
import { attachInterface } from '../../../src/api/guest-interfaces.ts';
import { fork } from '../../../src/simulator/fork.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { bofhOn, hostWithSource, vmCreate } from './support.ts';
import { type Trial, testSweep } from './sweep.ts';

/** A running guest, one that is off, and one that is off with a data disk that it mounts. */
let running: SimulatedHost;
let off: SimulatedHost;
let more: SimulatedHost;

const add = (host: SimulatedHost, more: { readonly mount?: string } = {}) =>
  withBofh(bofhOn(host), () => createDisk('web1', 'data', { size: '20m', ...more }));

beforeAll(async () => {
  running = hostWithSource();
  await vmCreate(bofhOn(running));
  off = hostWithSource();
  await vmCreate(bofhOn(off), { start: false });
  off.admin.lvcreate({ vg: 'vg0', name: 'spare', extents: 2 });
  more = fork(off).restart();
  await add(more, { mount: '/srv' });
});

const trials: readonly (readonly [string, Trial])[] = [
  ['created for a running guest', { start: async () => fork(running).restart(), work: (host) => add(host) }],
  [
    'created for a guest that is off, and mounted in it',
    { start: async () => fork(off).restart(), work: (host) => add(host, { mount: '/srv/shop' }) },
  ],
  [
    'attached',
    {
      start: async () => fork(off).restart(),
      work: (host) => withBofh(bofhOn(host), () => attachDisk('web1', '/dev/vg0/spare')),
    },
  ],
  [
    'detached',
    {
      start: async () => fork(more).restart(),
      work: (host) => withBofh(bofhOn(host), () => detachDisk('web1', 'data')),
    },
  ],
  [
    'taken away from a running guest',
    {
      start: async () => {
        const host = fork(running).restart();
        await add(host);
        return host;
      },
      work: (host) => withBofh(bofhOn(host), () => detachDisk('web1', 'data', { now: true })),
    },
  ],
  [
    'removed, with its line in the fstab of the guest',
    {
      start: async () => fork(more).restart(),
      work: (host) => withBofh(bofhOn(host), () => removeDisk('web1', 'data')),
    },
  ],
];

const interfaces: readonly (readonly [string, Trial])[] = [
  [
    'attached to a running guest',
    {
      start: async () => fork(running).restart(),
      work: (host) =>
        withBofh(bofhOn(host), () => attachInterface('web1', { bridge: 'xenbr0', mac: '00:16:3e:00:00:09' })),
    },
  ],
];

describe.each(interfaces)('an interface %s on the simulated host', { timeout: 300_000 }, (_, trial) => {
  testSweep(trial, { faults: ['fails before', 'acts then fails', 'no effect, exit 0'] });
});

describe.each(trials)('a disk %s on the simulated host', { timeout: 300_000 }, (_, trial) => {
  testSweep(trial, { faults: ['fails before', 'acts then fails', 'no effect, exit 0'] });
});
