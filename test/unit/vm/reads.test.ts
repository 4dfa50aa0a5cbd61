import { beforeEach, describe, expect, test } from 'vitest';
import * as vm from '../../../src/api/vm.ts';
import { withBofh } from '../../../src/bofh.ts';
import { parseSite } from '../../../src/site.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { noting } from '../../support/noting-reads.ts';

const mib = 1024 ** 2;
const site = parseSite(
  { volumeGroup: 'vg0', guestKernel: '/boot/vmlinuz', guestRamdisk: '/boot/initrd' },
  'the test',
);

let reads: string[];
let host: SimulatedHost;
beforeEach(() => {
  reads = [];
  host = simulatedHost();
  host.addTar('/srv/root.tar', [{ path: 'etc/', type: 'directory' }]);
  for (const path of ['/boot/vmlinuz', '/boot/initrd']) host.admin.writeFile(path, 'x');
  // A host is seldom empty: with no other guest, the long listing of xl would not be needed.
  host.admin.startDomain({ name: 'other', state: 'running' });
});

const on = <T>(body: () => Promise<T>): Promise<T> =>
  withBofh(simulatedBofh({ host: noting(host, reads), site }), body);

const create = () =>
  vm.create({
    name: 'web1',
    source: { type: 'tar', path: '/srv/root.tar' },
    ...{ size: 64 * mib, swap: 16 * mib, memory: 64 * mib, vcpus: 1, start: true },
  });

/**
 * Each started program costs 10 to 50 ms, and a quarter of a second on the emulated host of the tests, and there are
 * far more reads than changes. A step looks before it is locked, under the locks, where it acts, and after it, so each
 * operation has its few; two that tell the same thing with no change between them have none. The numbers are what
 * that comes to: lower them with the code, and raise them only for a check that is worth its reads.
 */
describe('programs that read the host', () => {
  test('for a guest with a root, a swap and a domain: no more than needed', async () => {
    await on(create);

    expect(reads.length, reads.join('\n')).toBeLessThanOrEqual(54);
  });

  test('for removing that guest', async () => {
    await on(create);
    reads = [];

    await on(() => vm.remove({ name: 'web1', running: 'destroy' }));

    expect(reads.length, reads.join('\n')).toBeLessThanOrEqual(36);
  });
});
