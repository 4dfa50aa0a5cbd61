import { describe, expect, it } from 'vitest';
import * as vm from '../../../src/api/vm.ts';
import { withBofh } from '../../../src/bofh.ts';
import { states } from '../../../src/drbd/index.ts';
import { RolledBackError } from '../../../src/core/errors.ts';
import { domains } from '../../../src/xen/index.ts';
import { smallSystem } from '../../support/undo/stage.ts';
import { ground, two } from '../replica/support.ts';
import { ranOf } from '../simulator/support.ts';

const request = {
  ...{ name: 'web1', source: { type: 'tar', path: '/srv/debian.tar' } as const, vg: 'vg0' },
  ...{ size: '64m', swap: '16m', memory: '64m', drbd: 'there', start: true },
};

function hostsWithSource() {
  const hosts = two();
  hosts.alpha.addTar('/srv/debian.tar', smallSystem);
  return { ...hosts, on: <T>(body: () => Promise<T>) => withBofh(hosts.here, body) };
}

describe('vm create with replicated disks', () => {
  it('creates a guest that runs here, and can move there and back', async () => {
    const { on, alpha, there } = hostsWithSource();

    const made = await on(() => vm.create(request));

    expect(made).toMatchObject({ root: '/dev/drbd0', swap: '/dev/drbd1', peer: 'beta' });
    expect(alpha.admin.readFile('/etc/xen/web1.cfg')).toMatch(
      /phy:\/dev\/drbd0,xvda,w.*phy:\/dev\/drbd1,xvdb,w/s,
    );
    for (const [host, role] of [
      [alpha, 'Primary'],
      [there.host(), 'Secondary'],
    ] as const)
      expect(await states(host)).toMatchObject(
        ['web1-root', 'web1-swap'].map((name) => ({ name, role, volumes: [{ disk: 'UpToDate' }] })),
      );
    const ports = (await states(alpha)).map(
      ({ name }) => /address .*?:(\d+);/.exec(alpha.admin.readFile(`/etc/drbd.d/${name}.res`))?.[1],
    );
    expect(new Set(ports).size).toBe(2);

    for (const path of ['/boot/vmlinuz-6.1.0-18-amd64', '/boot/initrd.img-6.1.0-18-amd64'])
      expect(await there.host().stat(path)).toBeDefined();
    await on(() => vm.move({ name: 'web1', to: 'there' }));
    expect(await domains(there.host(), ({ name }) => name === 'web1')).toMatchObject([{ state: 'running' }]);
    expect(await domains(alpha, ({ name }) => name === 'web1')).toEqual([]);
  });

  it('replicates data disks too, and moves and removes them', async () => {
    const { on, alpha, there } = hostsWithSource();
    const before = [alpha.snapshot(), there.host().snapshot()];

    const disks = { data: { size: '16m', mount: '/srv/www' } };
    const made = await on(() => vm.create({ ...request, disks }));
    expect(made.disks).toMatchObject([{ name: 'data', device: '/dev/drbd2' }]);
    await on(() => vm.remove({ name: 'web1', running: 'destroy', on: ['alpha', 'there'] }));
    expect([alpha.snapshot(), there.host().snapshot()]).toEqual(before);

    await on(() => vm.create({ ...request, disks }));
    await on(() => vm.move({ name: 'web1', to: 'there' }));
    expect(await states(there.host())).toMatchObject(
      ['data', 'root', 'swap'].map((disk) => ({ name: `web1-${disk}`, role: 'Primary' })),
    );
  });

  it('overwrites blank disks with zeros on both hosts, so that no installer reads old data', async () => {
    const { on, alpha, there } = hostsWithSource();
    for (const path of ['/srv/vmlinuz', '/srv/initrd']) alpha.admin.writeFile(path, 'x');
    const installer = { kernel: '/srv/vmlinuz', ramdisk: '/srv/initrd' };

    await on(() => vm.create({ ...request, ...installer, source: 'blank', swap: 0 }));

    for (const host of [alpha, there.host()]) {
      const erased = ranOf(host, 'blkdiscard');
      expect(erased[0]).toMatch(/--zeroout --offset 0 --length 71303168 .*dm-0$/);
    }
  });

  it('encrypts a replicated data disk above DRBD, and moves the guest with it', async () => {
    const { on, alpha, there } = hostsWithSource();
    alpha.admin.writeFile('/root/key', 'secret', 0o600);
    const luks = { key: { from: 'file', path: '/root/key' } } as const;

    const [made] = (
      await on(() => vm.create({ ...request, disks: { data: { size: '64m', mount: '/srv/www', luks } } }))
    ).disks;

    expect(made?.device).toBe('/dev/drbd2');
    expect(made?.luks).toMatch(/^[0-9a-f-]{36}$/);
    expect(alpha.world.mappings).toEqual([]);
    await on(() => vm.move({ name: 'web1', to: 'there' }));
    expect(await domains(there.host(), ({ name }) => name === 'web1')).toMatchObject([{ state: 'running' }]);
  });

  it('leaves nothing behind on either host when it fails', async () => {
    const { on, alpha, there } = hostsWithSource();
    const before = [alpha.snapshot(), there.host().snapshot()];
    alpha.fault({ tool: 'xl', access: 'change', mode: 'acts then fails' });

    await expect(on(() => vm.create(request))).rejects.toThrow(RolledBackError);

    expect([alpha.snapshot(), there.host().snapshot()]).toEqual(before);
  });

  it('is refused with all reasons, when both lack space together, or a guest of that name exists', async () => {
    const { on, there, alpha } = hostsWithSource();
    there.host().admin.writeFile('/etc/xen/other.cfg', "name = 'web1'\nmemory = 64\n");
    const before = [alpha.snapshot(), there.host().snapshot()];

    const refused = on(() => vm.create({ ...request, swap: '100g' }));

    await expect(refused).rejects.toThrow(/on beta: the guest web1 is configured already/);
    await expect(refused).rejects.toThrow(/on alpha: vg0\/web1-swap needs .*; on beta: vg0\/web1-swap needs/);
    expect([alpha.snapshot(), there.host().snapshot()]).toEqual(before);
  });

  it('counts the space of earlier disks', async () => {
    const volumeGroups = [{ name: 'vg0', size: 200 * 1024 ** 2, extentSize: 4 * 1024 ** 2 }];
    const { here, alpha } = two(ground('alpha', '10.0.0.1', { volumeGroups }));
    alpha.addTar('/srv/debian.tar', smallSystem);
    const creating = (swap: string) => withBofh(here, () => vm.create({ ...request, size: '100m', swap }));

    await expect(creating('100m')).rejects.toThrow(
      /^on alpha: vg0\/web1-swap needs 104 MiB .* vg0 has 9\d MiB/,
    );
    expect(await creating('60m')).toMatchObject({ root: '/dev/drbd0', swap: '/dev/drbd1' });
  });

  it('accepts a group of another name there', async () => {
    const { alpha, here, there } = two(
      ground('alpha', '10.0.0.1'),
      ground('beta', '10.0.0.2', { volumeGroups: [{ name: 'data', size: 1024 ** 3 }] }),
    );
    alpha.addTar('/srv/debian.tar', smallSystem);
    // The second disk needs room beside the first, in the group of each host.
    await withBofh(here, () => vm.create({ ...request, peerVg: 'data' }));
    const volumes = [alpha, there.host()].map(({ world: { lvm } }) =>
      lvm.map(({ name, lvs }) => [name, ...lvs.map((lv) => lv.name)]),
    );
    expect(volumes).toEqual([[['vg0', 'web1-root', 'web1-swap']], [['data', 'web1-root', 'web1-swap']]]);
  });

  it.each([{ addresses: { alpha: '10.0.0.1' } }, { peerVg: 'data' }])(
    'needs another host with %j',
    async (more) => {
      const { on } = hostsWithSource();
      const { drbd: _, ...alone } = request;
      await expect(on(() => vm.create({ ...alone, ...more }))).rejects.toThrow(/no peer was named/);
    },
  );
});
