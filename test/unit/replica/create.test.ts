import { describe, expect, it, vi } from 'vitest';
import { states } from '../../../src/drbd/index.ts';
import { BofhError } from '../../../src/core/errors.ts';
import type { Place, SequenceEvent } from '../../../src/atomic/index.ts';
import { memberAt } from '../../../src/replica/hosts.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { drbd } from '../../../src/index.ts';
import type { ReadHost } from '../../../src/command/index.ts';
import { membersAt } from '../../../src/replica/hosts.ts';
import type { CreateRequest } from '../../../src/replica/request.ts';
import { create, ground, request, resourceOf, two, unplug } from './support.ts';

const mib = 1024 ** 2;

describe('drbd.create', () => {
  it('creates one device on two hosts, up to date on both without a resync', async () => {
    const { here, there, alpha } = two();
    const made = await create(here);
    expect(made).toEqual({
      ...{ name: 'web1', device: '/dev/drbd0', primary: undefined },
      size: expect.any(Number) as number,
      hosts: [
        { name: 'alpha', lv: 'vg0/web1', address: '10.0.0.1', port: 7788 },
        { name: 'beta', lv: 'vg0/web1', address: '10.0.0.2', port: 7788 },
      ],
    });
    expect(made.size).toBeGreaterThanOrEqual(64 * mib);
    for (const host of [alpha, there.host()])
      expect(await states(host)).toMatchObject([
        {
          ...{ name: 'web1', role: 'Secondary' },
          volumes: [{ disk: 'UpToDate', size: made.size }],
          connections: [{ state: 'Connected', volumes: [{ disk: 'UpToDate' }] }],
        },
      ]);
    const [own, other] = [alpha, there.host()].map((host) => host.admin.readFile('/etc/drbd.d/web1.res'));
    expect(own).toBe(other);
    expect(there.reserved()).toEqual([]);
  });

  it('runs the steps of both hosts at the same time', async () => {
    const { here } = two();
    const seen: string[] = [];
    const onEvent = (event: SequenceEvent): void => {
      if (event.type === 'step-started' || event.type === 'step-done')
        seen.push(`${event.type} ${event.step.kind}`);
    };

    await create({ ...here, engine: { ...here.engine, onEvent } });

    for (const kind of ['lvm.lv.create', 'drbd.metadata.create', 'drbd.up']) {
      const [begun, done] = [`step-started ${kind}`, `step-done ${kind}`];
      expect(seen.filter((each) => each.endsWith(kind))).toEqual([begun, begun, done, done]);
    }
  });

  it('is refused before it changes a host, while another sequence reserves the resource on the first one', async () => {
    const hosts = two();
    let [isReserved, end] = [false, (): void => undefined];
    const over = new Promise<void>((done) => {
      end = done;
    });
    const another = withBofh(hosts.here, () =>
      atomic('another one', async (tx) => {
        await tx.reserve({ changes: ['drbd:web1'] });
        isReserved = true;
        await over;
      }),
    );
    await vi.waitFor(() => {
      expect(isReserved).toBe(true);
    });

    await expect(create(hosts.here)).rejects.toMatchObject({ code: 'busy' });
    end();
    await another;

    expect(hosts.there.crossings).not.toContain('change');
  });

  it.each(['skip', 'full'] as const)('makes the named one primary (%s)', async (initialSync) => {
    const { here, there, alpha } = two();
    const made = await withBofh(here, () => drbd.create({ ...request, initialSync, primary: 'there' }));
    expect(made.primary).toBe('beta');
    expect(await states(there.host())).toMatchObject([{ role: 'Primary' }]);
    expect(await states(alpha)).toMatchObject([{ role: 'Secondary', volumes: [{ disk: 'UpToDate' }] }]);
  });

  it('takes the lowest port and minor that are free on both, and given addresses', async () => {
    const alpha = ground('alpha', '10.0.0.1');
    const beta = ground('beta', '10.0.0.2');
    for (const [host, name, at] of [
      [alpha, 'old1', 0],
      [beta, 'old2', 1],
    ] as const)
      host.admin.writeFile(`/etc/drbd.d/${name}.res`, resourceOf(name, at));
    const { here } = two(alpha, beta);
    const addresses = { alpha: '10.0.0.1', there: '10.0.0.2' };
    const made = await create(here, { addresses });
    expect([made.device, made.hosts[0]?.port]).toEqual(['/dev/drbd2', 7790]);
  });

  it('recognises the host of bofh without an ssh destination, when another one is worked on', async () => {
    const { alpha, there } = two();
    const far = { ...there.host(), name: 'there' };
    const place = (name: string) => (name === '' ? ({ host: alpha } as unknown as Place) : undefined);

    expect(await memberAt({ host: far, place }, 'alpha')).toMatchObject({ place: '', name: 'alpha' });
    expect(await memberAt({ host: far, place }, 'beta')).toMatchObject({ place: 'there', name: 'beta' });
  });

  it('accepts two machines that were started from one memory snapshot', async () => {
    const hosts = two();
    Object.assign(hosts.there.host().world, { boot: hosts.alpha.world.boot });

    expect((await create(hosts.here)).hosts.map(({ name }) => name)).toEqual(['alpha', 'beta']);
  });

  it('creates volumes of one size, in whole extents of both groups, in groups of different names', async () => {
    const { here, alpha, there } = two(
      ground('alpha', '10.0.0.1', { volumeGroups: [{ name: 'vg0', size: 1024 * mib, extentSize: 8 * mib }] }),
      ground('beta', '10.0.0.2', { volumeGroups: [{ name: 'data', size: 1024 * mib, extentSize: 4 * mib }] }),
    );
    expect((await create(here, { peerVg: 'data' })).hosts.map(({ lv }) => lv)).toEqual([
      'vg0/web1',
      'data/web1',
    ]);
    expect(alpha.admin.readFile('/etc/drbd.d/web1.res')).toContain('disk /dev/data/web1;');
    const sizes = [alpha, there.host()].map(
      ({ world: { lvm } }) => (lvm[0]?.lvs[0]?.extents ?? 0) * (lvm[0]?.extentSize ?? 0),
    );
    expect(sizes).toEqual([72 * mib, 72 * mib]);
  });
});

describe('drbd.create refuses, with both hosts unchanged', () => {
  const refusing = async (
    hosts: ReturnType<typeof two>,
    more: Partial<CreateRequest> = {},
  ): Promise<BofhError> => {
    const before = [hosts.alpha.snapshot(), hosts.there.host().snapshot()];
    const error: unknown = await create(hosts.here, more).catch((each: unknown) => each);
    expect([hosts.alpha.snapshot(), hosts.there.host().snapshot()]).toEqual(before);
    expect(hosts.there.crossings.filter((what) => what !== 'read')).toEqual([]);
    if (!(error instanceof BofhError)) throw error;
    return error;
  };

  it('with all reasons at once, and their hosts', async () => {
    const hosts = two();
    hosts.alpha.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 1 });
    const there = hosts.there.host();
    there.world.drbd.module = 'absent';
    const { message } = await refusing(hosts);
    expect(message).toContain('on alpha: vg0/web1 exists already');
    expect(message).toContain('on beta: the module of DRBD is not loaded');
  });

  it('one host under another name, and not two running clones', async () => {
    const hosts = two();
    const { engine } = hosts.here;
    const reached = (as: Parameters<typeof membersAt>[1], host: ReadHost) =>
      membersAt(
        { ...engine, place: (name) => ({ host: { ...hosts.alpha, ...host, name }, on: engine.on }) },
        as,
      );
    await expect(reached(['alpha', 'alias'], hosts.alpha)).rejects.toThrow(
      'alpha and alias are the same host (alpha)',
    );
    const clone = {
      ...hosts.alpha,
      facts: async () => ({ ...(await hosts.alpha.facts()), hostname: 'clone' }),
    };
    expect((await reached(['alpha', 'clone'], clone)).map(({ name }) => name)).toEqual(['alpha', 'clone']);
  });

  it.each([
    ['no room', { size: '100g' }, /on alpha: vg0\/web1 needs .*; on beta: vg0\/web1 needs/],
    ['no such group', { vg: 'vg9' }, /on alpha: there is no volume group "vg9"; on beta/],
    [
      'an address of another host',
      { addresses: { alpha: '10.0.0.2', there: '10.0.0.2' } },
      /on alpha: no interface has the address 10\.0\.0\.2/,
    ],
    [
      'an address that only the host itself reaches',
      { addresses: { alpha: '127.0.0.1', there: '10.0.0.2' } },
      /on alpha: the other host cannot reach the address 127\.0\.0\.1/,
    ],
    ['a name that DRBD does not take', { name: 'all' }, /neither "all" nor/],
    ['one host by two names', { on: ['alpha', 'alpha'] as [string, string] }, /are the same host/],
  ])('%s', async (_, more, words) => {
    expect((await refusing(two(), more)).message).toMatch(words);
  });

  it.each([
    ['of another series', '9.2.8', 'different series of the DRBD module: 8.4.11 on alpha and 9.2.8 on beta'],
    ['that bofh does not know', '8.3.16', 'on beta: bofh does not know module 8.3.16 of DRBD'],
  ])('a peer with a module %s', async (_, version, words) => {
    const hosts = two();
    const { world } = hosts.there.host();
    world.drbd.version = version;
    world.revision += 1;
    const { message, remedy } = await refusing(hosts);
    expect(message).toContain(words);
    expect(remedy).toMatch(/install the same series on both hosts|load module 8.4 or 9/);
  });

  it('a port, a minor and a name in use', async () => {
    const beta = ground('beta', '10.0.0.2');
    beta.admin.writeFile('/etc/drbd.d/old.res', resourceOf('web1', 3));
    const hosts = two(undefined, beta);
    expect((await refusing(hosts, { port: 7791, minor: 3 })).message).toBe(
      'on beta: port 7791 and the minor number 3 are taken',
    );
    expect((await refusing(hosts)).message).toContain('on beta: there is a DRBD resource web1 already');
  });

  it('hosts without a common network, or with several', async () => {
    const apart = two(ground('alpha', '10.0.0.1'), ground('beta', '10.0.1.2'));
    const error = await refusing(apart);
    expect(error.message).toBe('alpha and beta have no IPv4 network in common');
    expect(error.remedy).toContain("addresses: { 'alpha': 'IP', 'beta': 'IP' }");
    const twice = two(
      ground('alpha', '10.0.0.1', { addresses: ['10.0.0.1/24', '10.9.0.1/16'] }),
      ground('beta', '10.0.0.2', { addresses: ['10.0.0.2/24', '10.9.7.2/16'] }),
    );
    expect((await refusing(twice)).message).toContain('10.0.0.1 and 10.0.0.2; 10.9.0.1 and 10.9.7.2');
  });

  it('an unreachable host, which it names', async () => {
    const hosts = two();
    hosts.there.cut();
    expect((await refusing(hosts)).message).toContain('there cannot be reached');
  });

  it('two hosts that cannot connect: everything is undone', async () => {
    const hosts = two();
    const before = [hosts.alpha.snapshot(), hosts.there.host().snapshot()];
    unplug(hosts);
    const error: unknown = await create(hosts.here).catch((each: unknown) => each);
    expect(error).toMatchObject({ name: 'RolledBackError' });
    expect((error as Error).cause).toMatchObject({
      message: expect.stringContaining(
        'they do not connect to each other: volume 0 to beta: Connecting',
      ) as string,
      remedy:
        'check that TCP works in both directions between 10.0.0.1 port 7788 and 10.0.0.2 port 7788: firewall, routes',
    });
    expect([hosts.alpha.snapshot(), hosts.there.host().snapshot()]).toEqual(before);
  });
});
