import { posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  everyHolder,
  holders as found,
  mountHolders,
  keysOf,
  mountEntries,
} from '../../../src/blockdevice/index.ts';
import type { ReadHost } from '../../../src/command/index.ts';
import { simulatedHost } from '../../../src/simulator/index.ts';

const ext4 = { type: 'ext4', usage: 'filesystem', uuid: '0c0ffee0-0000-4000-8000-000000000001' } as const;

const readText = async (host: ReadHost, path: string) =>
  new TextDecoder().decode(await host.readFile(path)).trimEnd();
const words = async (host: ReadHost, device: string) => (await found(host, device)).map((each) => each.words);

describe('the simulated kernel', () => {
  test('shows a loop device with its file', async () => {
    const host = simulatedHost();
    host.admin.writeFile('/srv/disk.img', new Uint8Array(4 * 1024 ** 2));
    const device = host.admin.losetup('/srv/disk.img');
    const inode = (await host.stat('/srv/disk.img'))?.inode ?? '';

    expect(device).toBe('/dev/loop0');
    expect(await keysOf(host, device)).toEqual({
      key: `dev:loop:254:0:${inode}`,
      beneath: ['file:/srv/disk.img'],
    });
  });

  test('resolves a volume by each of its names to one object over its disk', async () => {
    const host = simulatedHost();
    host.admin.lvcreate({ vg: 'vg0', name: 'a-b', extents: 1 });
    host.admin.format('/dev/vg0/a-b', ext4);

    for (const path of ['/dev/vg0/a-b', '/dev/mapper/vg0-a--b', '/dev/dm-0', `UUID=${ext4.uuid}`]) {
      const { key, beneath } = await keysOf(host, path);
      expect([key, [...beneath].sort()]).toEqual(['lv:vg0/a-b', ['dev:sim-vdb', 'vg:vg0']]);
    }
    expect(await words(host, '/dev/vdb')).toEqual(['beneath /dev/mapper/vg0-a--b']);
  });

  test('shows a thin volume and a snapshot only above the hidden volumes of lvm', async () => {
    const host = simulatedHost();
    host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 8 });
    host.admin.thinVolume({ vg: 'vg0', name: 'thin', pool: 'pool', extents: 8 });
    host.admin.lvcreate({ vg: 'vg0', name: 'a-b', extents: 4 });
    const slaves = async (volume: string): Promise<readonly string[]> => {
      const { node = '' } = (await host.stat(`/dev/${posix.basename(await host.readLink(volume))}`)) ?? {};
      const at = `/sys/dev/block/${node}/slaves`;
      const names = (await host.readDir(at)).map((name) => readText(host, `${at}/${name}/dm/name`));
      return (await Promise.all(names)).sort();
    };

    expect(await slaves('/dev/mapper/vg0-thin')).toEqual(['vg0-pool-tpool']);
    expect(await slaves('/dev/mapper/vg0-pool-tpool')).toEqual(['vg0-pool_tdata', 'vg0-pool_tmeta']);
    expect(await words(host, '/dev/vdb')).toContain('beneath /dev/mapper/vg0-pool_tdata');

    host.admin.snapshot({ vg: 'vg0', name: 'monday', origin: 'a-b', extents: 1 });
    expect(await slaves('/dev/mapper/vg0-a--b')).toEqual(['vg0-a--b-real']);
    expect(await slaves('/dev/mapper/vg0-monday')).toEqual(['vg0-a--b-real', 'vg0-monday-cow']);
    const { beneath } = await keysOf(host, '/dev/vg0/monday');
    expect(beneath).toEqual(expect.arrayContaining(['lv:vg0/a-b', 'vg:vg0', 'dev:sim-vdb']));

    host.admin.lvremove('vg0', 'monday');
    expect(await host.stat('/dev/mapper/vg0-a--b-real')).toBeUndefined();
  });

  test('shows swap, a guest and a mount as holders of a device', async () => {
    const host = simulatedHost({
      disks: ['x', 'y', 'z'].map((end) => ({ name: `vd${end}`, size: 2 ** 26 })),
    });
    const number = (await host.stat('/dev/vdy'))?.node ?? '';
    host.admin.swapon('/dev/vdx');
    host.admin.startDomain({ name: 'web1', disks: [{ vdev: 'xvdb', path: '/dev/vdy', number }] });
    host.admin.format('/dev/vdz', ext4);
    const { id } = host.admin.mount('/dev/vdz', '/mnt');

    expect(await words(host, '/dev/vdx')).toEqual(['in use as swap (/dev/vdx)']);
    expect(await words(host, '/dev/vdy')).toEqual(['a disk of the guest with domid 1']);
    expect(await words(host, '/dev/vdz')).toEqual([`mounted on /mnt (mount ${id})`]);
  });

  test('reuses the number of an unmounted mount, but not that of a domain', () => {
    const host = simulatedHost({ disks: [{ name: 'vdz', size: 2 ** 26 }] });
    host.admin.format('/dev/vdz', ext4);
    const first = host.admin.mount('/dev/vdz', '/mnt');
    host.admin.umount('/mnt');
    const { domid } = host.admin.startDomain({ name: 'a' });
    host.admin.destroyDomain('a');

    expect(host.admin.mount('/dev/vdz', '/srv').id).toBe(first.id);
    expect(host.admin.startDomain({ name: 'a' }).domid).toBe(domid + 1);
  });

  test('hides the content below a mount, and shows it again after the unmount', async () => {
    const host = simulatedHost({ disks: [{ name: 'vdz', size: 2 ** 26 }] });
    host.admin.writeFile('/mnt/below', 'x');
    host.admin.format('/dev/vdz', ext4);
    host.admin.mount('/dev/vdz', '/mnt');

    expect(await host.readDir('/mnt')).toEqual([]);
    expect((await mountEntries(host)).at(-1)?.path).toBe('/mnt');
    host.admin.umount('/mnt');
    expect(await host.readDir('/mnt')).toEqual(['below']);
  });

  test('keeps names with spaces and newlines in the tables of the kernel and of libmount', async () => {
    const host = simulatedHost({ disks: [{ name: 'vdz', size: 2 ** 26 }] });
    const path = '/mnt/a b\n\\c';
    host.admin.mkdir(path);
    host.admin.format('/dev/vdz', ext4);
    host.admin.mount('/dev/vdz', path);

    expect((await mountEntries(host)).at(-1)?.path).toBe(path);
    expect(await words(host, '/dev/vdz')).toHaveLength(1);
  });

  test('is the same for two hosts of one seed, and differs for two seeds', () => {
    const [one, same, other] = ['a', 'a', 'b'].map((seed) => simulatedHost({ seed }).snapshot());

    expect(same).toBe(one);
    expect(other).not.toBe(one);
  });
});

describe('a power cut', () => {
  test('loses an unsynced name, and keeps the content of a synced file', async () => {
    const host = simulatedHost();
    const change = host.during({ outputs: '/nowhere', lock: -1 });
    await change.writeNew('/srv/lost', 'x', { mode: 0o600 });
    await change.writeNew('/srv/kept', 'y', { mode: 0o600 });
    await change.link('/srv/kept', '/etc/kept');
    await change.sync('/etc');

    const after = host.powerCut({ keep: 'none' });

    expect(await after.stat('/srv/lost')).toBeUndefined();
    expect(after.admin.readFile('/etc/kept')).toBe('y');
  });

  test('ends a process with its working directory or a file in a mount, or the device itself open', async () => {
    const host = simulatedHost({ disks: [{ name: 'vdz', size: 64 * 1024 ** 2 }] });
    host.admin.format('/dev/vdz', ext4);
    host.admin.mkdir('/mnt');
    host.admin.mount('/dev/vdz', '/mnt');
    host.admin.writeFile('/mnt/log', 'x');
    const number = (await host.stat('/dev/vdz'))?.node ?? '';
    const [shell, tail, dd] = [
      host.admin.hold('/mnt', 'bash'),
      host.admin.hold('/mnt/log', 'tail -f log'),
      host.admin.hold(number, 'dd of=/dev/vdz'),
    ];
    const mount = (await mountEntries(host)).find(({ path }) => path === '/mnt');
    if (mount === undefined) throw new Error('not mounted');

    const inMount = [
      [`process ${shell.pid} (bash) works in /mnt`, `kill ${shell.pid}`],
      [`process ${tail.pid} (tail) has open /mnt/log`, `kill ${tail.pid}`],
    ];
    const inWords = (holders: Awaited<ReturnType<typeof everyHolder>>) =>
      holders.map(({ words, free }) => [words, free?.join(' ')]);
    expect(inWords(await mountHolders(host, mount))).toEqual(inMount);
    expect(inWords(await everyHolder(host, '/dev/vdz'))).toEqual([
      ...inMount,
      [`process ${dd.pid} (dd) has open /dev/vdz`, `kill ${dd.pid}`],
      [`mounted on /mnt (mount ${mount.id})`, 'umount /mnt'],
    ]);
  });
});
