import { describe, expect, it } from 'vitest';
import { explain } from '../../../src/cli/errors/explain.ts';
import { formatSize } from '../../../src/core/units.ts';
import { lagging } from '../../../src/stack/lagging.ts';
import { doctor } from '../../../src/cli/output/answers/index.ts';
import { bofhOf } from '../doctor/support.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import * as block from '../../../src/api/block.ts';
import { withBofh } from '../../../src/bofh.ts';
import { states } from '../../../src/drbd/index.ts';
import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { RefusedError, RolledBackError, StuckError } from '../../../src/core/errors.ts';
import { vgs } from '../../../src/lvm/index.ts';
import { linkDrbd } from '../../../src/simulator/world/drbd-link.ts';
import { ProcessKilled, simulatedPair } from '../../../src/simulator/index.ts';
import { create, ext4, ground, made, refusal, resourceOf, two, unplug } from './support.ts';

const mib = 1024 ** 2;
const key = { from: 'file', path: '/etc/key' } as const;
const on: readonly [string, string] = ['alpha', 'there'];

type Hosts = ReturnType<typeof two>;

/** web1 on both hosts, primary on alpha: 64 MiB, in them a container, in that an ext4. */
async function encrypted(): Promise<Hosts> {
  const hosts = await made({ primary: 'alpha' });
  const { admin } = hosts.alpha;
  admin.writeFile('/etc/key', 'geheim', 0o600);
  admin.luksFormat({ device: '/dev/drbd0', uuid: '0c0ffee0-0000-4000-8000-00000000000f', key: 'geheim' });
  admin.luksOpen('/dev/drbd0', 'web1');
  admin.format('/dev/mapper/web1', { ...ext4, blocks: 12 * 1024 });
  return hosts;
}

/** The same with an ext4 on the device itself. */
async function plain(): Promise<Hosts> {
  const hosts = await made({ primary: 'alpha' });
  hosts.alpha.admin.format('/dev/drbd0', { ...ext4, blocks: 16 * 1024 });
  return hosts;
}

function resize({ here }: Hosts, request: Partial<block.ResizeRequest>): Promise<block.StackResized> {
  return withBofh(here, () => block.resize({ device: '/dev/drbd0', to: { by: 64 * mib }, on, ...request }));
}

/** The sizes of everything on a device of alpha, in bytes. */
async function sizeOn({ here }: Hosts, device: string): Promise<number | undefined> {
  const { devices } = await withBofh(here, () => block.tree({ device }));
  return devices.find(({ path }) => path === device)?.content.size;
}

const extents = ({ alpha, there }: Hosts): readonly unknown[] =>
  [alpha, there.host()].map(({ world }) => world.lvm[0]?.lvs[0]?.extents);

describe('block resize of a stack with a replicated disk', () => {
  it('grows the volumes of both hosts, then the disk, then its content here', async () => {
    const hosts = await encrypted();
    const { layers, asked } = await resize(hosts, { key });

    expect(layers.map(({ title }) => title)).toEqual([
      'the logical volume vg0/web1 on alpha',
      'the logical volume vg0/web1 on beta',
      'the DRBD device drbd0',
      'the LUKS on /dev/drbd0',
      'the ext4 on /dev/mapper/web1',
    ]);
    expect(layers.map(({ when }) => when)).toEqual([
      ...Array<string>(3).fill('after the commit'),
      'now',
      'now',
    ]);
    expect(asked).toBe(2);
    const [lv, , disk, container, filesystem] = layers;
    expect(extents(hosts)).toEqual([34, 34]);
    expect(lv).toMatchObject({ from: 68 * mib, to: 136 * mib });
    expect(disk?.to).toBeGreaterThanOrEqual(128 * mib);
    expect((await states(hosts.alpha))[0]?.volumes[0]?.size).toBe(disk?.to);
    expect(container?.to).toBe((disk?.to ?? 0) - 16 * mib);
    expect(await sizeOn(hosts, '/dev/mapper/web1')).toBe(filesystem?.to);
  });

  it('interrupted below the upper layers is finished by the command in its journal', async () => {
    const hosts = await encrypted();
    const { alpha } = hosts;
    alpha.fault({ tool: 'drbdadm', access: 'change', mode: 'fails before' });
    const stuck: unknown = await resize(hosts, { key }).catch((error: unknown) => error);
    expect(stuck).toBeInstanceOf(StuckError);
    alpha.clearFaults();

    const [journal] = await openJournals(hosts.here.engine);
    const { end } = await recover(journal?.id ?? '', { engine: hosts.here.engine, yes: true });
    expect(end).toBe('committed');
    const [, device = '', size = ''] = /bofh block resize (\S+) (\d+b)/.exec(String(stuck)) ?? [];
    expect(
      (await resize(hosts, { device, to: { size }, key })).layers.map(({ from, to }) => to > from),
    ).toEqual([false, true, true]);
    expect(await sizeOn(hosts, '/dev/mapper/web1')).toBeGreaterThan(48 * mib);
  });

  it('gives the volume beneath the size, if that is the named device', async () => {
    const hosts = await plain();
    const { layers, asked, roundedFrom } = await resize(hosts, {
      ...{ device: '/dev/vg0/web1', to: { size: 200 * mib } },
    });
    expect([asked, roundedFrom]).toEqual([0, undefined]);
    expect(layers[0]).toMatchObject({ title: 'the logical volume vg0/web1 on alpha', to: 200 * mib });
    expect(extents(hosts)).toEqual([50, 50]);
    const size = (await states(hosts.alpha))[0]?.volumes[0]?.size;
    expect(layers[2]).toMatchObject({ title: 'the DRBD device drbd0', to: size });
    const again = await resize(hosts, { device: '/dev/vg0/web1', to: { size: 200 * mib } });
    expect(again.layers.map(({ title }) => title)).toEqual([
      'the logical volume vg0/web1',
      'the DRBD device drbd0',
      'the ext4 on /dev/drbd0',
    ]);
    expect([again.asked, again.layers[0]?.to, again.roundedFrom]).toEqual([0, 200 * mib, undefined]);
  });

  it('grows a container too, if the volume beneath is the named device', async () => {
    const hosts = await encrypted();
    const { layers } = await resize(hosts, { device: '/dev/vg0/web1', key });
    const size = (await states(hosts.alpha))[0]?.volumes[0]?.size ?? 0;
    expect(extents(hosts)).toEqual([33, 33]);
    expect(layers.slice(2).map(({ to }) => to)).toEqual([size, size - 16 * mib, size - 16 * mib]);
  });

  it('reports a rounded size, also when there was nothing to do', async () => {
    const hosts = await plain();
    for (const when of ['after the commit', 'unchanged']) {
      const { layers, ...rest } = await resize(hosts, { to: { size: 101 * mib } });
      expect(rest).toMatchObject({ roundedFrom: 101 * mib, granularity: 4 * mib });
      expect(layers[0]?.when).toBe(when);
    }
  });

  it('accepts a disk that was rounded to the extents of the other host', async () => {
    const volumeGroups = [{ name: 'vg0', size: 1024 * mib, extentSize: 16 * mib }];
    const hosts = two(ground('alpha', '10.0.0.1'), ground('beta', '10.0.0.2', { volumeGroups }));
    await create(hosts.here, { primary: 'alpha' });
    hosts.alpha.admin.format('/dev/drbd0', { ...ext4, blocks: 16 * 1024 });
    hosts.alpha.fault({ tool: 'resize2fs', mode: 'fails before' });
    await expect(resize(hosts, { to: { size: 100 * mib } })).rejects.toThrow(RolledBackError);
    const { layers } = await resize(hosts, { to: { size: 100 * mib } });
    expect(layers.map(({ when }) => when)).toEqual(['unchanged', 'now']);
  });

  it('touches no resource of the same name on two other hosts', async () => {
    const [alpha, gamma, delta] = [
      ground('alpha', '10.0.0.1'),
      ground('gamma', '10.0.0.3'),
      ground('delta', '10.0.0.4'),
    ];
    const pair = simulatedPair({ here: alpha, there: ground('beta', '10.0.0.2'), others: { gamma, delta } });
    linkDrbd(gamma.world, delta.world, () => true);
    await create(pair.here, { primary: 'alpha' });
    alpha.admin.format('/dev/drbd0', { ...ext4, blocks: 16 * 1024 });
    const theirs = resourceOf('web1', 0)
      .replaceAll('alpha', 'gamma')
      .replaceAll('beta', 'delta')
      .replace('10.0.0.1', '10.0.0.3')
      .replace('10.0.0.2', '10.0.0.4');
    for (const { admin } of [gamma, delta]) {
      admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 17 });
      admin.drbdMetadata('/dev/vg0/web1', '5e1f000000000001', 'UpToDate');
      admin.writeFile('/etc/drbd.d/web1.res', theirs);
      admin.drbdadm('up', 'web1');
    }
    gamma.admin.drbdadm('primary', 'web1');
    const before = [gamma.snapshot(), delta.snapshot()];
    await expect(resize({ ...pair, alpha }, { on: ['gamma', 'delta'] })).rejects.toThrow(
      '/dev/drbd0 is a disk on this host, alpha, but the named hosts are delta and gamma',
    );
    expect([gamma.snapshot(), delta.snapshot()]).toEqual(before);
  });

  it('gives its filesystem all space of both hosts', async () => {
    const hosts = await plain();
    hosts.there.host().admin.lvcreate({ vg: 'vg0', name: 'other', extents: 200 });
    const [vg] = await vgs(hosts.there.host());
    const free = vg?.freeExtents ?? 0;
    const { layers } = await resize(hosts, { to: 'max' });
    expect(extents(hosts)).toEqual([17 + free, 17 + free]);
    expect(await sizeOn(hosts, '/dev/drbd0')).toBe(layers.at(-1)?.to);
  });

  it('continues with the content of the disk when that is as large as possible already', async () => {
    const hosts = await plain();
    await resize(hosts, { to: 'max' });
    hosts.alpha.admin.format('/dev/drbd0', { ...ext4, blocks: 16 * 1024 });
    const { layers } = await resize(hosts, { to: 'max' });
    expect(layers.map(({ when }) => when)).toEqual(['unchanged', 'now']);
  });

  it('leaves a failing filesystem as it was, on a larger disk, and the same command continues', async () => {
    const hosts = await plain();
    hosts.alpha.fault({ tool: 'resize2fs', mode: 'fails before' });
    const failed: unknown = await resize(hosts, { to: { size: 128 * mib } }).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(RolledBackError);
    expect(await sizeOn(hosts, '/dev/drbd0')).toBe(64 * mib);
    expect(extents(hosts)).toEqual([33, 33]);

    const { layers } = await resize(hosts, { to: { size: 128 * mib } });
    expect(layers.map(({ when }) => when)).toEqual(['unchanged', 'now']);
    expect(await sizeOn(hosts, '/dev/drbd0')).toBe((await states(hosts.alpha))[0]?.volumes[0]?.size);
    expect(extents(hosts)).toEqual([33, 33]);
  });

  it.each<[string, 'resize2fs' | 'cryptsetup', () => Promise<Hosts>, string]>([
    ['ext4', 'resize2fs', plain, 'the ext4 on /dev/drbd0 (64 MiB)'],
    [
      'LUKS',
      'cryptsetup',
      encrypted,
      'the LUKS on /dev/drbd0 (52 MiB), the ext4 on /dev/mapper/web1 (48 MiB)',
    ],
  ])(
    'says which layers have the new size if the %s on it fails, and how to finish',
    async (_, tool, stage, old) => {
      const hosts = await stage();
      hosts.alpha.fault({ tool, access: 'change', mode: 'fails before' });
      const { runtime } = testRuntime(hosts.here, { yes: true });
      const command = 'block resize /dev/drbd0 +64m --on alpha,there --key file:/etc/key';
      const failed: unknown = await runVerb(runtime, command).catch((error: unknown) => error);
      hosts.alpha.clearFaults();
      expect(failed).toBeInstanceOf(RolledBackError);
      const { failed: said, host, next = '' } = explain(failed, { root: true });
      const size = (await states(hosts.alpha))[0]?.volumes[0]?.size ?? 0;
      expect(said).toContain(
        `These have the new size: the logical volume vg0/web1 on alpha (136 MiB), the logical volume vg0/web1 on beta (136 MiB), the DRBD device /dev/drbd0 (${formatSize(size)}); the old size: ${old}`,
      );
      expect(host).toMatch(
        /^changed: the logical volume .*, which cannot shrink again; what is on it is as before$/,
      );
      const [, line = ''] = /to finish: bofh (.*)$/.exec(next) ?? [];
      expect(line).toBe(`block resize /dev/drbd0 ${String(size)}b --key file:/etc/key`);
      expect(await runVerb(testRuntime(hosts.here, { yes: true }).runtime, line)).toBe(0);
      expect(await lagging(hosts.alpha, '/dev/drbd0')).toEqual([]);
    },
  );

  it('says it also if the ext4 on it is stuck half-way', async () => {
    const hosts = await plain();
    const { faults } = hosts.alpha;
    const seen = { isGrown: false };
    faults.decide(({ tool, access }) => {
      if (tool !== 'resize2fs' || access === 'read') return undefined;
      const mode = seen.isGrown ? 'fails before' : 'acts then fails';
      seen.isGrown = true;
      return { mode };
    });
    const failed = await resize(hosts, { to: { size: 128 * mib } }).catch((error: unknown) => error);
    hosts.alpha.clearFaults();

    expect(failed).toBeInstanceOf(StuckError);
    const { message, remedy, blocked } = failed as StuckError;
    expect(message).toContain('These have the new size: the logical volume vg0/web1 on alpha (132 MiB)');
    expect(blocked.map(({ kind }) => kind)).toEqual(['filesystem.resize']);
    const size = (await states(hosts.alpha))[0]?.volumes[0]?.size ?? 0;
    expect(remedy).toMatch(
      new RegExp(
        `^bofh journal show \\w+; bofh recover; then, to finish: bofh block resize /dev/drbd0 ${String(size)}b`,
      ),
    );
  });

  it.each([
    ['ext4', plain, 'the ext4 on /dev/drbd0 (64 MiB)'],
    ['LUKS', encrypted, 'the LUKS on /dev/drbd0 (52 MiB), the ext4 on /dev/mapper/web1 (48 MiB)'],
  ])(
    'bofh doctor names the smaller layers, and how to finish, after a kill before the %s',
    async (_, stage, left) => {
      const hosts = await stage();
      const { faults } = hosts.alpha;
      const seen = { isClosed: false };
      // The first sequence has ended, and nothing of the second one is written.
      faults.decide(({ tool, argv }) => {
        if (seen.isClosed) return { mode: 'crash here' };
        seen.isClosed = tool === 'store' && argv.join(' ').includes('history');
        return undefined;
      });
      await expect(resize(hosts, { key })).rejects.toThrow(ProcessKilled);
      hosts.alpha.clearFaults();
      const alpha = hosts.alpha.restart();
      const here = hosts.again(alpha);
      expect(await openJournals(here.engine)).toEqual([]);

      const found = async () => {
        const { runtime, stdout } = testRuntime(bofhOf(alpha), { json: true });
        await runVerb(runtime, 'doctor');
        return doctor.parse(JSON.parse(stdout())).filter(({ says }) => says.includes('was grown, but'));
      };
      const [problem] = await found();
      expect(problem?.says).toBe(`/dev/drbd0 was grown, but the layers on it were not: ${left}`);
      const line = `${problem?.run[0] ?? ''} --key file:/etc/key`;
      expect(await runVerb(testRuntime(here, { yes: true }).runtime, line.replace('bofh ', ''))).toBe(0);
      expect(await found()).toEqual([]);
    },
  );

  it('changes nothing on either host when the content of the disk cannot grow', async () => {
    const hosts = await encrypted();
    const error = await refusal(hosts, () => block.resize({ device: '/dev/drbd0', to: { by: mib }, on }));
    expect(error.message).toContain('can be resized only with its key');
  });

  it.each([
    ['less', { by: -8 * mib }],
    ['min', 'min'],
  ] as const)('does not shrink a disk: %s', async (_, to) => {
    const hosts = await plain();
    const error = await refusal(hosts, () => block.resize({ device: '/dev/drbd0', to, on }));
    expect(error).toBeInstanceOf(RefusedError);
    expect(error.message).toContain('DRBD cannot shrink a disk');
    expect(error.remedy).toContain('drbd.remove with keepOn');
  });

  it('is refused like drbd grow, before anything changes, where the hosts are disconnected', async () => {
    const hosts = await plain();
    unplug(hosts);
    const error = await refusal(hosts, () => block.resize({ device: '/dev/drbd0', to: { by: mib }, on }));
    expect(error.message).toContain('web1 is not up to date on both hosts');
  });

  it('says how to bring the disk up when it is down', async () => {
    const hosts = await made();
    await withBofh(hosts.here, async () => (await import('../../../src/api/drbd.ts')).down({ name: 'web1' }));
    const error = await refusal(hosts, () => block.resize({ device: '/dev/vg0/web1', to: 'max', on }));
    expect(error.remedy).toContain('bofh drbd up web1');
  });
});
