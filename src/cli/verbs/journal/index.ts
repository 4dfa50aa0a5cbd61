import type { Noun } from '../../runtime/verb.ts';

export const journal: Noun = {
  summary: 'journals: finished and unfinished sequences',
  verbs: {
    list: ['list unfinished and finished sequences', () => import('./list.ts')],
    show: ['show what a sequence did and what recovery would do', () => import('./show.ts')],
    resolve: [
      'end a step that bofh cannot undo, because only the ended script had the code for it',
      () => import('./resolve.ts'),
    ],
    prune: ['remove old journals from the history', () => import('./prune.ts')],
  },
};
