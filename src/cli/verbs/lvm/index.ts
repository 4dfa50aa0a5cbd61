import type { Noun } from '../../runtime/verb.ts';

export const lvm: Noun = {
  summary: 'logical volumes, volume groups and physical volumes',
  verbs: {
    list: ['list logical volumes, and how full pools and snapshots are', () => import('./list.ts')],
    create: ['create a logical volume', () => import('./create.ts')],
    rename: ['rename an unused logical volume', () => import('./rename.ts')],
    resize: [
      'resize a logical volume, but not its content; to resize both use bofh block resize',
      () => import('./resize.ts'),
    ],
    convert: [
      'add a second copy on another device (raid1), or remove one of two copies (linear)',
      () => import('./convert.ts'),
    ],
    activate: ['activate a logical volume now; no effect on the next boot', () => import('./activate.ts')],
    deactivate: [
      'deactivate an unused logical volume now; no effect on the next boot',
      () => import('./deactivate.ts'),
    ],
    tag: ['add or remove tags of a logical volume', () => import('./tag.ts')],
    remove: ['remove a logical volume', () => import('./remove.ts')],
    snapshot: {
      summary: 'snapshots of logical volumes',
      verbs: {
        create: [
          'create a snapshot (omit --size for a thin snapshot of a thin volume)',
          () => import('./snapshot/create.ts'),
        ],
        merge: [
          'merge a snapshot back into its origin; the snapshot is removed',
          () => import('./snapshot/merge.ts'),
        ],
      },
    },
    pool: {
      summary: 'thin pools',
      verbs: {
        create: ['create a thin pool', () => import('./pool/create.ts')],
        resize: [
          'grow a thin pool; cannot be undone, because lvm cannot shrink a pool',
          () => import('./pool/resize.ts'),
        ],
      },
    },
    vg: {
      summary: 'volume groups',
      verbs: {
        list: ['list volume groups with their size and free space', () => import('./vg/list.ts')],
        create: ['create a volume group from unused physical volumes', () => import('./vg/create.ts')],
        extend: ['add unused physical volumes to a volume group', () => import('./vg/extend.ts')],
        reduce: ['remove empty physical volumes from a volume group', () => import('./vg/reduce.ts')],
        rename: ['rename a volume group whose volumes are unused', () => import('./vg/rename.ts')],
        remove: [
          'remove a volume group without volumes; its devices stay physical volumes',
          () => import('./vg/remove.ts'),
        ],
        backup: [
          'back up the metadata of a volume group to a new file, for vgcfgrestore',
          () => import('./vg/backup.ts'),
        ],
      },
    },
    pv: {
      summary: 'physical volumes, the devices of volume groups',
      verbs: {
        list: ['list physical volumes and their volume groups', () => import('./pv/list.ts')],
        create: ['create a physical volume on a blank device', () => import('./pv/create.ts')],
        resize: [
          'grow a physical volume to the size of its device, or shrink it before the device shrinks',
          () => import('./pv/resize.ts'),
        ],
        move: [
          'move the extents of a physical volume to others of its group; volumes may be in use',
          () => import('./pv/move.ts'),
        ],
        remove: [
          'remove the label of a physical volume that is in no volume group',
          () => import('./pv/remove.ts'),
        ],
      },
    },
  },
};
