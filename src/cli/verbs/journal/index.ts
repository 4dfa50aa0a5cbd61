import type { Noun } from '../../runtime/verb.ts';

export const journal: Noun = {
  summary: 'journals: finished and unfinished sequences',
  verbs: {
    list: ['list unfinished and finished sequences', () => import('./list.ts')],
    show: ['show what a sequence did and what recovery would do', () => import('./show.ts')],
    resolve: [
      'decide about a step that only the code of an ended script could undo: it is undone, or its effect stays',
      () => import('./resolve.ts'),
    ],
    prune: ['remove old journals from the history', () => import('./prune.ts')],
  },
};
