import { describe, expect, it } from 'vitest';
import { withBofh } from '../../../src/bofh.ts';
import { dataSize, states } from '../../../src/drbd/index.ts';
import { vgs } from '../../../src/lvm/index.ts';
import { drbd } from '../../../src/index.ts';
import { both, made, refusal, two, unplug } from './support.ts';

const mib = 1024 ** 2;
const on: [string, string] = ['alpha', 'there'];
const web1 = { name: 'web1', on };

const roles = async ({ alpha, there }: ReturnType<typeof two>): Promise<readonly unknown[]> =>
  Promise.all([alpha, there.host()].map(async (host) => (await states(host))[0]?.role));

describe('drbd.remove', () => {
  it('removes a resource from both hosts, which are as before it was created', async () => {
    const before = both(two());
    const hosts = await made();
    const plan = await withBofh(hosts.here, () => drbd.remove(web1));
    expect(plan.hosts.map(({ name, volumes }) => [name, volumes[0]?.name])).toEqual([
      ['alpha', 'web1'],
      ['beta', 'web1'],
    ]);
    expect(both(hosts)).toEqual(before);
  });

  it('keeps the volumes, with their content, on request', async () => {
    const hosts = await made();
    await withBofh(hosts.here, () => drbd.remove({ ...web1, volumes: 'kept' }));
    for (const { world } of [hosts.alpha, hosts.there.host()]) {
      expect(world.lvm[0]?.lvs.map(({ name }) => name)).toEqual(['web1']);
      expect(world.drbd.resources).toEqual([]);
    }
  });

  it('removes the part of this host when the other one is unreachable', async () => {
    const hosts = await made();
    hosts.there.cut();
    const failed = await withBofh(hosts.here, () => drbd.remove(web1)).catch(String);
    expect(failed).toContain('there cannot be reached');
    await withBofh(hosts.here, () => drbd.remove({ name: 'web1', hosts: 'this' }));
    expect(hosts.alpha.world.lvm[0]?.lvs).toEqual([]);
    expect(hosts.there.host().world.lvm[0]?.lvs).toHaveLength(1);
  });

  it('refuses to remove only the part that has the only complete data', async () => {
    const hosts = await made();
    for (const volume of hosts.there.host().world.drbd.resources[0]?.volumes ?? [])
      Object.assign(volume, { disk: 'Inconsistent', replication: 'SyncTarget' });
    const error = await refusal(hosts, () => drbd.remove({ name: 'web1', hosts: 'this' }));
    expect(error.message).toMatch(
      /volume 0 of web1 is Inconsistent on \S+, so this host has the only complete/,
    );
    // Its data stays on this host.
    await withBofh(hosts.here, () => drbd.remove({ name: 'web1', hosts: 'this', volumes: 'kept' }));
    expect(hosts.alpha.world.lvm[0]?.lvs).toHaveLength(1);
  });

  it('refuses a primary, and volumes with snapshots, all at once', async () => {
    const hosts = await made({ primary: 'there' });
    hosts.alpha.admin.snapshot({ vg: 'vg0', name: 'snap', origin: 'web1', extents: 2 });
    const error = await refusal(hosts, () => drbd.remove(web1));
    expect(error.message).toMatch(/on alpha: \/dev\/vg0\/web1 has snapshots.*on beta: web1 is primary here/);
  });

  it('refuses, like promote and demote, a resource in use, and names the holder', async () => {
    const hosts = await made({ primary: 'there' });
    const { admin } = hosts.there.host();
    admin.format('/dev/drbd0', {
      ...({ type: 'ext4', usage: 'filesystem' } as const),
      uuid: '5e1f0000-0000-4000-8000-0000000000aa',
    });
    admin.mkdir('/mnt/web1');
    admin.mount('/dev/drbd0', '/mnt/web1');
    for (const act of [
      () => drbd.remove(web1),
      () => drbd.promote({ ...web1, to: 'alpha' }),
      () => drbd.demote(web1),
    ])
      expect((await refusal(hosts, act)).message).toMatch(/on beta: .*web1.*mounted on \/mnt\/web1/);
  });

  it('removes one that is StandAlone, as after a split brain', async () => {
    const before = both(two());
    const hosts = await made();
    hosts.there.host().admin.drbdadm('disconnect', 'web1');
    await withBofh(hosts.here, () => drbd.remove(web1));
    expect(both(hosts)).toEqual(before);
  });

  it('restores StandAlone when it fails', async () => {
    const hosts = await made();
    hosts.there.host().admin.drbdadm('disconnect', 'web1');
    await states(hosts.alpha);
    const before = both(hosts);
    hosts.there.host().fault({ tool: 'lvrename', mode: 'fails before' });
    await expect(withBofh(hosts.here, () => drbd.remove(web1))).rejects.toMatchObject({
      name: 'RolledBackError',
    });
    await states(hosts.alpha);
    expect(both(hosts)).toEqual(before);
  });

  it('refuses, before anything changes, one that the undo could not restore', async () => {
    const hosts = await made();
    hosts.there.host().admin.drbdadm('detach', 'web1');
    expect((await refusal(hosts, () => drbd.remove(web1))).message).toBe(
      'on beta: volume 0 of web1 is Diskless: an undo could not restore that, because drbdadm up attaches every disk',
    );
    const alone = await made();
    alone.there.host().admin.drbdadm('primary', 'web1');
    alone.there.host().admin.drbdadm('detach', 'web1');
    await states(alone.alpha);
    expect((await refusal(alone, () => drbd.remove({ name: 'web1', hosts: 'this' }))).message).toContain(
      'on alpha: beta is primary of web1, but its own disk of volume 0 is Diskless: it uses the data of this host',
    );
  });

  it('refuses one that is missing, or differs between both hosts', async () => {
    const none = await refusal(two(), () => drbd.remove(web1));
    expect(none.message).toBe(
      'on alpha: there is no DRBD resource web1; on beta: there is no DRBD resource web1',
    );
    const hosts = await made();
    const { admin } = hosts.there.host();
    admin.writeFile(
      '/etc/drbd.d/web1.res',
      admin.readFile('/etc/drbd.d/web1.res').replaceAll('7788', '7799'),
    );
    expect((await refusal(hosts, () => drbd.remove(web1))).message).toBe(
      'the configurations of web1 on alpha and beta differ',
    );
  });

  it('names a replaced host, and how to remove its part', async () => {
    const hosts = await made();
    const file = '/etc/drbd.d/web1.res';
    const { admin } = hosts.alpha;
    admin.writeFile(file, admin.readFile(file).replace('on beta', 'on gamma'));
    const refused = await refusal(hosts, () => drbd.remove(web1));
    expect([refused.message, refused.remedy]).toEqual([
      'the configuration of web1 on alpha names alpha and gamma, and that on beta names alpha and beta',
      'if beta was replaced, run on beta: bofh drbd remove web1 --here; if not, compare them, on each host: bofh drbd show web1',
    ]);
  });
});

describe('drbd.promote and demote', () => {
  it('move the primary from one host to the other, and away', async () => {
    const hosts = await made();
    await withBofh(hosts.here, () => drbd.promote(web1));
    expect(await roles(hosts)).toEqual(['Primary', 'Secondary']);
    await withBofh(hosts.here, () => drbd.promote({ ...web1, to: 'there' }));
    expect(await roles(hosts)).toEqual(['Secondary', 'Primary']);
    await withBofh(hosts.here, () => drbd.promote({ ...web1, to: 'alpha' }));
    expect(await roles(hosts)).toEqual(['Primary', 'Secondary']);
    await withBofh(hosts.here, () => drbd.demote(web1));
    expect(await roles(hosts)).toEqual(['Secondary', 'Secondary']);
  });

  it('restore the old primary when the new one cannot be promoted', async () => {
    const hosts = await made({ primary: 'there' });
    hosts.alpha.fault({ tool: 'drbdadm', access: 'change', mode: 'fails before' });
    const failed = withBofh(hosts.here, () => drbd.promote({ ...web1, to: 'alpha' }));
    await expect(failed).rejects.toMatchObject({ name: 'RolledBackError' });
    expect(await roles(hosts)).toEqual(['Secondary', 'Primary']);
  });

  it.each([
    [
      'one that is it already',
      async () => made({ primary: 'alpha' }),
      'alpha',
      'is primary on alpha already',
    ],
    [
      'two that are it, as after a split brain',
      async () => {
        const hosts = await made({ primary: 'alpha' });
        hosts.there.cutReplication();
        hosts.there.host().admin.drbdadm('primary', 'web1');
        return hosts;
      },
      'alpha',
      'web1 is primary on alpha and beta',
    ],
    ['a host that has none of it', async () => made(), 'gamma', 'has no "on" section for the host "gamma"'],
    [
      'while the old one is not connected',
      async () => {
        const hosts = await made({ primary: 'there' });
        unplug(hosts);
        return hosts;
      },
      'alpha',
      'web1 on alpha is not connected to beta',
    ],
    [
      'while two secondaries are not connected: the other one may have the newer data',
      async () => {
        const hosts = await made();
        hosts.there.cutReplication();
        return hosts;
      },
      'alpha',
      'web1 on alpha is not connected to beta',
    ],
    [
      'where it is down',
      async () => {
        const hosts = await made();
        hosts.there.host().world.drbd.resources = [];
        return hosts;
      },
      'alpha',
      'web1 is not up on beta',
    ],
  ])('refuse %s', async (_, stage, to, words) => {
    expect((await refusal(await stage(), () => drbd.promote({ ...web1, to }))).message).toContain(words);
  });

  it('name the command that promotes the running host when the other one is down', async () => {
    const hosts = await made({ primary: 'there' });
    hosts.there.cut();
    await expect(withBofh(hosts.here, () => drbd.promote({ ...web1, to: 'alpha' }))).rejects.toMatchObject({
      name: 'ConnectionError',
      remedy: expect.stringContaining('bofh drbd primary web1') as string,
    });
  });

  it('refuse to demote without a primary', async () => {
    expect((await refusal(await made(), () => drbd.demote(web1))).message).toBe(
      'web1 is not primary on any host',
    );
  });
});

describe('drbd.grow', () => {
  it('grows the volumes of both hosts, and then the device', async () => {
    const hosts = await made({ primary: 'there' });
    const { from, to } = await withBofh(hosts.here, () => drbd.grow({ ...web1, size: '+64m' }));
    expect(to).toBeGreaterThanOrEqual(from + 64 * mib);
    for (const host of [hosts.alpha, hosts.there.host()]) {
      expect((await states(host))[0]?.volumes[0]?.size).toBe(to);
      expect(host.world.lvm[0]?.lvs[0]?.extents).toBe(34);
    }
  });

  it('first records the end of the metadata on every host, so that drbdmeta finds it after a boot in between', async () => {
    const hosts = await made({ primary: 'there' });
    const both = [hosts.alpha, hosts.there.host()];
    const path = '/var/lib/drbd/drbd-minor-0.lkbd';
    // As on a host where drbdadm was not called to resize.
    both[0]?.admin.writeFile(path, '4194304\t/dev/vg0/web1\n');
    await withBofh(hosts.here, () => drbd.grow({ ...web1, size: '+64m' }));
    for (const host of both) expect(host.admin.readFile(path)).toBe('71303168\t/dev/vg0/web1\n');
  });

  it.each([
    ['no more than it has', '64m', /is not larger: bofh can only grow/],
    ['more than there is room for', '100g', /on alpha: vg0\/web1 needs .*; on beta: vg0\/web1 needs/],
  ])('refuses %s', async (_, size, words) => {
    const hosts = await made({ primary: 'alpha' });
    const error = await refusal(hosts, () => drbd.grow({ ...web1, size }));
    expect(error.message).toMatch(words);
  });

  it('uses all free space of both hosts, and says when there is none', async () => {
    const hosts = await made({ primary: 'there' });
    hosts.alpha.admin.lvcreate({ vg: 'vg0', name: 'other', extents: 100 });
    const [group] = await vgs(hosts.alpha);
    const { to } = await withBofh(hosts.here, () => drbd.grow({ ...web1, size: 'max' }));
    expect(to).toBe(dataSize((17 + (group?.freeExtents ?? 0)) * 4 * mib));
    const error = await refusal(hosts, () => drbd.grow({ ...web1, size: 'max' }));
    expect(error.message).toBe('web1 is as large as it can be: nothing is free in vg0 on alpha');
  });

  it('refuses one without a primary, or out of sync', async () => {
    expect((await refusal(await made(), () => drbd.grow({ ...web1, size: '+1g' }))).message).toContain(
      'web1 is not primary on any host',
    );
    const apart = await made({ primary: 'alpha' });
    unplug(apart);
    expect((await refusal(apart, () => drbd.grow({ ...web1, size: '+1g' }))).message).toContain(
      'on alpha: web1 is not up to date on both hosts: volume 0 to beta: Connecting',
    );
  });
});
