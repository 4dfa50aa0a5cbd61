import type { VerbEntry } from '../../runtime/verb.ts';

export const confirm: VerbEntry = [
  'keep the changes of a sequence that waits for its confirmation (host apply --confirm); without this command bofh rolls them back at the deadline',
  () => import('./confirm.ts'),
];
