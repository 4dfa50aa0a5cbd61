import { type ModelSubvolume, onBtrfs, putState, rootAt } from '../../../../src/testing/btrfs.ts';
import type { SimulatedHost } from '../../../../src/testing/index.ts';
import { emptyVolume, ownUuid } from '../stage.ts';
import type { Specimens } from '../specimens.ts';

/** A btrfs that is mounted at every boot, with subvolumes of us and of others, one of them almost called as ours. */
export function pool(host: SimulatedHost): void {
  const { admin } = host;
  const device = emptyVolume(host, 'pool');
  admin.format(device, { type: 'btrfs', usage: 'filesystem', uuid: ownUuid });
  admin.mkdir('/srv/pool');
  admin.writeFile(
    '/etc/fstab',
    `/dev/vda / ext4 defaults 0 1\nUUID=${ownUuid} /srv/pool btrfs defaults 0 0\n`,
  );
  admin.mount(device, '/srv/pool');
  for (const name of ['home', 'web10', 'home/inner', 'one with spaces'])
    admin.btrfs('subvolume', 'create', `/srv/pool/${name}`);
  admin.writeFile('/srv/pool/home/kept', 'what was there before\n');
  admin.mkdir('/srv/pool/snapshots');
  admin.btrfs('subvolume', 'snapshot', '-r', '/srv/pool/home', '/srv/pool/snapshots/home.foreign');
}

export const btrfs: Specimens['btrfs'] = {
  createSubvolume: [
    {
      stage: (host) => {
        pool(host);
        return (tx) => tx.btrfs.createSubvolume({ path: '/srv/pool/web1' });
      },
    },
  ],
  snapshot: [
    {
      title: 'read-only',
      stage: (host) => {
        pool(host);
        return (tx) =>
          tx.btrfs.snapshot({ source: '/srv/pool/home', path: '/srv/pool/snapshots/home.1', mode: 'ro' });
      },
    },
    {
      title: 'writable',
      stage: (host) => {
        pool(host);
        return (tx) =>
          tx.btrfs.snapshot({ source: '/srv/pool/one with spaces', path: '/srv/pool/web1', mode: 'rw' });
      },
    },
  ],
  deleteSubvolume: [
    {
      title: 'read-only, with files in it',
      stage: (host) => {
        pool(host);
        return (tx) => tx.btrfs.deleteSubvolume({ path: '/srv/pool/snapshots/home.foreign' });
      },
    },
  ],
  setDefaultSubvolume: [
    {
      stage: (host) => {
        pool(host);
        return (tx) => tx.btrfs.setDefaultSubvolume({ path: '/srv/pool/home' });
      },
    },
  ],
  setProperty: [
    {
      title: 'writable to read-only',
      stage: (host) => {
        pool(host);
        return (tx) => tx.btrfs.setProperty({ path: '/srv/pool/home', mode: 'ro' });
      },
    },
    {
      title: 'read-only to writable',
      stage: (host) => {
        pool(host);
        return (tx) => tx.btrfs.setProperty({ path: '/srv/pool/snapshots/home.foreign', mode: 'rw' });
      },
    },
  ],
};

/** Makes of a subvolume one that has another past; its id. */
export function changeSubvolume(
  { world }: SimulatedHost,
  path: string,
  change: Partial<Omit<ModelSubvolume, 'id' | 'inside'>>,
): number {
  const at = onBtrfs(world, path);
  const one = at === undefined ? undefined : rootAt(at);
  if (at === undefined || one === undefined) throw new TypeError(`${path} is no subvolume`);
  const subvolumes = at.state.subvolumes.map((each) => (each === one ? { ...one, ...change } : each));
  putState(world, at.mount, { ...at.state, subvolumes });
  return one.id;
}
