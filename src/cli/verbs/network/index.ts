import type { Noun } from '../../runtime/verb.ts';

export const network: Noun = {
  summary: 'network interfaces and bridges',
  verbs: {
    list: ['list interfaces, their addresses and the ports of bridges', () => import('./list.ts')],
    show: ['show one interface with its counters', () => import('./show.ts')],
  },
};
