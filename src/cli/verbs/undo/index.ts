import type { VerbEntry } from '../../runtime/verb.ts';

export const undo: VerbEntry = [
  'undo a committed sequence, if nothing has changed what it made since',
  () => import('./undo.ts'),
];
