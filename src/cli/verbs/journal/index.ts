import type { Noun } from '../../runtime/verb.ts';

export const journal: Noun = {
  summary: 'journals: finished and unfinished sequences',
  verbs: {
    list: ['list unfinished and finished sequences', () => import('./list.ts')],
    show: ['show what a sequence did and what recovery would do', () => import('./show.ts')],
    resolve: [
      'record your decision about a step that recovery cannot judge (a function of an ended script, or an operation that this bofh does not know): it is undone, or its effect stays',
      () => import('./resolve.ts'),
    ],
    prune: ['remove old journals from the history', () => import('./prune.ts')],
  },
};
