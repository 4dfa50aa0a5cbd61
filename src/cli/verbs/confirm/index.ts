import type { VerbEntry } from '../../runtime/verb.ts';

export const confirm: VerbEntry = [
  'keep what a sequence changed that is rolled back unless it is confirmed',
  () => import('./confirm.ts'),
];
