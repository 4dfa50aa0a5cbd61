import { beforeEach, describe, expect, test } from 'vitest';
import * as vm from '../../../src/api/vm.ts';
import { withBofh } from '../../../src/bofh.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { BofhError, RolledBackError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { jsonOn } from './support/run-verb.ts';

let host: SimulatedHost;
beforeEach(async () => {
  host = simulatedHost();
  host.addTar('/srv/root.tar', [{ path: 'etc', type: 'directory' }]);
  for (const path of ['/boot/vmlinuz', '/boot/initrd']) host.admin.writeFile(path, 'x');
  await typed(
    'vm create web1 --source tar:/srv/root.tar --size 256m --swap 16m --memory 128m --vg vg0 --kernel /boot/vmlinuz --ramdisk /boot/initrd',
  );
  edit((text) => `# made in 2019, web1-root is its root\n${text}`);
  host.admin.symlink('/etc/xen/auto/web1.cfg', '../web1.cfg');
  host.admin.symlink('/etc/xen/auto/10-shop', '/etc/xen/web1.cfg');
});

const config = (name: string) => host.admin.readFile(`/etc/xen/${name}.cfg`);
const edit = (how: (text: string) => string): void =>
  host.admin.writeFile('/etc/xen/web1.cfg', how(config('web1')));
const volumes = () => host.world.lvm.flatMap(({ lvs }) => lvs.map(({ name }) => name)).toSorted();
const running = () => host.world.domains.map(({ name }) => name);
/** What must be as before; a guest that was started again has another domain. */
const state = () => host.snapshot();

const typed = async (line: string) => (await jsonOn(simulatedBofh({ host }), line)).data;

const rename = async (words = '') =>
  answers.vmRename.parse(await typed(`vm rename web1 shop ${words}`.trim()));

describe('vm rename', () => {
  test('renames the configuration, the volumes and the links of a stopped guest', async () => {
    const before = config('web1');

    expect(await rename()).toEqual({
      name: 'shop',
      was: 'web1',
      config: '/etc/xen/shop.cfg',
      volumes: [
        { was: 'vg0/web1-root', volume: 'vg0/shop-root' },
        { was: 'vg0/web1-swap', volume: 'vg0/shop-swap' },
      ],
      kept: [],
      domid: null,
    });

    expect(config('shop')).toBe(
      before
        .replace('"web1"', '"shop"')
        .replace('/dev/vg0/web1-root', '/dev/vg0/shop-root')
        .replace('/dev/vg0/web1-swap', '/dev/vg0/shop-swap'),
    );
    expect(config('shop')).toContain('# made in 2019, web1-root is its root\n');
    expect(await host.stat('/etc/xen/web1.cfg')).toBeUndefined();
    expect(volumes()).toEqual(['shop-root', 'shop-swap']);
    expect(await host.readDir('/etc/xen/auto')).toEqual(['10-shop', 'shop.cfg']);
    expect(await host.readLink('/etc/xen/auto/shop.cfg')).toBe('../shop.cfg');
    expect(await host.readLink('/etc/xen/auto/10-shop')).toBe('/etc/xen/shop.cfg');
    await typed('vm start shop');
    expect(running()).toEqual(['shop']);
  });

  test('refuses a running guest, or restarts it under its new name with --restart', async () => {
    await typed('vm start web1');
    const before = state();
    const error = await rejectionOf(rename());
    expect((error as BofhError).remedy).toContain('bofh vm rename web1 shop --restart');
    expect(state()).toBe(before);

    const { domid } = await rename('--restart');

    expect(host.world.domains).toMatchObject([{ name: 'shop', domid }]);
    expect(volumes()).toEqual(['shop-root', 'shop-swap']);
  });

  test('leaves the guest under its old name, and running, when any step fails', async () => {
    await typed('vm start web1');
    const before = state();
    let steps = 0;
    host.faults.watch(({ access }) => {
      if (access === 'change') steps += 1;
    });
    for (const [tool, argv] of [
      ['lvrename', 'shop-root'],
      ['lvrename', 'shop-swap'],
      ['ln', 'shop.cfg'],
      ['xl', '/etc/xen/shop.cfg'],
    ] as const) {
      host.fault({ tool, argvIncludes: argv, access: 'change', mode: 'acts then fails' });
      const error = await rejectionOf(rename('--restart'));
      host.clearFaults();
      expect([tool, argv, error]).toEqual([tool, argv, expect.any(RolledBackError)]);
      expect(state()).toBe(before);
    }
    expect(steps).toBeGreaterThan(10);
  });

  test('leaves a file and disks with other names in place', async () => {
    host.admin.lvcreate({ vg: 'vg0', name: 'web10-data', extents: 4 });
    host.admin.rename('/etc/xen/web1.cfg', '/etc/xen/the-shop.cfg');
    host.admin.writeFile(
      '/etc/xen/the-shop.cfg',
      config('the-shop').replace('disk = [', 'disk = [ "phy:/dev/vg0/web10-data,xvdc,w",'),
    );

    const { config: path, kept, volumes: moved } = await rename();

    expect([path, kept, moved.length]).toEqual(['/etc/xen/the-shop.cfg', ['/dev/vg0/web10-data'], 2]);
    expect(config('the-shop')).toContain('name = "shop"');
    expect(volumes()).toContain('web10-data');
  });

  test('finds the volumes by their path in /dev/mapper', async () => {
    edit((text) => text.replace('/dev/vg0/web1-root', '/dev/mapper/vg0-web1--root'));
    await rename();
    expect(config('shop')).toContain('phy:/dev/mapper/vg0-shop--root,');
  });

  test.each<[string, () => void, RegExp]>([
    [
      'a volume of the new name',
      () => void host.admin.lvcreate({ vg: 'vg0', name: 'shop-root', extents: 4 }),
      /vg0\/shop-root already/,
    ],
    [
      'a domain of the new name',
      () => void host.admin.startDomain({ name: 'shop' }),
      /a domain shop already/,
    ],
    [
      'a guest of the new name',
      () => host.admin.writeFile('/etc/xen/x.cfg', "name='shop'\nmemory=1\nkernel='/vmlinuz'\n"),
      /configured already/,
    ],
    [
      'a file of the new name',
      () => host.admin.writeFile('/etc/xen/shop.cfg', "name='x'\nmemory=1\nkernel='/vmlinuz'\n"),
      /shop.cfg exists already/,
    ],
    [
      'a link of the new name',
      () => host.admin.symlink('/etc/xen/auto/shop.cfg', 'x'),
      /auto\/shop.cfg exists already/,
    ],
    [
      'a link to a volume',
      () => {
        host.admin.symlink('/srv/disk', '/dev/vg0/web1-root');
        edit((text) => text.replace('/dev/vg0/web1-root', '/srv/disk'));
      },
      /names the volume vg0\/web1-root by another path/,
    ],
  ])('is refused because of %s, and nothing changes', async (_, there, message) => {
    there();
    const before = state();
    expect(((await rejectionOf(rename())) as Error).message).toMatch(message);
    expect(state()).toBe(before);
  });

  test.each(['web1', 'a b', '-x'])('to %j is refused', async (to) => {
    const before = state();
    await rejectionOf(withBofh(simulatedBofh({ host }), () => vm.rename('web1', to)));
    expect(state()).toBe(before);
  });
});
