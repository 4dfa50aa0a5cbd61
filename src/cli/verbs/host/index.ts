import type { Noun } from '../../runtime/verb.ts';

export const host: Noun = {
  summary: 'bring a host into the state that a file describes: files, services, storage',
  verbs: {
    plan: ['show what differs from a description; changes nothing', () => import('./plan.ts')],
    apply: [
      'bring the host into the described state, in one sequence (all or nothing)',
      () => import('./apply.ts'),
    ],
    facts: ['show the facts about this host that a description can use', () => import('./facts.ts')],
  },
};
