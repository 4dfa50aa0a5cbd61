import { beforeEach, expect, it } from 'vitest';
import * as vm from '../../../src/api/vm.ts';
import { withBofh } from '../../../src/bofh.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost({ volumeGroups: ['vg0', 'vg1', 'vg2'].map((name) => ({ name, size: '1g' })) });
  const disk = [
    ['vg0', 'web1-root', 'xvda'],
    ['vg0', 'web1-data', 'xvdb'],
    ['vg1', 'web1-data', 'xvdc'],
  ].map(([vg = '', name = '', vdev = ''], at) => {
    host.admin.lvcreate({ vg, name, extents: 4 });
    host.admin.format(`/dev/${vg}/${name}`, {
      ...{ type: 'ext4', usage: 'filesystem', uuid: `5e1f0000-0000-4000-8000-00000000000${String(at)}` },
    });
    return `'phy:/dev/${vg}/${name},${vdev},w'`;
  });
  host.admin.writeFile('/etc/xen/web1.cfg', `name = 'web1'\nmemory = 64\ndisk = [${disk.join(', ')}]\n`);
});

const on = <T>(body: () => Promise<T>): Promise<T> => withBofh(simulatedBofh({ host }), body);

it('a clone in one group of volumes that have the same name in two is refused before anything is copied', async () => {
  const before = host.snapshot();

  await expect(on(() => vm.clone('web1', 'web2', { vg: 'vg2' }))).rejects.toThrow(
    'two disks of the guest would have the same volume vg2/web2-data',
  );

  expect(host.snapshot()).toBe(before);
});

it('so is a restore', async () => {
  host.admin.mkdir('/backup');
  const { path } = await on(() => vm.backup('web1', '/backup'));
  const before = host.snapshot();

  await expect(on(() => vm.restore(path, { as: 'web2', vg: 'vg2' }))).rejects.toThrow(
    'two disks of the guest would have the same volume vg2/web2-data',
  );

  expect(host.snapshot()).toBe(before);
});
