import { qcow2 } from '../../../../src/simulator/world/qcow2.ts';
import { emptyVolume, filledVolume, ownUuid } from '../stage.ts';
import type { Specimens } from '../specimens.ts';

export const copy: Specimens['copy'] = {
  unpack: [
    {
      stage: (host) => {
        const device = emptyVolume(host, 'web1-root');
        const { admin } = host;
        admin.format(device, { type: 'ext4', usage: 'filesystem', uuid: ownUuid, version: '1.0' });
        admin.mkdir('/mnt/web1');
        admin.mount(device, '/mnt/web1');
        return (tx) =>
          tx.copy.unpack({
            source: '/srv/debian.tar',
            root: '/mnt/web1',
            device,
            filesystem: ownUuid,
            files: [{ path: 'etc/hostname', content: 'web1\n', mode: 0o644 }],
          });
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
  ],
};
