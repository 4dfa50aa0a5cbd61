import type { Noun } from '../../runtime/verb.ts';
import { under } from '../vm/shared.ts';

export const xen: Noun = {
  summary: 'guests of this host (Xen domains)',
  verbs: {
    list: ['list configured and running guests with their state', () => import('./list.ts')],
    start: ['start a configured guest', () => import('./start.ts')],
    stop: ['shut down a running guest', under('xen', () => import('../vm/stop.ts'))],
    'start-all': ['start all configured guests that are not running', () => import('./start-all.ts')],
    'stop-all': ['shut down all configured guests that run', () => import('./stop-all.ts')],
  },
};
