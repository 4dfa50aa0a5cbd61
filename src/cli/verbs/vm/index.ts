import type { Noun } from '../../runtime/verb.ts';

export const vm: Noun = {
  summary: 'guests with their disks and configuration',
  verbs: {
    create: ['create a guest, completely or not at all', () => import('./create.ts')],
    remove: [
      'remove a guest: its configuration and its disks, including disks replicated to a peer',
      () => import('./remove.ts'),
    ],
    move: [
      'move a guest with replicated disks to the peer: shut it down here, start it there',
      () => import('./move.ts'),
    ],
  },
};
