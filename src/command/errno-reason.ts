import type { Reason } from '../core/error-codes.ts';

const reasons: readonly (readonly [RegExp, Reason])[] = [
  [/No such file or directory|No such device/, 'not-found'],
  [/File exists/, 'exists'],
  [/Device or resource busy|Text file busy|Directory not empty/, 'busy'],
  [/No space left on device|Disk quota exceeded/, 'no-space'],
  [/Operation not permitted|Permission denied|Read-only file system/, 'denied'],
];

/** Finds why a program failed from the words of strerror(3), which most programs print in the C locale. */
export function errnoReason({ stderr }: { readonly stderr: string }): Reason {
  return reasons.find(([words]) => words.test(stderr))?.[1] ?? 'unknown';
}
