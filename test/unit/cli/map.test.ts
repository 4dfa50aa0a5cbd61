import { parseXml } from '@rgrove/parse-xml';
import { describe, expect, it } from 'vitest';
import { hostMap } from '../../../src/api/map.ts';
import { atomic } from '../../../src/api/atomic.ts';
import { withBofh } from '../../../src/bofh.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { UsageError } from '../../../src/core/errors.ts';
import { mapInText } from '../../../src/cli/verbs/map/map.ts';
import { drawHtml, drawSvg } from '../../../src/map/draw-svg.ts';
import type { HostMap } from '../../../src/map/schema.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

const mib = 1024 ** 2;
const gib = 1024 ** 3;

/** A host with a group: the disk of a guest that runs, an encrypted volume that is mounted, and a thin pool. */
async function host(): Promise<SimulatedHost> {
  const made = simulatedHost({ seed: 'map' });
  made.admin.writeFile('/boot/vmlinuz', 'x');
  made.admin.writeFile('/root/key', 'k'.repeat(32));
  made.admin.writeFile(
    '/etc/xen/web1.cfg',
    "name = 'web1'\nmemory = 64\nkernel = '/boot/vmlinuz'\ndisk = ['phy:/dev/vg0/web1,xvda,w']\n",
  );
  made.admin.writeFile('/etc/xen/old.cfg', "name = 'old'\nmemory = 128\nkernel = '/boot/vmlinuz'\n");
  made.admin.mkdir('/srv/data');
  const key = { from: 'file', path: '/root/key' } as const;
  await withBofh(simulatedBofh({ host: made }), () =>
    atomic('a host to look at', async (tx) => {
      const web1 = await tx.lvm.createLv({ vg: 'vg0', name: 'web1', size: '1g' });
      await tx.filesystem.create({ device: web1.path, type: 'ext4', label: 'root' });
      await tx.xen.create({ config: '/etc/xen/web1.cfg', name: 'web1' });
      const data = await tx.lvm.createLv({ vg: 'vg0', name: 'data', size: '512m' });
      await tx.crypt.format({ device: data.path, key });
      const { path } = await tx.crypt.open({ device: data.path, key, name: 'data' });
      await tx.filesystem.create({ device: path, type: 'ext4' });
      await tx.mount.mount({ device: path, path: '/srv/data', mode: 'rw' });
      await tx.lvm.createThinPool({ vg: 'vg0', name: 'pool0', size: '2g' });
      await tx.lvm.createLv({ vg: 'vg0', name: 'thin1', size: '4g', pool: 'pool0' });
    }),
  );
  return made;
}

const mapOf = async (on: SimulatedHost): Promise<HostMap> => withBofh(simulatedBofh({ host: on }), hostMap);

describe('bofh map', () => {
  it('has each device in one row, with everything on it, and the guests', async () => {
    const map = await mapOf(await host());

    expect(answers.map.parse(map)).toEqual(map);
    const none = { mounts: [], guests: [], active: true };
    expect(map.groups).toMatchObject([
      {
        name: 'vg0',
        on: ['vdb'],
        devices: [
          { ...none, name: 'data', size: 512 * mib, layers: ['LUKS', 'ext4'], mounts: ['/srv/data'] },
          { ...none, name: 'pool0', size: 2 * gib, layers: ['thin pool'], used: 0 },
          { ...none, name: 'thin1', size: 4 * gib, layers: ['thin in pool0', 'blank'], used: 0 },
          { ...none, name: 'web1', size: gib, layers: ['ext4 "root"'], guests: ['web1'] },
        ],
      },
    ]);
    expect(map.others).toMatchObject([{ ...none, name: 'vda', layers: ['ext4'], mounts: ['/'] }]);
    expect(map.guests).toEqual([
      { name: 'old', state: 'off', memory: 128 * mib, vcpus: 1, disks: [] },
      { name: 'web1', state: 'running', memory: 64 * mib, vcpus: 1, disks: ['/dev/vg0/web1'] },
    ]);
    expect(map.unknown).toEqual([]);
  });

  it('as text', async () => {
    const map = { ...(await mapOf(await host())), host: 'dom0', at: '2026-11-24T09:30:00.000Z' };

    expect(mapInText(map)).toEqual([
      'dom0, 2026-11-24 09:30:00 UTC',
      '',
      'vg0  █████████░░░░░░░░░░░ 44% of 8 GiB, 4.5 GiB free; on vdb',
      '  NAME   SIZE     FULL  CONTENT                IN USE BY',
      '  data   512 MiB        LUKS > ext4            /srv/data',
      '  pool0  2 GiB    0%    thin pool',
      '  thin1  4 GiB    0%    thin in pool0 > blank',
      '  web1   1 GiB          ext4 "root"            guest web1',
      '',
      'not in a volume group',
      '  NAME  SIZE   FULL  CONTENT  IN USE BY',
      '  vda   4 GiB        ext4     /',
      '',
      'guests: 2, 1 running',
      '  NAME  STATE    MEMORY   CPUS  DISKS',
      '  old   off      128 MiB  1',
      '  web1  running  64 MiB   1     vg0/web1',
    ]);
  });

  it('as the picture in docs/map.svg', async () => {
    const map = { ...(await mapOf(await host())), host: 'dom0', at: '2026-11-24T09:30:00.000Z' };

    await expect(drawSvg(map)).toMatchFileSnapshot('../../../docs/map.svg');
  });

  it('draws no free space that mirrors use: the volumes end where it begins', async () => {
    const map = await mapOf(await host());
    const [group] = map.groups;
    if (group === undefined) throw new Error('no group');
    const svg = drawSvg({ ...map, groups: [{ ...group, free: group.size / 4 }] });

    const bars = [...svg.matchAll(/<rect class="(\w+)" x="([\d.]+)" y="\d+" width="([\d.]+)" height="24"/g)];
    const [, , left, whole] = bars.find(([, kind]) => kind === 'free') ?? [];
    const [, , x, width] = bars.at(-1) ?? [];
    const end = Number(x) + Number(width) - Number(left);
    expect(end / Number(whole)).toBeCloseTo(0.75, 2);
  });

  it.each([
    ['map', /^sim, .*\n\nvg0 {2}█/],
    ['map --svg', /^<svg .*<\/svg>\n$/s],
    ['map --html', /^<!doctype html>.*<svg .*<\/html>\n$/s],
  ])('bofh %s prints it', async (words, printed) => {
    const { runtime, stdout } = testRuntime(simulatedBofh({ host: await host() }));

    expect(await runVerb(runtime, words)).toBe(0);

    expect(stdout()).toMatch(printed);
  });

  it('bofh map prints it as JSON, but no picture', async () => {
    const { runtime, stdout } = testRuntime(simulatedBofh({ host: await host() }), { json: true });

    expect(await runVerb(runtime, 'map')).toBe(0);
    expect(answers.map.parse(JSON.parse(stdout()))).toMatchObject({ host: 'sim' });
    await expect(runVerb(runtime, 'map --svg')).rejects.toThrow(UsageError);
    await expect(runVerb(runtime, 'map --html')).rejects.toThrow('--html and --json exclude each other');
  });

  it('a host without LVM and Xen reports what could not be read', async () => {
    const without = simulatedHost();
    for (const tool of ['vgs', 'lvs', 'xl'] as const)
      without.fault({ tool, access: 'read', mode: 'fails before' });

    const { groups, guests, unknown } = await mapOf(without);

    expect([groups, guests]).toEqual([[], []]);
    expect(unknown.map((each) => each.replace(/:.*/s, ''))).toEqual([
      'volume groups',
      'logical volumes',
      'guests',
    ]);
  });
});

describe('the picture', () => {
  const device = (name: string, more: Partial<HostMap['others'][number]> = {}) => ({
    ...{ name, size: gib, layers: ['ext4'], mounts: [], guests: [], active: true },
    ...more,
  });
  const base: HostMap = {
    ...{ host: 'dom0', at: '2026-11-24T09:30:00.000Z', groups: [], others: [], guests: [], unknown: [] },
  };

  it('escapes hostile names', () => {
    const name = '</text><script>alert("1")</script>&\u0000\u001b]0;x\u0007';
    const map: HostMap = {
      ...base,
      host: name,
      groups: [
        { name, size: gib, free: 0, on: [name], devices: [device(name, { layers: [name], guests: [name] })] },
      ],
      guests: [{ name, state: name, memory: 0, vcpus: 1, disks: [name] }],
      unknown: [name],
    };

    for (const drawn of [drawSvg(map), drawHtml(map)]) {
      expect(drawn).not.toContain('<script');
      expect(drawn).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
    }
    expect(parseXml(drawSvg(map)).root?.name).toBe('svg');
  });

  it('has space for 200 guests, without overlapping text, and tells long names apart', () => {
    const names = Array.from({ length: 200 }, (_, n) => `guest-with-a-long-name-${String(n)}`);
    const map: HostMap = {
      ...base,
      groups: [
        {
          ...{ name: 'vg0', size: 300 * gib, free: 100 * gib, on: ['sda'] },
          devices: names.map((name) => device(`${name}-root`, { guests: [name] })),
        },
      ],
      guests: names.map((name) => ({
        ...{ name, state: 'running', memory: gib, vcpus: 2, disks: [`/dev/vg0/${name}-root`] },
      })),
    };

    const drawn = drawSvg(map);

    const labels = [...drawn.matchAll(/class="b">(guest-.*?-root)</g)].map(([, label]) => label);
    expect(new Set(labels).size).toBe(names.length);
    expect(labels[0]).toBe('guest-with…me-0-root');
    const height = Number(/height="(?<px>\d+)"/.exec(drawn)?.groups?.['px']);
    const texts = [...drawn.matchAll(/<text x="(.+?)" y="(.+?)"(?: class="(.*?)")?>(.*?)</g)]
      .map(([, x, y, look = '', { length } = '']) => ({
        x: Number(x),
        y: Number(y),
        look,
        room: length * 7.3,
      }))
      .filter(({ look }) => !/h[12]/.test(look))
      .map(({ x, y, look, room }) => ({ y, from: look.includes('end') ? x - room : x, room }))
      .sort((one, other) => one.y - other.y || one.from - other.from);
    expect(texts.length).toBeGreaterThan(1000);
    expect(Math.max(...texts.map(({ y }) => y))).toBeLessThan(height);
    const over = texts.filter(({ y, from, room }, at) => {
      const next = texts[at + 1];
      return from + room > (next?.y === y ? next.from : 1200);
    });
    expect(over).toEqual([]);
  });
});
