import { describe, expect, it } from 'vitest';
import type { Bofh } from '../../../src/connect.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { both, ext4, made, plain, three, two } from '../replica/support.ts';
import { lineOf, unnamed } from '../plan/support.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

const on = '--on alpha,there';
const create = `drbd create web1 ${on} --size 64m --vg vg0`;
const at = (bofh: Bofh, said: Parameters<typeof testRuntime>[1] = {}) => testRuntime(bofh, said);

const done = ({ changes }: SimulatedHost): readonly string[] => changes.map((each) => unnamed(lineOf(each)));

describe('bofh drbd create', () => {
  it('reports the device and its parts on each host', async () => {
    const { here } = two();
    const { runtime, stdout } = at(here, { json: true });
    expect(await runVerb(runtime, `${create} --port 7790 --minor 5`)).toBe(0);
    expect(answers.drbdCreate.parse(JSON.parse(stdout()))).toMatchObject({
      ...{ resource: 'web1', device: '/dev/drbd5', primary: null },
      hosts: [
        { name: 'alpha', lv: 'vg0/web1', address: '10.0.0.1', port: 7790 },
        { name: 'beta', lv: 'vg0/web1', address: '10.0.0.2', port: 7790 },
      ],
    });
  });

  it('warns if the two hosts have different versions of drbd-utils', async () => {
    const same = two();
    const quiet = at(same.here);
    await runVerb(quiet.runtime, create);
    expect(quiet.stderr()).not.toContain('drbd-utils');
    const { here, there } = two();
    there.host().world.drbd.utils = '9.28.0';
    const { runtime, stderr } = at(here);
    expect(await runVerb(runtime, create)).toBe(0);
    expect(stderr()).toContain(
      'drbd-utils differs: 9.22.0 on alpha, 9.28.0 on beta. The hosts replicate anyway',
    );
  });

  it('names the next command', async () => {
    const { here } = two();
    const { runtime, stdout } = at(here);
    await runVerb(runtime, create);
    expect(stdout()).toMatch(
      /^created \/dev\/drbd0 \(.*\) on both hosts; both are up to date; .*bofh drbd primary web1/,
    );
    expect(stdout()).toContain('  beta: on vg0/web1, 10.0.0.2 port 7788');
  });

  it.each([
    ['one host', '--on alpha', '--on alpha: must be two hosts'],
    ['an address without a host', '--address 10.0.0.1', '--address 10.0.0.1: write HOST=ADDRESS'],
    ['two addresses of a host', '--address a=10.0.0.1,b=10.0.0.2,a=10.0.0.3', '--address: a is given twice'],
    ['an address of another host', '--address gamma=10.0.0.3,there=10.0.0.2', 'is not one of the two'],
    ['an address for one host only', '--address there=10.0.0.2', 'name an address for each'],
    ['a port that is no number', '--port x', '--port x: must be a whole number'],
    ['an unknown protocol', '--protocol D', '--protocol D: must be A, B or C'],
    ['an unknown initial sync', '--initial-sync half', '--initial-sync half: must be skip or full'],
    ['a size without a unit', '--size 64', '--size: "64" has no unit'],
  ])('refuses %s', async (_, wrong, words) => {
    const { here, there } = two();
    await expect(runVerb(at(here).runtime, `${create} ${wrong}`)).rejects.toThrow(words);
    expect(there.crossings).toEqual([]);
  });
});

type Hosts = ReturnType<typeof two>;

/** A recipe, the hosts it starts with, and its words. */
const recipes: readonly (readonly [string, () => Hosts | Promise<Hosts>, string])[] = [
  ['create', () => two(), `${create} --primary there`],
  ['create, with a full sync', () => two(), `${create} --initial-sync full`],
  ['remove', () => made(), `drbd remove web1 ${on}`],
  ['convert', () => plain(), 'drbd convert vg0/web1 --to there'],
  ['remove --keep-on', () => made(), `drbd remove web1 ${on} --keep-on there`],
  ['remove --here', () => made(), 'drbd remove web1 --here --keep-volumes'],
  ['promote', () => made({ primary: 'there' }), `drbd promote web1 ${on} --to alpha`],
  ['demote', () => made({ primary: 'there' }), `drbd demote web1 ${on}`],
  ['grow', () => made({ primary: 'there' }), `drbd grow web1 +64m ${on}`],
  ['grow, by block resize', filledReplica, `block resize /dev/drbd0 +64m ${on}`],
];

/** With an ext4 that must grow too. */
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
  const planned = runVerb(runtime, `block resize /dev/drbd0 +64m ${on} --key file:/etc/key`);
  await expect(planned).rejects.toThrow('/dev/drbd0 is closed, and a dry run does not open it');
});

describe.each(recipes)('the plan of bofh drbd %s', (_, stage, words) => {
  it('lists exactly the changes of the run on each host, and changes nothing', async () => {
    const dry = await stage();
    const before = both(dry);
    const count = [dry.alpha, dry.there.host()].map(({ changes }) => changes.length);
    const planned = at(dry.here, { dryRun: true, json: true });
    expect(await runVerb(planned.runtime, words)).toBe(0);
    expect(both(dry)).toEqual(before);
    expect([dry.alpha, dry.there.host()].map(({ changes }) => changes.length)).toEqual(count);

    const real = await stage();
    const begun = [real.alpha, real.there.host()].map(({ changes }) => changes.length);
    expect(await runVerb(at(real.here, { yes: true }).runtime, words)).toBe(0);
    const lines = answers.plan
      .parse(JSON.parse(planned.stdout()))
      .steps.flatMap(({ host, changes }) => changes.map(({ line }) => ({ host: host ?? '', line })));
    for (const [nth, host] of [real.alpha, real.there.host()].entries()) {
      const place = nth === 0 ? '' : 'there';
      const told = lines.flatMap((each) => (each.host === place ? [unnamed(each.line)] : []));
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

  const replace = 'drbd replace-peer web1 --to there';

  it.each<readonly [string, string, (hosts: Three) => void]>([
    ['of a reachable peer', replace, () => undefined],
    ['of a lost peer', `${replace} --lost`, ({ others }) => others['gamma']?.cut()],
  ])(
    '%s makes the changes of its plan on each host, and the plan changes nothing',
    async (_, words, stage) => {
      const dry = three();
      stage(dry);
      const before = all(dry).map(([, host]) => host.snapshot());
      const planned = at(dry.here, { dryRun: true, json: true });
      expect(await runVerb(planned.runtime, words)).toBe(0);
      expect(all(dry).map(([, host]) => host.snapshot())).toEqual(before);

      const real = three();
      stage(real);
      const begun = all(real).map(([, { changes }]) => changes.length);
      expect(await runVerb(at(real.here, { yes: true }).runtime, words)).toBe(0);
      const lines = answers.plan
        .parse(JSON.parse(planned.stdout()))
        .steps.flatMap(({ host, changes }) => changes.map(({ line }) => ({ host: host ?? '', line })));
      for (const [nth, [name, host]] of all(real).entries()) {
        const told = lines.flatMap((each) => (each.host === name ? [unnamed(each.line)] : []));
        expect(told).toEqual(done(host).slice(begun[nth]));
      }
      expect(lines.length).toBeGreaterThan(0);
    },
  );

  it('reports the new peer, and what a lost peer still has', async () => {
    const { here } = three();
    const { runtime, stdout } = at(here, { json: true, yes: true });
    await runVerb(runtime, `${replace} --keep-volume`);
    expect(answers.drbdReplacePeer.parse(JSON.parse(stdout()))).toMatchObject({
      ...{ resource: 'web1', device: '/dev/drbd0', to: 'beta' },
      from: { name: 'gamma', end: 'removed', volumes: [], kept: ['/dev/vg0/web1'], clear: null },
    });
    const lost = three();
    lost.others['gamma']?.cut();
    const again = at(lost.here, { yes: true });
    await runVerb(again.runtime, `${replace} --lost`);
    expect(again.stdout()).toContain(
      'gamma: lost; if it comes back, it still has web1 and /dev/vg0/web1: there, before it is used: bofh drbd remove web1 --here',
    );
  });

  it('changes nothing if something changed during the question', async () => {
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
    await expect(runVerb(runtime, replace)).rejects.toThrow(
      'web1 has changed since it was checked: nothing was done',
    );
    expect(admin.readFile(file)).toContain('max-buffers 9000');
    expect(hosts.there.host().world.drbd.resources).toEqual([]);
  });

  it('asks first, and shows what is removed', async () => {
    const hosts = three();
    const before = all(hosts).map(([, host]) => host.snapshot());
    const { runtime, stderr } = testRuntime(hosts.here, {}, ['no']);
    await expect(runVerb(runtime, replace)).rejects.toThrow();
    expect(stderr()).toContain('the logical volume vg0/web1 on gamma will be removed');
    expect(stderr()).toContain('until the resync to beta has completed, only alpha has the data');
    expect(all(hosts).map(([, host]) => host.snapshot())).toEqual(before);
  });

  it.each([
    ['a port that is no number', '--port x', '--port x: must be a whole number'],
    ['to keep the volume of a lost peer', '--lost --keep-volume', 'removes nothing from a lost peer'],
  ])('refuses %s', async (_, wrong, words) => {
    const { here } = three();
    await expect(runVerb(at(here).runtime, `${replace} ${wrong}`)).rejects.toThrow(words);
  });
});

describe('the answers of', () => {
  const json = async (hosts: Hosts, words: string): Promise<unknown> => {
    const { runtime, stdout } = at(hosts.here, { json: true, yes: true });
    expect(await runVerb(runtime, words)).toBe(0);
    return JSON.parse(stdout());
  };

  it('remove, promote, demote and grow: the documented types', async () => {
    const hosts = await made();
    const promoted = await json(hosts, `drbd promote web1 ${on} --time 1m`);
    expect(answers.drbdRoles.parse(promoted)).toEqual({ resource: 'web1', primary: 'alpha', before: null });
    const grown = await json(hosts, `drbd grow web1 100m ${on}`);
    expect(answers.drbdGrow.parse(grown).to).toBeGreaterThanOrEqual(100 * 1024 ** 2);
    const demoted = await json(hosts, `drbd demote web1 ${on}`);
    expect(answers.drbdRoles.parse(demoted)).toEqual({ resource: 'web1', primary: null, before: 'alpha' });
    const removed = await json(hosts, `drbd remove web1 ${on} --keep-volumes`);
    expect(answers.drbdRemove.parse(removed)).toEqual({
      resource: 'web1',
      hosts: ['alpha', 'beta'].map((name) => ({ name, volumes: [], kept: ['/dev/vg0/web1'], plain: [] })),
    });
  });

  it('convert: the device, and the files that still name the volume', async () => {
    const hosts = plain();
    hosts.alpha.admin.mkdir('/etc/xen');
    hosts.alpha.admin.writeFile(
      '/etc/xen/web.cfg',
      "name = 'web'\nmemory = 256\ndisk = ['phy:/dev/vg0/web1,xvda,w']\n",
    );
    const said = await json(hosts, 'drbd convert vg0/web1 --to there --name mirror --port 7790 --minor 5');
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
    await runVerb(runtime, 'drbd convert vg0/web1 --to there');
    expect(stdout()).toContain('/dev/vg0/web1 is replicated as /dev/drbd0');
    expect(stdout()).toContain(
      'does not start until you replace /dev/vg0/web1 by /dev/drbd0 in /etc/xen/web.cfg',
    );
    expect(again.alpha.admin.readFile('/etc/xen/web.cfg')).toContain('/dev/vg0/web1');
  });

  it('remove --keep-on: the host that keeps the data', async () => {
    const hosts = await made();
    const said = await json(hosts, `drbd remove web1 ${on} --keep-on there`);
    expect(answers.drbdRemove.parse(said).hosts).toEqual([
      { name: 'alpha', volumes: ['vg0/web1'], kept: [], plain: [] },
      { name: 'beta', volumes: [], kept: ['/dev/vg0/web1'], plain: ['/dev/vg0/web1'] },
    ]);
  });

  it('remove: what is removed on which host, before the question', async () => {
    const hosts = await made();
    const { runtime, stderr } = testRuntime(hosts.here, {}, ['no']);
    await expect(runVerb(runtime, `drbd remove web1 ${on}`)).rejects.toThrow();
    expect(stderr()).toContain('the logical volume vg0/web1 on beta and all data on it');
    expect(hosts.there.host().world.drbd.resources).toHaveLength(1);
  });
});
