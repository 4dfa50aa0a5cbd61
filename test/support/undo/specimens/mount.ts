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
};
