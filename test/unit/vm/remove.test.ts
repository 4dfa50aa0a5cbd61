import { beforeEach, describe, expect, it } from 'vitest';
import * as lvm from '../../../src/api/lvm.ts';
import * as vm from '../../../src/api/vm.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RolledBackError, UsageError } from '../../../src/core/errors.ts';
import { deactivate } from '../../../src/lvm/lv-commands.ts';
import { defaultSite } from '../../../src/site.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { removeVm, planRemove } from '../../../src/vm/remove.ts';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'web1-root', extents: 2 });
  host.admin.writeFile(
    '/etc/xen/web1.cfg',
    "name = 'web1'\nmemory = 64\ndisk = ['phy:/dev/vg0/web1-root,xvda,w']\n",
  );
});

const on = <T>(body: () => Promise<T>): Promise<T> => withBofh(simulatedBofh({ host }), body);
const plan = () => planRemove({ host, site: defaultSite, name: 'web1', running: 'refuse' });
const names = async () => (await on(() => lvm.lvs())).map(({ name }) => name);

describe('vm remove', () => {
  it('removes the volumes of the guest also when inactive', async () => {
    const [{ uuid } = { uuid: '' }] = await on(() => lvm.lvs());
    await host
      .during({ outputs: '/run', lock: -1 })
      .run(deactivate({ vg: 'vg0', name: 'web1-root', uuid, udev: 'running' }));
    expect(await host.stat('/dev/vg0/web1-root')).toBeUndefined();

    await on(() => vm.remove({ name: 'web1', running: 'refuse' }));

    expect(await names()).toEqual([]);
  });

  it.each(['commits', 'fails'])(
    'removes its links for the start at boot, where the sequence %s',
    async (how) => {
      host.admin.symlink('/etc/xen/auto/10-web1', '../web1.cfg');
      host.admin.symlink('/etc/xen/auto/other.cfg', '../other.cfg');
      const removed = on(() =>
        atomic('vm remove', async (tx) => {
          await removeVm(tx, await plan());
          if (how === 'fails') throw new Error('no');
        }),
      );

      await removed.catch(() => undefined);

      expect(await host.readDir('/etc/xen/auto')).toEqual(
        how === 'fails' ? ['10-web1', 'other.cfg'] : ['other.cfg'],
      );
    },
  );

  it('leaves alone a volume that took the name after the confirmation', async () => {
    const agreed = await plan();
    host.admin.lvremove('vg0', 'web1-root');
    host.admin.lvcreate({ vg: 'vg0', name: 'web1-root', extents: 3 });

    const failed = on(() => atomic('vm remove', (tx) => removeVm(tx, agreed)));

    await expect(failed).rejects.toThrow(RolledBackError);
    await expect(failed).rejects.toThrow(/is another volume now/);
    expect(await names()).toEqual(['web1-root']);
    expect(host.admin.readFile('/etc/xen/web1.cfg')).toContain('web1');
  });

  it('leaves alone a config file that was changed after the confirmation', async () => {
    const agreed = await plan();
    host.admin.writeFile('/etc/xen/web1.cfg', "name = 'other'\nmemory = 64\n");

    await expect(on(() => atomic('vm remove', (tx) => removeVm(tx, agreed)))).rejects.toThrow();

    expect(host.admin.readFile('/etc/xen/web1.cfg')).toContain('other');
    expect(await names()).toEqual(['web1-root']);
  });

  it('refuses to end a crashed domain, whose state could not be restored', async () => {
    host.admin.startDomain({ name: 'web1', state: 'crashed' });

    await expect(
      planRemove({ host, site: defaultSite, name: 'web1', running: 'destroy' }),
    ).rejects.toMatchObject({
      message: expect.stringMatching(/web1 \(id 1\) is crashed/) as string,
      remedy: expect.stringContaining('xl destroy') as string,
    });
  });

  it('is refused inside atomic(), because it would commit alone', async () => {
    const failed = on(() => atomic('outer', () => vm.remove({ name: 'web1', running: 'refuse' })));

    await expect(failed).rejects.toThrow(UsageError);
    expect(await names()).toEqual(['web1-root']);
  });

  it('removes a volume once that is in the config twice, by two of its paths', async () => {
    host.admin.writeFile(
      '/etc/xen/web1.cfg',
      "name = 'web1'\nmemory = 64\ndisk = ['phy:/dev/vg0/web1-root,xvda,w', 'phy:/dev/mapper/vg0-web1--root,xvdb,r']\n",
    );

    expect((await plan()).volumes).toHaveLength(1);
  });

  it('refuses a config that is a link before it stops the guest, and says so', async () => {
    const text = host.admin.readFile('/etc/xen/web1.cfg');
    host.admin.removeFile('/etc/xen/web1.cfg');
    host.admin.mkdir('/srv/guests');
    host.admin.writeFile('/srv/guests/web1.cfg', text);
    host.admin.symlink('/etc/xen/web1.cfg', '/srv/guests/web1.cfg');
    host.admin.startDomain({ name: 'web1' });
    const before = host.snapshot();

    const failed = on(() => vm.remove({ name: 'web1', running: 'shutdown' }));

    await expect(failed).rejects.toThrow(/web1\.cfg is a symbolic link to \/srv\/guests\/web1\.cfg/);
    expect(host.snapshot()).toBe(before);
    expect(host.world.domains).toMatchObject([{ name: 'web1', domid: 1 }]);
  });

  it('accepts a config in a directory that the site names by a link', async () => {
    const text = host.admin.readFile('/etc/xen/web1.cfg');
    host.admin.removeFile('/etc/xen/web1.cfg');
    host.admin.mkdir('/srv/guests');
    host.admin.writeFile('/srv/guests/web1.cfg', text);
    host.admin.symlink('/etc/guests', '/srv/guests');
    host.admin.symlink('/etc/xen/auto/web1.cfg', '/srv/guests/web1.cfg');
    const site = { ...defaultSite, guestConfigDirs: ['/etc/guests'] };

    await withBofh(simulatedBofh({ host, site }), () => vm.remove({ name: 'web1', running: 'refuse' }));

    expect(await host.stat('/srv/guests/web1.cfg')).toBeUndefined();
    expect(await host.readDir('/etc/xen/auto')).toEqual([]);
    expect(await names()).toEqual([]);
  });

  const twice =
    "name = 'web1'\nmemory = 64\ndisk = ['phy:/dev/vg0/web1-root,xvda,w', 'phy:/dev/vg0/web1-data,xvdb,w', 'phy:/dev/mapper/vg0-web1--data,xvdc,r']\n";

  it.each([
    ['kept', () => vm.remove({ name: 'web1', running: 'refuse', keepDisks: ['xvdb'] })],
    ['another disk of the guest', async () => vm.removeDisk('web1', 'xvdc')],
  ])('removes no volume that is also %s', async (_, remove) => {
    host.admin.lvcreate({ vg: 'vg0', name: 'web1-data', extents: 1 });
    host.admin.writeFile('/etc/xen/web1.cfg', twice);

    await expect(on<unknown>(remove)).rejects.toThrow(
      /web1-+data is also the disk xvd[bc] of web1, which would stay/,
    );

    expect(await names()).toEqual(['web1-data', 'web1-root']);
  });

  it.each([
    ['vm remove', () => vm.remove({ name: 'web1', running: 'refuse', keepDisks: ['data'] })],
    ['vm disk remove', async () => vm.removeDisk('web1', 'data')],
    ['vm disk detach', async () => vm.detachDisk('web1', 'data')],
  ])('%s refuses the name of a disk that is in two volume groups', async (_, remove) => {
    host = simulatedHost({ volumeGroups: ['vg0', 'vg1'].map((name) => ({ name, size: '1g' })) });
    host.admin.lvcreate({ vg: 'vg0', name: 'web1-root', extents: 2 });
    for (const vg of ['vg0', 'vg1']) host.admin.lvcreate({ vg, name: 'web1-data', extents: 1 });
    host.admin.writeFile(
      '/etc/xen/web1.cfg',
      "name = 'web1'\nmemory = 64\ndisk = ['phy:/dev/vg0/web1-root,xvda,w', 'phy:/dev/vg0/web1-data,xvdb,w', 'phy:/dev/vg1/web1-data,xvdc,w']\n",
    );

    await expect(on<unknown>(remove)).rejects.toMatchObject({
      message: expect.stringContaining('more than one disk data: xvdb (/dev/vg0/web1-data), xvdc') as string,
      remedy: 'name one by its name in the guest: xvdb or xvdc',
    });
  });
});
