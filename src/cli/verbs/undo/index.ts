import type { VerbEntry } from '../../runtime/verb.ts';

export const undo: VerbEntry = [
  'undo a committed sequence, also what its commit removed of files, if nothing has changed what it made since',
  () => import('./undo.ts'),
];
