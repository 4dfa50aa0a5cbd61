import type { Noun } from '../../runtime/verb.ts';

export const block: Noun = {
  summary: 'block devices and their content',
  verbs: {
    tree: [
      'show the stack of block devices, from disks to guests, with sizes (read-only)',
      () => import('./tree.ts'),
    ],
    resize: ['resize a device together with everything on it', () => import('./resize.ts')],
    wipe: [
      'erase the signatures on an unused device, as wipefs does; --overwrite must name all of them',
      () => import('./wipe.ts'),
    ],
    discard: [
      'discard all data on an unused device; its content is lost and must be named with --overwrite',
      () => import('./discard.ts'),
    ],
    zero: [
      'fill an unused device with zeros; its content is lost and must be named with --overwrite',
      () => import('./zero.ts'),
    ],
    partitions: [
      'show the partition table of a disk, the partitions the kernel knows and the free space (read-only)',
      () => import('./partitions.ts'),
    ],
    'partition-table': {
      summary: 'partition tables',
      verbs: {
        create: [
          'write an empty partition table to a blank disk',
          () => import('./partition-table/create.ts'),
        ],
      },
    },
    partition: {
      summary: 'partitions of a disk',
      verbs: {
        add: [
          'add a partition in free space; other partitions may be in use',
          () => import('./partition/add.ts'),
        ],
        grow: [
          'enlarge a partition in place; its content keeps its size',
          () => import('./partition/grow.ts'),
        ],
      },
    },
    image: {
      summary: 'disk image files',
      verbs: {
        create: [
          'create an image file; its space is allocated when it is written (sparse)',
          () => import('./image/create.ts'),
        ],
      },
    },
    loop: {
      summary: 'loop devices',
      verbs: {
        list: ['list loop devices and their files', () => import('./loop/list.ts')],
        attach: [
          'attach a file as a block device, until it is detached or the host reboots',
          () => import('./loop/attach.ts'),
        ],
        detach: ['detach an unused loop device from its file', () => import('./loop/detach.ts')],
      },
    },
  },
};
