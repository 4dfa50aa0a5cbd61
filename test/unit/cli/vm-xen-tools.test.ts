import { beforeEach, describe, expect, test } from 'vitest';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { typedOn } from './support/run-verb.ts';

/** As xen-create-image of xen-tools 4.9 writes it (etc/xm.tmpl). */
const config = (disks: readonly string[]) => `#
# Configuration file for the Xen instance web1, created
# by xen-tools 4.9.1 on Mon Jan  5 10:00:00 2026.
#

#
#  Kernel + memory size
#
kernel      = '/boot/vmlinuz-6.1.0-18-amd64'
extra       = 'elevator=noop'
ramdisk     = '/boot/initrd.img-6.1.0-18-amd64'

vcpus       = '1'
memory      = '256'


#
#  Disk device(s).
#
root        = '/dev/xvda2 ro'
disk        = [
${disks.map((disk) => `                  '${disk}',\n`).join('')}              ]


#
#  Physical volumes
#


#
#  Hostname
#
name        = 'web1'

#
#  Networking
#
vif         = [ 'ip=192.0.2.10 ,mac=00:16:3E:AA:BB:CC,bridge=xenbr0' ]

#
#  Behaviour
#
on_poweroff = 'destroy'
on_reboot   = 'restart'
on_crash    = 'restart'



`;

const [disk, swap] = ['phy:/dev/vg0/web1-disk,xvda2,w', 'phy:/dev/vg0/web1-swap,xvda1,w'];

let host: SimulatedHost;
beforeEach(() => {
  host = guest([disk, swap]);
});

function guest(disks: readonly string[]): SimulatedHost {
  const made = simulatedHost();
  const { admin } = made;
  admin.lvcreate({ vg: 'vg0', name: 'web1-disk', extents: 16 });
  admin.lvcreate({ vg: 'vg0', name: 'web1-swap', extents: 4 });
  const uuid = (last: string) => `5e1f0000-0000-4000-8000-00000000000${last}`;
  const root = '/dev/vg0/web1-disk';
  admin.format(root, { type: 'ext4', usage: 'filesystem', uuid: uuid('1'), version: '1.0' });
  admin.format('/dev/vg0/web1-swap', { type: 'swap', usage: 'other', uuid: uuid('2'), version: '1' });
  for (const path of ['/mnt', '/srv/backup']) admin.mkdir(path);
  admin.mount(root, '/mnt');
  for (const path of ['etc', 'proc', 'sys', 'dev']) admin.mkdir(`/mnt/${path}`);
  admin.writeFile('/mnt/etc/hostname', 'web1\n');
  admin.writeFile(
    '/mnt/etc/fstab',
    [
      '# /etc/fstab: static file system information.',
      'proc            /proc           proc    defaults        0       0',
      'devpts          /dev/pts        devpts  rw,noexec,nosuid,gid=5,mode=620 0  0',
      '/dev/xvda1 none swap sw 0 0',
      '/dev/xvda2 / ext4 noatime,nodiratime,errors=remount-ro 0 1',
      '',
    ].join('\n'),
  );
  admin.umount('/mnt');
  admin.writeFile('/etc/xen/web1.cfg', config(disks));
  return made;
}

const typed = (line: string) => typedOn(simulatedBofh({ host }), line, { yes: true });

describe.each([
  ['root first', [disk, swap]],
  ['swap first', [swap, disk]],
])('a guest of xen-create-image, %s', (_, disks) => {
  beforeEach(() => {
    host = guest(disks);
  });

  test.each([
    ['vm list'],
    ['vm show web1'],
    ['vm start web1'],
    ['vm set web1 memory=512m vcpus=2 maxmem=1g maxvcpus=4 cpu-weight=512 autostart=yes'],
    ['vm resize web1 root +4m'],
    ['vm resize web1 xvda2 min'],
    ['vm resize web1 disk +4m'],
    ['vm mount web1', 'vm unmount web1'],
    ['vm snapshot create web1 before', 'vm snapshot list web1', 'vm snapshot restore web1 before'],
    ['vm snapshot create web1 before', 'vm snapshot remove web1 before'],
    ['vm backup web1 /srv/backup', 'vm list-backups /srv/backup', 'vm remove web1'],
    ['vm clone web1 web2', 'vm remove web1'],
    ['vm clone web1 web2 --memory 128m --hostname shop', 'vm start web2'],
    ['vm rename web1 shop', 'vm start shop'],
    ['vm start web1', 'vm pause web1', 'vm resume web1', 'vm stop web1'],
    ['vm start web1', 'vm restart web1', 'vm rename web1 shop --restart'],
    ['vm start web1', 'vm set web1 memory=128m', 'vm resize web1 root +4m'],
    ['vm start web1', 'vm snapshot create web1 before', 'vm backup web1 /srv/backup'],
    ['vm start web1', 'vm wait web1 --for running', 'vm stop web1', 'vm remove web1'],
    ['xen start-all', 'vm list'],
  ])('%s', async (...lines) => {
    for (const line of lines) expect([line, await typed(line)]).toMatchObject([line, { code: 0 }]);
  });
});

test.each([
  ['--ip 192.0.2.11/24 --gateway 192.0.2.1', /'ip=192\.0\.2\.11,mac=00:16:3e:[^,]+,bridge=xenbr0'/],
  ['--ip dhcp', /\[ 'mac=00:16:3e:[^,]+,bridge=xenbr0'/],
  ['', /'ip=192\.0\.2\.10 ,mac=00:16:3e:[^,]+,bridge=xenbr0'/],
])('vm clone %s: the interface accepts the address of the clone', async (options, vif) => {
  host.admin.mount('/dev/vg0/web1-disk', '/mnt');
  for (const path of ['usr', 'usr/sbin']) host.admin.mkdir(`/mnt/${path}`);
  host.admin.writeFile('/mnt/usr/sbin/ifup', 'program', 0o755);
  host.admin.umount('/mnt');

  await typed(`vm clone web1 web2 ${options}`.trim());

  expect(host.admin.readFile('/etc/xen/web2.cfg')).toMatch(vif);
});

describe('a guest of xen-create-image with --dir', () => {
  beforeEach(() => {
    host = guest(['file:/home/xen/domains/web1/disk.img,xvda2,w']);
    host.admin.mkdir('/home/xen/domains/web1');
    host.admin.writeFile('/home/xen/domains/web1/disk.img', 'x');
  });

  test.each([
    ['vm list', 'vm show web1', 'vm start web1', 'vm restart web1', 'vm stop web1'],
    ['vm set web1 memory=512m'],
    ['vm rename web1 shop'],
    ['vm remove web1'],
  ])('%s', async (...lines) => {
    for (const line of lines) expect([line, await typed(line)]).toMatchObject([line, { code: 0 }]);
    expect(host.admin.readFile('/home/xen/domains/web1/disk.img')).toBe('x');
  });

  test.each([
    ['vm mount web1', /is not a block device of this host/],
    ['vm backup web1 /srv/backup', /is not a logical volume, and bofh saves only these/],
    ['vm snapshot create web1 x', /is not a logical volume, and bofh snapshots only these/],
    ['vm clone web1 web2', /is not a logical volume: bofh clones only logical volumes/],
    ['vm resize web1 root +4m', /is not a block device but a file/],
  ])('%s is refused', async (line, why) => {
    expect(String(await rejectionOf(typed(line)))).toMatch(why);
  });
});
