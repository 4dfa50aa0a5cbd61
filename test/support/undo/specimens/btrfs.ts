import {
  type Btrfs,
  type ModelSubvolume,
  onBtrfs,
  putState,
  rootAt,
} from '../../../../src/simulator/world/btrfs.ts';
import type { SimulatedHost } from '../../../../src/simulator/index.ts';
import { emptyVolume, filledVolume, ownUuid } from '../stage.ts';
import type { Specimens } from '../specimens.ts';

const fstab = `/dev/vda / ext4 defaults 0 1\nUUID=${ownUuid} /srv/pool btrfs defaults 0 0\n`;

/** A btrfs that is mounted at every boot, with subvolumes of us and of others, one of them almost called as ours. */
export function pool(host: SimulatedHost): void {
  const { admin } = host;
  const device = emptyVolume(host, 'pool');
  admin.format(device, { type: 'btrfs', usage: 'filesystem', uuid: ownUuid });
  admin.mkdir('/srv/pool');
  admin.writeFile('/etc/fstab', fstab);
  admin.mount(device, '/srv/pool');
  for (const name of ['home', 'web10', 'home/inner', 'one with spaces'])
    admin.btrfs('subvolume', 'create', `/srv/pool/${name}`);
  admin.writeFile('/srv/pool/home/kept', 'what was there before\n');
  admin.mkdir('/srv/pool/snapshots');
  admin.btrfs('subvolume', 'snapshot', '-r', '/srv/pool/home', '/srv/pool/snapshots/home.foreign');
}

/** A btrfs whose data are in its top level, beside a subvolume. */
export function plainPool(host: SimulatedHost, beside?: 'and a subvolume'): void {
  const { admin } = host;
  const device = emptyVolume(host, 'pool');
  admin.format(device, { type: 'btrfs', usage: 'filesystem', uuid: ownUuid });
  admin.mkdir('/srv/pool');
  admin.writeFile('/etc/fstab', fstab);
  admin.mount(device, '/srv/pool');
  if (beside !== undefined) admin.btrfs('subvolume', 'create', '/srv/pool/home');
  for (const name of ['etc', 'lost+found', 'one with spaces']) admin.mkdir(`/srv/pool/${name}`);
  admin.writeFile('/srv/pool/etc/passwd', 'root\n');
  admin.writeFile('/srv/pool/kept', 'what was there before\n');
}

/** What a stream says of its source is in the file, byte for byte. */
const sentUuid = '5e1f0000-0000-4000-8000-0000000000c1';

/** Another btrfs, with a subvolume of others. */
export function secondPool(host: SimulatedHost): void {
  const { admin } = host;
  const device = emptyVolume(host, 'second');
  admin.format(device, { type: 'btrfs', usage: 'filesystem', uuid: secondUuid });
  admin.mkdir('/srv/second');
  admin.writeFile('/etc/fstab', `${fstab}UUID=${secondUuid} /srv/second btrfs defaults 0 0\n`);
  admin.mount(device, '/srv/second');
  admin.btrfs('subvolume', 'create', '/srv/second/web10');
}

const secondUuid = '5e1f0000-0000-4000-8000-0000000000c2';

/** The stream of a snapshot, in a file. */
function sendForeign({ admin }: SimulatedHost): void {
  admin.writeFile('/srv/pool/one', '');
  admin.btrfs('send', '-f', '/srv/pool/one', '/srv/pool/snapshots/home.foreign');
}

const noInverse = 'it is done after the commit, and has no inverse';

/** A blank volume that is large enough for a btrfs. */
export function largeVolume(host: SimulatedHost, name: string): string {
  host.admin.lvcreate({ vg: 'vg0', name, extents: 40 });
  return `/dev/vg0/${name}`;
}

/** Another device of the pool, by the doing of others. */
export function secondDevice(host: SimulatedHost): string {
  const device = largeVolume(host, 'more');
  host.admin.btrfs('device', 'add', device, '/srv/pool');
  return device;
}

export const btrfs: Specimens['btrfs'] = {
  addDevice: [
    {
      title: 'a blank one',
      stage: (host) => {
        pool(host);
        const device = largeVolume(host, 'more');
        return (tx) => tx.btrfs.addDevice({ path: '/srv/pool', device });
      },
    },
    {
      title: 'over what is named',
      stage: (host) => {
        pool(host);
        const device = largeVolume(host, 'more');
        host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid: secondUuid, version: '1.0' });
        return (tx) => tx.btrfs.addDevice({ path: '/srv/pool', device, overwrite: { uuid: secondUuid } });
      },
      restored: (host) => host.admin.format('/dev/vg0/more', undefined),
    },
  ],
  replaceDevice: [
    {
      title: 'the first one',
      stage: (host) => {
        pool(host);
        const by = largeVolume(host, 'more');
        return (tx) => tx.btrfs.replaceDevice({ path: '/srv/pool', device: '/dev/vg0/pool', by });
      },
      notApplicable: { 'inverse fails once': noInverse, 'inverse fails always': noInverse },
    },
  ],
  removeDevice: [
    {
      title: 'one that was added',
      stage: (host) => {
        pool(host);
        const device = secondDevice(host);
        return (tx) => tx.btrfs.removeDevice({ path: '/srv/pool/home', device });
      },
    },
  ],
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
  copySubvolume: [
    {
      title: 'all of it, to another filesystem',
      stage: (host) => {
        pool(host);
        secondPool(host);
        return (tx) =>
          tx.btrfs.copySubvolume({ source: '/srv/pool/snapshots/home.foreign', into: '/srv/second' });
      },
    },
    {
      title: 'an increment, under another name',
      stage: (host) => {
        pool(host);
        secondPool(host);
        host.admin.btrfs('subvolume', 'snapshot', '-r', '/srv/pool/home', '/srv/pool/snapshots/home.2');
        sendForeign(host);
        host.admin.btrfs('receive', '-f', '/srv/pool/one', '/srv/second');
        return (tx) =>
          tx.btrfs.copySubvolume({
            source: '/srv/pool/snapshots/home.2',
            parent: '/srv/pool/snapshots/home.foreign',
            into: '/srv/second',
            name: 'web1',
          });
      },
    },
  ],
  receiveSubvolume: [
    {
      stage: (host) => {
        pool(host);
        secondPool(host);
        sendForeign(host);
        return (tx) => tx.btrfs.receiveSubvolume({ file: '/srv/pool/one', into: '/srv/second' });
      },
    },
  ],
  sendToFile: [
    {
      stage: (host) => {
        pool(host);
        changeSubvolume(host, '/srv/pool/snapshots/home.foreign', { uuid: sentUuid });
        return (tx) =>
          tx.btrfs.sendToFile({ source: '/srv/pool/snapshots/home.foreign', file: '/srv/web1.stream' });
      },
    },
  ],
  sendToDevice: [
    {
      title: 'a blank one',
      stage: (host) => {
        pool(host);
        changeSubvolume(host, '/srv/pool/snapshots/home.foreign', { uuid: sentUuid });
        const device = largeVolume(host, 'web1-stream');
        return (tx) => tx.btrfs.sendToDevice({ source: '/srv/pool/snapshots/home.foreign', device });
      },
    },
    {
      title: 'over a filesystem',
      stage: (host) => {
        pool(host);
        changeSubvolume(host, '/srv/pool/snapshots/home.foreign', { uuid: sentUuid });
        const overwrite = { uuid: '5e1f0000-0000-4000-8000-00000000000c' };
        const device = filledVolume(host, 'web1-stream', overwrite.uuid);
        return (tx) =>
          tx.btrfs.sendToDevice({ source: '/srv/pool/snapshots/home.foreign', device, overwrite });
      },
      restored: (host) => host.admin.format('/dev/vg0/web1-stream', undefined),
    },
  ],
  removeSubvolume: [
    {
      title: 'read-only, with files in it',
      stage: (host) => {
        pool(host);
        return (tx) => tx.btrfs.removeSubvolume({ path: '/srv/pool/snapshots/home.foreign' });
      },
    },
  ],
  scrub: [
    {
      stage: (host) => {
        pool(host);
        return (tx) => tx.btrfs.scrub({ path: '/srv/pool' });
      },
    },
  ],
  balance: [
    {
      stage: (host) => {
        pool(host);
        return (tx) => tx.btrfs.balance({ path: '/srv/pool', dataUsage: 50, metadataUsage: 30 });
      },
    },
  ],
  setQuota: [
    {
      title: 'on',
      stage: (host) => {
        pool(host);
        return (tx) => tx.btrfs.setQuota({ path: '/srv/pool', mode: 'on' });
      },
    },
    {
      title: 'off',
      stage: (host) => {
        pool(host);
        host.admin.btrfs('quota', 'enable', '/srv/pool');
        return (tx) => tx.btrfs.setQuota({ path: '/srv/pool', mode: 'off' });
      },
    },
  ],
  limitSubvolume: [
    {
      stage: (host) => {
        pool(host);
        host.admin.btrfs('quota', 'enable', '/srv/pool');
        host.admin.btrfs('qgroup', 'limit', '4096000', '0/256', '/srv/pool');
        return (tx) =>
          tx.btrfs.limitSubvolume({ path: '/srv/pool/home', what: 'referenced', limit: 8192000 });
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
  moveTopLevel: [
    {
      title: 'beside a subvolume',
      stage: (host) => {
        plainPool(host, 'and a subvolume');
        return (tx) => tx.btrfs.moveTopLevel({ path: '/srv/pool/web1' });
      },
    },
    {
      title: 'into a subvolume',
      stage: (host) => {
        plainPool(host, 'and a subvolume');
        return (tx) => tx.btrfs.moveTopLevel({ path: '/srv/pool/home/web1' });
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

/** Something goes on in a filesystem, or is wrong in it, by the doing of others. */
export function afflict(
  { world }: SimulatedHost,
  path: string,
  change: Pick<Btrfs, 'errors' | 'balance' | 'scrubbed'>,
): void {
  const at = onBtrfs(world, path);
  if (at === undefined) throw new TypeError(`${path} is on no btrfs`);
  putState(world, at.mount, { ...at.state, ...change });
  world.revision += 1;
}

/** Makes of a subvolume one that has another past; its id. */
export function changeSubvolume(
  { world }: SimulatedHost,
  path: string,
  change: Partial<Omit<ModelSubvolume, 'id' | 'inside'>>,
): number {
  const at = onBtrfs(world, path);
  const one = at === undefined ? undefined : rootAt(at);
  if (at === undefined || one === undefined) throw new TypeError(`${path} is not a subvolume`);
  const subvolumes = at.state.subvolumes.map((each) => (each === one ? { ...one, ...change } : each));
  putState(world, at.mount, { ...at.state, subvolumes });
  return one.id;
}
