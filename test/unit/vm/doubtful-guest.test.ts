import { beforeEach, describe, expect, it } from 'vitest';
import * as vm from '../../../src/api/vm.ts';
import * as xen from '../../../src/api/xen.ts';
import { withBofh } from '../../../src/bofh.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  for (const name of ['web1-root', 'old']) host.admin.lvcreate({ vg: 'vg0', name, extents: 2 });
  const config = (volume: string) =>
    `name = 'web1'\nmemory = 64\nkernel = '/boot/vmlinuz'\ndisk = ['phy:/dev/vg0/${volume},xvda,w']\n`;
  host.admin.writeFile('/etc/xen/web1.cfg', config('web1-root'));
  // In the order of the names it is the first.
  host.admin.writeFile('/etc/xen/web1-old.cfg', config('old'));
});

const on = <T>(body: () => Promise<T>): Promise<T> => withBofh(simulatedBofh({ host }), body);

describe('a guest with an old copy of its configuration', () => {
  it.each<[string, () => Promise<unknown>]>([
    ['vm start', () => xen.start('web1')],
    ['vm set', () => vm.set('web1', { memory: '128m' })],
    ['vm resize', () => vm.resize('web1', 'root', { size: '1g' })],
    ['vm snapshot create', () => vm.createSnapshot('web1', 'before')],
    ['vm disk attach', async () => vm.attachDisk('web1', '/dev/vg0/old')],
    ['vm rename', () => vm.rename('web1', 'web2')],
    ['vm remove', () => vm.remove({ name: 'web1', running: 'refuse' })],
  ])('%s is refused, with both files', async (_, act) => {
    const before = host.snapshot();

    await expect(on(act)).rejects.toThrow(
      'the guest web1 has more than one configuration: /etc/xen/web1-old.cfg, /etc/xen/web1.cfg',
    );

    expect(host.snapshot()).toBe(before);
  });

  it('start-all starts neither of them', async () => {
    const rows = await on(() => xen.startAll());

    expect(rows).toMatchObject([
      {
        name: '/etc/xen/web1-old.cfg',
        error: expect.stringContaining('is also in /etc/xen/web1.cfg') as string,
      },
    ]);
    expect(host.world.domains).toEqual([]);
  });
});

it('a configuration of another guest that cannot be read does not keep a guest from its start', async () => {
  host.admin.writeFile('/boot/vmlinuz', 'kernel');
  host.admin.writeFile('/etc/xen/web1-old.cfg', 'name = ');

  await on(() => xen.start('web1'));

  expect(host.world.domains).toMatchObject([{ name: 'web1' }]);
  await expect(on(() => xen.start('web2'))).rejects.toMatchObject({
    name: 'RefusedError',
    message: expect.stringMatching(
      /^no guest web2 is configured in \/etc\/xen; other files there have problems: \/etc\/xen\/web1-old.cfg/,
    ) as string,
  });
});

describe('a guest whose domain was renamed', () => {
  it.each<[string, () => Promise<unknown>]>([
    ['vm snapshot create', () => vm.createSnapshot('web1', 'before')],
    ['vm backup', () => vm.backup('web1', '/root')],
    ['vm rename', () => vm.rename('web1', 'web2')],
    ['vm clone', () => vm.clone('web1', 'web2')],
    ['vm remove', () => vm.remove({ name: 'web1', running: 'refuse' })],
  ])('%s is refused, because it may run', async (_, act) => {
    const uuid = '5e1f0000-0000-4000-8000-0000000000aa';
    host.admin.removeFile('/etc/xen/web1-old.cfg');
    host.admin.writeFile(
      '/etc/xen/web1.cfg',
      `${host.admin.readFile('/etc/xen/web1.cfg')}uuid = '${uuid}'\n`,
    );
    host.admin.startDomain({ name: 'web1-test', uuid });
    const before = host.snapshot();

    await expect(on(act)).rejects.toMatchObject({
      message: expect.stringContaining('the domain web1-test (id 1) has the uuid of web1') as string,
      remedy: expect.stringContaining('xl rename 1 web1') as string,
    });

    expect(host.snapshot()).toBe(before);
  });
});
