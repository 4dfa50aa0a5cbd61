import type { SimulatedHost } from '../../../../src/testing/index.ts';
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
  ],
};

function mounted(host: SimulatedHost): void {
  const device = filledVolume(host, 'web1-root', ownUuid);
  host.admin.mkdir('/mnt/web1');
  host.admin.mount(device, '/mnt/web1');
}
