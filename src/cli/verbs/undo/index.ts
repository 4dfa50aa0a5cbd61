import type { VerbEntry } from '../../runtime/verb.ts';

export const undo: VerbEntry = [
  'undo a committed sequence and restore the files that it removed; refused if others changed its objects since',
  () => import('./undo.ts'),
];
