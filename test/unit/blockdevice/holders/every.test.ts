import { describe, expect, test } from 'vitest';
import {
  everyHolder,
  holders,
  mountEntries,
  mountHolders,
  refuseGuests,
} from '../../../../src/blockdevice/index.ts';
import { CommandError } from '../../../../src/core/errors.ts';
import { disk, mapped, quiet, treeHost, type Tree, virtual } from '../tree-host.ts';

const dm = mapped({ name: 'dm-1', number: '253:1', map: 'vg0-web1', uuid: 'LVM-x' }, {});
const one = '/proc/1/ns/mnt 4 4026531841 8124 0:0\n';
const root = '22 1 254:0 / / rw - ext4 /dev/vda rw\n';

/** 253:1 as stat prints it. */
const device = (253 << 8) | 1;

function process(pid: number, command: string, more: Tree = {}): Tree {
  const files = Object.entries(more).map(([name, text]) => [`/proc/${pid}/${name}`, text]);
  return {
    [`/proc/${pid}/cmdline`]: `${command.replaceAll(' ', '\0')}\0`,
    [`/proc/${pid}/status`]: 'SigIgn:\t0000000000000000\n',
    ...(Object.fromEntries(files) as Tree),
  };
}

const hostOf = (tree: Tree, scan = '', said: Readonly<Record<string, string>> = {}) =>
  treeHost({ ...dm, ...quiet, ...tree }, ({ tool }) => {
    if (tool === 'find') return one + scan;
    const text = said[tool];
    if (text === undefined) throw new CommandError({ tool, argv: [], reason: 'not-found', exitCode: 1 });
    return text;
  });
const of = async (tree: Tree, scan = '', said: Readonly<Record<string, string>> = {}) =>
  (await everyHolder(hostOf(tree, scan, said), '/dev/dm-1')).map(({ words, free }) => [
    words,
    free?.join(' '),
  ]);

const open = `/proc/7/fd/3 5 99 61b0 fd:1\n`;
const works = `/proc/7/cwd ${device} 2 41ed 0:0\n`;
const mounted = { '/proc/self/mountinfo': `${root}40 22 253:1 / /mnt rw - ext4 /dev/dm-1 rw\n` };

const vbd = { '/sys/bus/xen-backend/devices/vbd-7-51712/physical_device': 'fd:1\n' };

/** `xl list -v` (4.17) with one guest of id 7. */
function listed(name: string, flags: string): string {
  return `Name                                        ID   Mem VCPUs\tState\tTime(s)   UUID                            Reason-Code\tSecurity Label
Domain-0                                     0  1536     2     r-----     256.0 00000000-0000-0000-0000-000000000000        -                -
${name.padEnd(40)}     7   128     1     ${flags}       8.4 11111111-2222-4333-8444-777777777777        -                -
`;
}

describe('everyHolder', () => {
  test('finds none for an unused device', async () => {
    expect(await of({})).toEqual([]);
  });

  test('names processes that have the device itself open', async () => {
    expect(await of(process(7, 'dd of=/dev/dm-1', { 'fd/3': '-> /dev/dm-1' }), open)).toEqual([
      ['process 7 (dd) has open /dev/dm-1', 'kill 7'],
    ]);
  });

  test('names processes in its filesystem before the mount, so that the commands work in order', async () => {
    expect(await of({ ...mounted, ...process(7, 'sleep 9', { cwd: '-> /mnt/deep' }) }, works)).toEqual([
      ['process 7 (sleep) works in /mnt/deep', 'kill 7'],
      ['mounted on /mnt (mount 40)', 'umount /mnt'],
    ]);
  });

  // An error is kept in the journal and in the system log, and a command line may hold a password.
  test.each([
    ['mysqldump -uroot -phunter2 --all', 'mysqldump'],
    ['/usr/bin/python3.11 /srv/backup.py --token hunter2', 'python3.11 backup.py'],
    ['sh -c hunter2', 'sh'],
    ['/usr/sbin/nginx: master', 'nginx'],
  ])('names the program of a process and not its arguments: %s', async (command, name) => {
    expect(await of(process(7, command, { 'fd/3': '-> /dev/dm-1' }), open)).toEqual([
      [`process 7 (${name}) has open /dev/dm-1`, 'kill 7'],
    ]);
  });

  test('forgets a process that ended while it looked', async () => {
    expect(await of({}, open)).toEqual([]);
  });

  test('ends an interactive shell, which ignores SIGTERM, with another signal', async () => {
    const shell = process(7, '-bash', { status: 'Name:\tbash\nSigIgn:\t0000000000384004\n', cwd: '-> /mnt' });

    expect(await of({ ...mounted, ...shell }, works)).toContainEqual([
      'process 7 (-bash) works in /mnt',
      'kill -HUP 7',
    ]);
  });

  test('stops the service of a process, which systemd would start again', async () => {
    const cgroup = '0::/system.slice/mysql.service\n';
    const stat = '7 (my sql) d) S 6 6 6 0 -1\n';
    const service = process(7, 'mysqld', { cgroup, stat, cwd: '-> /mnt' });
    const main = { '/proc/6/stat': '6 (mysqld_safe) S 1 6 6 0 -1\n' };
    const all = { ...mounted, ...service, ...main };
    const systemd = { '/run/systemd/system/x': '' };

    expect(await of({ ...all, ...systemd }, works)).toContainEqual([
      'process 7 (mysqld) works in /mnt',
      'systemctl stop mysql.service',
    ]);
    const killed = ['process 7 (mysqld) works in /mnt', 'kill 7'];
    expect(await of(all, works)).toContainEqual(killed);
    // A login or a job, which has a session of its own.
    const other = { ...all, ...systemd, '/proc/7/stat': '7 (mysqld) S 6 7 7 0 -1\n' };
    expect(await of(other, works)).toContainEqual(killed);
    const ssh = { ...all, ...systemd, '/proc/7/cgroup': '0::/system.slice/ssh.service\n' };
    expect(await of(ssh, works)).toContainEqual(killed);
  });

  test('recognises the qemu of a guest', async () => {
    const qemu = process(7, 'qemu-system-i386 -xen-domid 4 -name web1', { 'fd/3': '-> /dev/dm-1' });

    expect(await of(qemu, open)).toEqual([
      ['process 7 (qemu-system-i386), for the guest with domid 4, has open /dev/dm-1', 'xl shutdown -w 4'],
    ]);
  });

  test('advises to end the use of bofh itself, not to kill it', async () => {
    const self = { '/proc/self': '-> 7', ...process(7, 'bofh', { cwd: '-> /mnt' }) };
    const tree = { ...dm, ...quiet, ...mounted, ...self };
    const host = hostOf(tree, works);
    const answer = await everyHolder(
      {
        ...host,
        stat: (path) => (path === '/proc/self' ? Promise.resolve({ ...link }) : host.stat(path)),
        readLink: (path) =>
          path === '/proc/self/ns/mnt' ? Promise.resolve('mnt:[4026531841]') : host.readLink(path),
        readFile: (path) =>
          path === '/proc/self/mountinfo'
            ? Promise.resolve(new TextEncoder().encode(mounted['/proc/self/mountinfo']))
            : host.readFile(path),
      },
      '/dev/dm-1',
    );

    expect(answer[0]).toMatchObject({ kind: 'process', pid: 7, words: 'process 7 (bofh) works in /mnt' });
    expect(answer[0]?.free).toBeUndefined();
  });

  // Its login shell, or the bofh that a dry run's child was started by.
  test('does not advise to kill a parent process of bofh', async () => {
    const stats = {
      '/proc/9/stat': '9 (node) S 7 9 7 0 -1 4194304\n',
      '/proc/7/stat': '7 (bash) S 1 7 7 0 -1\n',
    };
    const self = {
      '/proc/9/ns/mnt': '-> mnt:[4026531841]',
      '/proc/9/mountinfo': mounted['/proc/self/mountinfo'],
    };
    const shell = { '/proc/self': '-> 9', ...self, ...stats, ...process(7, 'bash', { cwd: '-> /mnt' }) };

    expect(await of(shell, works)).toContainEqual([
      'process 7 (bash), which bofh was started from, works in /mnt',
      undefined,
    ]);
  });

  test('does not advise to kill a kernel thread or process 1', async () => {
    // PF_KTHREAD of linux/sched.h, as kthreadd has it on 6.1.
    const thread = process(7, 'kworker', { cwd: '-> /mnt', stat: '7 (kworker/R) I 2 0 0 0 -1 69238880 0\n' });
    const init = process(1, 'init', { cwd: '-> /mnt' });

    expect(await of({ ...mounted, ...thread }, works)).toContainEqual([
      'process 7 (kworker) works in /mnt',
      undefined,
    ]);
    expect(await of({ ...mounted, ...init }, works.replace('/7/', '/1/'))).toContainEqual([
      'process 1 (init) works in /mnt',
      undefined,
    ]);
  });

  test('does not advise to end uses of the root filesystem, or to stop its mount unit', async () => {
    const table = { '/proc/self/mountinfo': '22 1 253:1 / / rw - ext4 /dev/dm-1 rw\n' };

    expect(await of({ ...table, '/run/systemd/generator/-.mount': '', '/run/systemd/system/x': '' })).toEqual(
      [['mounted on / (mount 22)', undefined]],
    );
  });

  test('names a mount in another mount namespace, and how to enter that', async () => {
    const scan = '/proc/8/ns/mnt 4 4026532999 8124 0:0\n';
    const there = process(8, 'nginx', { mountinfo: '90 80 253:1 / /srv rw - ext4 /dev/dm-1 rw\n' });

    expect(await of(there, scan)).toEqual([
      ['mounted on /srv in the mount namespace of process 8 (nginx)', 'nsenter -t 8 -m -r umount /srv'],
    ]);
  });

  test('leaves out a copy of a mount that ends with the original', async () => {
    const scan = '/proc/8/ns/mnt 4 4026532999 8124 0:0\n';
    const shared = (parent: string, id: number): string =>
      `${id} 1 254:0 / / rw ${parent} - ext4 /dev/vda rw\n${id + 1} ${id} 253:1 / /mnt rw - ext4 /dev/dm-1 rw\n`;
    const ours = { '/proc/self/mountinfo': shared('shared:1', 22) };
    const with_ = (parent: string) => process(8, 'nginx', { mountinfo: shared(parent, 90) });
    const here = ['mounted on /mnt (mount 23)', 'umount /mnt'];

    expect(await of({ ...ours, ...with_('master:1') }, scan)).toEqual([here]);
    expect(await of({ ...ours, ...with_('shared:1') }, scan)).toEqual([here]);
    expect(await of({ ...ours, ...with_('master:2') }, scan)).toHaveLength(2);
    expect(await of({ ...ours, ...with_('') }, scan)).toHaveLength(2);
  });

  test('says which mount namespaces and processes it could not examine', async () => {
    const host = hostOf({});
    const denied = { stderr: "stat: cannot statx '/proc/9/cwd': Permission denied\n", exitCode: 1 };

    const found = await everyHolder(
      { ...host, run: async (command) => command.parse({ stdout: one, ...denied }) },
      '/dev/dm-1',
    );

    expect(found).toEqual([{ kind: 'unknown', words: 'could not examine 1 process: PID 9' }]);
  });

  test('reports what it knows when the search fails, and that it is incomplete', async () => {
    const host = hostOf(mounted);
    const found = await everyHolder(
      {
        ...host,
        run: () =>
          Promise.reject(
            new CommandError({ tool: 'find', argv: [], reason: 'timeout', what: 'took too long' }),
          ),
      },
      '/dev/dm-1',
    );

    expect(found.map(({ words }) => words)).toEqual([
      'mounted on /mnt (mount 40)',
      'could not examine every possible holder: find: timeout',
    ]);
  });

  test('names holders of a mapping first, then the mapping with its command to close it', async () => {
    const upper = (uuid: string): Tree => ({
      ...mapped({ name: 'dm-2', number: '253:2', map: 'secret', uuid }, {}),
      '/sys/devices/virtual/block/dm-1/holders/dm-2': '-> ../../dm-2',
      '/proc/self/mountinfo': `${root}41 22 253:2 / /deep rw - ext4 /dev/dm-2 rw\n`,
    });
    const closes = async (uuid: string) => (await of(upper(uuid))).map(([, free]) => free);

    expect(await of(upper('CRYPT-LUKS2-x'))).toEqual([
      ['/dev/mapper/secret: mounted on /deep (mount 41)', 'umount /deep'],
      ['beneath /dev/mapper/secret', 'cryptsetup close secret'],
    ]);
    expect(await closes('')).toEqual(['umount /deep', 'dmsetup remove secret']);
    expect(await closes('mpath-x')).toEqual(['umount /deep', 'multipath -f secret']);
  });

  test('names the volume whose hidden part it is', async () => {
    const upper = mapped({ name: 'dm-2', number: '253:2', map: 'vg0-pool_tdata', uuid: 'LVM-y-tdata' }, {});
    const tree = { ...upper, '/sys/devices/virtual/block/dm-1/holders/dm-2': '-> ../../dm-2' };

    expect(await of(tree)).toEqual([['beneath /dev/mapper/vg0-pool_tdata', 'lvchange -an vg0/pool']]);
  });

  test('stops an array', async () => {
    const md = { ...virtual('md0', '9:0'), '/sys/devices/virtual/block/dm-1/holders/md0': '-> ../../md0' };

    expect(await of(md)).toEqual([['part of /dev/md0', 'mdadm --stop /dev/md0']]);
  });

  test.each([
    ['web1', '-b----', 'the guest web1 (domid 7)', 'xl shutdown -w 7'],
    ['my web', '--p---', 'the guest my web (domid 7)', 'xl unpause 7'],
    ['web1', '--ps--', 'the guest web1 (domid 7)', 'xl destroy 7'],
    ['web1', '---sc-', 'the guest web1 (domid 7)', 'xl destroy 7'],
    // It may be half-built, or be saved or moved at this moment.
    ['(null)', '--p---', 'the guest with domid 7, whose name xl does not show', 'xl shutdown -w 7'],
    ['web1', '---ss-', 'the guest web1 (domid 7)', 'xl shutdown -w 7'],
    ['web1', '---sr-', 'the guest web1 (domid 7)', 'xl shutdown -w 7'],
  ])('names a guest and what ends it: %s, %s', async (name, flags, words, free) => {
    expect(await of(vbd, '', { xl: listed(name, flags) })).toEqual([[`a disk of ${words}`, free]]);
  });

  test('does not advise to destroy a guest when the list cannot be read', async () => {
    expect(await of(vbd, '', { xl: listed('web1\nweb2', '---s--') })).toEqual([
      ['a disk of the guest with domid 7, whose name xl does not show', 'xl shutdown -w 7'],
    ]);
  });

  test('says that xl does not tell the name of a guest that it does not list', async () => {
    const expected = [['a disk of the guest with domid 7, whose name xl does not show', 'xl shutdown -w 7']];

    expect(await of(vbd)).toEqual(expected);
    expect(await of(vbd, '', { xl: listed('web1', '------').replace('  7 ', '  8 ') })).toEqual(expected);
  });

  const scsi = (adapter: string, info: string): Tree => ({
    [`/sys/kernel/config/target/core/${adapter}/hba_info`]: 'HBA Index: 1\n',
    [`/sys/kernel/config/target/core/${adapter}/web1/enable`]: '1\n',
    [`/sys/kernel/config/target/core/${adapter}/web1/info`]: `Status: ACTIVATED  Max Queue Depth: 0\n        ${info}\n`,
  });
  const iblock =
    'iBlock device: dm-1  UDEV PATH: /dev/vg0/web1  readonly: 0\n        Major: 253 Minor: 1  CLAIMED: IBLOCK';
  const namespace = '/sys/kernel/config/nvmet/subsystems/s1/namespaces/3';
  const nvme = (enable: string): Tree => ({
    [`${namespace}/enable`]: enable,
    [`${namespace}/device_path`]: '/dev/mapper/vg0-web1\n',
  });

  // Neither a process nor the kernel's `holders` shows them (Linux 6.1).
  test('names the SCSI or NVMe target that serves it to other hosts, also in the quick list', async () => {
    const iscsi = [
      ['served by the SCSI target of this host as web1', 'targetcli /backstores/block delete web1'],
    ];
    expect(await of(scsi('iblock_0', iblock))).toEqual(iscsi);
    expect(await holders(hostOf(scsi('iblock_0', iblock)), '/dev/dm-1')).toHaveLength(1);
    expect(await of(scsi('iblock_0', iblock.replace('Minor: 1', 'Minor: 2')))).toEqual([]);
    expect(await of(nvme('1\n'))).toEqual([
      ['served by the NVMe target of this host as s1, namespace 3', `sh -c echo 0 > ${namespace}/enable`],
    ]);
    expect(await of(nvme('0\n'))).toEqual([]);
  });

  test('does not take a target that it cannot read for none', async () => {
    await expect(holders(hostOf(scsi('iblock_0', 'no idea')), '/dev/dm-1')).rejects.toThrow(
      '/sys/kernel/config/target/core/iblock_0/web1/info does not say what it serves',
    );
  });

  test('names the unit by which systemd mounts it, and stops that instead', async () => {
    const unit = { ...mounted, '/run/systemd/system/x': '', '/run/systemd/generator/mnt.mount': '' };
    const automount = { ...unit, '/run/systemd/generator/mnt.automount': '' };
    const table = `${root}39 22 0:50 / /mnt rw - autofs systemd-1 rw\n40 39 253:1 / /mnt rw - ext4 /dev/dm-1 rw\n`;

    expect(await of(unit)).toEqual([
      [
        'mounted on /mnt (mount 40), where systemd mounts it (mnt.mount, from /etc/fstab)',
        'systemctl stop mnt.mount',
      ],
    ]);
    expect(await of({ ...automount, '/proc/self/mountinfo': table })).toEqual([
      [
        'mounted on /mnt (mount 40), where systemd mounts it again at each access (mnt.automount, from /etc/fstab)',
        'systemctl stop mnt.automount mnt.mount',
      ],
    ]);
    const local = { ...mounted, '/run/systemd/system/x': '', '/usr/local/lib/systemd/system/mnt.mount': '' };
    expect(await of(local)).toEqual([
      [
        'mounted on /mnt (mount 40), where systemd mounts it (mnt.mount, in /usr/local/lib/systemd/system)',
        'systemctl stop mnt.mount',
      ],
    ]);
    expect(await of(mounted)).toEqual([['mounted on /mnt (mount 40)', 'umount /mnt']]);
  });
});

const link = {
  kind: 'symlink',
  inode: '1',
  device: '0:1',
  size: 0,
  mode: 0o777,
  uid: 0,
  gid: 0,
  links: 1,
} as const;

describe('mountHolders', () => {
  const entry = async (tree: Tree, id = 40) => {
    const found = (await mountEntries(hostOf(tree))).find((each) => each.id === id);
    if (found === undefined) throw new Error('no such mount');
    return found;
  };
  const on = async (tree: Tree, scan = '') => {
    const found = await mountHolders(hostOf(tree, scan), await entry(tree));
    return found.map(({ words, free }) => [words, free?.join(' ')]);
  };

  test('names the mounts in it, the innermost first', async () => {
    const table = `${mounted['/proc/self/mountinfo']}50 40 0:60 / /mnt/a rw - tmpfs t rw\n51 50 0:61 / /mnt/a/b rw - tmpfs t rw\n`;

    expect(await on({ '/proc/self/mountinfo': table })).toEqual([
      ['t mounted on /mnt/a/b (mount 51)', 'umount /mnt/a/b'],
      ['t mounted on /mnt/a (mount 50)', 'umount /mnt/a'],
    ]);
  });

  test('names an overlay that has a layer in it', async () => {
    const table = `${mounted['/proc/self/mountinfo']}52 22 0:70 / /merged rw - overlay o rw,lowerdir=/lo:/mnt/layer,upperdir=/up\n`;

    expect(await on({ '/proc/self/mountinfo': table })).toEqual([
      ['a layer of the overlay on /merged (mount 52)', 'umount /merged'],
    ]);
  });

  test('names processes that use it through this mount only, where the filesystem has another one', async () => {
    const table = `${mounted['/proc/self/mountinfo']}60 22 253:1 / /other rw - ext4 /dev/dm-1 rw\n`;
    const two = {
      '/proc/self/mountinfo': table,
      ...process(7, 'sleep 9', { cwd: '-> /mnt/deep' }),
      ...process(8, 'sleep 8', { cwd: '-> /other/deep' }),
    };
    const scan = `${works}/proc/8/cwd ${device} 2 41ed 0:0\n`;

    expect(await on(two, scan)).toEqual([['process 7 (sleep) works in /mnt/deep', 'kill 7']]);
  });

  const nfs = (...lines: readonly string[]): Tree => ({
    '/proc/fs/nfsd/exports': ['# Version 1.1', '# Path Client(Flags) # IPs', ...lines, ''].join('\n'),
  });
  const etab =
    '/\t10.0.0.0/24(rw,crossmnt)\n/mnt\t10.0.0.0/24(rw,sync)\n/mnt\t*.example.org(ro)\n/srv/a\\040b\t*(ro)\n';

  test('names the NFS export that keeps it in use, with the command that ends that', async () => {
    const tree = { ...mounted, ...nfs('/mnt\t10.0.0.0/24(rw,sync)', '/srv/a\\040b\t*(ro)') };

    expect(await on({ ...tree, '/var/lib/nfs/etab': etab })).toEqual([
      ['exported by NFS: /mnt to 10.0.0.0/24', 'exportfs -u 10.0.0.0/24:/mnt'],
    ]);
    expect(await on(tree)).toEqual([['exported by NFS: /mnt to 10.0.0.0/24', 'exportfs -f']]);
    // An export of the root directory with crossmnt; an export of a directory in it.
    const more = { ...mounted, ...nfs('# /mnt/a\\040b\t*(ro,crossmnt)'), '/var/lib/nfs/etab': '/\t*(ro)\n' };
    expect(await on(more)).toEqual([['exported by NFS: /mnt/a b to *', 'exportfs -u *:/']]);
    await expect(on({ ...mounted, ...nfs('?') })).resolves.toEqual([
      [expect.stringContaining('/proc/fs/nfsd/exports: cannot read the line "?"'), undefined],
    ]);
  });

  test('leaves out the export of a mount that is in it', async () => {
    const table = `${mounted['/proc/self/mountinfo']}50 40 0:60 / /mnt/a rw - tmpfs t rw\n`;

    expect(await on({ '/proc/self/mountinfo': table, ...nfs('/mnt/a/b\t*(ro)') })).toEqual([
      ['t mounted on /mnt/a (mount 50)', 'umount /mnt/a'],
    ]);
  });

  test('names a SCSI target that serves a file in it', async () => {
    const at = '/sys/kernel/config/target/core/fileio_1/img';
    const info =
      'Status: ACTIVATED\n        TCM FILEIO ID: 0        File: /mnt/my file  Size: 8388608  Mode: O_DSYNC Async: 0\n';
    const tree = { ...mounted, [`${at}/enable`]: '1\n', [`${at}/info`]: info };
    const host = hostOf({ ...tree, '/mnt/my file': '' });
    const found = await mountHolders(
      {
        ...host,
        stat: async (path) => {
          const stat = await host.stat(path);
          return path === '/mnt/my file' && stat !== undefined ? { ...stat, device: '253:1' } : stat;
        },
      },
      await entry(mounted),
    );

    expect(found.map(({ words, free }) => [words, free?.join(' ')])).toEqual([
      [
        'its file /mnt/my file is served by the SCSI target of this host as img',
        'targetcli /backstores/fileio delete img',
      ],
    ]);
  });

  test('names a loop device over a file in it that was deleted', async () => {
    const loop = virtual('loop5', '7:5', { 'loop/backing_file': '/mnt/g (deleted)\n' });
    const json = '{"loopdevices":[{"name":"/dev/loop5","back-ino":13,"back-maj:min":"     253:1  "}]}';
    const host = hostOf({ ...mounted, ...loop }, '', { losetup: json });

    const found = await mountHolders(host, await entry(mounted));

    expect(found.map(({ words, free }) => [words, free?.join(' ')])).toEqual([
      ['its file /mnt/g (deleted) is behind the loop device /dev/loop5', 'losetup --detach /dev/loop5'],
    ]);
  });

  test('names processes with a socket in it', async () => {
    const unix =
      'Num       RefCount Protocol Flags    Type St Inode Path\n' +
      '0000000000000000: 00000002 00000000 00010000 0001 01 4711 /mnt/run/sock\n' +
      '0000000000000000: 00000002 00000000 00010000 0001 01 4712 @/mnt/abstract\n' +
      '0000000000000000: 00000003 00000000 00000000 0001 03 4713\n';
    const scan = '/proc/7/fd/4 9 4711 c1ff 0:0\n/proc/7/fd/5 9 4713 c1ff 0:0\n';

    expect(await on({ ...mounted, '/proc/net/unix': unix, ...process(7, 'mysqld') }, scan)).toEqual([
      ['process 7 (mysqld) has a socket at /mnt/run/sock', 'kill 7'],
    ]);
  });
});

describe('refuseGuests', () => {
  const vbd = (hex: string, mode: string): Tree => ({
    '/sys/bus/xen-backend/devices/vbd-7-51712/physical_device': `${hex}\n`,
    '/sys/bus/xen-backend/devices/vbd-7-51712/mode': `${mode}\n`,
  });
  const stack: Tree = {
    ...disk('vdb', '254:16', { 1: '254:17' }),
    ...disk('cciss!c0d0', '104:0'),
    ...mapped({ name: 'dm-2', number: '253:2', map: 'vg1-x', uuid: 'LVM-y' }, { vdb1: '254:17' }),
  };
  const ask = (path: string, tree: Tree, mode: 'ro' | 'rw' = 'ro') =>
    refuseGuests(hostOf({ ...stack, ...tree }, '', { xl: listed('shop', '-b----') }), path, mode);

  test.each([
    ['the device itself', '/dev/vdb', vbd('fe:10', 'w')],
    ['a device whose name has a slash', '/dev/cciss/c0d0', vbd('68:0', 'w')],
    ['the disk of a partition', '/dev/vdb1', vbd('fe:10', 'w')],
    ['the device beneath a volume', '/dev/dm-2', vbd('fe:11', 'w!')],
    ['the disk of the partition beneath a volume', '/dev/dm-2', vbd('fe:10', 'w')],
  ])('refuses a device that a guest can write to by %s', async (_, path, tree) => {
    await expect(ask(path, tree)).rejects.toThrow(/is in use: .*the guest shop \(domid 7\)/);
  });

  test('allows a device of no guest, and reading one that a guest only reads', async () => {
    await ask('/dev/vdb1', vbd('fd:1', 'w'));
    await ask('/dev/vdb1', vbd('fe:10', 'r'));
    await expect(ask('/dev/vdb1', vbd('fe:10', 'r'), 'rw')).rejects.toThrow(/is in use/);
  });
});
