import type { VerbEntry } from '../../runtime/verb.ts';

export const recover: VerbEntry = [
  'finish interrupted sequences: roll back, or complete committed ones; with --yes also undo changes of objects that are in use now or were renamed',
  () => import('./recover.ts'),
];
