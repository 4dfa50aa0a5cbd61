import { beforeEach, describe, expect, test } from 'vitest';
import type { BofhError } from '../../../src/core/errors.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { checkCreate } from '../../../src/vm/create-request.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { typedOn } from '../cli/support/run-verb.ts';
import { argvOf, bofhOn, hostWithSource } from '../simulator/support.ts';

const create = 'vm create web1 --source tar:/srv/debian.tar --size 64m --memory 128m';

let host: SimulatedHost;
beforeEach(() => {
  host = hostWithSource();
  for (const path of ['/mnt', '/srv/backup']) host.admin.mkdir(path);
});

const typed = (line: string) => typedOn(bofhOn(host), line, { yes: true });

const volumes = () => host.world.lvm.flatMap(({ lvs }) => lvs.map(({ name }) => name)).toSorted();
const superblock = (name: string) => {
  const lv = host.world.lvm.flatMap(({ lvs }) => lvs).find((each) => each.name === name);
  return host.world.live.get(`lv:${lv?.uuid ?? ''}`)?.superblock;
};
function inRoot(name: string, path: string): string {
  host.admin.mount(`/dev/vg0/${name}-root`, '/mnt');
  const text = host.admin.readFile(`/mnt/${path}`);
  host.admin.umount('/mnt');
  return text;
}

describe('vm create --disk', () => {
  test('creates volumes of zeros with their filesystems, vdevs, and lines of the fstab', async () => {
    const { stdout } = await typed(
      `${create} --swap 16m --disk data=320m,fs=xfs,mount=/srv/www --disk log=16m --disk b=128m,fs=btrfs,mount=/home`,
    );

    expect(stdout).toContain('data disk data: /dev/vg0/web1-data (xfs) on /srv/www\n');
    expect(host.admin.readFile('/etc/xen/web1.cfg')).toContain(
      ['root,xvda', 'swap,xvdb', 'data,xvdc', 'log,xvdd', 'b,xvde']
        .map((disk) => `  "phy:/dev/vg0/web1-${disk},w",\n`)
        .join(''),
    );
    expect(inRoot('web1', 'etc/fstab').split('\n')).toEqual([
      `UUID=${superblock('web1-root')?.uuid ?? ''} / ext4 defaults 0 1`,
      `UUID=${superblock('web1-swap')?.uuid ?? ''} none swap sw 0 0`,
      `UUID=${superblock('web1-data')?.uuid ?? ''} /srv/www xfs defaults 0 0`,
      `UUID=${superblock('web1-b')?.uuid ?? ''} /home btrfs defaults 0 0`,
      '',
    ]);
    expect(superblock('web1-log')?.type).toBe('ext4');
    host.admin.mount('/dev/vg0/web1-root', '/mnt');
    expect((await host.stat('/mnt/srv/www'))?.kind).toBe('directory');
    const zeroed = argvOf(host, 'blkdiscard').map((argv) => argv.at(-1));
    expect(zeroed).toHaveLength(3);
  });

  test.each([
    ['a name that is taken', '--disk root=16m', /root, swap, hda to hdd, and xvd… are reserved/],
    ['the name of a device', '--disk xvdc=16m', /xvd… are reserved/],
    ['a name that is none', '--disk a/b=16m', /must begin with a letter/],
    ['a name twice', '--disk a=16m --disk a=16m', /--disk a is given twice/],
    ['no size', '--disk data', /must begin with NAME=SIZE/],
    ['an unknown part', '--disk data=16m,type=xfs', /after NAME=SIZE come/],
    ['a part twice', '--disk data=16m,fs=xfs,fs=ext4', /fs is given twice/],
    ['an unknown filesystem', '--disk data=16m,fs=zfs', /disks data fs: must be ext4, xfs or btrfs/],
    ['a size that its filesystem cannot have', '--disk data=16m,fs=xfs', /--disk data has 16 MiB; xfs needs/],
    ['no size of a disk', '--disk data=lots', /disks data size: "lots" is not a size/],
    ['a relative path', '--disk data=16m,mount=srv', /must be an absolute path/],
    ['the root', '--disk data=16m,mount=/', /must be an absolute path/],
    ['a path that climbs', '--disk data=16m,mount=/srv/../etc', /must be an absolute path/],
    ['a path of the system', '--disk data=16m,mount=/proc/x', /belongs to the system/],
    ['one path twice', '--disk a=16m,mount=/srv --disk b=16m,mount=/srv', /within the disk b/],
    ['a disk in a disk', '--disk a=16m,mount=/srv --disk b=16m,mount=/srv/b', /within the disk a/],
    ['a directory with files', '--disk a=16m,mount=/etc', /would hide etc\/\S+ of the source/],
    ['more than there is', '--disk a=900g', /extents\) are needed/],
  ])('refuses %s, and changes nothing', async (_, words, why) => {
    const before = host.snapshot();

    const error = (await rejectionOf(typed(`${create} ${words}`))) as BofhError;

    expect(error.message).toMatch(why);
    expect(host.snapshot()).toBe(before);
  });

  test('refuses the name that the site uses for the root', async () => {
    const { planCreate } = await import('../../../src/vm/create.ts');
    const { parseSite } = await import('../../../src/site.ts');
    const diskNaming = { root: '{name}-data', swap: '{name}-swap' };
    const site = parseSite({ volumeGroup: 'vg0', diskNaming }, 'the test');
    const request = checkCreate({
      ...{ name: 'web1', source: 'tar:/srv/debian.tar', size: '64m', memory: '64m' },
      disks: { data: { size: '16m' } },
    });
    await expect(planCreate({ host, site, request })).rejects.toThrow(/would have the same volume web1-data/);
  });

  test('does not fill a thin volume with zeros, because it has no old content', async () => {
    host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 32 });
    await typed(`${create} --disk data=16m,mount=/srv --thin pool`);
    expect(host.changes.some((each) => each.what === 'command' && each.command.tool === 'blkdiscard')).toBe(
      false,
    );
  });
});

describe('a guest with a data disk', () => {
  beforeEach(async () => {
    await typed(`${create} --swap 16m --disk data=32m,mount=/srv`);
  });

  test('is removed with it', async () => {
    await typed('vm remove web1');
    expect(volumes()).toEqual(['web1-root2']);
  });

  test.each(['data', 'xvdc'])('is removed without it by --keep-disk %s', async (name) => {
    const { stdout } = await typed(`vm remove web1 --keep-disk ${name}`);
    expect(stdout).toContain('/dev/vg0/web1-data stays\n');
    expect(volumes()).toEqual(['web1-data', 'web1-root2']);
  });

  test('is not removed if it has no disk of that name', async () => {
    const before = host.snapshot();
    await expect(typed('vm remove web1 --keep-disk log')).rejects.toThrow(/web1 has no disk log/);
    expect(host.snapshot()).toBe(before);
  });

  test('is renamed with it', async () => {
    await typed('vm rename web1 shop');
    expect(volumes()).toEqual(['shop-data', 'shop-root', 'shop-swap', 'web1-root2']);
    expect(host.admin.readFile('/etc/xen/shop.cfg')).toContain('phy:/dev/vg0/shop-data,xvdc,w');
  });

  test('is cloned with it', async () => {
    await typed('vm clone web1 web2');
    expect(superblock('web2-data')?.uuid).toBe(superblock('web1-data')?.uuid);
    expect(inRoot('web2', 'etc/fstab')).toContain(
      `UUID=${superblock('web1-data')?.uuid ?? ''} /srv ext4 defaults 0 2\n`,
    );
  });

  test('is saved and restored with it', async () => {
    const uuid = superblock('web1-data')?.uuid;
    await typed('vm backup web1 /srv/backup');
    await typed('vm remove web1');
    const [manifest = ''] = (await host.readDir('/srv/backup')).filter((name) => name.endsWith('.json'));
    await typed(`vm restore /srv/backup/${manifest} --as web3`);
    expect(superblock('web3-data')?.uuid).toBe(uuid);
    expect(host.admin.readFile('/etc/xen/web3.cfg')).toContain('phy:/dev/vg0/web3-data,xvdc,w');
  });

  test('is mounted with it', async () => {
    expect((await typed('vm mount web1 /mnt')).stdout).toContain('/dev/vg0/web1-data on /mnt/srv');
  });

  test('is resized by the name of the disk', async () => {
    await typed('vm resize web1 data +32m');
    const { blocks = 0, blockSize = 0 } = superblock('web1-data') ?? {};
    expect(blocks * blockSize).toBe(64 * 1024 ** 2);
  });
});
