import type { VerbEntry } from '../../runtime/verb.ts';

export const recover: VerbEntry = [
  'finish interrupted sequences: roll back, or complete what was committed',
  () => import('./recover.ts'),
];
