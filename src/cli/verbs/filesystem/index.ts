import type { Noun } from '../../runtime/verb.ts';

export const filesystem: Noun = {
  summary: 'filesystems and swap areas',
  verbs: {
    show: ['show size, usage and mounts of the filesystem on a device', () => import('./show.ts')],
    check: [
      'check an unmounted filesystem, read-only (exit 6: it has errors); or repair it',
      () => import('./check.ts'),
    ],
    create: [
      'create a filesystem or swap area on a blank device; content is overwritten only if --overwrite names it',
      () => import('./create.ts'),
    ],
    label: ['set or remove the label of a filesystem or swap area', () => import('./label.ts')],
    uuid: [
      'change the UUID of an unused filesystem or swap area, for example of a clone',
      () => import('./uuid.ts'),
    ],
    resize: ['resize a filesystem but not its device', () => import('./resize.ts')],
    trim: ['discard the unused blocks of a mounted filesystem', () => import('./trim.ts')],
  },
};
