import { describe, expect, it } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { type Bofh } from '../../../src/connect.ts';
import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { states } from '../../../src/drbd/index.ts';
import { drbdAdjustments } from '../../../src/drbd/volume-commands.ts';
import { BofhError, StuckError } from '../../../src/core/errors.ts';
import { drbd } from '../../../src/index.ts';
import { membersOfReplacement, planReplace } from '../../../src/replica/replace-plan.ts';
import { replacePeer } from '../../../src/replica/replace.ts';
import { checkReplace } from '../../../src/replica/request.ts';
import { linkDrbd } from '../../../src/simulator/world/drbd-link.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { ext4, ground, three, unplug, withGamma } from './support.ts';

const mib = 1024 ** 2;
const request = { name: 'web1', to: 'there', connectMs: 50 } as const;

type Three = ReturnType<typeof three>;
const replace = ({ here }: Three, more: object = {}) =>
  withBofh(here, () => drbd.replacePeer({ ...request, ...more }));
const gammaOf = ({ others }: Three): SimulatedHost => {
  const gamma = others['gamma']?.host();
  if (gamma === undefined) throw new TypeError('there is no gamma');
  return gamma;
};
const all = (hosts: Three): readonly SimulatedHost[] => [hosts.alpha, hosts.there.host(), gammaOf(hosts)];
const snapshots = (hosts: Three): readonly string[] => all(hosts).map((host) => host.snapshot());
const content = ({ world }: SimulatedHost): string | undefined => {
  const lv = world.lvm.flatMap(({ lvs }) => lvs).find(({ name }) => name === 'web1');
  const key = `lv:${lv?.uuid ?? ''}`;
  const { superblock } = world.live.get(key) ?? {};
  return world.live.get(`drbd:${superblock?.uuid ?? ''}:${key}`)?.superblock?.uuid;
};

const refused = async (hosts: Three, more: object = {}): Promise<BofhError> => {
  const before = snapshots(hosts);
  const error: unknown = await replace(hosts, more).catch((each: unknown) => each);
  expect(snapshots(hosts)).toEqual(before);
  expect(hosts.there.reserved()).toEqual([]);
  if (!(error instanceof BofhError)) throw error;
  return error;
};

const planned = ({ here }: Three) => {
  const asked = checkReplace(request);
  return withBofh(here, async () =>
    planReplace({ members: await membersOfReplacement(here.engine, asked), request: asked }),
  );
};

describe('drbd.replacePeer', () => {
  it('resyncs another host completely while in use, and removes the part of the old peer', async () => {
    const hosts = three();
    hosts.alpha.admin.mkdir('/mnt/web1');
    hosts.alpha.admin.mount('/dev/drbd0', '/mnt/web1');

    expect(await replace(hosts)).toEqual({
      ...{ name: 'web1', device: '/dev/drbd0', to: 'beta', size: expect.any(Number) as number },
      from: { name: 'gamma', end: 'removed', volumes: ['vg0/web1'], kept: [], clear: undefined },
      hosts: [
        { name: 'alpha', disk: '/dev/vg0/web1', address: '10.0.0.1', port: 7788 },
        { name: 'beta', disk: '/dev/vg0/web1', address: '10.0.0.2', port: 7788 },
      ],
    });

    const [alpha, beta, gamma] = all(hosts);
    expect(await states(alpha as SimulatedHost)).toMatchObject([
      {
        role: 'Primary',
        volumes: [{ disk: 'UpToDate' }],
        connections: [{ state: 'Connected', role: 'Secondary', volumes: [{ disk: 'UpToDate' }] }],
      },
    ]);
    expect(content(beta as SimulatedHost)).toBe(ext4.uuid);
    expect(gamma?.world.drbd.resources).toEqual([]);
    expect(gamma?.world.lvm[0]?.lvs).toEqual([]);
    expect([hosts.there, hosts.others['gamma']].map((each) => each?.reserved())).toEqual([[], []]);
  });

  it('writes the same file on both, with every other word unchanged', async () => {
    const hosts = three();
    await replace(hosts);
    const text = withGamma
      .replace('on gamma', 'on beta')
      .replace('address 10.0.0.3', 'address ipv4 10.0.0.2');
    for (const { admin } of [hosts.alpha, hosts.there.host()])
      expect(admin.readFile('/etc/drbd.d/web1.res')).toBe(text);
    expect(() => gammaOf(hosts).admin.readFile('/etc/drbd.d/web1.res')).toThrow();
  });

  it('accepts another group, in its whole extents', async () => {
    const beta = ground('beta', '10.0.0.2', {
      volumeGroups: [{ name: 'data', size: 1024 * mib, extentSize: 16 * mib }],
    });
    const fresh = three(beta);
    expect((await replace(fresh, { vg: 'data' })).hosts.map(({ disk }) => disk)).toEqual([
      '/dev/vg0/web1',
      '/dev/data/web1',
    ]);
    expect(beta.world.lvm[0]?.lvs[0]?.extents).toBe(5);
    expect(fresh.alpha.admin.readFile('/etc/drbd.d/web1.res')).toContain('disk /dev/data/web1; # the same');
  });

  it('keeps the volume of the old peer on request', async () => {
    const hosts = three();
    const { from } = await replace(hosts, { volumes: 'kept' });
    expect(from).toMatchObject({ volumes: [], kept: ['/dev/vg0/web1'] });
    expect(gammaOf(hosts).world.lvm[0]?.lvs.map(({ name }) => name)).toEqual(['web1']);
    expect(gammaOf(hosts).world.drbd.resources).toEqual([]);
  });

  it.each<readonly [string, (hosts: Three) => void]>([
    ['the two do not find each other', unplug],
    [
      'this host does not look for the new one',
      ({ alpha }) => {
        alpha.fault({ tool: 'drbdadm', nth: 2, mode: 'fails before' });
      },
    ],
    [
      'the volume of the old peer cannot be renamed',
      (hosts) => {
        gammaOf(hosts).fault({ tool: 'lvrename', mode: 'fails before' });
      },
    ],
  ])('leaves all three unchanged, and connected, when %s', async (_, stage) => {
    const hosts = three();
    const before = snapshots(hosts);
    stage(hosts);
    await expect(replace(hosts)).rejects.toMatchObject({ name: 'RolledBackError' });
    expect(snapshots(hosts)).toEqual(before);
    expect(await states(hosts.alpha)).toMatchObject([{ connections: [{ state: 'Connected' }] }]);
  });
});

describe('drbd.replacePeer', () => {
  it('removes nothing of a peer that was disconnected since the plan', async () => {
    const hosts = three();
    const { engine } = hosts.here;
    const plan = await planned(hosts);
    linkDrbd(hosts.alpha.world, gammaOf(hosts).world, () => false);
    const made = withBofh(hosts.here, () => atomic('replace', (tx) => replacePeer(tx, engine, plan)));
    await expect(made).rejects.toThrow('web1 is primary and not connected');
    expect(gammaOf(hosts).world.lvm[0]?.lvs.map(({ name }) => name)).toEqual(['web1']);
    expect(hosts.there.host().world.lvm[0]?.lvs).toEqual([]);
  });

  it('leaves alone a file that was edited since it was read', async () => {
    const hosts = three();
    const { engine } = hosts.here;
    const plan = await planned(hosts);
    const edited = withGamma.replace('max-buffers 8000', 'max-buffers 9000');
    hosts.alpha.admin.removeFile('/etc/drbd.d/web1.res');
    hosts.alpha.admin.writeFile('/etc/drbd.d/web1.res', edited);
    const before = snapshots(hosts);
    const made = withBofh(hosts.here, () => atomic('replace', (tx) => replacePeer(tx, engine, plan)));
    await expect(made).rejects.toThrow('/etc/drbd.d/web1.res: its content has changed');
    expect(snapshots(hosts)).toEqual(before);
  });

  it('gives no more users access to the file than before, on both hosts', async () => {
    const hosts = three();
    const path = '/etc/drbd.d/web1.res';
    const text = hosts.alpha.admin.readFile(path);
    hosts.alpha.admin.removeFile(path);
    hosts.alpha.admin.writeFile(path, text, 0o600);
    await replace(hosts);
    for (const host of [hosts.alpha, hosts.there.host()]) expect((await host.stat(path))?.mode).toBe(0o600);
  });

  it('keeps the volume of a peer whose data may be newer', async () => {
    const hosts = three();
    hosts.alpha.admin.drbdadm('secondary', 'web1');
    hosts.alpha.admin.drbdadm('disconnect', 'web1');
    expect((await replace(hosts, { volumes: 'kept' })).from.kept).toEqual(['/dev/vg0/web1']);
  });

  it('brings down an old peer that refused this host, and is StandAlone', async () => {
    const hosts = three();
    gammaOf(hosts).admin.drbdadm('disconnect', 'web1');
    expect((await replace(hosts, { volumes: 'kept' })).from.kept).toEqual(['/dev/vg0/web1']);
    expect(gammaOf(hosts).world.drbd.resources).toEqual([]);
  });
});

/** What `drbdadm adjust` would change on each host where the resource is up. */
const differences = async (hosts: readonly SimulatedHost[]): Promise<readonly string[]> => {
  const found: string[] = [];
  for (const host of hosts)
    if ((await states(host)).some(({ name }) => name === 'web1'))
      found.push(...(await host.run(drbdAdjustments('web1'))));
  return found;
};

const recovered = async ({ engine }: Bofh, consent: 'asked' | 'given' = 'asked'): Promise<unknown> => {
  const [journal] = await openJournals(engine);
  if (journal === undefined) throw new TypeError('there is no journal');
  return recover(journal.id, { engine, yes: consent === 'given' }).then(
    ({ end }) => end,
    (error: unknown) => error,
  );
};

describe('drbd.replacePeer, killed after it connected the new peer', () => {
  /** With another port than before, in use. */
  const killed = async (): Promise<Three> => {
    const hosts = three();
    hosts.alpha.admin.mkdir('/mnt/web1');
    hosts.alpha.admin.mount('/dev/drbd0', '/mnt/web1');
    hosts.alpha.fault({ tool: 'drbdadm', access: 'change', nth: 2, mode: 'acts then crash' });
    await replace(hosts, { port: 7789 }).catch(() => undefined);
    expect(hosts.alpha.process.alive).toBe(false);
    hosts.alpha.clearFaults();
    return hosts;
  };
  const pair = ({ there }: Three, alpha: SimulatedHost) => [alpha, there.host()] as const;

  it('is not undone by recovery while in use, unless confirmed', async () => {
    const hosts = await killed();
    const alpha = hosts.alpha.restart();
    const bofh = hosts.again(alpha);
    expect(await recovered(bofh)).toMatchObject({
      name: 'RefusedError',
      message: expect.stringMatching(/in use now, or were renamed: drbd\.connect .*\/mnt\/web1/) as unknown,
    });
    expect(await states(alpha)).toMatchObject([
      { role: 'Primary', connections: [{ state: 'Connected', volumes: [{ disk: 'UpToDate' }] }] },
    ]);

    expect(await recovered(bofh, 'given')).toBe('rolled-back');
    expect(alpha.admin.readFile('/etc/drbd.d/web1.res')).toBe(withGamma);
    expect(await states(alpha)).toMatchObject([{ role: 'Primary', connections: [{ state: 'Connected' }] }]);
    expect(await differences([alpha, gammaOf(hosts)])).toEqual([]);
  });

  it('stays when a boot brought it up before the recovery, and is undone once disconnected', async () => {
    const hosts = await killed();
    const alpha = hosts.alpha.powerCut({ keep: 'all' });
    alpha.admin.drbdadm('up', 'web1');
    alpha.admin.drbdadm('primary', 'web1');
    const bofh = hosts.again(alpha);

    const error = await recovered(bofh);
    expect(error).toBeInstanceOf(StuckError);
    const whys = (error as StuckError).blocked.map(({ why }) => why ?? '');
    expect(whys).toContainEqual(expect.stringMatching(/^web1 is connected to peer, where it was up before/));
    expect(whys).toContainEqual(expect.stringMatching(/^web1 is up, and connects to the addresses in \/etc/));
    expect(await states(alpha)).toMatchObject([
      { role: 'Primary', connections: [{ state: 'Connected', volumes: [{ disk: 'UpToDate' }] }] },
    ]);
    expect(alpha.admin.readFile('/etc/drbd.d/web1.res')).toContain('10.0.0.1:7789');
    expect(await differences(all({ ...hosts, alpha }))).toEqual([]);

    alpha.admin.drbdadm('disconnect', 'web1');
    expect(await recovered(bofh)).toBe('rolled-back');
    expect(alpha.admin.readFile('/etc/drbd.d/web1.res')).toBe(withGamma);
    alpha.admin.drbdadm('connect', 'web1');
    expect(await differences(all({ ...hosts, alpha }))).toEqual([]);
    expect(await states(alpha)).toMatchObject([{ connections: [{ state: 'Connected' }] }]);
    expect(pair(hosts, alpha)[1].world.drbd.resources).toEqual([]);
  });

  it('is undone before DRBD comes up', async () => {
    const hosts = await killed();
    const alpha = hosts.alpha.powerCut({ keep: 'all' });
    expect(await recovered(hosts.again(alpha))).toBe('rolled-back');
    alpha.admin.drbdadm('up', 'web1');
    expect(alpha.admin.readFile('/etc/drbd.d/web1.res')).toBe(withGamma);
    expect(await differences([alpha, gammaOf(hosts)])).toEqual([]);
    expect(await states(alpha)).toMatchObject([{ connections: [{ state: 'Connected' }] }]);
  });
});

describe('drbd.replacePeer of a lost peer', () => {
  const lost = (hosts: Three): Three => {
    hosts.others['gamma']?.cut();
    return hosts;
  };

  it('reports the leftovers there, and takes another port, so that the old peer cannot connect', async () => {
    const hosts = lost(three());
    const { from, hosts: now } = await replace(hosts, { old: 'lost' });
    expect(from).toEqual({
      ...{ name: 'gamma', end: 'lost', volumes: [], kept: ['/dev/vg0/web1'] },
      clear: 'bofh drbd remove web1 --here',
    });
    expect(now.map(({ port }) => port)).toEqual([7789, 7789]);
    expect(content(hosts.there.host())).toBe(ext4.uuid);
    expect(await states(hosts.alpha)).toMatchObject([
      { role: 'Primary', connections: [{ state: 'Connected' }] },
    ]);
  });

  it('works also when this host was told already that the peer is lost', async () => {
    const hosts = lost(three());
    hosts.alpha.admin.drbdadm('disconnect', 'web1');
    expect((await replace(hosts, { old: 'lost', port: 7788 })).hosts[0]?.port).toBe(7788);
    expect(await states(hosts.alpha)).toMatchObject([{ connections: [{ state: 'Connected' }] }]);
  });

  it('may use the same machine after a reinstallation', async () => {
    const hosts = three();
    const gamma = gammaOf(hosts);
    gamma.world.drbd.resources = [];
    gamma.admin.removeFile('/etc/drbd.d/web1.res');
    gamma.admin.lvremove('vg0', 'web1');
    expect((await refused(hosts, { to: 'gamma' })).remedy).toContain("old: 'lost'");
    const { from, to } = await replace(hosts, { to: 'gamma', old: 'lost' });
    expect(from).toEqual({ name: 'gamma', end: 'lost', volumes: [], kept: [], clear: undefined });
    expect(to).toBe('gamma');
    expect(content(gamma)).toBe(ext4.uuid);
  });

  it('refuses a connected one, and asks for confirmation of an unreachable one', async () => {
    expect((await refused(three(), { old: 'lost' })).message).toContain('is not lost, but connected');
    const { message, remedy } = await refused(lost(three()));
    expect(message).toContain('gamma cannot be reached');
    expect(remedy).toContain("old: 'lost'");
  });
});

describe('drbd.replacePeer refuses', () => {
  it.each<readonly [string, (hosts: Three) => void, object, RegExp]>([
    ['this host itself', () => undefined, { to: 'alpha' }, /is this host itself/],
    [
      'a host with a volume of that name',
      ({ there }) => {
        there.host().admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 1 });
      },
      {},
      /on beta: vg0\/web1 exists already/,
    ],
    [
      'a host without the module',
      ({ there }) => {
        there.host().world.drbd.module = 'absent';
      },
      {},
      /on beta: the module of DRBD is not loaded/,
    ],
    [
      'data that are not up to date here',
      ({ alpha }) => {
        for (const each of alpha.world.drbd.resources[0]?.volumes ?? []) each.disk = 'Outdated';
      },
      {},
      /on alpha: volume 0 of web1 is Outdated/,
    ],
    [
      'a resource that is down here',
      ({ alpha }) => {
        alpha.world.drbd.resources = [];
      },
      {},
      /on alpha: web1 is not up/,
    ],
    [
      'a peer that is primary',
      (hosts) => {
        hosts.alpha.admin.drbdadm('secondary', 'web1');
        gammaOf(hosts).admin.drbdadm('primary', 'web1');
      },
      {},
      /the peer of web1 is primary.*on gamma: web1 is primary here/,
    ],
    [
      'what may be older than the data of the peer',
      ({ alpha }) => {
        alpha.admin.drbdadm('secondary', 'web1');
        alpha.admin.drbdadm('disconnect', 'web1');
      },
      {},
      /on alpha: web1 is secondary and not connected, so it is unknown whether the data of gamma is newer/,
    ],
    [
      'what was written apart on the old peer, though this host is primary',
      (hosts) => {
        hosts.alpha.admin.drbdadm('disconnect', 'web1');
        gammaOf(hosts).admin.drbdadm('primary', 'web1');
        gammaOf(hosts).admin.drbdadm('secondary', 'web1');
      },
      {},
      /on alpha: web1 is primary and not connected, so it is unknown whether the data of gamma has diverged/,
    ],
    [
      'a port that is taken',
      ({ there }) => {
        there.host().admin.writeFile('/etc/drbd.d/old.res', other);
      },
      { port: 7790 },
      /port 7790 is taken/,
    ],
    [
      'a file with a secret',
      ({ alpha }) => {
        const text = withGamma.replace('max-buffers 8000', 'shared-secret "x"');
        alpha.admin.removeFile('/etc/drbd.d/web1.res');
        alpha.admin.writeFile('/etc/drbd.d/web1.res', text);
      },
      {},
      /on alpha: the file of web1 contains a shared secret/,
    ],
    [
      'a file that is not UTF-8',
      ({ alpha }) => {
        alpha.admin.removeFile('/etc/drbd.d/web1.res');
        alpha.admin.writeFile('/etc/drbd.d/web1.res', Buffer.from(`# caf\xe9\n${withGamma}`, 'latin1'));
      },
      {},
      /on alpha: \/etc\/drbd\.d\/web1\.res is not UTF-8/,
    ],
    [
      'addresses of others',
      () => undefined,
      { addresses: { gamma: '10.0.0.3' } },
      /name an address for each/,
    ],
  ])('%s', async (_, stage, more, words) => {
    const hosts = three();
    stage(hosts);
    expect((await refused(hosts, more)).message).toMatch(words);
  });

  it('a disk that is no logical volume, and names what to do on each host', async () => {
    const hosts = three();
    for (const { admin } of [hosts.alpha, gammaOf(hosts)]) {
      admin.removeFile('/etc/drbd.d/web1.res');
      admin.writeFile('/etc/drbd.d/web1.res', withGamma.replaceAll('/dev/vg0/web1', '/dev/vdb'));
    }
    const { message, remedy } = await refused(hosts);
    expect(message).toContain('on alpha: web1 is not on a logical volume with its metadata at the end');
    expect(remedy).toContain(
      'edit /etc/drbd.d/web1.res; on the new host: create its disk; copy /etc/drbd.d/web1.res to it; drbdadm create-md web1; drbdadm up web1; then here: drbdadm adjust web1',
    );
  });

  it('a device of the new host with its minor number', async () => {
    const hosts = three();
    hosts.there.host().admin.writeFile('/etc/drbd.d/old.res', other.replaceAll('minor 5', 'minor 0'));
    expect((await refused(hosts)).message).toContain('on beta: /dev/drbd0 belongs to the DRBD resource old');
  });
});

const other = `resource old {
  on beta { device minor 5; disk /dev/vg0/old; meta-disk internal; address ipv4 10.0.0.2:7790; }
  on delta { device minor 5; disk /dev/vg0/old; meta-disk internal; address ipv4 10.0.0.4:7790; }
}
`;
