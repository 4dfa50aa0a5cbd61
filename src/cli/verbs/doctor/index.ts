import type { VerbEntry } from '../../runtime/verb.ts';

export const doctor: VerbEntry = [
  'check the host for leftovers, unfinished work and missing programs (exit 6: there is a problem)',
  () => import('./doctor.ts'),
];
