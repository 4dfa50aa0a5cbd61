import type { Noun } from '../../runtime/verb.ts';

export const journal: Noun = {
  summary: 'journals: finished and unfinished sequences',
  verbs: {
    list: ['list unfinished and finished sequences', () => import('./list.ts')],
    show: ['show what a sequence did and what recovery would do', () => import('./show.ts')],
    resolve: [
      'say whether a step is undone or its effect stays, if recovery cannot find that out itself (a function of a script that has ended, or an operation that this bofh does not know)',
      () => import('./resolve.ts'),
    ],
    prune: ['remove old journals from the history', () => import('./prune.ts')],
  },
};
