import type { Noun } from '../../runtime/verb.ts';

export const mount: Noun = {
  summary: 'mounts, now and at boot',
  verbs: {
    list: ['list mounts: filesystems on devices, network shares and bind mounts', () => import('./list.ts')],
    add: ['mount a device, or with --bind a directory', () => import('./add.ts')],
    remove: ['unmount an unused filesystem, never lazily', () => import('./remove.ts')],
    fstab: {
      summary: 'mounts at boot: the lines of /etc/fstab',
      verbs: {
        list: ['list the lines of /etc/fstab', () => import('./fstab/list.ts')],
        add: ['add a line, verified by findmnt', () => import('./fstab/add.ts')],
        set: ['change fields of the line of a path or a swap device', () => import('./fstab/set.ts')],
        remove: ['remove the line of a path or a swap device', () => import('./fstab/remove.ts')],
      },
    },
    crypttab: {
      summary: 'encrypted devices opened at boot: the lines of /etc/crypttab',
      verbs: {
        list: ['list the lines of /etc/crypttab', () => import('./crypttab/list.ts')],
        add: ['add a line', () => import('./crypttab/add.ts')],
        set: ['change fields of the line of a mapping', () => import('./crypttab/set.ts')],
        remove: ['remove the line of a mapping', () => import('./crypttab/remove.ts')],
      },
    },
  },
};
