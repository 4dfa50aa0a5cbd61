import { expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { fork } from '../../../src/simulator/fork.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';

const mib = 1024 ** 2;

/** A host with something in each part of its state. */
function busyHost(): SimulatedHost {
  const host = simulatedHost({ disks: [{ name: 'vdx', size: 64 * mib }] });
  const { admin } = host;
  admin.lvcreate({ vg: 'vg0', name: 'data', extents: 4 });
  admin.format('/dev/vg0/data', { type: 'ext4', usage: 'filesystem', uuid: host.world.ids.uuid() });
  admin.mkdir('/mnt/data');
  admin.mount('/dev/vg0/data', '/mnt/data');
  admin.writeFile('/mnt/data/file', 'there\n');
  admin.startDomain({ name: 'web9', uuid: host.world.ids.uuid() });
  return host;
}

async function makeVolume(host: SimulatedHost, name: string): Promise<void> {
  await withBofh(simulatedBofh({ host }), () =>
    atomic('make', (tx) => tx.lvm.createLv({ vg: 'vg0', name, size: '8m' })),
  );
}

test('a copy equals its host, and later changes of one do not affect the other', async () => {
  const host = busyHost();
  const before = host.snapshot();
  const copy = fork(host);
  expect(copy.snapshot()).toBe(before);

  await makeVolume(copy, 'of-the-copy');
  copy.admin.writeFile('/mnt/data/file', 'changed\n');
  copy.admin.umount('/mnt/data');
  copy.world.domains.splice(0);
  expect(host.snapshot()).toBe(before);

  const changed = copy.snapshot();
  await makeVolume(host, 'of-the-host');
  host.admin.writeFile('/mnt/data/file', 'changed otherwise\n');
  expect(copy.snapshot()).toBe(changed);
});

test('/dev and /sys of a copy show its own objects', async () => {
  const host = busyHost();
  expect(await host.readDir('/dev/vg0')).toEqual(['data']);

  const copy = fork(host);
  await makeVolume(copy, 'more');

  expect(await copy.readDir('/dev/vg0')).toEqual(['data', 'more']);
  expect(await host.readDir('/dev/vg0')).toEqual(['data']);
});

test('a copy draws the same IDs as its host, independently', () => {
  const host = busyHost();
  const copy = fork(host);

  const drawn = [copy.world.ids.uuid(), copy.world.ids.lvmUuid()];

  expect([host.world.ids.uuid(), host.world.ids.lvmUuid()]).toEqual(drawn);
});

test('unsynced data is lost in the power cut of a copy too', () => {
  const host = busyHost();
  const copy = fork(host);

  const after = copy.powerCut({ keep: 'none' }).snapshot();

  expect(host.powerCut({ keep: 'none' }).snapshot()).toBe(after);
});

test('refuses a copy while a process of the host has a file open', () => {
  const host = busyHost();
  const file = simulatedBofh({ host }).engine.store.create('x.new');

  expect(() => fork(host)).toThrow('a process of this host has a file open');
  file.close();
  expect(fork(host).snapshot()).toBe(host.snapshot());
});
