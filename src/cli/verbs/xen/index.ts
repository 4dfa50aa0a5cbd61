import type { Noun } from '../../runtime/verb.ts';

export const xen: Noun = {
  summary: 'guests of this host (Xen domains)',
  verbs: {
    list: ['list configured and running guests with their state', () => import('./list.ts')],
    start: ['start a configured guest', () => import('./start.ts')],
    'start-all': ['start all configured guests that are not running', () => import('./start-all.ts')],
  },
};
