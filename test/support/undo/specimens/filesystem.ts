import type { SimulatedHost } from '../../../../src/simulator/index.ts';
import { emptyVolume, filledVolume, ownUuid } from '../stage.ts';
import type { Specimen, Specimens } from '../specimens.ts';

const wanted = '5e1f0000-0000-4000-8000-0000000000ff';
const noInverse = 'it is done after the commit, and has no inverse';

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
    ...(['ext3', 'xfs', 'btrfs', 'vfat'] as const).map((type) => ({
      title: type,
      stage: (host: SimulatedHost): ReturnType<Specimen['stage']> => {
        host.admin.lvcreate({ vg: 'vg0', name: 'web1-root', extents: 80 });
        // Its number is drawn by chance otherwise, and no two runs could be compared.
        const uuid = type === 'vfat' ? { uuid: 'ABCD-1234' } : {};
        return (tx) => tx.filesystem.create({ device: '/dev/vg0/web1-root', type, label: 'WEB1', ...uuid });
      },
    })),
    {
      title: 'over another one',
      stage: (host) => {
        const device = filledVolume(host, 'web1-root', ownUuid);
        return (tx) => tx.filesystem.create({ device, type: 'ext4', overwrite: { uuid: ownUuid } });
      },
      restored: (host) => host.admin.format('/dev/vg0/web1-root', undefined),
    },
  ],
  createImage: [
    {
      title: 'ext4',
      stage: () => (tx) =>
        tx.filesystem.createImage({ file: '/srv/web1.img', size: '4m', type: 'ext4', label: 'web1' }),
    },
    {
      title: 'vfat',
      stage: () => (tx) =>
        tx.filesystem.createImage({ file: '/srv/web1.img', size: '4m', type: 'vfat', uuid: 'ABCD-1234' }),
    },
  ],
  label: [
    {
      title: 'ext4',
      stage: (host) => {
        const device = labelled(host, 'ext4');
        return (tx) => tx.filesystem.label({ device, label: 'NEW' });
      },
    },
    ...(['vfat', 'swap'] as const).map((type) => ({
      title: type,
      stage: (host: SimulatedHost): ReturnType<Specimen['stage']> => {
        const device = labelled(host, type);
        return (tx) => tx.filesystem.label({ device, label: 'NEW' });
      },
    })),
    ...(['xfs', 'btrfs'] as const).map((type) => ({
      title: `${type}, mounted, none any more`,
      stage: (host: SimulatedHost): ReturnType<Specimen['stage']> => {
        const device = labelled(host, type);
        host.admin.mkdir('/mnt/web1');
        host.admin.mount(device, '/mnt/web1');
        return (tx) => tx.filesystem.label({ device, label: null });
      },
    })),
  ],
  uuid: [
    {
      title: 'ext4 that has its seed',
      stage: (host) => {
        const device = labelled(host, 'ext4');
        return (tx) => tx.filesystem.uuid({ device, uuid: wanted });
      },
    },
    {
      title: 'ext4 that gets its seed',
      stage: (host) => {
        const device = labelled(host, 'ext4', ['metadata_csum']);
        return (tx) => tx.filesystem.uuid({ device, uuid: wanted, seed: 'may be added' });
      },
    },
    ...(['vfat', 'swap', 'xfs', 'btrfs'] as const).map((type) => ({
      title: type,
      stage: (host: SimulatedHost): ReturnType<Specimen['stage']> => {
        const device = labelled(host, type);
        return (tx) => tx.filesystem.uuid({ device, uuid: type === 'vfat' ? '1234-ABCD' : wanted });
      },
      ...(type === 'xfs' || type === 'btrfs'
        ? { notApplicable: { 'inverse fails once': noInverse, 'inverse fails always': noInverse } }
        : {}),
    })),
  ],
  repair: [
    {
      title: 'ext4 whose errors a person would be asked about',
      stage: (host) => {
        const device = damaged(host, 'ext4', true);
        return (tx) => tx.filesystem.repair({ device, files: 'may be lost' });
      },
      notApplicable: { 'inverse fails once': noInverse, 'inverse fails always': noInverse },
    },
    ...(['ext4', 'xfs', 'vfat'] as const).map((type) => ({
      title: type,
      stage: (host: SimulatedHost): ReturnType<Specimen['stage']> => {
        const device = damaged(host, type, 'slight');
        return (tx) => tx.filesystem.repair({ device, ...(type === 'ext4' ? {} : { files: 'may be lost' }) });
      },
      notApplicable: { 'inverse fails once': noInverse, 'inverse fails always': noInverse },
    })),
  ],
  resize: [
    {
      title: 'ext4, larger',
      stage: (host) => {
        const device = sized(host, { type: 'ext4', mebibytes: 32 });
        return (tx) => tx.filesystem.resize({ device, size: 'max' });
      },
    },
    {
      title: 'ext4, smaller',
      stage: (host) => {
        const device = sized(host, { type: 'ext4', mebibytes: 64 });
        return (tx) => tx.filesystem.resize({ device, size: 32 * mebibyte });
      },
    },
    {
      title: 'ext4, mounted: after the commit',
      stage: (host) => {
        const device = sized(host, { type: 'ext4', mebibytes: 32 });
        host.admin.mkdir('/mnt/web1');
        host.admin.mount(device, '/mnt/web1');
        return (tx) => tx.filesystem.resize({ device, size: 'max' });
      },
    },
    {
      title: 'xfs, not mounted: after the commit',
      stage: (host) => {
        const device = sized(host, { type: 'xfs', mebibytes: 32 });
        return (tx) => tx.filesystem.resize({ device, size: 'max' });
      },
    },
    {
      title: 'btrfs, mounted, smaller',
      stage: (host) => {
        const device = sized(host, { type: 'btrfs', mebibytes: 320 });
        host.admin.mkdir('/mnt/web1');
        host.admin.mount(device, '/mnt/web1');
        return (tx) => tx.filesystem.resize({ device, size: 256 * mebibyte });
      },
    },
    {
      title: 'btrfs, not mounted, larger',
      stage: (host) => {
        const device = sized(host, { type: 'btrfs', mebibytes: 256 });
        return (tx) => tx.filesystem.resize({ device, size: 'max' });
      },
    },
  ],
  trim: [
    {
      stage: (host) => {
        const device = filledVolume(host, 'web1-root', ownUuid);
        host.admin.mount(device, '/mnt/fill');
        return (tx) => tx.filesystem.trim({ path: device });
      },
    },
  ],
};

const mebibyte = 1024 ** 2;

/** A volume of 64 MiB (320 for a btrfs, which has 256 at least), with a filesystem of this size. */
function sized(
  host: SimulatedHost,
  of: { readonly type: 'ext4' | 'xfs' | 'btrfs'; readonly mebibytes: number },
): string {
  host.admin.lvcreate({ vg: 'vg0', name: 'web1-root', extents: of.type === 'btrfs' ? 80 : 16 });
  const device = '/dev/vg0/web1-root';
  const blocks = (of.mebibytes * mebibyte) / 4096;
  host.admin.format(device, { type: of.type, usage: 'filesystem', uuid: ownUuid, blocks });
  return device;
}

function damaged(host: SimulatedHost, type: 'ext4' | 'xfs' | 'vfat', errors: true | 'slight'): string {
  const device = emptyVolume(host, 'web1-root');
  const uuid = type === 'vfat' ? 'ABCD-1234' : ownUuid;
  host.admin.format(device, { type, usage: 'filesystem', uuid, errors });
  return device;
}

function labelled(
  host: SimulatedHost,
  type: 'ext4' | 'xfs' | 'btrfs' | 'vfat' | 'swap',
  features: readonly string[] = [],
): string {
  const device = emptyVolume(host, 'web1-root');
  host.admin.format(device, {
    ...{ type, usage: type === 'swap' ? 'other' : 'filesystem' },
    ...{ uuid: type === 'vfat' ? 'ABCD-1234' : ownUuid, label: 'OLD' },
    ...(features.length === 0 ? {} : { features }),
  });
  return device;
}
