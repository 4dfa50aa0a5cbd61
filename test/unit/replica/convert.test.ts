import { describe, expect, it } from 'vitest';
import { withBofh } from '../../../src/bofh.ts';
import { deviceSizeFor, states } from '../../../src/drbd/index.ts';
import { drbd } from '../../../src/index.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { both, ext4, ground, made, plain, refusal, two, unplug } from './support.ts';

const mib = 1024 ** 2;
const web1 = { vg: 'vg0', lv: 'web1', to: 'there', connectMs: 50 };
const onBoth = { name: 'web1', on: ['alpha', 'there'] as [string, string] };

const convert = (hosts: ReturnType<typeof two>, more: object = {}) =>
  withBofh(hosts.here, () => drbd.convert({ ...web1, ...more }));
const volume = ({ world }: SimulatedHost, name = 'web1') =>
  world.lvm.flatMap(({ lvs }) => lvs).find((each) => each.name === name);
/** The content of the logical volume, or of the DRBD device above it. */
const content = (host: SimulatedHost) => {
  const key = `lv:${volume(host)?.uuid ?? ''}`;
  const plainly = host.world.live.get(key)?.superblock;
  return plainly?.type === 'drbd'
    ? host.world.live.get(`drbd:${plainly.uuid ?? ''}:${key}`)?.superblock
    : plainly;
};

describe('drbd.convert', () => {
  it('creates one device from a volume with its data and a new one, which resyncs from it', async () => {
    const hosts = plain();
    const done = await convert(hosts);
    expect(done).toMatchObject({
      ...{ name: 'web1', device: '/dev/drbd0', was: '/dev/vg0/web1', from: 'alpha' },
      hosts: [
        { name: 'alpha', lv: 'vg0/web1', address: '10.0.0.1', port: 7788 },
        { name: 'beta', lv: 'vg0/web1', address: '10.0.0.2', port: 7788 },
      ],
    });
    expect(done.size).toBeGreaterThanOrEqual(68 * mib);
    for (const host of [hosts.alpha, hosts.there.host()]) {
      expect(await states(host)).toMatchObject([
        { role: 'Secondary', volumes: [{ disk: 'UpToDate', size: done.size }] },
      ]);
      expect(volume(host)?.extents).toBe(18);
      expect(content(host)?.uuid).toBe(ext4.uuid);
    }
    expect(deviceSizeFor(68 * mib)).toBeLessThanOrEqual(72 * mib);
    expect(hosts.there.reserved()).toEqual([]);
  });

  it('declares the data of this host up to date', async () => {
    const hosts = plain();
    // The two do not find each other: what each has to say is seen on each.
    unplug(hosts);
    await expect(convert(hosts)).rejects.toMatchObject({ name: 'RolledBackError' });
    const says = (host: SimulatedHost): boolean =>
      host.changes.some((each) => each.what === 'command' && each.command.argv.includes('set-gi'));
    expect([hosts.alpha, hosts.there.host()].map(says)).toEqual([true, false]);
  });

  it('accepts a name, a group of the other host, and another extent size there', async () => {
    const alpha = ground('alpha', '10.0.0.1');
    const hosts = two(
      alpha,
      ground('beta', '10.0.0.2', {
        volumeGroups: [{ name: 'data', size: 1024 * mib, extentSize: 16 * mib }],
      }),
    );
    alpha.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 17 });
    alpha.admin.format('/dev/vg0/web1', ext4);
    const done = await convert(hosts, { name: 'mirror', peerVg: 'data' });
    expect(done.hosts.map(({ lv }) => lv)).toEqual(['vg0/web1', 'data/web1']);
    expect([volume(alpha)?.extents, volume(hosts.there.host())?.extents]).toEqual([20, 5]);
    expect(alpha.admin.readFile('/etc/drbd.d/mirror.res')).toContain('/dev/data/web1');
  });

  it('leaves both unchanged when they cannot connect', async () => {
    const hosts = plain();
    const before = both(hosts);
    unplug(hosts);
    await expect(convert(hosts)).rejects.toMatchObject({ name: 'RolledBackError' });
    expect(both(hosts)).toEqual(before);
    expect(content(hosts.alpha)?.uuid).toBe(ext4.uuid);
  });

  it.each<readonly [string, (host: SimulatedHost) => void, RegExp]>([
    [
      'that is mounted',
      ({ admin }) => {
        admin.mkdir('/mnt/web1');
        admin.mount('/dev/vg0/web1', '/mnt/web1');
      },
      /vg0\/web1 is in use: .*mounted on \/mnt\/web1/,
    ],
    [
      'with a snapshot',
      ({ admin }) => {
        admin.snapshot({ vg: 'vg0', name: 'snap', origin: 'web1', extents: 2 });
      },
      /vg0\/web1 has snapshots: .*vg0\/snap/,
    ],
    [
      'that a guest has',
      ({ admin, world }) => {
        const number = `${world.dmMajor}:0`;
        admin.startDomain({ name: 'web', disks: [{ vdev: 'xvda', path: '/dev/vg0/web1', number }] });
      },
      /vg0\/web1 is in use: .*web/,
    ],
    ['that is not active', ({ world }) => world.active.clear(), /vg0\/web1 is not active/],
    [
      'with metadata of DRBD',
      ({ admin }) => {
        admin.drbdMetadata('/dev/vg0/web1', 'ffffffffffffffff', 'UpToDate');
      },
      /has metadata of DRBD already/,
    ],
  ])('refuses a volume %s', async (_, stage, words) => {
    const hosts = plain();
    stage(hosts.alpha);
    expect((await refusal(hosts, () => drbd.convert(web1))).message).toMatch(words);
  });

  it('names all obstacles at once, with their hosts', async () => {
    const hosts = plain();
    hosts.there.host().admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 1 });
    const missing = await refusal(hosts, () => drbd.convert({ ...web1, lv: 'web9' }));
    expect(missing.message).toContain('on alpha: there is no logical volume vg0/web9');
    hosts.alpha.world.active.clear();
    const error = await refusal(hosts, () => drbd.convert(web1));
    expect(error.message).toMatch(/on alpha: vg0\/web1 is not active.*on beta: vg0\/web1 exists already/);
    const full = plain();
    full.there.host().admin.lvcreate({ vg: 'vg0', name: 'big', extents: 2040 });
    expect((await refusal(full, () => drbd.convert(web1))).message).toMatch(/on beta: vg0\/web1 needs/);
  });

  it.each([
    ['this host itself', { to: 'alpha' }, /are the same host/],
    [
      'addresses of others',
      { addresses: { gamma: '10.0.0.1', there: '10.0.0.2' } },
      /name an address for each/,
    ],
    ['a name that DRBD does not take', { name: 'all' }, /neither "all" nor/],
  ])('refuses %s', async (_, more, words) => {
    expect((await refusal(plain(), () => drbd.convert({ ...web1, ...more }))).message).toMatch(words);
  });
});

describe('drbd.remove --keep-on', () => {
  it('is the way back: the volume keeps its data under its own name, and nothing is left of DRBD', async () => {
    const hosts = plain();
    await convert(hosts);
    const plan = await withBofh(hosts.here, () => drbd.remove({ ...onBoth, keepOn: 'alpha' }));
    expect(plan.hosts.map(({ kept, volumes }) => [kept, volumes.length])).toEqual([
      [['/dev/vg0/web1'], 0],
      [[], 1],
    ]);
    expect(hosts.alpha.world.live.get(`lv:${volume(hosts.alpha)?.uuid ?? ''}`)?.superblock).toMatchObject({
      ...{ type: 'ext4', uuid: ext4.uuid },
    });
    expect(volume(hosts.there.host())).toBeUndefined();
    for (const host of [hosts.alpha, hosts.there.host()]) expect(host.world.drbd.resources).toEqual([]);
    expect((await convert(hosts)).device).toBe('/dev/drbd0');
  });

  it('also keeps it on the other host, which is in sync', async () => {
    const hosts = plain();
    await convert(hosts);
    await withBofh(hosts.here, () => drbd.remove({ ...onBoth, keepOn: 'there', volumes: 'kept' }));
    const there = hosts.there.host();
    expect(there.world.live.get(`lv:${volume(there)?.uuid ?? ''}`)?.superblock?.uuid).toBe(ext4.uuid);
    expect(hosts.alpha.world.live.get(`lv:${volume(hosts.alpha)?.uuid ?? ''}`)?.superblock?.type).toBe(
      'drbd',
    );
  });

  it('restores the metadata when it fails after their removal', async () => {
    const hosts = await made();
    const before = both(hosts);
    hosts.there.host().fault({ tool: 'lvrename', mode: 'fails before' });
    await expect(
      withBofh(hosts.here, () => drbd.remove({ ...onBoth, keepOn: 'alpha' })),
    ).rejects.toMatchObject({ name: 'RolledBackError' });
    expect(both(hosts)).toEqual(before);
  });

  it('refuses data that may be older than on the other host, unless that stays', async () => {
    const hosts = await made();
    hosts.there.host().world.drbd.resources = [];
    const error = await refusal(hosts, () => drbd.remove({ ...onBoth, keepOn: 'alpha' }));
    expect(error.message).toBe(
      'on alpha: web1 is secondary and not connected, so it is unknown whether the data of beta is newer',
    );
    expect(error.remedy).toContain("volumes: 'kept'");
    const plan = await withBofh(hosts.here, () =>
      drbd.remove({ ...onBoth, keepOn: 'alpha', volumes: 'kept' }),
    );
    expect(plan.hosts.flatMap(({ kept }) => kept)).toEqual(['/dev/vg0/web1', '/dev/vg0/web1']);
  });

  it('refuses data that is not up to date there, and a host without it', async () => {
    const hosts = await made();
    for (const each of hosts.alpha.world.drbd.resources[0]?.volumes ?? []) each.disk = 'Outdated';
    const bad = await refusal(hosts, () => drbd.remove({ ...onBoth, keepOn: 'alpha' }));
    expect(bad.message).toContain(
      'on alpha: the data of web1 on this host may not be up to date: its disk is Outdated',
    );
    const none = await refusal(await made(), () => drbd.remove({ ...onBoth, keepOn: 'gamma' }));
    expect(none.message).toBe('web1 has no "on" section for the host "gamma"');
    const down = await made();
    down.alpha.world.drbd.resources = [];
    const cold = await refusal(down, () => drbd.remove({ ...onBoth, keepOn: 'alpha' }));
    expect(cold.message).toContain('the resource is down');
  });
});
