import type { VerbEntry } from '../../runtime/verb.ts';

export const init: VerbEntry = [
  'write a site file from what is on this host: volume groups, bridges, configuration directories and kernels',
  () => import('./init.ts'),
];
