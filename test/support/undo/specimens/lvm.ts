import { emptyVolume, filledVolume, freePv, ownUuid, savedContent, thinVolume } from '../stage.ts';
import { replicatedVolumes } from './drbd.ts';
import type { Specimens } from '../specimens.ts';

const noInverse = 'it is done after the commit, and has no inverse';

export const lvm: Specimens['lvm'] = {
  createPv: [
    { title: 'a blank disk', stage: () => (tx) => tx.lvm.createPv({ device: '/dev/vdx' }) },
    {
      title: 'over a filesystem',
      stage: (host) => {
        host.admin.format('/dev/vdx', { type: 'ext4', usage: 'filesystem', uuid: ownUuid, version: '1.0' });
        return (tx) => tx.lvm.createPv({ device: '/dev/vdx', overwrite: { uuid: ownUuid } });
      },
      restored: (host) => host.admin.format('/dev/vdx', undefined),
    },
  ],
  createLv: [
    { stage: () => (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'web1-root', size: '64m', tags: ['site'] }) },
    {
      title: 'full of zeros',
      stage: () => (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'web1-root', size: '64m', content: 'zeros' }),
    },
    {
      title: 'raid1 on two disks',
      stage: (host) => {
        host.admin.vgextend('vg0', freePv(host, '/dev/vdx'));
        return (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'web1-root', size: '32m', type: 'raid1' });
      },
    },
    {
      title: 'with the content of another one',
      stage: (host) => {
        const content = savedContent(host, 'web2-root', ownUuid);
        return (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'web1-root', size: content.size, content });
      },
    },
    {
      title: 'thin, larger than its pool',
      stage: (host) => {
        host.admin.thinPool({ vg: 'vg0', name: 'web1-pool', extents: 16 });
        return (tx) => tx.lvm.createLv({ vg: 'vg0', name: 'web1-root', pool: 'web1-pool', size: '1g' });
      },
    },
  ],
  createThinPool: [
    {
      title: 'with a size of its metadata',
      stage: () => (tx) =>
        tx.lvm.createThinPool({
          vg: 'vg0',
          name: 'web1-pool',
          size: '64m',
          metadataSize: '4m',
          tags: ['site'],
        }),
    },
  ],
  createVg: [
    {
      title: 'of two disks',
      stage: (host) => {
        const devices = [freePv(host, '/dev/vdw'), freePv(host, '/dev/vdx')];
        return (tx) => tx.lvm.createVg({ name: 'web1', devices, extentSize: '1m', tags: ['site'] });
      },
    },
  ],
  extendVg: [
    {
      title: 'by two disks',
      stage: (host) => {
        const devices = [freePv(host, '/dev/vdw'), freePv(host, '/dev/vdx')];
        return (tx) => tx.lvm.extendVg({ vg: 'vg0', devices });
      },
    },
  ],
  reduceVg: [
    {
      title: 'by a disk with a tag, on which nothing more is to be put',
      stage: (host) => {
        const more = { tags: ['slow'], allocatable: 'no' } as const;
        host.admin.vgextend('vg0', freePv(host, '/dev/vdx'), more);
        return (tx) => tx.lvm.reduceVg({ vg: 'vg0', devices: ['/dev/vdx'] });
      },
    },
  ],
  renameVg: [
    {
      title: 'with a volume, by a group of one disk',
      stage: (host) => {
        const pvs = [freePv(host, '/dev/vdw')];
        host.admin.vgcreate('web1', pvs);
        host.admin.lvcreate({ vg: 'web1', name: 'root', extents: 2 });
        return (tx) => tx.lvm.renameVg({ vg: 'web1', to: 'web2' });
      },
    },
  ],
  resizePv: [
    {
      title: 'larger',
      stage: (host) => {
        host.admin.vgextend('vg0', freePv(host, '/dev/vdx'), { extents: 4 });
        return (tx) => tx.lvm.resizePv({ device: '/dev/vdx' });
      },
    },
    {
      title: 'smaller',
      stage: (host) => {
        host.admin.vgextend('vg0', freePv(host, '/dev/vdx'));
        return (tx) => tx.lvm.resizePv({ device: '/dev/vdx', size: '32m' });
      },
    },
  ],
  movePv: [
    {
      title: 'of two volumes, one of them in two pieces, to two devices',
      stage: (host) => {
        const devices = [freePv(host, '/dev/vdw'), freePv(host, '/dev/vdx'), freePv(host, '/dev/vdy')];
        host.admin.vgcreate('web1', devices);
        for (const name of ['root', 'between']) host.admin.lvcreate({ vg: 'web1', name, extents: 4 });
        host.admin.lvextend('web1', 'root', 15);
        host.admin.lvcreate({ vg: 'web1', name: 'far', extents: 9 });
        host.admin.format('/dev/web1/root', {
          type: 'ext4',
          usage: 'filesystem',
          uuid: ownUuid,
          version: '1.0',
        });
        return (tx) => tx.lvm.movePv({ device: '/dev/vdw', to: ['/dev/vdx', '/dev/vdy'] });
      },
    },
  ],
  removeVg: [
    {
      title: 'of one disk',
      stage: (host) => {
        host.admin.vgcreate('web1', [freePv(host, '/dev/vdw')]);
        return (tx) => tx.lvm.removeVg({ vg: 'web1' });
      },
    },
  ],
  removePv: [
    {
      stage: (host) => {
        const device = freePv(host, '/dev/vdw');
        return (tx) => tx.lvm.removePv({ device });
      },
      notApplicable: { 'inverse fails once': noInverse, 'inverse fails always': noInverse },
    },
  ],
  resizeThinPool: [
    {
      title: 'data and metadata, with a volume in it, in a group with a spare for them',
      stage: (host) => {
        thinVolume(host, 'web1-root');
        const spare = host.admin.lvcreate({ vg: 'vg0', name: 'lvol0_pmspare', extents: 2 });
        Object.assign(spare, { role: 'private,pool,spare' });
        host.world.active.delete(spare.uuid);
        return (tx) =>
          tx.lvm.resizeThinPool({ vg: 'vg0', name: 'web1-pool', size: '128m', metadataSize: '8m' });
      },
      notApplicable: { 'inverse fails once': noInverse, 'inverse fails always': noInverse },
    },
  ],
  removeLv: [
    {
      title: 'active, with a filesystem',
      stage: (host) => {
        filledVolume(host, 'web1-root', ownUuid);
        return (tx) => tx.lvm.removeLv({ vg: 'vg0', name: 'web1-root' });
      },
    },
    {
      title: 'a classic snapshot',
      stage: (host) => {
        filledVolume(host, 'web1-root', ownUuid);
        host.admin.snapshot({ vg: 'vg0', name: 'web1-monday', origin: 'web1-root', extents: 2 });
        return (tx) => tx.lvm.removeLv({ vg: 'vg0', name: 'web1-monday' });
      },
    },
    {
      title: 'a thin snapshot that is active',
      stage: (host) => {
        thinVolume(host, 'web1-root');
        const make = { vg: 'vg0', name: 'web1-monday', pool: 'web1-pool', extents: 16, origin: 'web1-root' };
        Object.assign(host.admin.thinVolume(make), { skipped: true });
        return (tx) => tx.lvm.removeLv({ vg: 'vg0', name: 'web1-monday' });
      },
    },
    {
      title: 'a thin pool in which nothing lies',
      stage: (host) => {
        host.admin.thinPool({ vg: 'vg0', name: 'web1-pool', extents: 16 });
        return (tx) => tx.lvm.removeLv({ vg: 'vg0', name: 'web1-pool' });
      },
    },
  ],
  activateLv: [
    {
      title: 'a thin snapshot, which is skipped at boot',
      stage: (host) => {
        thinVolume(host, 'web1-root');
        const make = { vg: 'vg0', name: 'web1-monday', pool: 'web1-pool', extents: 16, origin: 'web1-root' };
        const lv = host.admin.thinVolume(make);
        Object.assign(lv, { skipped: true });
        host.world.active.delete(lv.uuid);
        return (tx) => tx.lvm.activateLv({ vg: 'vg0', name: 'web1-monday' });
      },
    },
  ],
  deactivateLv: [
    {
      title: 'with a snapshot',
      stage: (host) => {
        filledVolume(host, 'web1-root', ownUuid);
        host.admin.snapshot({ vg: 'vg0', name: 'web1-monday', origin: 'web1-root', extents: 2 });
        return (tx) => tx.lvm.deactivateLv({ vg: 'vg0', name: 'web1-root' });
      },
    },
  ],
  convertLv: [
    {
      title: 'to a raid1, with a filesystem',
      stage: (host) => {
        host.admin.vgextend('vg0', freePv(host, '/dev/vdx'));
        host.admin.lvcreate({ vg: 'vg0', name: 'web1-root', extents: 4 });
        host.admin.format('/dev/vg0/web1-root', { type: 'ext4', usage: 'filesystem', uuid: ownUuid });
        return (tx) => tx.lvm.convertLv({ vg: 'vg0', name: 'web1-root', to: 'raid1', device: '/dev/vdx' });
      },
    },
    {
      title: 'to linear, without the first copy',
      stage: (host) => {
        host.admin.vgextend('vg0', freePv(host, '/dev/vdx'));
        host.admin.lvcreate({ vg: 'vg0', name: 'web1-root', extents: 4 });
        host.admin.addCopy('vg0', 'web1-root', '/dev/vdx');
        return (tx) => tx.lvm.convertLv({ vg: 'vg0', name: 'web1-root', to: 'linear', device: '/dev/vdb' });
      },
      notApplicable: { 'inverse fails once': noInverse, 'inverse fails always': noInverse },
    },
  ],
  createSnapshot: [
    {
      title: 'classic, of a volume with a filesystem',
      stage: (host) => {
        filledVolume(host, 'web1-root', ownUuid);
        return (tx) =>
          tx.lvm.createSnapshot({
            vg: 'vg0',
            origin: 'web1-root',
            name: 'web1-monday',
            size: '8m',
            tags: ['site'],
          });
      },
    },
    {
      title: 'thin',
      stage: (host) => {
        thinVolume(host, 'web1-root');
        return (tx) => tx.lvm.createSnapshot({ vg: 'vg0', origin: 'web1-root', name: 'web1-monday' });
      },
    },
    {
      title: 'thin, active',
      stage: (host) => {
        thinVolume(host, 'web1-root');
        const asked = { vg: 'vg0', origin: 'web1-root', name: 'web1-monday', active: true };
        return (tx) => tx.lvm.createSnapshot(asked);
      },
    },
  ],
  mergeSnapshot: [
    {
      title: 'classic',
      stage: (host) => {
        filledVolume(host, 'web1-root', ownUuid);
        host.admin.snapshot({ vg: 'vg0', name: 'web1-monday', origin: 'web1-root', extents: 2 });
        host.admin.format('/dev/vg0/web1-root', undefined);
        return (tx) => tx.lvm.mergeSnapshot({ vg: 'vg0', name: 'web1-monday' });
      },
      notApplicable: { 'inverse fails once': noInverse, 'inverse fails always': noInverse },
    },
    {
      title: 'thin',
      stage: (host) => {
        thinVolume(host, 'web1-root');
        const make = { vg: 'vg0', name: 'web1-monday', pool: 'web1-pool', extents: 16, origin: 'web1-root' };
        host.admin.thinVolume(make);
        return (tx) => tx.lvm.mergeSnapshot({ vg: 'vg0', name: 'web1-monday' });
      },
      notApplicable: { 'inverse fails once': noInverse, 'inverse fails always': noInverse },
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
  tagLv: [
    {
      title: 'one on, one off',
      stage: (host) => {
        host.admin.lvcreate({ vg: 'vg0', name: 'web1-root', extents: 2, tags: ['old', 'kept'] });
        return (tx) => tx.lvm.tagLv({ vg: 'vg0', name: 'web1-root', add: ['new', 'kept'], remove: ['old'] });
      },
    },
    {
      title: 'that it has already',
      stage: (host) => {
        host.admin.lvcreate({ vg: 'vg0', name: 'web1-root', extents: 2, tags: ['kept'] });
        return (tx) => tx.lvm.tagLv({ vg: 'vg0', name: 'web1-root', add: ['kept'] });
      },
    },
  ],
  resizeLv: [
    {
      title: 'larger, with a filesystem',
      stage: (host) => {
        filledVolume(host, 'web1-root', ownUuid);
        return (tx) => tx.lvm.resizeLv({ vg: 'vg0', name: 'web1-root', size: '128m' });
      },
    },
    {
      title: 'larger, by zeros, with a filesystem',
      stage: (host) => {
        filledVolume(host, 'web1-root', ownUuid);
        return (tx) => tx.lvm.resizeLv({ vg: 'vg0', name: 'web1-root', size: '128m', added: 'zeros' });
      },
    },
    {
      title: 'smaller, in two pieces, with others in between',
      stage: (host) => {
        emptyVolume(host, 'web1-root');
        host.admin.lvcreate({ vg: 'vg0', name: 'between', extents: 2 });
        host.admin.lvextend('vg0', 'web1-root', 20);
        return (tx) =>
          tx.lvm.resizeLv({
            vg: 'vg0',
            name: 'web1-root',
            size: '40m',
            shrink: 'lose the data beyond the new size',
          });
      },
    },
    {
      title: 'larger, with a copy on another disk',
      stage: (host) => {
        host.admin.vgextend('vg0', freePv(host, '/dev/vdx'));
        host.admin.lvcreate({ vg: 'vg0', name: 'web1-root', extents: 4 });
        host.admin.addCopy('vg0', 'web1-root', '/dev/vdx');
        return (tx) => tx.lvm.resizeLv({ vg: 'vg0', name: 'web1-root', size: '24m' });
      },
    },
    {
      title: 'thin, larger than its pool',
      stage: (host) => {
        thinVolume(host, 'web1-root');
        return (tx) => tx.lvm.resizeLv({ vg: 'vg0', name: 'web1-root', size: '1g' });
      },
    },
    {
      title: 'larger beneath DRBD, after the commit',
      stage: (host) => {
        replicatedVolumes(host, 'secondary');
        return (tx) => tx.lvm.resizeLv({ vg: 'vg0', name: 'web1-root', size: '128m' });
      },
    },
    {
      title: 'room of a classic snapshot, after the commit',
      stage: (host) => {
        filledVolume(host, 'web1-root', ownUuid);
        host.admin.snapshot({ vg: 'vg0', name: 'web1-monday', origin: 'web1-root', extents: 2 });
        return (tx) => tx.lvm.resizeLv({ vg: 'vg0', name: 'web1-monday', size: '16m' });
      },
    },
    {
      title: 'thin, smaller',
      stage: (host) => {
        thinVolume(host, 'web1-root');
        return (tx) =>
          tx.lvm.resizeLv({
            vg: 'vg0',
            name: 'web1-root',
            size: '8m',
            shrink: 'lose the data beyond the new size',
          });
      },
    },
    {
      title: 'to the size that it has',
      stage: (host) => {
        emptyVolume(host, 'web1-root');
        return (tx) => tx.lvm.resizeLv({ vg: 'vg0', name: 'web1-root', size: '64m' });
      },
    },
  ],
};
