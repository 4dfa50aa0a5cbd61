import { emptyVolume, filledVolume, ownUuid } from '../stage.ts';
import type { Specimens } from '../specimens.ts';

export const filesystem: Specimens['filesystem'] = {
  create: [
    {
      title: 'ext4',
      stage: (host) => {
        const device = emptyVolume(host, 'web1-root');
        return (tx) => tx.filesystem.create({ device, type: 'ext4', label: 'web1-root' });
      },
    },
    {
      title: 'swap',
      stage: (host) => {
        const device = emptyVolume(host, 'web1-swap');
        return (tx) => tx.filesystem.create({ device, type: 'swap' });
      },
    },
    {
      title: 'over another one',
      stage: (host) => {
        const device = filledVolume(host, 'web1-root', ownUuid);
        return (tx) => tx.filesystem.create({ device, type: 'ext4', overwrite: { uuid: ownUuid } });
      },
      restored: (host) => host.admin.format('/dev/vg0/web1-root', undefined),
    },
  ],
};
