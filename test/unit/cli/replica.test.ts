import { describe, expect, it } from 'vitest';
import type { Bofh } from '../../../src/bofh.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { demote, grow, promote, remove } from '../../../src/cli/verbs/drbd/known.ts';
import { convert } from '../../../src/cli/verbs/drbd/convert.ts';
import { replacePeer } from '../../../src/cli/verbs/drbd/replace-peer.ts';
import { create } from '../../../src/cli/verbs/drbd/create.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { both, ext4, made, plain, three, two } from '../replica/support.ts';
import { lineOf, unnamed } from '../plan/support.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

const options = { on: 'alpha,there', size: '64m', vg: 'vg0', initialSync: 'skip' };
const at = (bofh: Bofh, said: Parameters<typeof testRuntime>[1] = {}) => testRuntime(bofh, said);

const done = ({ changes }: SimulatedHost): readonly string[] => changes.map((each) => unnamed(lineOf(each)));

describe('bofh drbd create', () => {
  it('tells the device, and what each host has of it', async () => {
    const { here } = two();
    const { runtime, stdout } = at(here, { json: true });
    expect(await create(runtime, 'web1', { ...options, port: '7790', minor: '5' })).toBe(0);
    expect(answers.drbdCreate.parse(JSON.parse(stdout()))).toMatchObject({
      ...{ resource: 'web1', device: '/dev/drbd5', primary: null },
      hosts: [
        { name: 'alpha', lv: 'vg0/web1', address: '10.0.0.1', port: 7790 },
        { name: 'beta', lv: 'vg0/web1', address: '10.0.0.2', port: 7790 },
      ],
    });
  });

  it('says so when the two hosts have drbd-utils of two versions, and does it all the same', async () => {
    const same = two();
    const quiet = at(same.here);
    await create(quiet.runtime, 'web1', options);
    expect(quiet.stderr()).not.toContain('drbd-utils');
    const { here, there } = two();
    there.host().world.drbd.utils = '9.28.0';
    const { runtime, stderr } = at(here);
    expect(await create(runtime, 'web1', options)).toBe(0);
    expect(stderr()).toContain(
      'drbd-utils differs: 9.22.0 on alpha, 9.28.0 on beta. The hosts replicate all the same',
    );
  });

  it('says in words what is to be done next', async () => {
    const { here } = two();
    const { runtime, stdout } = at(here);
    await create(runtime, 'web1', options);
    expect(stdout()).toMatch(
      /^\/dev\/drbd0 \(.*\) is there on both hosts; both are up to date; .*bofh drbd primary web1/,
    );
    expect(stdout()).toContain('  beta: on vg0/web1, 10.0.0.2 port 7788');
  });

  it.each([
    ['one host alone', { ...options, on: 'alpha' }, 'two hosts are meant'],
    ['an address of no host', { ...options, address: '10.0.0.1' }, 'write HOST=ADDRESS'],
    [
      'a host that is not there',
      { ...options, address: 'gamma=10.0.0.3,there=10.0.0.2' },
      'is none of the two',
    ],
    ['an address of one alone', { ...options, address: 'there=10.0.0.2' }, 'name one for each'],
    ['a port that is none', { ...options, port: 'x' }, 'a whole number is meant'],
    ['a protocol that is none', { ...options, protocol: 'D' }, 'protocol'],
  ])('takes no %s', async (_, wrong, words) => {
    const { here, there } = two();
    await expect(create(at(here).runtime, 'web1', wrong)).rejects.toThrow(words);
    expect(there.crossings).toEqual([]);
  });
});

type Hosts = ReturnType<typeof two>;
type Runtime = ReturnType<typeof testRuntime>['runtime'];
const on = { on: 'alpha,there' };

const recipes: readonly (readonly [
  string,
  () => Hosts | Promise<Hosts>,
  (runtime: Runtime) => Promise<number>,
])[] = [
  ['create', () => two(), (runtime) => create(runtime, 'web1', { ...options, primary: 'there' })],
  [
    'create, with a full sync',
    () => two(),
    (runtime) => create(runtime, 'web1', { ...options, initialSync: 'full' }),
  ],
  ['remove', () => made(), (runtime) => remove(runtime, 'web1', on)],
  ['convert', () => plain(), (runtime) => convert(runtime, 'vg0/web1', { to: 'there' })],
  ['remove --keep-on', () => made(), (runtime) => remove(runtime, 'web1', { ...on, keepOn: 'there' })],
  ['remove --here', () => made(), (runtime) => remove(runtime, 'web1', { here: true, keepVolumes: true })],
  [
    'promote',
    () => made({ primary: 'there' }),
    (runtime) => promote(runtime, 'web1', { ...on, to: 'alpha' }),
  ],
  ['demote', () => made({ primary: 'there' }), (runtime) => demote(runtime, 'web1', on)],
  ['grow', () => made({ primary: 'there' }), (runtime) => grow(runtime, { name: 'web1', size: '+64m' }, on)],
  [
    'grow, by block resize',
    filledReplica,
    (runtime) => runVerb(runtime, 'block resize /dev/drbd0 +64m --on alpha,there'),
  ],
];

/** With an ext4 on it, which is to grow too. */
async function filledReplica(): Promise<ReturnType<typeof two>> {
  const hosts = await made({ primary: 'alpha' });
  hosts.alpha.admin.format('/dev/drbd0', { ...ext4, blocks: 16 * 1024 });
  return hosts;
}

it('the plan of a resize opens no container on a replicated disk, and says so', async () => {
  const hosts = await made({ primary: 'alpha' });
  const { admin } = hosts.alpha;
  admin.writeFile('/etc/key', 'geheim', 0o600);
  admin.luksFormat({ device: '/dev/drbd0', uuid: '0c0ffee0-0000-4000-8000-00000000000f', key: 'geheim' });
  admin.luksOpen('/dev/drbd0', 'web1');
  admin.format('/dev/mapper/web1', { ...ext4, blocks: 12 * 1024 });
  admin.luksClose('web1');
  const { runtime } = at(hosts.here, { dryRun: true });
  const line = 'block resize /dev/drbd0 +64m --on alpha,there --key file:/etc/key';
  const planned = runVerb(runtime, line);
  await expect(planned).rejects.toThrow('/dev/drbd0 is closed, and a plan opens nothing');
});

describe.each(recipes)('the plan of bofh drbd %s', (_, stage, act) => {
  it('has the changes of the run on each host, each word of them and in their order, and does nothing', async () => {
    const dry = await stage();
    const before = both(dry);
    const count = [dry.alpha, dry.there.host()].map(({ changes }) => changes.length);
    const planned = at(dry.here, { dryRun: true, json: true });
    expect(await act(planned.runtime)).toBe(0);
    expect(both(dry)).toEqual(before);
    expect([dry.alpha, dry.there.host()].map(({ changes }) => changes.length)).toEqual(count);

    const real = await stage();
    const begun = [real.alpha, real.there.host()].map(({ changes }) => changes.length);
    expect(await act(at(real.here, { yes: true }).runtime)).toBe(0);
    const lines = answers.plan
      .parse(JSON.parse(planned.stdout()))
      .steps.flatMap(({ host, changes }) => changes.map(({ line }) => ({ host: host ?? '', line })));
    for (const [nth, host] of [real.alpha, real.there.host()].entries()) {
      const on = nth === 0 ? '' : 'there';
      const told = lines.flatMap((each) => (each.host === on ? [unnamed(each.line)] : []));
      expect(told).toEqual(done(host).slice(begun[nth]));
    }
    expect(lines.length).toBeGreaterThan(0);
  });
});

describe('bofh drbd replace-peer', () => {
  type Three = ReturnType<typeof three>;
  const all = ({ alpha, there, others }: Three): readonly (readonly [string, SimulatedHost])[] => [
    ['', alpha],
    ['there', there.host()],
    ...Object.entries(others).map(([name, { host }]) => [name, host()] as const),
  ];

  it.each<readonly [string, object, (hosts: Three) => void]>([
    ['of a peer that is there', {}, () => undefined],
    ['of a peer that is lost', { lost: true }, ({ others }) => others['gamma']?.cut()],
  ])('%s has the changes of its plan on each host, and the plan does nothing', async (_, more, stage) => {
    const dry = three();
    stage(dry);
    const before = all(dry).map(([, host]) => host.snapshot());
    const planned = at(dry.here, { dryRun: true, json: true });
    expect(await replacePeer(planned.runtime, 'web1', { to: 'there', ...more })).toBe(0);
    expect(all(dry).map(([, host]) => host.snapshot())).toEqual(before);

    const real = three();
    stage(real);
    const begun = all(real).map(([, { changes }]) => changes.length);
    expect(await replacePeer(at(real.here, { yes: true }).runtime, 'web1', { to: 'there', ...more })).toBe(0);
    const lines = answers.plan
      .parse(JSON.parse(planned.stdout()))
      .steps.flatMap(({ host, changes }) => changes.map(({ line }) => ({ host: host ?? '', line })));
    for (const [nth, [name, host]] of all(real).entries()) {
      const told = lines.flatMap((each) => (each.host === name ? [unnamed(each.line)] : []));
      expect(told).toEqual(done(host).slice(begun[nth]));
    }
    expect(lines.length).toBeGreaterThan(0);
  });

  it('tells what it has now, and of a lost peer what it still has', async () => {
    const { here } = three();
    const { runtime, stdout } = at(here, { json: true, yes: true });
    await replacePeer(runtime, 'web1', { to: 'there', keepVolume: true });
    expect(answers.drbdReplacePeer.parse(JSON.parse(stdout()))).toMatchObject({
      ...{ resource: 'web1', device: '/dev/drbd0', to: 'beta' },
      from: { name: 'gamma', end: 'removed', volumes: [], kept: ['/dev/vg0/web1'], clear: null },
    });
    const lost = three();
    lost.others['gamma']?.cut();
    const again = at(lost.here, { yes: true });
    await replacePeer(again.runtime, 'web1', { to: 'there', lost: true });
    expect(again.stdout()).toContain(
      'gamma: lost; should it come back, it still has web1 and /dev/vg0/web1: there, before it is used: bofh drbd remove web1 --here',
    );
  });

  it('does nothing when something has changed while its question stood', async () => {
    const hosts = three();
    const { admin } = hosts.alpha;
    const file = '/etc/drbd.d/web1.res';
    const { runtime } = testRuntime(hosts.here, {}, [
      () => {
        const text = admin.readFile(file);
        admin.removeFile(file);
        admin.writeFile(file, text.replace('max-buffers 8000', 'max-buffers 9000'));
        return 'y';
      },
    ]);
    await expect(replacePeer(runtime, 'web1', { to: 'there' })).rejects.toThrow(
      'web1 has changed since it was looked at: nothing was done',
    );
    expect(admin.readFile(file)).toContain('max-buffers 9000');
    expect(hosts.there.host().world.drbd.resources).toEqual([]);
  });

  it('asks first, and says what goes', async () => {
    const hosts = three();
    const before = all(hosts).map(([, host]) => host.snapshot());
    const { runtime, stderr } = testRuntime(hosts.here, {}, ['no']);
    await expect(replacePeer(runtime, 'web1', { to: 'there' })).rejects.toThrow();
    expect(stderr()).toContain('the logical volume vg0/web1 on gamma is removed');
    expect(stderr()).toContain('the data are on alpha alone');
    expect(all(hosts).map(([, host]) => host.snapshot())).toEqual(before);
  });

  it.each([
    ['a port that is none', { port: 'x' }, 'a whole number is meant'],
    ['what becomes of a volume that is lost', { lost: true, keepVolume: true }, 'nothing is removed'],
  ])('takes no %s', async (_, wrong, words) => {
    const { here } = three();
    await expect(replacePeer(at(here).runtime, 'web1', { to: 'there', ...wrong })).rejects.toThrow(words);
  });
});

describe('the answers of', () => {
  const json = async (hosts: Hosts, act: (runtime: Runtime) => Promise<number>): Promise<unknown> => {
    const { runtime, stdout } = at(hosts.here, { json: true, yes: true });
    expect(await act(runtime)).toBe(0);
    return JSON.parse(stdout());
  };

  it('remove, promote, demote and grow are what their types say', async () => {
    const hosts = await made();
    const promoted = await json(hosts, (runtime) => promote(runtime, 'web1', { ...on, time: '1m' }));
    expect(answers.drbdRoles.parse(promoted)).toEqual({ resource: 'web1', primary: 'alpha', before: null });
    const grown = await json(hosts, (runtime) => grow(runtime, { name: 'web1', size: '100m' }, on));
    expect(answers.drbdGrow.parse(grown).to).toBeGreaterThanOrEqual(100 * 1024 ** 2);
    const demoted = await json(hosts, (runtime) => demote(runtime, 'web1', on));
    expect(answers.drbdRoles.parse(demoted)).toEqual({ resource: 'web1', primary: null, before: 'alpha' });
    const removed = await json(hosts, (runtime) => remove(runtime, 'web1', { ...on, keepVolumes: true }));
    expect(answers.drbdRemove.parse(removed)).toEqual({
      resource: 'web1',
      hosts: ['alpha', 'beta'].map((name) => ({ name, volumes: [], kept: ['/dev/vg0/web1'], plain: [] })),
    });
  });

  it('convert tells the device, and which files still name the volume', async () => {
    const hosts = plain();
    hosts.alpha.admin.mkdir('/etc/xen');
    hosts.alpha.admin.writeFile(
      '/etc/xen/web.cfg',
      "name = 'web'\nmemory = 256\ndisk = ['phy:/dev/vg0/web1,xvda,w']\n",
    );
    const said = await json(hosts, (runtime) =>
      convert(runtime, 'vg0/web1', { to: 'there', name: 'mirror', port: '7790', minor: '5' }),
    );
    expect(answers.drbdConvert.parse(said)).toMatchObject({
      ...{ resource: 'mirror', device: '/dev/drbd5', was: '/dev/vg0/web1', from: 'alpha' },
      hosts: [
        { name: 'alpha', lv: 'vg0/web1', address: '10.0.0.1', port: 7790 },
        { name: 'beta', lv: 'vg0/web1', address: '10.0.0.2', port: 7790 },
      ],
      namedIn: [{ file: '/etc/xen/web.cfg', path: '/dev/vg0/web1', guest: 'web' }],
    });
    const again = plain();
    again.alpha.admin.mkdir('/etc/xen');
    again.alpha.admin.writeFile('/etc/xen/web.cfg', hosts.alpha.admin.readFile('/etc/xen/web.cfg'));
    const { runtime, stdout } = at(again.here);
    await convert(runtime, 'vg0/web1', { to: 'there' });
    expect(stdout()).toContain('/dev/vg0/web1 is /dev/drbd0 now');
    expect(stdout()).toContain(
      'does not start until /etc/xen/web.cfg, which names /dev/vg0/web1, names /dev/drbd0',
    );
    expect(again.alpha.admin.readFile('/etc/xen/web.cfg')).toContain('/dev/vg0/web1');
  });

  it('remove --keep-on says where the data live on', async () => {
    const hosts = await made();
    const said = await json(hosts, (runtime) => remove(runtime, 'web1', { ...on, keepOn: 'there' }));
    expect(answers.drbdRemove.parse(said).hosts).toEqual([
      { name: 'alpha', volumes: ['vg0/web1'], kept: [], plain: [] },
      { name: 'beta', volumes: [], kept: ['/dev/vg0/web1'], plain: ['/dev/vg0/web1'] },
    ]);
  });

  it('remove asks first, and says on which host what goes', async () => {
    const hosts = await made();
    const { runtime, stderr } = testRuntime(hosts.here, {}, ['no']);
    await expect(remove(runtime, 'web1', on)).rejects.toThrow();
    expect(stderr()).toContain('the logical volume vg0/web1 on beta and all that is on it');
    expect(hosts.there.host().world.drbd.resources).toHaveLength(1);
  });
});
