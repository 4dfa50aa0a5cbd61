import type { SimulatedHost } from '../../../../src/simulator/index.ts';
import { qcow2 } from '../../../../src/simulator/tools/copy/qemu-img.ts';
import { emptyVolume, filledVolume, ownUuid } from '../stage.ts';
import type { Specimens } from '../specimens.ts';

export const copy: Specimens['copy'] = {
  unpack: [
    {
      stage: (host) => {
        const device = newRoot(host);
        return (tx) => tx.copy.unpack({ source: '/srv/debian.tar', ...unpacked(device) });
      },
    },
    {
      title: 'a directory',
      stage: (host) => {
        const device = newRoot(host);
        const { admin } = host;
        for (const path of ['/srv/root', '/srv/root/etc', '/srv/root/home']) admin.mkdir(path);
        admin.writeFile('/srv/root/etc/os-release', 'NAME=Debian\n');
        admin.symlink('/srv/root/etc/mtab', '/proc/mounts');
        admin.chown('/srv/root/home', 33);
        return (tx) => tx.copy.unpack({ source: '/srv/root', ...unpacked(device) });
      },
    },
    {
      title: 'a tree of mounts',
      before: ['mount.mount', 'mount.mount'],
      stage: (host) => {
        const device = newRoot(host);
        const source = filledVolume(host, 'web1-image', '5e1f0000-0000-4000-8000-000000000002');
        const boot = filledVolume(host, 'web1-image2', '5e1f0000-0000-4000-8000-000000000003');
        host.admin.mount(source, '/mnt/fill');
        host.admin.mkdir('/mnt/fill/boot');
        host.admin.writeFile('/mnt/fill/boot/hidden', 'x');
        host.admin.umount('/mnt/fill');
        const mounted = { type: 'ext4', mode: 'ro' as const };
        return async (tx) => {
          const { path } = await tx.mount.mount({ device: source, ...mounted });
          await tx.mount.mount({ device: boot, path: `${path}/boot`, hides: true, ...mounted });
          return tx.copy.unpack({ source: path, mounts: 'included', ...unpacked(device) });
        };
      },
    },
  ],
  debian: [
    {
      stage: () => (tx) => tx.copy.debian({ suite: 'bookworm', file: '/srv/bookworm.tar' }),
    },
  ],
  script: [
    {
      title: 'in a new filesystem',
      before: ['filesystem.create', 'mount.mount'],
      notApplicable: {
        'the world moved on': 'it has no part after the commit, and no other step has one here',
      },
      stage: (host) => {
        const device = emptyVolume(host, 'web1-root');
        host.admin.mkdir('/mnt/web1');
        host.admin.writeFile('/etc/bofh/roles.d/web', '#!/bin/sh\necho hello >/etc/motd\n', 0o755);
        return async (tx) => {
          const { uuid } = await tx.filesystem.create({ device, type: 'ext4' });
          await tx.mount.mount({ device, path: '/mnt/web1', type: 'ext4', mode: 'rw' });
          await tx.copy.script({
            script: '/etc/bofh/roles.d/web',
            mounts: [{ device, filesystem: uuid, type: 'ext4', target: '/' }],
            made: 'filesystem',
          });
        };
      },
    },
  ],
  save: [
    {
      title: 'a volume with a filesystem',
      stage: (host) => {
        const device = filledVolume(host, 'web1-root', ownUuid);
        return (tx) => tx.copy.save({ device, file: '/srv/web1-root.zst' });
      },
    },
    {
      title: 'encrypted',
      stage: (host) => {
        const device = filledVolume(host, 'web1-root', ownUuid);
        return (tx) =>
          tx.copy.save({ device, file: '/srv/web1-root.zst.age', recipients: ['age1simulated'] });
      },
    },
  ],
  files: [
    {
      stage: (host) => {
        const device = mountedRoot(host);
        return (tx) =>
          tx.copy.files({
            ...{ root: '/mnt/web1', device, filesystem: ownUuid },
            files: [
              { path: 'etc/hostname', content: 'web2\n', mode: 0o644 },
              { path: 'etc/mtab', link: '/proc/self/mounts' },
              { path: 'etc/ssh/ssh_host_ed25519_key', content: 'new\n', mode: 0o600 },
            ],
            remove: ['etc/machine-id', 'etc/none'],
          });
      },
    },
    {
      title: 'nothing is replaced',
      stage: (host) => {
        const device = mountedRoot(host);
        const files = [{ path: 'srv/hello', content: 'hello\n', mode: 0o644 }];
        return (tx) => tx.copy.files({ root: '/mnt/web1', device, filesystem: ownUuid, files });
      },
    },
  ],
  image: [
    {
      title: 'another volume',
      stage: (host) => {
        const source = filledVolume(host, 'web1-root', ownUuid);
        const device = emptyVolume(host, 'web2-root');
        return (tx) => tx.copy.image({ source, format: 'raw', device });
      },
    },
    {
      title: 'qcow2',
      stage: (host) => {
        const device = emptyVolume(host, 'web1-root');
        const superblock = { type: 'ext4', usage: 'filesystem', uuid: ownUuid, version: '1.0' } as const;
        host.admin.writeFile(
          '/srv/web.qcow2',
          qcow2({ size: 16 * 1024 ** 2, superblock, files: { 'etc/hostname': 'web\n' } }),
        );
        return (tx) => tx.copy.image({ source: '/srv/web.qcow2', format: 'qcow2', device });
      },
    },
    {
      title: 'a partition',
      stage: (host) => {
        const device = emptyVolume(host, 'web1-root');
        const superblock = { type: 'ext4', usage: 'filesystem', uuid: ownUuid, version: '1.0' } as const;
        const partition = {
          ...{ from: 1024 ** 2, size: 16 * 1024 ** 2, superblock, files: { 'etc/hostname': 'web\n' } },
          ...{ type: '0FC63DAF-8483-4772-8E79-3D69D8477DE4', uuid: ownUuid },
        };
        const content = qcow2({ size: 18 * 1024 ** 2, partitions: [partition] });
        host.admin.writeFile('/srv/web.qcow2', content);
        return (tx) => tx.copy.image({ source: '/srv/web.qcow2', format: 'qcow2', partition: 1, device });
      },
    },
  ],
};

/** A volume with an empty filesystem, mounted on /mnt/web1. */
function newRoot(host: SimulatedHost): string {
  const device = emptyVolume(host, 'web1-root');
  const { admin } = host;
  admin.format(device, { type: 'ext4', usage: 'filesystem', uuid: ownUuid, version: '1.0' });
  admin.mkdir('/mnt/web1');
  admin.mount(device, '/mnt/web1');
  return device;
}

const unpacked = (device: string) => ({
  ...{ root: '/mnt/web1', device, filesystem: ownUuid },
  files: [{ path: 'etc/hostname', content: 'web1\n', mode: 0o644 }],
});

/** A small system on a volume, mounted on /mnt/web1. */
function mountedRoot(host: SimulatedHost): string {
  const device = filledVolume(host, 'web1-root', ownUuid);
  const { admin } = host;
  admin.mkdir('/mnt/web1');
  admin.mount(device, '/mnt/web1');
  admin.mkdir('/mnt/web1/etc');
  admin.writeFile('/mnt/web1/etc/hostname', 'web1\n');
  admin.writeFile('/mnt/web1/etc/machine-id', '0123456789abcdef0123456789abcdef\n', 0o444);
  admin.symlink('/mnt/web1/etc/mtab', '/proc/mounts');
  return device;
}
