import type { VerbEntry } from '../../runtime/verb.ts';

export const run: VerbEntry = [
  'run a script (.ts, .js or .mjs) that imports bofh; options of bofh go before SCRIPT',
  () => import('./run.ts'),
];
