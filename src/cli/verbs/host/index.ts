import type { Noun } from '../../runtime/verb.ts';

export const host: Noun = {
  summary: 'make a host as a file describes it: files, services, storage',
  verbs: {
    plan: ['show what differs from a description; changes nothing', () => import('./plan.ts')],
    apply: ['make the host as described, in one sequence', () => import('./apply.ts')],
    facts: ['show what a description can ask about its host', () => import('./facts.ts')],
  },
};
