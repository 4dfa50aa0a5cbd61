import type { SimulatedHost } from '../../../../src/simulator/index.ts';
import { filledVolume, ownUuid } from '../stage.ts';
import type { Specimens } from '../specimens.ts';

export const mount: Specimens['mount'] = {
  mount: [
    {
      title: 'on a directory of its own',
      stage: (host) => {
        const device = filledVolume(host, 'web1-root', ownUuid);
        return (tx) => tx.mount.mount({ device, mode: 'rw' });
      },
    },
    {
      title: "on the administrator's directory",
      stage: (host) => {
        const device = filledVolume(host, 'web1-root', ownUuid);
        host.admin.mkdir('/mnt/web1');
        return (tx) => tx.mount.mount({ device, path: '/mnt/web1', mode: 'ro' });
      },
    },
  ],
  bind: [
    {
      title: 'on a directory of its own',
      stage: (host) => {
        mounted(host);
        return (tx) => tx.mount.bind({ source: '/mnt/web1', mode: 'rw' });
      },
    },
    {
      title: "a directory of the root filesystem, read-only, on the administrator's",
      stage: (host) => {
        host.admin.writeFile('/srv/web1/index.html', 'hello');
        host.admin.mkdir('/mnt/shown');
        return (tx) => tx.mount.bind({ source: '/srv/web1', path: '/mnt/shown', mode: 'ro' });
      },
    },
  ],
  unmount: [
    {
      title: 'of a device',
      stage: (host) => {
        mounted(host);
        return (tx) => tx.mount.unmount({ path: '/mnt/web1' });
      },
    },
    {
      title: 'of a private directory',
      stage: (host) => {
        const path = '/run/bofh/mnt/bofh.5e1f00000000.1';
        const device = filledVolume(host, 'web1-root', ownUuid);
        host.admin.mkdir(path);
        host.admin.mount(device, path);
        return (tx) => tx.mount.unmount({ path });
      },
    },
  ],
  addFstab: [
    {
      stage: (host) => {
        fstab(host);
        return (tx) =>
          tx.mount.addFstab({
            source: `UUID=${ownUuid}`,
            target: '/mnt/web1',
            type: 'ext4',
            options: ['nodev', 'noauto'],
          });
      },
    },
  ],
  removeFstab: [
    {
      stage: (host) => {
        fstab(host, `UUID=${ownUuid} /mnt/web1 ext4 noauto 0 2\n`);
        return (tx) => tx.mount.removeFstab({ of: '/mnt/web1' });
      },
    },
  ],
  changeFstab: [
    {
      title: 'through a symbolic link',
      stage: (host) => {
        fstab(host, `UUID=${ownUuid} /mnt/web1 ext4 noauto 0 2\n`);
        host.admin.writeFile('/srv/etc/fstab', host.admin.readFile('/etc/fstab'), 0o640);
        host.admin.removeFile('/etc/fstab');
        host.admin.symlink('/etc/fstab', '../srv/etc/fstab');
        return (tx) =>
          tx.mount.changeFstab({ of: '/mnt/web1', to: { options: ['noatime', 'noauto'], pass: 0 } });
      },
    },
  ],
  addCrypttab: [
    {
      title: 'the first, so that the file is new',
      stage: (host) => {
        const device = filledVolume(host, 'web1-root', ownUuid);
        return (tx) => tx.mount.addCrypttab({ name: 'web1', device, key: 'none', options: ['luks'] });
      },
    },
    {
      title: 'to a file without an end of its last line',
      stage: (host) => {
        host.admin.writeFile('/etc/crypttab', '# of others\nweb10 UUID=x none nofail', 0o600);
        return (tx) =>
          tx.mount.addCrypttab({ name: 'web1', device: 'UUID=y', key: 'none', options: ['luks', 'nofail'] });
      },
    },
  ],
  removeCrypttab: [
    {
      stage: (host) => {
        host.admin.writeFile('/etc/crypttab', 'web10 UUID=x none nofail\nweb1 UUID=y none\n', 0o600);
        return (tx) => tx.mount.removeCrypttab({ name: 'web1' });
      },
    },
  ],
  changeCrypttab: [
    {
      stage: (host) => {
        host.admin.writeFile('/etc/crypttab', 'web1 UUID=y none\nweb10 UUID=x none nofail', 0o600);
        return (tx) => tx.mount.changeCrypttab({ name: 'web1', to: { options: ['nofail'] } });
      },
    },
  ],
};

/**
 * A table with lines of others, and a filesystem with a place for one of ours: `noauto`, or a boot in between would mount it,
 * and the undo, which takes the line back, rightly leaves that mount.
 */
function fstab(host: SimulatedHost, line = ''): void {
  filledVolume(host, 'web1-root', ownUuid);
  host.admin.mkdir('/mnt/web1');
  host.admin.writeFile(
    '/etc/fstab',
    `# of others\n/dev/vda / ext4 defaults 0 1\n${line}\n/dev/vg0/web1-swap2\tnone swap sw 0 0\n`,
    0o600,
  );
}

function mounted(host: SimulatedHost): void {
  const device = filledVolume(host, 'web1-root', ownUuid);
  host.admin.mkdir('/mnt/web1');
  host.admin.mount(device, '/mnt/web1');
}
