import { emptyVolume, filledVolume, ownUuid } from '../stage.ts';
import type { Specimens } from '../specimens.ts';

export const lvm: Specimens['lvm'] = {
  createLv: [
    { stage: () => (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'web1-root', size: '64m', tags: ['site'] }) },
  ],
  removeLv: [
    {
      title: 'active, with a filesystem',
      stage: (host) => {
        filledVolume(host, 'web1-root', ownUuid);
        return (tx) => tx.lvm.removeLv({ vg: 'vg0', name: 'web1-root' });
      },
    },
  ],
  renameLv: [
    {
      title: 'active, with a filesystem',
      stage: (host) => {
        filledVolume(host, 'web1-root', ownUuid);
        return (tx) => tx.lvm.renameLv({ vg: 'vg0', name: 'web1-root', to: 'web2-root' });
      },
    },
    {
      title: 'with a snapshot',
      stage: (host) => {
        emptyVolume(host, 'web1-root');
        host.admin.snapshot({ vg: 'vg0', name: 'monday', origin: 'web1-root', extents: 2 });
        return (tx) => tx.lvm.renameLv({ vg: 'vg0', name: 'web1-root', to: 'web2-root' });
      },
    },
  ],
};
