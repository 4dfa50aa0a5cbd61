import type { VerbEntry } from '../../runtime/verb.ts';

export const schema: VerbEntry = [
  'print the JSON Schema of the answer that a verb gives with --json',
  () => import('./schema.ts'),
];
