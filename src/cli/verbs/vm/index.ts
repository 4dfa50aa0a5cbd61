import type { Noun } from '../../runtime/verb.ts';
import { under } from './shared.ts';

export const vm: Noun = {
  summary: 'guests with their disks and configuration',
  verbs: {
    list: [
      'list configured and running guests with their state',
      under('vm', () => import('../xen/list.ts')),
    ],
    show: ['show a guest with its disks and network interfaces', () => import('./show.ts')],
    start: ['start a configured guest', under('vm', () => import('../xen/start.ts'))],
    stop: ['shut down a running guest', () => import('./stop.ts')],
    restart: ['shut down a guest and start it again', () => import('./restart.ts')],
    pause: ['stop the processors of a running guest', () => import('./pause.ts')],
    resume: ['let a paused guest run on', () => import('./resume.ts')],
    wait: ['wait until a guest runs, or is off', () => import('./wait.ts')],
    console: ['connect this terminal to the console of a guest', () => import('./console.ts')],
    set: [
      'change memory, CPUs and the start at boot: the configuration and the running guest',
      () => import('./set.ts'),
    ],
    resize: [
      'resize a disk of a guest with everything on it; of a running guest grow the disk alone',
      () => import('./resize.ts'),
    ],
    rename: ['rename a guest with its configuration and disks', () => import('./rename.ts')],
    mount: [
      'mount the disks of a guest that is off as one tree, by its own /etc/fstab',
      () => import('./mount.ts'),
    ],
    chroot: [
      'run a command in the disks of a guest that is off, in a private mount namespace',
      () => import('./chroot.ts'),
    ],
    unmount: ['unmount every disk of a guest', () => import('./unmount.ts')],
    base: {
      summary: 'Debian systems from which guests are created: --source debian:SUITE',
      verbs: {
        create: ['install a Debian into an archive, for new guests', () => import('./base/create.ts')],
        list: [
          'list the Debian systems and downloaded images for new guests',
          () => import('./base/list.ts'),
        ],
        remove: ['remove one; guests that were created from it stay', () => import('./base/remove.ts')],
      },
    },
    create: ['create a guest, completely or not at all', () => import('./create.ts')],
    clone: ['copy a guest that is off, with new names, addresses and keys', () => import('./clone.ts')],
    remove: [
      'remove a guest: its configuration and its disks, including disks replicated to a peer',
      () => import('./remove.ts'),
    ],
    backup: ['save a guest with its disks into a directory', () => import('./backup.ts')],
    'list-backups': ['list the backups in a directory', () => import('./list-backups.ts')],
    verify: ['compare the files of a backup with their checksums', () => import('./verify.ts')],
    restore: ['restore a guest from a backup, completely or not at all', () => import('./restore.ts')],
    snapshot: {
      summary: 'snapshots of a guest: of all its disks at one moment, and of its configuration',
      verbs: {
        create: ['create a snapshot of a guest', () => import('./snapshot/create.ts')],
        list: ['list the snapshots of guests', () => import('./snapshot/list.ts')],
        restore: ['take a guest that is off back to a snapshot', () => import('./snapshot/restore.ts')],
        remove: ['remove a snapshot; the guest stays as it is', () => import('./snapshot/remove.ts')],
      },
    },
    move: [
      'move a guest with replicated disks to the peer: shut it down here, start it there',
      () => import('./move.ts'),
    ],
  },
};
