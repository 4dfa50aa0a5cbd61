import type { SimulatedHost } from '../../../../src/simulator/index.ts';
import { emptyVolume, filledVolume, freePv, ownUuid } from '../stage.ts';
import type { Specimens } from '../specimens.ts';

/** An image beside a foreign one, which is attached. */
function image(host: SimulatedHost): string {
  host.admin.writeFile('/srv/web10.img', '0'.repeat(8192));
  host.admin.losetup('/srv/web10.img');
  host.admin.writeFile('/srv/web1.img', '1'.repeat(8192));
  return '/srv/web1.img';
}

const noInverse = 'its act comes after the commit, so its undo changes nothing';
const deferred = { 'inverse fails once': noInverse, 'inverse fails always': noInverse } as const;

export const block: Specimens['block'] = {
  createImage: [
    { stage: () => (tx) => tx.block.createImage({ file: '/srv/web1.img', size: '64k' }) },
    {
      title: 'with its room',
      stage: () => (tx) =>
        tx.block.createImage({ file: '/srv/web1.img', size: '64k', room: 'allocated', mode: 0o640 }),
    },
  ],
  attachLoop: [
    {
      stage: (host) => {
        const file = image(host);
        return (tx) => tx.block.attachLoop({ file });
      },
    },
    {
      title: 'a part, for reading only',
      stage: (host) => {
        const file = image(host);
        host.admin.losetup(file, { mode: 'ro' });
        const part = { offset: 4096, size: 2048, mode: 'ro', partitions: 'scanned' } as const;
        return (tx) => tx.block.attachLoop({ file, ...part });
      },
    },
  ],
  detachLoop: [
    {
      stage: (host) => {
        const device = host.admin.losetup(image(host), { minor: 7 });
        return (tx) => tx.block.detachLoop({ device });
      },
    },
    {
      title: 'a part, with sectors of 4 KiB',
      stage: (host) => {
        const how = { offset: 4096, limit: 4096, mode: 'ro', sectorSize: 4096, direct: true } as const;
        const device = host.admin.losetup(image(host), how);
        return (tx) => tx.block.detachLoop({ device });
      },
    },
  ],
  wipe: [
    {
      stage: (host) => {
        const device = filledVolume(host, 'web1-root', ownUuid);
        return (tx) => tx.block.wipe({ device, overwrite: [ownUuid] });
      },
    },
    {
      title: 'LUKS, which has two of them',
      stage: (host) => {
        host.admin.luksFormat({ device: '/dev/vdx', uuid: ownUuid, key: 'geheim' });
        return (tx) => tx.block.wipe({ device: '/dev/vdx', overwrite: [ownUuid] });
      },
    },
    {
      title: 'a physical volume of no group',
      stage: (host) => {
        const device = freePv(host, '/dev/vdx');
        const uuid = 'web100-0000-0000-0000-0000-0000-vdx000';
        return (tx) => tx.block.wipe({ device, overwrite: [uuid] });
      },
    },
  ],
  discard: [
    {
      stage: (host) => {
        const device = filledVolume(host, 'web1-root', ownUuid);
        return (tx) => tx.block.discard({ device, overwrite: [ownUuid] });
      },
      notApplicable: deferred,
    },
    {
      title: 'without a signature',
      stage: (host) => {
        const device = plainVolume(host);
        return (tx) => tx.block.discard({ device, overwrite: ['blank'] });
      },
    },
  ],
  zero: [
    {
      stage: (host) => {
        const device = filledVolume(host, 'web1-root', ownUuid);
        return (tx) => tx.block.zero({ device, overwrite: [ownUuid] });
      },
      notApplicable: deferred,
    },
    {
      title: 'LUKS',
      stage: (host) => {
        host.admin.luksFormat({ device: '/dev/vdx', uuid: ownUuid, key: 'geheim' });
        return (tx) => tx.block.zero({ device: '/dev/vdx', overwrite: [ownUuid] });
      },
      notApplicable: deferred,
    },
    {
      title: 'without a signature',
      stage: (host) => {
        const device = plainVolume(host);
        return (tx) => tx.block.zero({ device, overwrite: ['blank'] });
      },
    },
  ],
  createPartitionTable: [
    { stage: () => (tx) => tx.block.createPartitionTable({ device: '/dev/vdx', id: ownUuid }) },
    {
      title: 'dos',
      stage: () => (tx) =>
        tx.block.createPartitionTable({ device: '/dev/vdx', type: 'dos', id: '0x5e1f0001' }),
    },
  ],
  addPartition: [
    {
      stage: (host) => {
        partitionedDisk(host, 'gpt');
        const named = { name: 'root', uuid: '5e1f0000-0000-4000-8000-00000000000c' };
        return (tx) => tx.block.addPartition({ device: '/dev/vdx', size: 8 * mebibyte, ...named });
      },
    },
    {
      title: 'dos',
      stage: (host) => {
        partitionedDisk(host, 'dos');
        return (tx) => tx.block.addPartition({ device: '/dev/vdx', size: 'max', type: 'swap' });
      },
    },
  ],
  growPartition: [
    {
      stage: (host) => {
        partitionedDisk(host, 'gpt');
        return (tx) => tx.block.growPartition({ device: '/dev/vdx', number: 1, size: 'max' });
      },
    },
    {
      title: 'mounted',
      stage: (host) => {
        partitionedDisk(host, 'dos');
        host.admin.format('/dev/vdx1', { type: 'ext4', usage: 'filesystem', uuid: ownUuid });
        host.admin.mkdir('/mnt/web1');
        host.admin.mount('/dev/vdx1', '/mnt/web1');
        return (tx) => tx.block.growPartition({ device: '/dev/vdx', number: 1, size: 32 * mebibyte });
      },
    },
  ],
};

const mebibyte = 1024 ** 2;

/** With data by which nothing is known, at its start and behind its head. */
function plainVolume(host: SimulatedHost): string {
  const device = emptyVolume(host, 'web1-root');
  for (const offset of [0, 2 * mebibyte]) host.admin.writeBytes(device, offset, Buffer.from('plain data'));
  return device;
}

/** /dev/vdx with a partition at its start. */
export function partitionedDisk(host: SimulatedHost, type: 'gpt' | 'dos', mebibytes = 16): void {
  const first = { number: 1, start: 2048, size: mebibytes * 2048 };
  host.admin.partition(
    '/dev/vdx',
    type === 'dos'
      ? { type, id: '0x5e1f0001', partitions: [{ ...first, type: '83' }] }
      : {
          ...{ type, id: ownUuid },
          partitions: [
            {
              ...{ ...first, type: '0FC63DAF-8483-4772-8E79-3D69D8477DE4' },
              uuid: '5e1f0000-0000-4000-8000-00000000000d',
            },
          ],
        },
  );
}
