import { beforeEach, describe, expect, test } from 'vitest';
import { withBofh } from '../../../src/bofh.ts';
import type { BofhError } from '../../../src/core/errors.ts';
import { atomic, vm } from '../../../src/index.ts';
import { fork } from '../../../src/simulator/fork.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { typedOn } from '../cli/support/run-verb.ts';
import { bofhOn, hostWithSource } from '../simulator/support.ts';
import { testSweep } from '../simulator/sweep.ts';
import { smallSystem } from '../../support/undo/stage.ts';

const create = 'vm create web1 --source tar:/srv/debian.tar --size 64m --memory 128m';
const data = '--disk data=64m,mount=/srv,luks=/root/data.key';
const device = '/dev/vg0/web1-data';

const prepared = (): SimulatedHost => {
  const fresh = hostWithSource();
  for (const path of ['/mnt', '/srv/backup']) fresh.admin.mkdir(path);
  fresh.admin.writeFile('/root/data.key', 'secret of data', 0o600);
  fresh.admin.writeFile('/root/wrong.key', 'wrong', 0o600);
  return fresh;
};
let host: SimulatedHost;
beforeEach(() => {
  host = prepared();
});

const typed = (line: string, on = host) => typedOn(bofhOn(on), line, { yes: true });
const said = async (line: string) => {
  const error = (await rejectionOf(typed(line))) as BofhError;
  return `${error.message} ${error.remedy ?? ''}`;
};
const lv = (name: string) => host.world.lvm.flatMap(({ lvs }) => lvs).find((each) => each.name === name);
const luksOf = (name: string) => host.world.live.get(`lv:${lv(name)?.uuid ?? ''}`)?.superblock;
const open = () => host.world.mappings.map(({ name }) => name);
function inRoot(work: (at: string) => void, guest = 'web1'): void {
  host.admin.mount(`/dev/vg0/${guest}-root`, '/mnt');
  work('/mnt');
  host.admin.umount('/mnt');
}
function table(name: 'fstab' | 'crypttab', guest = 'web1'): readonly string[] {
  let text = '';
  inRoot((at) => (text = host.admin.readFile(`${at}/etc/${name}`)), guest);
  return text.split('\n').slice(0, -1);
}

describe('vm create --disk with luks', () => {
  test('encrypts the disk, which the guest opens, and leaves nothing open', async () => {
    const { stdout } = await typed(`${create} ${data} --start`);

    expect(luksOf('web1-data')).toMatchObject({ type: 'crypto_LUKS', version: '2' });
    expect(table('crypttab')).toEqual([`data UUID=${luksOf('web1-data')?.uuid ?? ''} none luks,nofail`]);
    expect(table('fstab').at(-1)).toBe('/dev/mapper/data /srv ext4 defaults,nofail 0 2');
    expect(open()).toEqual([]);
    expect(stdout).toContain('data disk data: /dev/vg0/web1-data (LUKS, ext4) on /srv\n');
    expect(stdout).toContain('/etc/cryptsetup-keys.d/data.key');
    expect(stdout).toContain('its source has no program that opens data at boot');
    expect(host.changes.some((each) => each.what === 'command' && each.command.tool === 'blkdiscard')).toBe(
      true,
    );
    host.admin.luksOpen(device, 'x');
    host.admin.mount('/dev/mapper/x', '/mnt');
    expect((await host.stat('/mnt/lost+found'))?.kind).toBe('directory');
  });

  test('keeps the key out of the journal', async () => {
    await typed(`${create} ${data}`);
    expect(host.snapshot()).not.toContain('secret of data');
    expect((await host.readDir('/var/lib/bofh/journal').catch(() => [])).join()).not.toContain('secret');
  });

  test('needs no more memory than the guest can spare', async () => {
    host.admin.writeFile('/proc/meminfo', 'MemTotal: 16000000 kB\nMemAvailable: 12000000 kB\n');
    await typed(`${create} ${data}`);
    const asked = host.changes.flatMap((each) =>
      each.what === 'command' && each.command.argv[0] === 'luksFormat' ? [each.command.argv] : [],
    );
    expect(asked[0]).toEqual(expect.arrayContaining(['--pbkdf-memory', String(32 * 1024)]));
  });

  test('keeps the other lines of the crypttab, and says nothing about a source that opens LUKS', async () => {
    host.addTar('/srv/debian.tar', [
      ...smallSystem,
      { path: './etc/crypttab', content: '# other\nbackup UUID=1 none luks' },
      { path: './usr/', type: 'directory' },
      { path: './usr/sbin/', type: 'directory' },
      { path: './usr/sbin/cryptsetup', content: 'x', mode: 0o755 },
    ]);
    const { stdout } = await typed(`${create} ${data} --disk log=64m,luks=/root/data.key`);
    expect(table('crypttab')).toEqual([
      '# other',
      'backup UUID=1 none luks',
      expect.stringMatching(/^data UUID=\S+ none luks,nofail$/),
      expect.stringMatching(/^log UUID=\S+ none luks,nofail$/),
    ]);
    expect(stdout).not.toContain('has no program');
  });

  test('is created by a script, also thin, and by ensure', async () => {
    host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 64 });
    const request = {
      ...({
        name: 'web1',
        source: 'tar:/srv/debian.tar',
        size: '64m',
        memory: '128m',
        thin: 'pool',
      } as const),
      disks: { data: { size: '64m', luks: { key: { from: 'file', path: '/root/data.key' } } } },
    } as const;
    const made = await withBofh(bofhOn(host), () => vm.create(request));
    expect(made.disks[0]?.luks).toBe(luksOf('web1-data')?.uuid);
    expect(open()).toEqual([]);
    const ensured = `${create} --thin pool --disk data=64m,luks=/root/data.key --ensure`;
    expect((await typed(ensured)).stdout).toContain('unchanged');
    host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid: made.disks[0]?.luks ?? '' });
    expect(await said(ensured)).toMatch(/data content/);
  });

  test('is created on a blank disk for an installer, with the line for its crypttab', async () => {
    for (const path of ['/boot/vmlinuz', '/boot/initrd']) host.admin.writeFile(path, 'x');
    const { stdout } = await typed(
      'vm create web1 --source blank --kernel /boot/vmlinuz --ramdisk /boot/initrd --size 64m --memory 128m --disk data=64m,luks=/root/data.key',
    );
    expect(stdout).toContain(
      `add to its /etc/crypttab: data UUID=${luksOf('web1-data')?.uuid ?? ''} none luks,nofail\n`,
    );
  });

  test.each([
    ['a key file that is not there', 'data=64m,luks=/root/no.key', /key file \/root\/no.key does not exist/],
    ['no room for the header', 'data=16m,luks=/root/data.key', /data without its LUKS header has 0 B/],
    ['a reserved name', 'control=64m,luks=/root/data.key', /"control".*is reserved/],
    [
      'an empty name of the key',
      'data=64m,luks=',
      /after NAME=SIZE come fs=TYPE, mount=\/DIR and luks=KEYFILE/,
    ],
  ])('refuses %s, and changes nothing', async (_, words, why) => {
    const before = host.snapshot();
    expect(await said(`${create} --disk ${words}`)).toMatch(why);
    expect(host.snapshot()).toBe(before);
  });

  test.each([
    ['opens that name', 'data UUID=1 none luks', /already opens UUID=1 as data/],
    ['cannot be parsed', 'data', /line 1 could not be parsed/],
  ])('refuses a source whose crypttab %s', async (_, content, why) => {
    host.addTar('/srv/debian.tar', [...smallSystem, { path: './etc/crypttab', content }]);
    expect(await said(`${create} ${data}`)).toMatch(why);
  });
});

describe('a guest with an encrypted disk', () => {
  beforeEach(() => typed(`${create} ${data}`));
  const mount = 'vm mount web1 --key-file data=/root/data.key';
  const editTable = (name: 'fstab' | 'crypttab', how: (text: string) => string): void =>
    inRoot((at) => host.admin.writeFile(`${at}/etc/${name}`, how(host.admin.readFile(`${at}/etc/${name}`))));
  const needed = (): void => editTable('fstab', (text) => text.replace(',nofail', ''));

  test.each(['data', 'xvdb'])('is mounted with the key of %s, and closed again', async (name) => {
    const { stdout } = await typed(`vm mount web1 --key-file ${name}=/root/data.key`);
    const path = /mounted on (\S+)/.exec(stdout)?.[1] ?? '';
    expect(stdout).toContain(`${device} on ${path}/srv\n`);
    expect((await typed(mount)).stdout).toContain('nothing to do');
    expect((await typed('vm mount web1')).stdout).toContain(`${device} on ${path}/srv\n`);
    host.admin.writeFile(`${path}/srv/file`, 'kept');
    expect(await said('vm start web1')).toMatch(/web1-data is in use/);

    expect((await typed('vm unmount web1')).stdout).toContain(
      `closed vg0-web1--data-luks, the LUKS device on ${device}\n`,
    );
    expect(open()).toEqual([]);
    expect((await typed('vm unmount web1')).stdout).toContain('nothing to do');
    await typed(`${mount} --read-only`);
    await typed('vm unmount web1');
    await typed('vm start web1');
  });

  test.each([
    ['a UUID', (uuid: string) => `UUID=${uuid}`],
    ['a link of udev', (uuid: string) => `/dev/disk/by-uuid/${uuid}`],
    ['its name in the guest', () => '/dev/xvdb'],
  ])('is mounted by %s in its crypttab', async (_, source) => {
    const uuid = luksOf('web1-data')?.uuid ?? '';
    editTable('crypttab', (text) => text.replace(`UUID=${uuid}`, source(uuid)));
    expect((await typed(mount)).stdout).toContain('/srv\n');
  });

  test('is left out without a key, which the answer says, or refused if the guest needs it', async () => {
    const { stdout } = await typed('vm mount web1');
    expect(stdout).toMatch(
      /left out: \/srv, in the LUKS of \/dev\/vg0\/web1-data.*bofh vm mount web1 --key-file data=FILE/,
    );
    await typed('vm unmount web1');
    needed();
    const before = host.snapshot();
    expect(await said('vm mount web1')).toMatch(
      /mounts \/dev\/mapper\/data on \/srv from the LUKS of its disk xvdb \(\/dev\/vg0\/web1-data\), which is closed name its key: bofh vm mount web1 --key-file data=FILE/,
    );
    expect(host.snapshot()).toBe(before);
  });

  test('is mounted with the key in its root, without a key of this host', async () => {
    inRoot((at) => {
      host.admin.mkdir(`${at}/etc/cryptsetup-keys.d`);
      host.admin.writeFile(`${at}/etc/cryptsetup-keys.d/data.key`, 'secret of data', 0o600);
    });
    expect((await typed('vm mount web1')).stdout).toContain('/srv\n');
    await typed('vm unmount web1');
    inRoot((at) => {
      host.admin.removeFile(`${at}/etc/cryptsetup-keys.d/data.key`);
      host.admin.symlink(`${at}/etc/cryptsetup-keys.d/data.key`, '/root/data.key');
    });
    expect(await said('vm mount web1')).toMatch(
      /key file \/etc\/cryptsetup-keys.d\/data.key .*not a regular file/,
    );
    expect(open()).toEqual([]);
  });

  test.each([
    ['a wrong key', 'data=/root/wrong.key', /No key available/],
    ['a key file that is not there', 'data=/root/no.key', /does not exist/],
    ['the key of another disk', 'log=/root/data.key', /mount no encrypted disk log/],
  ])('is not mounted with %s, and nothing stays open', async (_, key, why) => {
    expect(await said(`vm mount web1 --key-file ${key}`)).toMatch(why);
    expect(open()).toEqual([]);
    expect(host.world.mounts.filter(({ path }) => path.startsWith('/run/bofh/mnt'))).toEqual([]);
  });

  const uuidOfData = () => luksOf('web1-data')?.uuid ?? '';
  test.each<readonly [string, () => void, string, RegExp]>([
    [
      'another disk with its UUID',
      () => {
        host.admin.lvcreate({ vg: 'vg0', name: 'web1-copy', extents: 16 });
        host.admin.luksFormat({ device: '/dev/vg0/web1-copy', uuid: uuidOfData(), key: 'x' });
        const config = host.admin.readFile('/etc/xen/web1.cfg');
        host.admin.writeFile(
          '/etc/xen/web1.cfg',
          config.replace('xvdb,w",', 'xvdb,w",\n"phy:/dev/vg0/web1-copy,xvdc,w",'),
        );
      },
      mount,
      /line for data in its .etc.crypttab matches two disks, .*web1-copy.*name the disk in that file by its name in the guest: \/dev\/xvdb or/,
    ],
    [
      'another content',
      () => host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid: uuidOfData() }),
      mount,
      /holds ext4.*bofh opens only LUKS.*nofail/,
    ],
    [
      'a crypttab that cannot be parsed',
      () => editTable('crypttab', () => 'data\n'),
      mount,
      /\/etc\/crypttab of web1: line 1 could not be parsed/,
    ],
    [
      'a command that opens no disk',
      () => undefined,
      'vm disk create web1 log --size 64m --mount /log',
      /which is closed add nofail to that line of the fstab of web1/,
    ],
    [
      'a link in the place of its crypttab',
      () => {
        editTable('fstab', (text) => text.replace('ext4 defaults 0 2', 'ext4 nofail,noauto 0 2'));
        inRoot((at) => {
          host.admin.removeFile(`${at}/etc/crypttab`);
          host.admin.symlink(`${at}/etc/crypttab`, 'mine');
        });
      },
      'vm disk create web1 log --size 64m --mount /log --luks /root/data.key',
      /\/etc\/crypttab of web1 is not a regular file/,
    ],
  ])('is refused with %s, and nothing changes', async (_, arrange, line, why) => {
    needed();
    arrange();
    const before = host.snapshot();
    expect(await said(line)).toMatch(why);
    expect(host.snapshot()).toBe(before);
  });

  test('is not started while the disk is open, also if it is not mounted', async () => {
    host.admin.luksOpen(device, 'theirs');
    expect(await said('vm start web1')).toMatch(/web1-data is in use.*theirs/);
    expect((await typed('vm mount web1')).stdout).toContain('/srv\n');
    await typed('vm unmount web1');
    expect(open()).toEqual([]);
    await typed('vm start web1');
  });

  test('is not unmounted while the mapping is in use', async () => {
    host.admin.luksOpen(device, 'theirs');
    host.admin.luksFormat({
      device: '/dev/mapper/theirs',
      key: 'x',
      uuid: '5e1f0000-0000-4000-8000-0000000000aa',
    });
    host.admin.luksOpen('/dev/mapper/theirs', 'inner');
    expect(await said('vm unmount web1')).toMatch(/a disk of web1 is in use: .*inner/);
    expect(open()).toContain('theirs');
  });

  test('is removed with the lines of both tables', async () => {
    editTable('crypttab', (text) => `# keep\n${text}`);
    const { stdout } = await typed('vm disk remove web1 data');
    expect(stdout).toMatch(
      /\/etc\/fstab: \/dev\/mapper\/data \/srv ext4 defaults,nofail 0 2, also from its \/etc\/crypttab: data UUID=/,
    );
    expect([table('crypttab'), table('fstab')]).toEqual([['# keep'], [expect.stringContaining(' / ')]]);
    expect(lv('web1-data')).toBeUndefined();
  });

  test.each(['vm disk remove web1 data', 'vm remove web1'])(
    'is not removed while it is open: %s',
    async (line) => {
      host.admin.luksOpen(device, 'theirs');
      expect(await said(line)).toMatch(/theirs/);
      expect(lv('web1-data')).toBeDefined();
    },
  );

  test('is created for an existing guest, with and without a line in its tables', async () => {
    const { stdout } = await typed(
      'vm disk create web1 log --size 64m --fs ext4 --mount /log --luks /root/data.key',
    );
    expect(stdout).toContain('/etc/cryptsetup-keys.d/log.key');
    expect(table('crypttab').at(-1)).toBe(`log UUID=${luksOf('web1-log')?.uuid ?? ''} none luks,nofail`);
    expect(table('fstab').at(-1)).toBe('/dev/mapper/log /log ext4 defaults,nofail 0 2');
    const more = await typed('vm disk create web1 more --size 64m --luks /root/data.key');
    expect(more.stdout).toContain(`/etc/crypttab: more UUID=${luksOf('web1-more')?.uuid ?? ''} none`);
    expect(more.stdout).toContain('/etc/fstab: /dev/mapper/more /DIRECTORY ext4 defaults,nofail 0 2');
    expect(table('crypttab')).toHaveLength(2);
    expect(open()).toEqual([]);
    expect((await typed(`${mount} --key-file log=/root/data.key`)).stdout).toContain('/log\n');
  });

  test('is resized with its key only, and closed again', async () => {
    expect(await said('vm resize web1 data +64m')).toMatch(/is closed.*or name its key: --key/);
    const { stdout } = await typed('vm resize web1 data +64m --key file:/root/data.key');
    expect(stdout).toContain('the ext4 on /dev/mapper/vg0-web1--data-luks: 48 MiB → 112 MiB');
    expect(open()).toEqual([]);
  });

  test('is cloned with its header and the lines of both tables', async () => {
    await typed('vm clone web1 web2');
    expect(luksOf('web2-data')?.uuid).toBe(luksOf('web1-data')?.uuid);
    expect(table('crypttab', 'web2')).toEqual(table('crypttab'));
    // Both have the same UUID.
    host.admin.luksOpen('/dev/vg0/web2-data', 'clone');
    await typed(mount);
    await typed('vm unmount web1');
    expect(open()).toEqual(['clone']);
  });

  test('is renamed, saved and restored, and has snapshots', async () => {
    const uuid = luksOf('web1-data')?.uuid;
    await typed('vm rename web1 shop');
    expect((await typed('vm mount shop --key-file data=/root/data.key')).stdout).toContain('/srv\n');
    await typed('vm unmount shop');
    await typed('vm backup shop /srv/backup');
    const [manifest = ''] = (await host.readDir('/srv/backup')).filter((name) => name.endsWith('.json'));
    await typed(`vm restore /srv/backup/${manifest} --as web3`);
    expect(luksOf('web3-data')?.uuid).toBe(uuid);
    expect(table('crypttab', 'web3')).toEqual(table('crypttab', 'shop'));
    await typed('vm snapshot create shop first');
    await typed('vm snapshot restore shop first');
    expect((await typed('vm mount shop --key-file data=/root/data.key')).stdout).toContain('/srv\n');
  });
});

const guest = (disks: string) => async (): Promise<SimulatedHost> => {
  const fresh = prepared();
  await typed(`${create} ${disks}`.trim(), fresh);
  return fresh;
};
const [plain, off] = [guest('')(), guest(`${data} --disk log=64m,mount=/log,luks=/root/data.key`)()];
const key = { from: 'file', path: '/root/data.key' } as const;
const keys = { data: key, log: key };
const mounted = (async () => {
  const fresh = fork(await off);
  await withBofh(bofhOn(fresh), () => vm.mount('web1', { keys }));
  return fresh;
})();

describe('a fault in vm mount that opens encrypted disks', () => {
  testSweep({
    start: async () => fork(await off),
    work: (on) =>
      withBofh(bofhOn(on), () =>
        atomic('mount it', async (tx) => {
          await tx.vm.set('web1', { memory: '64m', autostart: true });
          await tx.vm.mount('web1', { keys });
        }),
      ),
  });
});

describe('a fault in vm unmount that closes them', () => {
  testSweep(
    {
      start: async () => fork(await mounted),
      work: (on) =>
        withBofh(bofhOn(on), () =>
          atomic('unmount it', async (tx) => {
            await tx.vm.set('web1', { memory: '64m', autostart: true });
            await tx.vm.unmount('web1');
          }),
        ),
    },
    { faults: ['fails before'], crashes: ['acts then crash'], afterJournal: ['recover'] },
  );
});

describe('a fault in vm disk create with LUKS', () => {
  testSweep({
    start: async () => fork(await plain),
    work: (on) => typed('vm disk create web1 data --size 64m --mount /data --luks /root/data.key', on),
  });
});

describe('a fault in vm create with an encrypted disk', () => {
  testSweep({
    start: () => Promise.resolve(prepared()),
    work: (on) => typed(`${create} ${data} --start`, on),
  });
});
