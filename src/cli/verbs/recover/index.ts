import type { VerbEntry } from '../../runtime/verb.ts';

export const recover: VerbEntry = [
  'finish interrupted sequences: roll back, or complete what was committed; --yes also undoes what is in use or was renamed since',
  () => import('./recover.ts'),
];
