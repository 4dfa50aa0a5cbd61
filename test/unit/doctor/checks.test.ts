import { describe, expect, it } from 'vitest';
import type { ReadHost } from '../../../src/command/index.ts';
import { mountOver, parseMountinfo } from '../../../src/blockdevice/index.ts';
import { bootUnits } from '../../../src/doctor/boot.ts';
import { kernel } from '../../../src/doctor/kernel.ts';
import { hiddenGroups, taggedFiles } from '../../../src/doctor/tagged-objects.ts';
import { isOlder, programs } from '../../../src/doctor/programs.ts';
import { siteFile } from '../../../src/doctor/site.ts';
import { stateDirectory } from '../../../src/doctor/state-dir.ts';
import { simulatedHost } from '../../../src/simulator/index.ts';
import { recorded } from '../blockdevice/fixtures.ts';
import { type Ailing, patient } from './support.ts';

const at = (ailing: Ailing) => patient(simulatedHost(), ailing);
const wrong = <T extends { readonly level: string }>(found: readonly T[]): readonly T[] =>
  found.filter(({ level }) => level !== 'ok');

it('names the volume groups whose volumes lvm does not show', async () => {
  const run: ReadHost['run'] = async ({ tool, parse }) =>
    parse(recorded(`lvm/${tool === 'pvs' ? 'pvs-three' : 'vgs-exported'}@2.03.16`));

  expect(await hiddenGroups({ ...simulatedHost(), run })).toEqual(['vg-one']);
});

describe('the programs', () => {
  it('are compared number by number', () => {
    expect(isOlder('2.9', '2.38')).toBe(true);
    expect(isOlder('2.38.1', '2.38')).toBe(false);
    expect(isOlder('2.03.9', '2.03.12')).toBe(true);
    expect(isOlder('2.03.12', '2.03.12')).toBe(false);
    expect(isOlder('3', '2.03.12')).toBe(false);
  });

  it('without which nothing works are a problem when missing, those of one driver a warning', async () => {
    expect(wrong(await programs(at({ missing: ['lvs', 'xl'] }), true))).toMatchObject([
      { level: 'problem', says: 'not installed: lvs (of the package lvm2)', run: ['apt-get install lvm2'] },
      { level: 'warning', says: 'not installed: xl (of the package xen-utils-common)' },
    ]);
  });

  it.each([
    ['2.03.11', 'problem', 'setautoactivation'],
    ['2.03.12', 'warning', 'older than 2.03.16'],
  ])('of lvm2 %s are a %s', async (version, level, says) => {
    const answers = { 'lvs --version': { stdout: `  LVM version:     ${version}(2) (2021-01-08)\n` } };

    const [found, ...more] = wrong(await programs(at({ answers }), true));

    expect(more).toEqual([]);
    expect(found).toMatchObject({ level, says: expect.stringContaining(says) as unknown });
  });

  it('without a readable version are a problem', async () => {
    const answers = { 'tar --version': { stdout: 'bsdtar 3.6.2 - libarchive 3.6.2\n' } };

    expect(wrong(await programs(at({ answers }), true))).toMatchObject([
      { level: 'problem', says: expect.stringContaining('could not be examined') as unknown },
    ]);
  });
});

describe('the kernel', () => {
  const modules = '/lib/modules/6.1.0-13-amd64';

  it('without a module: the use of the module is named', async () => {
    const files = { [`${modules}/modules.dep`]: 'kernel/drivers/md/dm-mod.ko.xz:\n' };

    const found = wrong(await kernel(at({ files }), true));
    expect(found.flatMap(({ run }) => run)).toEqual([]);
    expect(found.map(({ level, says }) => [level, says])).toEqual([
      ['warning', 'the kernel 6.1.0-13-amd64 has no dm_snapshot, which is for snapshots of logical volumes'],
      ['warning', 'the kernel 6.1.0-13-amd64 has no loop, which is for disk images in files'],
      [
        'problem',
        'the kernel 6.1.0-13-amd64 has no xen_blkback, which is for block devices as disks of guests',
      ],
    ]);
  });

  it('is unknown when its modules cannot be listed', async () => {
    const files = {
      [`${modules}/modules.dep`]: undefined,
      [`${modules}/modules.builtin`]: undefined,
      '/sys/module/loop': '',
    };

    const found = await kernel(at({ files }), true);

    expect(found).toContainEqual(expect.objectContaining({ says: 'loop is loaded (disk images in files)' }));
    expect(wrong(found)[0]?.says).toContain('it is unknown whether it can be loaded');
  });

  it('needs no backend for guests outside dom0', async () => {
    const files = { '/proc/xen/capabilities': undefined };

    const found = await kernel(at({ files }), true);

    expect(found.some(({ says }) => says.includes('xen_blkback'))).toBe(false);
    expect(wrong(found)).toMatchObject([{ check: 'xen', level: 'warning' }]);
  });

  it('that waits for a stopped udevd: the command that frees it is named', async () => {
    const head = 'Cookie       Semid      Value      Last semop time           Last change time\n';
    const row = '0xd4d1a2b    3          1          Fri Nov 20 12:00:01 2026  Fri Nov 20 12:00:00 2026\n';
    const answers = { 'dmsetup udevcookies': { stdout: head + row } };

    const without = await kernel(at({ answers, files: { '/run/udev/control': undefined } }), true);
    const withIt = await kernel(at({ answers, files: { '/run/udev/control': '' } }), true);

    expect(wrong(without).map(({ level, run }) => [level, ...run])).toEqual([
      ['warning'],
      ['problem', 'dmsetup udevcomplete_all'],
    ]);
    expect(wrong(withIt).map(({ level }) => level)).toEqual(['warning']);
  });

  it('with an unknown list of udev cookies is a problem', async () => {
    const answers = { 'dmsetup udevcookies': { stdout: 'no idea\n' } };

    expect(wrong(await kernel(at({ answers }), true))).toMatchObject([{ check: 'udev', level: 'problem' }]);
  });
});

describe('the state directory', () => {
  const directory = '/var/lib/bofh/journal';
  const root = '22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n';
  const look = (mounts: string, free: number | undefined = 2 ** 40) =>
    stateDirectory(
      at({ files: { '/proc/self/mountinfo': root + mounts } }),
      { directory, freeBytes: () => free },
      true,
    );

  it.each([
    ['on a tmpfs', '30 22 0:40 / /var/lib rw - tmpfs tmpfs rw\n', 'a reboot deletes the journals'],
    ['mounted read-only', '30 22 8:1 / /var ro - ext4 /dev/sda1 rw\n', 'read-only: every change is refused'],
    ['on a read-only filesystem', '30 22 8:1 / /var rw - ext4 /dev/sda1 ro\n', 'read-only: every change'],
    ['on NFS', '30 22 0:41 / /var/lib/bofh rw - nfs4 host:/x rw\n', 'have no effect on other hosts'],
  ])('%s is a problem', async (_where, mounts, says) => {
    const found = wrong(await look(mounts));

    expect(found).toMatchObject([{ level: 'problem', says: expect.stringContaining(says) as unknown }]);
  });

  it.each([
    [2 ** 30, []],
    [32 * 2 ** 20, ['warning']],
    [2 ** 19, ['problem']],
    [undefined, []],
  ])('with %s bytes left: %j', async (free, levels) => {
    expect(wrong(await look('', free)).map(({ level }) => level)).toEqual(levels);
  });

  it('below a directory that another user could rename is a problem', async () => {
    const host = at({ files: { '/proc/self/mountinfo': root } });
    const stat: typeof host.stat = async (path) => {
      const found = await host.stat('/etc');
      return found === undefined ? found : { ...found, mode: 0o700, uid: path === '/var' ? 1000 : 0 };
    };
    const found = await stateDirectory({ ...host, stat }, { directory, freeBytes: () => 2 ** 40 }, true);
    expect(wrong(found)).toMatchObject([
      {
        level: 'problem',
        says: `/var belongs to user 1000, so another user could replace ${directory}: nothing can be changed`,
        run: ['chown root /var'],
      },
    ]);
  });

  it.each([
    [0o777, 0, 'problem', 'can be written by others', [`chmod 700 ${directory}`]],
    [0o755, 0, 'warning', 'can be read by others', [`chmod 700 ${directory}`]],
    [0o700, 1000, 'problem', 'belongs to user 1000', [`chown root:root ${directory}`]],
    [
      0o755,
      1000,
      'problem',
      'belongs to user 1000',
      [`chown root:root ${directory}`, `chmod 700 ${directory}`],
    ],
  ])('of mode %o and user %i is a %s', async (mode, uid, level, says, run) => {
    const host = at({});
    const stat: typeof host.stat = async (path) => {
      const found = await host.stat(path === directory ? '/etc' : path);
      return found === undefined || path !== directory ? found : { ...found, mode, uid };
    };

    const found = wrong(
      await stateDirectory({ ...host, stat }, { directory, freeBytes: () => undefined }, true),
    );

    expect(found).toMatchObject([{ level, says: expect.stringContaining(says) as unknown }]);
    expect(found[0]?.run).toEqual(run);
  });

  it('in a directory that others can write keeps the other modes of that directory', async () => {
    const host = at({});
    const above = '/var/lib/bofh';
    const stat: typeof host.stat = async (path) => {
      const found = await host.stat(path === above ? '/etc' : path);
      return found === undefined || path !== above ? found : { ...found, mode: 0o775, uid: 0 };
    };
    const found = await stateDirectory({ ...host, stat }, { directory, freeBytes: () => undefined }, true);
    expect(wrong(found)).toMatchObject([{ level: 'problem', run: [`chmod go-w ${above}`] }]);
  });

  it('belongs to the deepest mount above it, and to the last of several at one place', () => {
    const entries = parseMountinfo(
      `${root}30 22 8:1 / /var rw - ext4 /dev/a rw\n31 30 8:2 / /var rw - xfs /dev/b rw\n32 22 8:3 / /var/libx rw - xfs /dev/c rw\n`,
    );

    expect(mountOver(entries, directory)?.source).toBe('/dev/b');
    expect(mountOver(entries, '/etc')?.source).toBe('/dev/vda');
  });
});

describe('at boot', () => {
  const wants = '/etc/systemd/system/multi-user.target.wants';

  it('a disabled recovery is a warning, and a disabled start-all is none', async () => {
    const files = {
      [`${wants}/bofh-recover.service`]: undefined,
      [`${wants}/bofh-start-all.service`]: undefined,
    };

    expect(await bootUnits(at({ files: { ...files, [`${wants}/other.service`]: '' } }))).toMatchObject([
      { level: 'warning', run: ['systemctl enable bofh-recover.service'] },
      { level: 'ok', run: [] },
      { level: 'ok', run: [] },
      { level: 'ok', run: ['systemctl enable bofh-start-all.service'] },
    ]);
  });

  it('a unit below /usr/local/lib is installed', async () => {
    const name = 'bofh-recover.service';
    const files = {
      [`/etc/systemd/system/${name}`]: undefined,
      [`/usr/local/lib/systemd/system/${name}`]: '',
    };

    expect((await bootUnits(at({ files })))[0]).toMatchObject({ level: 'ok' });
  });

  it('a missing unit is reported with the command that installs it', async () => {
    const files = { '/etc/systemd/system/bofh-recover.service': undefined };

    expect((await bootUnits(at({ files })))[0]).toMatchObject({
      level: 'warning',
      run: ['bofh boot install', 'systemctl enable bofh-recover.service'],
    });
  });

  it('a masked unit does not run, although it is still enabled', async () => {
    const host = at({});
    const unit = '/etc/systemd/system/bofh-recover.service';
    const stat: typeof host.stat = async (path) => {
      const found = await host.stat(path);
      return found === undefined || path !== unit ? found : { ...found, kind: 'symlink' };
    };
    const readLink: typeof host.readLink = async (path) =>
      path === unit ? '/dev/null' : host.readLink(path);

    expect((await bootUnits({ ...host, stat, readLink }))[0]).toMatchObject({
      level: 'warning',
      says: expect.stringContaining('is masked: after a power cut nothing is undone') as unknown,
      run: ['systemctl unmask bofh-recover.service'],
    });
  });

  it('a host without systemd must run recovery itself', async () => {
    const files = { '/run/systemd/system/x': undefined };
    expect(await bootUnits(at({ files }))).toMatchObject([{ level: 'warning' }]);
  });
});

describe('the site file', () => {
  it('that others can write is a problem, with its remedy', async () => {
    const host = simulatedHost();
    host.admin.writeFile('/etc/bofh/site-specific.ts', 'export default {}', 0o666);

    const { path, found } = await siteFile(host, undefined, 0);

    expect(path).toBeUndefined();
    expect(found).toMatchObject([
      { level: 'problem', run: [expect.stringContaining('chmod go-w /etc/bofh/site-specific.ts')] },
    ]);
  });

  it('of root alone is accepted', async () => {
    const host = simulatedHost();
    host.admin.writeFile('/etc/bofh/site-specific.ts', 'export default {}', 0o644);

    expect(await siteFile(host, undefined, 0)).toMatchObject({
      path: '/etc/bofh/site-specific.ts',
      found: [{ level: 'ok' }],
    });
  });
});

it('a private name of a directory is removed with rmdir', async () => {
  const host = simulatedHost();
  host.admin.mkdir('/srv/.bofh-gone-bofh.00ff00ff00ff.4');
  host.admin.writeFile('/srv/.bofh-bofh.00ff00ff00ff.5', 'x');
  expect((await taggedFiles(host, ['/srv'])).map(({ what, clear }) => [what, clear])).toEqual([
    [
      '/srv/.bofh-bofh.00ff00ff00ff.5, the private name of a new file',
      [['rm', '/srv/.bofh-bofh.00ff00ff00ff.5']],
    ],
    [
      '/srv/.bofh-gone-bofh.00ff00ff00ff.4, a directory that waits to be removed',
      [['rmdir', '/srv/.bofh-gone-bofh.00ff00ff00ff.4']],
    ],
  ]);
});
