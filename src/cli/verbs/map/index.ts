import type { VerbEntry } from '../../runtime/verb.ts';

export const map: VerbEntry = [
  'show the host at a glance: volume groups, devices, mounts and guests, also as a picture',
  () => import('./map.ts'),
];
