import { beforeEach, describe, expect, it } from 'vitest';
import * as drbd from '../../../src/api/drbd.ts';
import * as vm from '../../../src/api/vm.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { imageOf } from '../../../src/simulator/tools/blockdevice/compressed.ts';
import { backupVm, planBackup } from '../../../src/vm/backup.ts';
import { smallSystem } from '../../support/undo/stage.ts';
import { two } from '../replica/support.ts';

const request = {
  ...{ name: 'web1', source: { type: 'tar', path: '/srv/debian.tar' } as const, vg: 'vg0' },
  ...{ size: '64m', swap: '16m', memory: '64m', drbd: 'there' },
};

let hosts: ReturnType<typeof two>;
const on = <T>(body: () => Promise<T>): Promise<T> => withBofh(hosts.here, body);
/** What the guest reads from its root disk. */
function contentOf(place: string): string {
  const { alpha } = hosts;
  const volume = alpha.world.drbd.resources.find(({ name }) => name === place)?.volumes[0];
  const lv = alpha.world.lvm[0]?.lvs.find(({ name }) => name === place);
  return imageOf(alpha.world.live.get(volume?.storage ?? `lv:${lv?.uuid ?? ''}`));
}

beforeEach(async () => {
  hosts = two();
  hosts.alpha.addTar('/srv/debian.tar', smallSystem);
  for (const host of [hosts.alpha, hosts.there.host()]) host.admin.mkdir('/srv/backup');
  await on(() => vm.create(request));
});

describe('vm backup of a guest with replicated disks', () => {
  it('is restored on disks of this host only', async () => {
    const content = contentOf('web1-root');
    await on(() => vm.start('web1'));

    const { path, disks } = await on(() => vm.backup('web1', '/srv/backup'));

    expect(disks).toMatchObject([
      {
        vdev: 'xvda',
        volume: 'web1-root',
        size: 71_262_208,
        content: { type: 'ext4' },
        replica: 'web1-root',
      },
      { vdev: 'xvdb', volume: 'web1-swap', content: { type: 'swap' }, replica: 'web1-swap' },
    ]);
    const made = await on(() => vm.restore(path, { as: 'web2' }));
    expect(made.disks).toMatchObject([
      { volume: 'web2-root', replica: 'web1-root' },
      { volume: 'web2-swap', replica: 'web1-swap' },
    ]);
    expect(hosts.alpha.admin.readFile('/etc/xen/web2.cfg')).toMatch(
      /phy:\/dev\/vg0\/web2-root,xvda,w.*phy:\/dev\/vg0\/web2-swap,xvdb,w/s,
    );
    expect(contentOf('web2-root')).toBe(content);
    // The part that the metadata had is filled with zeros.
    expect(
      hosts.alpha.changes.flatMap((each) =>
        each.what === 'command' && each.command.tool === 'blkdiscard' ? [each.command.argv.join(' ')] : [],
      ),
    ).toContainEqual(expect.stringMatching(/--zeroout --offset 71262208 --length 40960/));
  });

  it('is restored without the script of DRBD, also if the configuration names resources', async () => {
    const config = '/etc/xen/web1.cfg';
    const text = hosts.alpha.admin.readFile(config);
    hosts.alpha.admin.writeFile(
      config,
      text
        .replace('phy:/dev/drbd0', 'drbd:web1-root')
        .replace(
          'phy:/dev/drbd1,xvdb,w',
          'format=raw, vdev=xvdb, access=ro, script=block-drbd, target=web1-swap',
        ),
    );

    const { path } = await on(() => vm.backup('web1', '/srv/backup'));
    await on(() => vm.restore(path, { as: 'web2' }));

    const restored = hosts.alpha.admin.readFile('/etc/xen/web2.cfg');
    expect(restored).toMatch(/phy:\/dev\/vg0\/web2-root,xvda,w.*phy:\/dev\/vg0\/web2-swap,xvdb,r/s);
    expect(restored).not.toContain('drbd');
  });

  it.each([
    {
      title: 'that runs on the other host',
      before: async () => {
        await on(() => vm.start('web1'));
        await on(() => vm.move({ name: 'web1', to: 'there' }));
        hosts.alpha.admin.writeFile(
          '/etc/xen/web1.cfg',
          hosts.there.host().admin.readFile('/etc/xen/web1.cfg'),
        );
      },
      message: 'the DRBD resource web1-root, a disk of web1, is in use on beta',
      remedy: 'back up web1 there: bofh vm backup web1 DIR',
    },
    {
      title: 'that is off, and whose other host may have newer data',
      before: async () => {
        await on(() => drbd.secondary({ name: 'web1-root' }));
        await on(() => drbd.disconnect({ name: 'web1-root' }));
      },
      message: 'the DRBD resource web1-root is not connected to the other host, which may have newer data',
      remedy: 'connect them, and wait: bofh drbd connect web1-root; bofh drbd wait-sync web1-root',
    },
    {
      title: 'whose data here is not up to date',
      before: () => {
        hosts.alpha.admin.drbdadm('detach', 'web1-root');
        return Promise.resolve();
      },
      message: 'the data of the DRBD resource web1-root on this host is not up to date (Diskless)',
      remedy: 'attach its disk, and wait: bofh drbd attach web1-root; bofh drbd wait-sync web1-root',
    },
    {
      title: 'whose resource is down',
      before: async () => {
        await on(() => drbd.secondary({ name: 'web1-root' }));
        await on(() => drbd.down({ name: 'web1-root' }));
      },
      message: '/dev/drbd0 is not a device of a DRBD resource that is up here',
      remedy: 'see which resource it is: bofh drbd list; then bring it up: bofh drbd up RESOURCE',
    },
  ])('is refused for a guest $title, and changes nothing', async ({ before, message, remedy }) => {
    await before();
    const [was, there] = [hosts.alpha.snapshot(), hosts.there.host().snapshot()];

    await expect(on(() => vm.backup('web1', '/srv/backup'))).rejects.toMatchObject({ message, remedy });

    expect([hosts.alpha.snapshot(), hosts.there.host().snapshot()]).toEqual([was, there]);
  });

  it.each([
    {
      title: 'grew',
      between: () => Promise.resolve(),
      shrunk: 4096,
      why: /the size of the DRBD resource web1-root was changed meanwhile/,
    },
    {
      title: 'lost its peer',
      between: async () => {
        await on(() => drbd.secondary({ name: 'web1-root' }));
        await on(() => drbd.disconnect({ name: 'web1-root' }));
      },
      shrunk: 0,
      why: /web1-root is not connected to the other host, which may have newer data/,
    },
  ])('is undone if a disk $title after the check', async ({ between, shrunk, why }) => {
    const { engine, site } = hosts.here;
    const asked = { hosts: engine, site, name: 'web1', directory: '/srv/backup', how: {}, now: new Date(0) };
    const plan = await planBackup(asked);
    const disks = plan.disks.map(({ replica, ...disk }) => ({
      ...disk,
      replica: replica === undefined ? undefined : { ...replica, size: replica.size - shrunk },
    }));
    await between();
    const before = hosts.alpha.snapshot();

    const failed = on(() => atomic('backup', (tx) => backupVm(tx, engine, { ...plan, disks })));

    await expect(failed).rejects.toThrow(why);
    expect(hosts.alpha.snapshot()).toBe(before);
  });

  it('reads this copy if the guest runs and the other host is gone', async () => {
    await on(() => vm.start('web1'));
    await on(() => drbd.disconnect({ name: 'web1-root' }));

    const { disks } = await on(() => vm.backup('web1', '/srv/backup'));

    expect(disks.map(({ replica }) => replica)).toEqual(['web1-root', 'web1-swap']);
  });
});
