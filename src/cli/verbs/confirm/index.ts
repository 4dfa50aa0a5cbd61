import type { VerbEntry } from '../../runtime/verb.ts';

export const confirm: VerbEntry = [
  'keep the changes of a sequence that bofh otherwise rolls back at a deadline',
  () => import('./confirm.ts'),
];
