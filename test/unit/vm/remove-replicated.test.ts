import { beforeAll, describe, expect, it, test } from 'vitest';
import * as vm from '../../../src/api/vm.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { BofhError } from '../../../src/core/errors.ts';
import { ownAnd } from '../../../src/replica/hosts.ts';
import { fork } from '../../../src/simulator/fork.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { removeVm, planRemove } from '../../../src/vm/remove.ts';
import { domains } from '../../../src/xen/index.ts';
import { faultsOf, someFaults } from '../../support/undo/two-faults.ts';
import { type Made, referenceOf } from '../../support/undo/two-hosts.ts';
import { tryEach } from '../../support/undo/two-trials.ts';
import { both, two } from '../replica/support.ts';
import { guestOnTwo, guestToTry } from './move-support.ts';

const config = '/etc/xen/web1.cfg';
const volumes = `volume 0 { device minor 0; disk /dev/vg0/web1; meta-disk internal; }
    volume 1 { device minor 1; disk /dev/vg0/mail; meta-disk internal; }`;
const twoVolumes = `resource web1 {
  on alpha {
    address ipv4 10.0.0.1:7788;
    ${volumes}
  }
  on beta {
    address ipv4 10.0.0.2:7788;
    ${volumes}
  }
}
`;
const on: [string, string] = ['alpha', 'there'];
type Hosts = Awaited<ReturnType<typeof guestOnTwo>>;

const destroying = ({ here }: Hosts, more: object = {}) =>
  withBofh(here, () => vm.remove({ name: 'web1', running: 'destroy', on, ...more }));

describe('vm.remove of a guest with replicated disks', () => {
  it('removes domain, configuration, resource and volumes, on both hosts', async () => {
    const hosts = await guestOnTwo();
    hosts.there.host().admin.writeFile(config, hosts.alpha.admin.readFile(config));
    const { replicas, kept } = await destroying(hosts);
    expect(kept).toEqual([]);
    expect(replicas?.peer).toMatchObject({ name: 'beta', config });
    for (const host of [hosts.alpha, hosts.there.host()]) {
      expect(host.world.lvm[0]?.lvs).toEqual([]);
      expect(host.world.drbd.resources).toEqual([]);
      expect(await host.stat(config)).toBeUndefined();
      expect(await host.stat('/etc/drbd.d/web1.res')).toBeUndefined();
    }
    expect(await domains(hosts.alpha, ({ name }) => name === 'web1')).toEqual([]);
    expect(hosts.there.reserved()).toEqual([]);
  });

  it('removes the links that start it at boot, on both hosts', async () => {
    const hosts = await guestOnTwo();
    hosts.there.host().admin.writeFile(config, hosts.alpha.admin.readFile(config));
    const link = '/etc/xen/auto/web1.cfg';
    for (const { admin } of [hosts.alpha, hosts.there.host()]) {
      admin.mkdir('/etc/xen/auto');
      admin.symlink(link, config);
    }
    await destroying(hosts);
    for (const host of [hosts.alpha, hosts.there.host()]) expect(await host.stat(link)).toBeUndefined();
  });

  const byName = "name = 'web1'\nkernel = '/boot/guest'\nmemory = 64\ndisk = ['drbd:web1,xvda,w']\n";

  it('also removes a disk that is named by its resource', async () => {
    const hosts = await guestOnTwo({ starts: false });
    for (const host of [hosts.alpha, hosts.there.host()]) {
      if ((await host.stat(config)) !== undefined) host.admin.removeFile(config);
      host.admin.writeFile(config, byName);
    }
    const { replicas, kept } = await destroying(hosts);
    expect([replicas?.removals.map(({ name }) => name), kept]).toEqual([['web1'], []]);
    for (const host of [hosts.alpha, hosts.there.host()]) {
      expect(host.world.lvm[0]?.lvs).toEqual([]);
      expect(host.world.drbd.resources).toEqual([]);
      expect(await host.stat(config)).toBeUndefined();
    }
  });

  it('says of such a disk that it stays, when it does', async () => {
    const hosts = await guestOnTwo({ starts: false });
    hosts.alpha.admin.removeFile(config);
    hosts.alpha.admin.writeFile(config, byName);
    expect((await destroying(hosts, { replicas: 'kept' })).kept).toEqual(['drbd:web1']);
    expect(hosts.alpha.world.drbd.resources).toHaveLength(1);
  });

  it('removes disconnected replicas too', async () => {
    const hosts = await guestOnTwo();
    hosts.alpha.admin.drbdadm('disconnect', 'web1');
    const begun = hosts.alpha.changes.length;
    await destroying(hosts);
    for (const host of [hosts.alpha, hosts.there.host()]) expect(host.world.lvm[0]?.lvs).toEqual([]);
    const started = hosts.alpha.changes
      .slice(begun)
      .filter((each) => each.what === 'command' && each.command.argv[0] === 'create');
    expect(started).toEqual([]);
  });

  it('keeps replicated disks on request, without asking the other host', async () => {
    const hosts = await guestOnTwo();
    hosts.there.cut();
    const { replicas, kept } = await destroying(hosts, { replicas: 'kept' });
    expect([replicas, kept]).toEqual([undefined, ['/dev/drbd0']]);
    expect(hosts.alpha.world.drbd.resources).toHaveLength(1);
  });

  it('says how to keep them when the other host is unreachable', async () => {
    const hosts = await guestOnTwo();
    hosts.there.cut();
    const before = hosts.alpha.snapshot();
    await expect(destroying(hosts)).rejects.toMatchObject({
      message: 'there cannot be reached',
      remedy: expect.stringContaining("replicas: 'kept'") as unknown,
    });
    expect(hosts.alpha.snapshot()).toBe(before);
  });

  it('refuses the device of a stopped resource, whose owner is unknown', async () => {
    const hosts = await guestOnTwo({ starts: false });
    hosts.alpha.world.drbd.resources = [];
    await expect(destroying(hosts)).rejects.toThrow(
      '/dev/drbd0 is not a device of a DRBD resource that is up here',
    );
  });

  it('refuses a resource with a volume that is no disk of the guest', async () => {
    const hosts = two();
    for (const { admin } of [hosts.alpha, hosts.there.host()]) {
      for (const [name, uuid] of [
        ['web1', '5e1f000000000001'],
        ['mail', '5e1f000000000003'],
      ] as const) {
        admin.lvcreate({ vg: 'vg0', name, extents: 17 });
        admin.drbdMetadata(`/dev/vg0/${name}`, uuid, 'UpToDate');
      }
      admin.writeFile('/etc/drbd.d/web1.res', twoVolumes);
      admin.drbdadm('up', 'web1');
    }
    hosts.alpha.admin.writeFile(config, "name = 'web1'\nmemory = 64\ndisk = ['phy:/dev/drbd0,xvda,w']\n");
    const before = both(hosts);
    const error: unknown = await withBofh(hosts.here, () =>
      vm.remove({ name: 'web1', running: 'refuse', on }),
    ).catch((each: unknown) => each);
    expect(both(hosts)).toEqual(before);
    expect(error).toMatchObject({
      message: 'the DRBD resource web1 also has /dev/drbd1, which is not a disk of the guest web1',
      remedy: expect.stringContaining("replicas: 'kept'") as unknown,
    });
  });

  it('restores all of it, running, when it fails at its end', async () => {
    const hosts = await guestOnTwo();
    const text = hosts.alpha.admin.readFile(config);
    const before = hosts.there.host().snapshot();
    const { engine, site, host } = hosts.here;
    const failed = withBofh(hosts.here, () =>
      atomic('destroy, then fail', async (tx) => {
        const members = await ownAnd(engine, 'there');
        await removeVm(
          tx,
          await planRemove({ host, site, name: 'web1', running: 'destroy', members }),
          engine,
        );
        throw new Error('now');
      }),
    );
    await expect(failed).rejects.toMatchObject({ name: 'RolledBackError' });
    expect(hosts.there.host().snapshot()).toBe(before);
    expect(hosts.alpha.admin.readFile(config)).toBe(text);
    expect(await domains(hosts.alpha, ({ name }) => name === 'web1')).toMatchObject([{ state: 'running' }]);
    expect(hosts.alpha.world.drbd.resources[0]?.role).toBe('Primary');
  });

  it.each<readonly [string, (hosts: Hosts) => void, object, RegExp]>([
    ['a guest that runs', () => undefined, { running: 'refuse' }, /exists as domain/],
    [
      'a domain of its name on the other host',
      ({ there }) => {
        there.host().admin.startDomain({ name: 'web1', disks: [] });
      },
      {},
      /on beta: there is a domain web1/,
    ],
    [
      'another guest of its name there',
      ({ there }) => {
        there.host().admin.writeFile(config, "name = 'web1'\nmemory = 64\n");
      },
      {},
      /on beta: .*web1\.cfg configures a guest of the same name, web1, with other disks/,
    ],
    [
      'another guest with its disk there',
      ({ there }) => {
        there
          .host()
          .admin.writeFile(
            '/etc/xen/web2.cfg',
            "name = 'web2'\nmemory = 64\ndisk = ['phy:/dev/drbd0,xvda,w']\n",
          );
      },
      {},
      /on beta: \/dev\/drbd0 is also a disk of the guest web2/,
    ],
    [
      'another guest that names the resource of its disk',
      ({ there }) => {
        there
          .host()
          .admin.writeFile('/etc/xen/web2.cfg', "name = 'web2'\nmemory = 64\ndisk = ['drbd:web1,xvda,w']\n");
      },
      {},
      /on beta: drbd:web1 is also a disk of the guest web2/,
    ],
    [
      'another guest with its disk here',
      ({ alpha }) => {
        alpha.admin.writeFile(
          '/etc/xen/web2.cfg',
          "name = 'web2'\nmemory = 64\ndisk = ['phy:/dev/drbd0,xvda,w']\n",
        );
      },
      {},
      /\/dev\/drbd0 is also a disk of the guest web2/,
    ],
    [
      'a volume with a snapshot there',
      ({ there }) => {
        there.host().admin.snapshot({ vg: 'vg0', name: 'snap', origin: 'web1', extents: 2 });
      },
      {},
      /on beta: \/dev\/vg0\/web1 has snapshots/,
    ],
    [
      'a replica that has no disk, before the guest is stopped',
      ({ there }) => {
        there.host().admin.drbdadm('detach', 'web1');
      },
      {},
      /on beta: volume 0 of web1 is Diskless/,
    ],
    [
      'a disk that is also mounted',
      ({ alpha }) => {
        alpha.admin.mkdir('/mnt/web1');
        alpha.admin.format('/dev/drbd0', {
          type: 'ext4',
          usage: 'filesystem',
          uuid: '5e1f0000-0000-4000-8000-0000000000aa',
        });
        alpha.admin.mount('/dev/drbd0', '/mnt/web1');
      },
      {},
      /on alpha: .*web1 is in use: .*mounted on \/mnt\/web1/,
    ],
  ])('refuses %s, with both hosts as they were', async (_, stage, more, words) => {
    const hosts = await guestOnTwo();
    stage(hosts);
    const before = both(hosts);
    const error: unknown = await destroying(hosts, more).catch((each: unknown) => each);
    expect(both(hosts)).toEqual(before);
    if (!(error instanceof BofhError)) throw error;
    expect(error.message).toMatch(words);
  });
});

describe('removing a guest with replicated disks completes or is undone, whatever happens between its hosts', () => {
  let hosts: readonly [SimulatedHost, SimulatedHost];
  let reference: Awaited<ReturnType<typeof referenceOf>>;

  const made: Made = {
    // As the boot of a host with `drbdadm up all` has it.
    heal: (host) => {
      const isConfigured = /^now .*"\/etc\/drbd\.d\/web1\.res" /m.test(host.snapshot());
      if (isConfigured && host.world.drbd.resources.length === 0) host.admin.drbdadm('up', 'web1');
    },
    hosts: () => [fork(hosts[0]), fork(hosts[1])],
    act: async (tx, { engine, host, site }) => {
      const members = await ownAnd(engine, 'there');
      const plan = await planRemove({ host, site, name: 'web1', running: 'destroy', members });
      await removeVm(tx, plan, engine);
    },
  };

  beforeAll(async () => {
    hosts = await guestToTry();
    reference = await referenceOf(made);
  });

  const tried = faultsOf(someFaults).flatMap(([title, trouble]) =>
    (['well', 'badly'] as const).map((ends) => ({ title, trouble, ends })),
  );

  test.each(tried)(
    '$title, at each access, and it ends $ends',
    async ({ trouble, ends }) => {
      const { found, ...count } = await tryEach(made, reference, { ...trouble, ends });
      expect(found).toEqual([]);
      expect(count.places).toBeGreaterThan(10);
    },
    240_000,
  );
});
