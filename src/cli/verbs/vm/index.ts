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
    pause: [
      'pause a running guest: its virtual CPUs do not run until bofh vm resume',
      () => import('./pause.ts'),
    ],
    resume: ['let a paused guest run again, like xl unpause', () => import('./resume.ts')],
    wait: ['wait until a guest is running or stopped', () => import('./wait.ts')],
    console: ['connect this terminal to the console of a guest', () => import('./console.ts')],
    set: [
      'change memory, CPUs and autostart of a guest, in its configuration and in the running guest',
      () => import('./set.ts'),
    ],
    resize: [
      'resize a disk of a stopped guest and its content, or grow the disk of a running guest without its content',
      () => import('./resize.ts'),
    ],
    disk: {
      summary: 'disks of an existing guest',
      verbs: {
        list: [
          'list the disks of a guest, and whether the running guest has them',
          () => import('./disk/list.ts'),
        ],
        create: [
          'create a volume with a filesystem as a new disk of a guest',
          () => import('./disk/create.ts'),
        ],
        attach: [
          'add an existing device to a guest: to its configuration, and to the guest if it runs',
          () => import('./disk/attach.ts'),
        ],
        detach: [
          'remove a disk from the configuration of a guest; its device and data stay',
          () => import('./disk/detach.ts'),
        ],
        remove: [
          'remove a disk of a stopped guest: its line in the configuration, and its volume',
          () => import('./disk/remove.ts'),
        ],
      },
    },
    interface: {
      summary: 'network interfaces of an existing guest',
      verbs: {
        list: [
          'list the network interfaces of a guest, and whether the running guest has them',
          () => import('./interface/list.ts'),
        ],
        attach: [
          'add a network interface to a guest: to its configuration, and to the guest if it runs',
          () => import('./interface/attach.ts'),
        ],
        detach: [
          'remove a network interface from a guest: from its configuration, and from the guest if it runs',
          () => import('./interface/detach.ts'),
        ],
      },
    },
    rename: ['rename a guest with its configuration and disks', () => import('./rename.ts')],
    mount: [
      'mount the disks of a stopped guest as one directory tree, as its /etc/fstab describes it',
      () => import('./mount.ts'),
    ],
    chroot: [
      'run a command of a stopped guest with chroot, on its disks in a private mount namespace; bofh cannot undo what the command changes',
      () => import('./chroot.ts'),
    ],
    provision: [
      'apply a host description (see bofh host apply) to the root filesystem of a stopped guest, completely or not at all',
      () => import('./provision.ts'),
    ],
    unmount: ['unmount every disk of a guest, and close its encrypted disks', () => import('./unmount.ts')],
    base: {
      summary: 'Debian systems for bofh vm create --source debian:SUITE',
      verbs: {
        create: [
          'create an archive with an installed Debian system, from which guests can be created',
          () => import('./base/create.ts'),
        ],
        list: [
          'list the Debian systems and downloaded images for new guests',
          () => import('./base/list.ts'),
        ],
        remove: [
          'remove a Debian system or image; guests that were created from it stay',
          () => import('./base/remove.ts'),
        ],
      },
    },
    create: ['create a guest, completely or not at all', () => import('./create.ts')],
    clone: [
      'copy a stopped guest; the copy gets a new name, new MAC addresses and new SSH host keys',
      () => import('./clone.ts'),
    ],
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
        restore: [
          'restore the disks and the configuration of a stopped guest from a snapshot, which is then removed',
          () => import('./snapshot/restore.ts'),
        ],
        remove: ['remove a snapshot; the guest stays as it is', () => import('./snapshot/remove.ts')],
      },
    },
    move: [
      'move a guest with replicated disks to the peer: shut it down here, start it there',
      () => import('./move.ts'),
    ],
  },
};
