import { beforeEach, describe, expect, it } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { withUnreadable } from '../blockdevice/unreadable.ts';
import { typed } from '../plan/support.ts';
import { testRuntime } from './support/runtime.ts';
import { optionWords, runVerb } from './support/run-verb.ts';
import type { Runtime } from '../../../src/cli/runtime/runtime.ts';

type Options = Parameters<typeof optionWords>[0];
const lvm = (runtime: Runtime<unknown>, verb: string, args: readonly string[], options: Options = {}) =>
  runVerb(runtime, ['lvm', verb, ...optionWords(options), ...args]);
const list = (runtime: Runtime<unknown>, options?: Options) => lvm(runtime, 'list', [], options);
const resize = (runtime: Runtime<unknown>, volume: string, size: string) =>
  lvm(runtime, 'resize', [volume, size]);
const create = (runtime: Runtime<unknown>, volume: string, options: Options) =>
  lvm(runtime, 'create', [volume], options);
const remove = (runtime: Runtime<unknown>, volume: string, options?: Options) =>
  lvm(runtime, 'remove', [volume], options);

const mib = 1024 ** 2;
const ext4 = { type: 'ext4', usage: 'filesystem', uuid: '0c0ffee0-0000-4000-8000-00000000000f' } as const;

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 8 });
});

type Said = Parameters<typeof testRuntime>[1];
const at = (said: Said = {}, asked: readonly string[] = []) =>
  testRuntime(simulatedBofh({ host }), said, asked);
const volumes = (): readonly (readonly [string, number])[] =>
  host.world.lvm.flatMap(({ lvs }) => lvs.map(({ name, extents }) => [name, extents] as const));
const uuid = (): string => host.world.lvm[0]?.lvs[0]?.uuid ?? '';

it.each([
  ['lvm create vg0/b --size 64', '--size: "64" has no unit', /^add one: b, k, m/],
  ['lvm create vg0/b --size 100%free', '--size: "100%free" is a share, not a size', /--extents 100%FREE$/],
  ['lvm create vg0/b --size 10%', '--size: "10%" is a share, not a size', /--extents 10%FREE$/],
  ['lvm create vg0/b --size 1.5%PVS', '--size: "1.5%PVS" is a share, not a size', /--extents 10%FREE$/],
  [
    'lvm snapshot create vg0/a s --size 20%origin',
    '--size: "20%origin" is a share, not a size',
    /--extents 20%ORIGIN$/,
  ],
  [
    'lvm create /dev/vg0/b --size 8m',
    '"/dev/vg0/b" names no logical volume: write VG/NAME',
    /^write vg0\/b$/,
  ],
  [
    'lvm rename vg0/a vg0/b',
    '"vg0/b": the new name is without the volume group',
    /^bofh lvm rename vg0\/a b$/,
  ],
  ['block resize vg0/a +8m', '"vg0/a" is not an absolute path, for example /dev/vg0/a', undefined],
  ['block image create 64m /srv/a.img', 'size: "/srv/a.img" is not a size', /^write for example/],
])('%s: says what to type', async (line, message, remedy) => {
  const error: unknown = await runVerb(at({ yes: true }).runtime, line).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UsageError);
  expect(error).toMatchObject({ message, remedy: remedy && (expect.stringMatching(remedy) as unknown) });
});

describe('bofh lvm resize', () => {
  it.each([
    ['48m', 48],
    ['+1m', 36],
    ['+8m', 40],
    ['-8m', 24],
    ['-9m', 24],
    ['8m', 8],
    ['31m', 32],
  ])('%s of 32 MiB, in extents of 4 MiB', async (wanted, size) => {
    const { runtime, stdout } = at({ json: true, yes: true });

    expect(await resize(runtime, 'vg0/a', wanted)).toBe(0);

    expect(answers.lvmResize.parse(JSON.parse(stdout()))).toEqual({
      ...{ volume: 'vg0/a', uuid: uuid(), path: '/dev/vg0/a', size: size * mib, was: 32 * mib },
    });
    expect(volumes()).toEqual([['a', size / 4]]);
  });

  it('says that the filesystem keeps its size, and how to grow it', async () => {
    await runVerb(at().runtime, 'filesystem create /dev/vg0/a --type ext4');
    const { runtime, stdout } = at();

    await resize(runtime, 'vg0/a', '+8m');

    expect(stdout()).toBe(
      'vg0/a has 40 MiB now (32 MiB before)\nthe ext4 on it keeps its size; to grow it too: bofh filesystem resize /dev/vg0/a max\n',
    );
  });

  it('to the current size changes nothing, and says so', async () => {
    const { runtime, stdout } = at();
    const before = host.snapshot();

    expect(await resize(runtime, 'vg0/a', '32m')).toBe(0);

    expect(stdout()).toBe('vg0/a has 32 MiB already\n');
    expect(host.snapshot()).toBe(before);
  });

  it('asks before data is lost, and accepts a no', async () => {
    const { runtime, stderr } = at({}, ['n']);
    await expect(resize(runtime, 'vg0/a', '-8m')).rejects.toBeInstanceOf(RefusedError);
    expect(stderr()).toContain(
      'vg0/a will be shrunk from 32 MiB to 24 MiB: all data after the new end will be lost',
    );
    expect(volumes()).toEqual([['a', 8]]);

    await resize(at({}, ['y']).runtime, 'vg0/a', '-8m');
    expect(volumes()).toEqual([['a', 6]]);
  });

  it.each([
    ['ext4', ext4],
    ['crypto_LUKS', { type: 'crypto_LUKS', usage: 'crypto', uuid: 'x' } as const],
  ])('refuses to shrink below %s, and names it', async (type, superblock) => {
    host.admin.format('/dev/vg0/a', superblock);
    const error = await resize(at({ yes: true }).runtime, 'vg0/a', '16m').catch((cause: unknown) => cause);
    expect(error).toMatchObject({
      message: expect.stringContaining(type) as string,
      remedy: expect.stringContaining('bofh block resize /dev/vg0/a 16777216') as string,
    });
    expect(volumes()).toEqual([['a', 8]]);
  });

  it('says how to recreate a swap area', async () => {
    host.admin.format('/dev/vg0/a', { type: 'swap', usage: 'other', uuid: 'x', label: 'sw', version: '1' });
    await expect(resize(at({ yes: true }).runtime, 'vg0/a', '16m')).rejects.toMatchObject({
      remedy: expect.stringMatching(
        /^swapoff \/dev\/vg0\/a; bofh block wipe \/dev\/vg0\/a --overwrite x; .*--uuid x --label sw; swapon/,
      ) as string,
    });
    expect(volumes()).toEqual([['a', 8]]);
  });

  it('does not shrink a volume with unknown content', async () => {
    host.world.active.clear();
    await expect(resize(at({ yes: true }).runtime, 'vg0/a', '16m')).rejects.toThrow(/its content is unknown/);
  });

  it('does not shrink an unreadable one', async () => {
    const bofh = simulatedBofh({ host: withUnreadable(host, '/dev/dm-0') });
    const { runtime } = testRuntime(bofh, { yes: true });
    await expect(resize(runtime, 'vg0/a', '-8m')).rejects.toThrow(/Input\/output error/);
    expect(volumes()).toEqual([['a', 8]]);
  });

  it.each(['-32m', '-1t', '0', '5x', '+', '--help2'])('refuses the size "%s"', async (wanted) => {
    await expect(resize(at({ yes: true }).runtime, 'vg0/a', wanted)).rejects.toBeInstanceOf(UsageError);
    expect(volumes()).toEqual([['a', 8]]);
  });

  it('accepts a size that looks like an option, and options around it', async () => {
    expect(await typed(host, ['lvm', 'resize', 'vg0/a', '-8m', '--yes'])).toMatchObject({ exitCode: 0 });
    expect(volumes()).toEqual([['a', 6]]);
  });
});

describe('bofh lvm create', () => {
  it.each([
    [{ size: '10m' }, 3],
    [{ extents: '5' }, 5],
    [{ extents: '50%FREE' }, Math.floor((2047 - 8) / 2)],
    [{ extents: '10%VG' }, 204],
    [{ extents: '100%FREE' }, 2047 - 8],
  ])('%o', async (options, extents) => {
    const { runtime, stdout } = at({ json: true });

    expect(await create(runtime, 'vg0/b', options)).toBe(0);

    const data = answers.lvmCreate.parse(JSON.parse(stdout()));
    expect(data).toMatchObject({ volume: 'vg0/b', path: '/dev/vg0/b', size: extents * 4 * mib });
    expect(volumes()).toContainEqual(['b', extents]);
  });

  it('adds the given tags, and its own', async () => {
    await create(at().runtime, 'vg0/b', { size: '4m', tag: 'one,two' });
    const made = host.world.lvm[0]?.lvs.find(({ name }) => name === 'b');
    expect(made?.tags.slice(-2)).toEqual(['one', 'two']);
  });

  it.each([
    [{}, /either a size or a number of extents/],
    [{ size: '1m', extents: '5' }, /cannot be used with option/],
    [{ extents: '101%FREE' }, /not a count of extents/],
    [{ extents: '5%PVS' }, /not a count of extents/],
    [{ extents: '0' }, /not a count of extents/],
    [{ extents: '-5' }, /not a count of extents/],
  ])('refuses %o', async (options, message) => {
    await expect(create(at().runtime, 'vg0/b', options)).rejects.toThrow(message);
    expect(volumes()).toEqual([['a', 8]]);
  });

  it.each([
    [0, 'no-space'],
    [1, 'invalid'],
  ])('refuses a share that is no extent, with %i free: %s', async (free, code) => {
    host.admin.lvcreate({ vg: 'vg0', name: 'rest', extents: 2047 - 8 - free });
    await expect(create(at().runtime, 'vg0/b', { extents: '50%FREE' })).rejects.toMatchObject({
      code,
      message: expect.stringContaining('less than one extent') as unknown,
    });
  });
});

describe('bofh lvm remove', () => {
  it('asks, removes, and prints what it removed', async () => {
    const gone = uuid();
    const { runtime, stdout, stderr } = at({ json: true }, ['y']);

    expect(await remove(runtime, 'vg0/a')).toBe(0);

    expect(stderr()).toContain(`vg0/a (32 MiB, uuid ${gone}) will be removed with all data on it`);
    expect(answers.lvmRemove.parse(JSON.parse(stdout()))).toEqual({
      ...{ volume: 'vg0/a', uuid: gone, size: 32 * mib },
    });
    expect(volumes()).toEqual([]);
  });

  it.each([
    ['no consent is given', () => undefined, {}],
    ['it is mounted', () => void host.admin.mount('/dev/vg0/a', '/mnt'), { yes: true }],
  ])('removes nothing when %s', async (_, use, said) => {
    host.admin.format('/dev/vg0/a', ext4);
    use();
    await expect(remove(at(said).runtime, 'vg0/a')).rejects.toBeInstanceOf(RefusedError);
    expect(volumes()).toEqual([['a', 8]]);
  });
});

describe('bofh lvm list', () => {
  it('shows the origin of a snapshot', async () => {
    host.admin.snapshot({ vg: 'vg0', name: 'monday', origin: 'a', extents: 1 });
    const { runtime, stdout } = at({ json: true });
    await list(runtime);
    expect(
      answers.lvmList.parse(JSON.parse(stdout())).map(({ volume, origin, pool }) => [volume, origin, pool]),
    ).toEqual([
      ['vg0/a', null, null],
      ['vg0/monday', 'a', null],
    ]);
  });

  const thin = () => {
    host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 16 });
    host.admin.thinVolume({ vg: 'vg0', name: 'thin', pool: 'pool', extents: 32 });
  };
  const rows = async (near?: string) => {
    const { runtime, stdout } = at({ json: true });
    await list(runtime, near === undefined ? {} : { near });
    return answers.lvmList.parse(JSON.parse(stdout()));
  };

  it('shows pools with their volumes, and how full pools and snapshots are', async () => {
    thin();
    host.admin.snapshot({ vg: 'vg0', name: 'monday', origin: 'a', extents: 1 });
    host.admin.fill('vg0', 'pool', { data: 12.34, metadata: 80 });
    host.admin.fill('vg0', 'monday', { data: 96.5 });
    host.admin.fill('vg0', 'thin', { data: 99 });

    const told = (await rows()).map((lv) => [
      lv.volume,
      lv.pool,
      lv.dataPercent,
      lv.metadataPercent,
      lv.filling,
    ]);

    expect(told).toEqual([
      ['vg0/a', null, null, null, null],
      ['vg0/monday', null, 96.5, null, 'full'],
      ['vg0/pool', null, 12.34, 80, 'near'],
      ['vg0/thin', 'pool', 99, null, null],
    ]);
  });

  it.each([
    [79.99, 'ok'],
    [80, 'near'],
    [94.99, 'near'],
    [95, 'full'],
  ])('calls a pool with %d %% of its data %s', async (data, filling) => {
    thin();
    host.admin.fill('vg0', 'pool', { data });
    expect((await rows()).find(({ volume }) => volume === 'vg0/pool')?.filling).toBe(filling);
  });

  it('accepts another threshold, and refuses nonsense', async () => {
    thin();
    host.admin.fill('vg0', 'pool', { data: 60 });
    expect((await rows('60')).find(({ volume }) => volume === 'vg0/pool')?.filling).toBe('near');
    for (const near of ['0', '101', 'x', '5.5', ''])
      await expect(list(at().runtime, { near })).rejects.toBeInstanceOf(UsageError);
  });

  it('reports an inactive pool as unknown', async () => {
    thin();
    host.world.active.clear();
    expect((await rows()).find(({ volume }) => volume === 'vg0/pool')).toMatchObject({
      ...{ dataPercent: null, filling: 'unknown' },
    });
  });

  it('marks in the table what is near its limit, full, out of sync or damaged', async () => {
    thin();
    host.admin.fill('vg0', 'pool', { data: 97, metadata: 12 });
    const [lv] = host.world.lvm[0]?.lvs ?? [];
    Object.assign(lv ?? {}, { synced: 40, health: 'refresh needed', layout: 'raid,raid1' });
    const { runtime, stdout } = at();

    await list(runtime);

    expect(stdout()).toMatch(/^VOLUME +SIZE .*DATA% +META% +SYNC% +STATE +TAGS$/m);
    expect(stdout()).toMatch(/^vg0\/pool .* 97\.00 +12\.00 +full: data 97 %, metadata 12 %$/m);
    expect(stdout()).toMatch(/^vg0\/a .* raid,raid1 .* 40\.00 +refresh needed; not in sync yet$/m);
  });

  it('reads a thousand volumes with one pvs and one lvs', async () => {
    host = simulatedHost();
    for (let n = 0; n < 1000; n += 1) host.admin.lvcreate({ vg: 'vg0', name: `v${n}`, extents: 1 });
    const ran: string[] = [];
    host.faults.watch(({ tool }) => ran.push(tool));
    const { runtime, stdout } = at({ json: true });

    await list(runtime);

    expect(answers.lvmList.parse(JSON.parse(stdout()))).toHaveLength(1000);
    expect(ran).toEqual(['pvs', 'lvs']);
  });
});

describe('bofh lvm remove of a disk of a guest', () => {
  const config = (disk: string): string => `name = 'web1'\nmemory = 64\ndisk = ['phy:${disk},xvda,w']\n`;

  it.each([
    ['/dev/vg0/a', 'web1', 'the guest web1 (/etc/xen/web1.cfg)'],
    ['vg0/a', 'web1', 'the guest web1 (/etc/xen/web1.cfg)'],
    ['/dev/mapper/vg0-a', 'web1', 'the guest web1 (/etc/xen/web1.cfg)'],
    // The whole file is refused, for its vif.
    ["/dev/vg0/a,xvda,w']\nvif = ['br0", '/etc/xen/web1.cfg', '/etc/xen/web1.cfg'],
  ])('named as %j is refused unless the guest is named', async (disk, guest, shown) => {
    host.admin.writeFile('/etc/xen/web1.cfg', config(disk));
    const before = host.snapshot();
    const yes = { yes: true };

    await expect(remove(at(yes).runtime, 'vg0/a')).rejects.toMatchObject({
      message: `vg0/a is a disk of ${shown}; nothing was removed`,
      remedy: `to remove it anyway: bofh lvm remove vg0/a --disk-of ${guest}`,
    });
    await expect(remove(at(yes).runtime, 'vg0/a', { diskOf: `${guest},web2` })).rejects.toThrow(
      '--disk-of web2: vg0/a is not a disk of web2',
    );
    expect(host.snapshot()).toBe(before);
    expect(await remove(at(yes).runtime, 'vg0/a', { diskOf: guest })).toBe(0);
    expect(volumes()).toEqual([]);
  });

  it('succeeds where the guest has another disk', async () => {
    host.admin.writeFile('/etc/xen/web1.cfg', config('/dev/vg0/ab'));
    expect(await remove(at({ yes: true }).runtime, 'vg0/a')).toBe(0);
  });
});
