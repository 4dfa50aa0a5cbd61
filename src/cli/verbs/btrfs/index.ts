import type { Noun } from '../../runtime/verb.ts';

export const btrfs: Noun = {
  summary: 'btrfs subvolumes, snapshots and devices',
  verbs: {
    list: ['list the subvolumes of the filesystem that a path is on', () => import('./list.ts')],
    show: ['show one subvolume', () => import('./show.ts')],
    usage: ['show the space used on a filesystem', () => import('./usage.ts')],
    create: ['create an empty subvolume', () => import('./create.ts')],
    remove: ['remove an unused subvolume', () => import('./remove.ts')],
    'set-default': ['set the subvolume that is mounted by default', () => import('./set-default.ts')],
    'set-mode': ['make a subvolume read-only or writable', () => import('./set-mode.ts')],
    'create-base-structure': [
      'move the data in the top level of a filesystem to subvolumes/NAME, and create the directory snapshots/',
      () => import('./create-base-structure.ts'),
    ],
    rotation: {
      summary: 'snapshot rotation by systemd timers',
      verbs: {
        install: [
          'write the systemd service and timer of a snapshot rotation; enable it with systemctl',
          () => import('./rotation/install.ts'),
        ],
        remove: [
          'remove both units, which must be disabled before (systemctl disable); snapshots are kept',
          () => import('./rotation/remove.ts'),
        ],
        status: ['show which rotations are installed and enabled', () => import('./rotation/status.ts')],
      },
    },
    send: [
      'send a read-only snapshot to a directory on a btrfs, to a new file or to a device',
      () => import('./send.ts'),
    ],
    receive: [
      'receive a stream from a file or a device as a read-only subvolume, completely or not at all',
      () => import('./receive.ts'),
    ],
    scrub: {
      summary: 'verify the checksums of all data',
      verbs: {
        start: [
          'scrub a filesystem and wait until it is done; fails if it finds errors',
          () => import('./scrub/start.ts'),
        ],
        status: [
          'show the progress of the scrub, or the result of the last one',
          () => import('./scrub/status.ts'),
        ],
      },
    },
    balance: {
      summary: 'rewrite partly used block groups, so that their unused space is free for other block groups',
      verbs: {
        start: ['balance a filesystem and wait until it is done', () => import('./balance/start.ts')],
        status: ['show the progress of a balance', () => import('./balance/status.ts')],
      },
    },
    device: {
      summary: 'the devices of a filesystem',
      verbs: {
        list: [
          'list the devices of a filesystem, with the space allocated on each',
          () => import('./device/list.ts'),
        ],
        add: ['add a device; a device that is not blank needs --overwrite', () => import('./device/add.ts')],
        replace: [
          'replace a failing or missing device by another one, and wait until it is done',
          () => import('./device/replace.ts'),
        ],
        remove: [
          'move the data of a device to the others and remove it; waits until it is done',
          () => import('./device/remove.ts'),
        ],
      },
    },
    quota: {
      summary: 'quota of subvolumes: usage and limits',
      verbs: {
        show: ['show the quota groups of a filesystem', () => import('./quota/show.ts')],
        enable: ['enable quota accounting', () => import('./quota/enable.ts')],
        disable: [
          'disable quota accounting; refused while limits are set',
          () => import('./quota/disable.ts'),
        ],
        limit: ['set or remove the size limit of a subvolume', () => import('./quota/limit.ts')],
      },
    },
    snapshot: {
      summary: 'snapshots of subvolumes',
      verbs: {
        create: [
          'create a snapshot of a subvolume (default: read-only)',
          () => import('./snapshot/create.ts'),
        ],
        rotate: [
          'create the read-only snapshot TARGET/LABEL.TIME and remove the oldest of that label',
          () => import('./snapshot/rotate.ts'),
        ],
        prune: [
          'remove the oldest snapshots of a label and create none',
          () => import('./snapshot/prune.ts'),
        ],
      },
    },
  },
};
