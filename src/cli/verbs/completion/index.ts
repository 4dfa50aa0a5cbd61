import type { VerbEntry } from '../../runtime/verb.ts';

export const completion: VerbEntry = [
  'print the script that completes commands, options and names in bash, zsh or fish',
  () => import('./completion.ts'),
];
