import { describe, expect, test } from 'vitest';
import { RolledBackError } from '../../../src/core/errors.ts';
import type { TarMember } from '../../../src/simulator/index.ts';
import { qcow2 } from '../../../src/simulator/tools/copy/qemu-img.ts';
import {
  bofhOn,
  debianBoot,
  hostWithServer,
  hostWithSource,
  oldMenu,
  reachable,
  vmCreate,
} from './support.ts';
import { type Trial, unnamed, testSweep } from './sweep.ts';

const part = (at: number, size: number, type: string, files: Readonly<Record<string, string>>) => ({
  ...{ from: at * 1024 ** 2, size: size * 1024 ** 2, type: '0FC63DAF-8483-4772-8E79-3D69D8477DE4', files },
  uuid: `11111111-2222-4333-8444-00000000000${String(at)}`,
  superblock: {
    ...{ type, usage: 'filesystem' as const },
    uuid: `5e1f0000-0000-4000-8000-00000000000${String(at)}`,
  },
});
const cloudImage = qcow2({
  size: 16 * 1024 ** 2,
  partitions: [
    part(1, 8, 'xfs', { 'etc/fstab': '/dev/vda2 /boot ext4 defaults 0 2\n', 'boot/hidden': '' }),
    part(9, 4, 'ext4', { 'vmlinuz-6.1': 'x' }),
  ],
});

const trials: readonly (readonly [string, Trial])[] = [
  ['a guest', { start: async () => hostWithSource(), work: (host) => vmCreate(bofhOn(host)) }],
  [
    'a guest that can be reached',
    { start: async () => hostWithServer(), work: (host) => vmCreate(bofhOn(host), reachable) },
  ],
  [
    'a guest with its own kernel and a data disk',
    {
      start: async () =>
        hostWithServer([
          ...debianBoot,
          { path: './boot/grub/', type: 'directory' },
          { path: './boot/grub/grub.cfg', content: oldMenu },
        ]),
      work: (host) =>
        vmCreate(bofhOn(host), {
          ...{ boot: 'grub', swap: 0 },
          disks: [{ name: 'data', size: 16 * 1024 ** 2, fs: 'ext4', mount: '/srv/www' }],
        }),
    },
  ],
  [
    'a guest from an image with a separate /boot',
    {
      start: async () => {
        const host = hostWithSource();
        host.admin.writeFile('/srv/web.qcow2', cloudImage);
        return host;
      },
      work: (host) =>
        vmCreate(bofhOn(host), { source: { type: 'image', path: '/srv/web.qcow2' }, swap: 0, start: false }),
    },
  ],
];

describe('a guest created on the simulated host', () => {
  test('exists and runs, with its files, and nothing else is left', async () => {
    const host = hostWithSource();
    const before = host.snapshot().split('\n');

    await vmCreate(bofhOn(host));

    const made = unnamed(host.snapshot())
      .split('\n')
      .filter((line) => !unnamed(before.join('\n')).includes(line) && !line.startsWith('durable'));
    expect(
      made.map((line) => line.replace(/ [0-9a-zA-Z]{6}(?:-[0-9a-zA-Z]{4}){5}-[0-9a-zA-Z]{6}/, '')),
    ).toEqual([
      'domain web1 UUID running 256MiB 1vcpus weight=256 xvda=/dev/vg0/web1-root,xvdb=/dev/vg0/web1-swap',
      'lv vg0/web1-root extents=16 tags=MARK.1 auto active',
      'lv vg0/web1-swap extents=4 tags=MARK.2 auto active',
      'now vda "/etc/xen/web1.cfg" file 0644 links=1 305 HASH',
      'now vg0/web1-root "/bin" directory 0755',
      'now vg0/web1-root "/bin/busybox" file 0755 links=2 3000 e1630f843370f402',
      'now vg0/web1-root "/bin/sh" file 0755 links=2 3000 e1630f843370f402',
      'now vg0/web1-root "/etc" directory 0755',
      'now vg0/web1-root "/etc/fstab" file 0644 links=1 121 HASH',
      'now vg0/web1-root "/etc/hostname" file 0644 links=1 5 d61d5fc4ba3e3d84',
      'now vg0/web1-root "/etc/hosts" file 0644 links=1 120 19c3a096b7c2739d',
      'now vg0/web1-root "/etc/mtab" link to /proc/mounts',
      'now vg0/web1-root "/etc/os-release" file 0644 links=1 12 4a29f99aeb5c3b56',
      'now vg0/web1-root "/lost+found" directory 0700',
      'now vg0/web1-root "/odd \\"name\\"\\n" file 0644 links=1 0 e3b0c44298fc1c14',
      'now vg0/web1-root holds ext4 UUID 65536x1024',
      'now vg0/web1-swap holds swap UUID 4096x4096',
    ]);
    expect(host.admin.readFile('/etc/xen/web1.cfg')).toContain('name = "web1"');
  });

  test('has its own name, keys and address, and none of the keys of its source', async () => {
    const host = hostWithServer();

    await vmCreate(bofhOn(host), reachable);

    const inRoot = unnamed(host.snapshot()).match(/(?<=^now vg0\/web1-root "\/(?:etc|root)\/).*$/gm) ?? [];
    expect(inRoot.map((line) => line.replace(/ links=1| [0-9a-f]{16}$/g, ''))).toEqual([
      'fstab" file 0644 121 HASH',
      'hostname" file 0644 5',
      'hosts" file 0644 120',
      'machine-id" file 0444 0',
      'mtab" link to /proc/mounts',
      'os-release" file 0644 12',
      'ssh" directory 0755',
      'ssh/ssh_host_ed25519_key" file 0600 399 HASH',
      'ssh/ssh_host_ed25519_key.pub" file 0644 91 HASH',
      'systemd" directory 0755',
      'systemd/network" directory 0755',
      'systemd/network/10-bofh.network" file 0644 88',
      'systemd/system" directory 0755',
      'systemd/system/multi-user.target.wants" directory 0755',
      'systemd/system/multi-user.target.wants/systemd-networkd.service" link to /lib/systemd/system/systemd-networkd.service',
      '.ssh" directory 0700',
      '.ssh/authorized_keys" file 0600 84',
    ]);
  });

  test('is a PVH guest on request', async () => {
    const host = hostWithSource();
    await vmCreate(bofhOn(host), { type: 'pvh' });
    expect(host.admin.readFile('/etc/xen/web1.cfg')).toMatch(/^type = "pvh"$/m);
  });

  test.each<readonly [string, readonly TarMember[]]>([
    ['root/.ssh', [{ path: './root/.ssh', type: 'symlink', target: '/root' }]],
    ['etc/systemd', [{ path: './etc/systemd', type: 'symlink', target: '/etc' }]],
  ])('is not written through a link of its source: %s', async (_, hostile) => {
    const host = hostWithServer(hostile);
    const before = host.snapshot();

    await expect(vmCreate(bofhOn(host), reachable)).rejects.toThrow(RolledBackError);

    expect(host.snapshot()).toBe(before);
  });

  test('loses nothing to a power cut right after a reported success', async () => {
    const [kept, lost] = [hostWithSource(), hostWithSource()];
    await vmCreate(bofhOn(kept));
    await vmCreate(bofhOn(lost));

    expect(unnamed(lost.powerCut({ keep: 'none' }).snapshot())).toBe(
      unnamed(kept.powerCut({ keep: 'all' }).snapshot()),
    );
  });
});

describe.each(trials)('%s on the simulated host', (_, trial) => {
  testSweep(trial);
});
