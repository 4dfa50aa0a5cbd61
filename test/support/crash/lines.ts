import type { BeginLine, IntentLine } from '../../../src/atomic/journal/lines.ts';

/** A process that a journal can name. */
export const owner = { pid: 1, started: 2, boot: 'b', user: 'root', bofh: '0' };

export const begin: BeginLine = { t: 'begin', format: 1, id: 'a', name: 'n', argv: [], host: '', ...owner };

/** The intent of step `n`, which claims nothing unless told otherwise. */
export function intent(n: number, more: Partial<IntentLine> = {}): IntentLine {
  const rest = { version: 1, args: null, undo: null, host: '', lives: 'disk', boot: 'b' } as const;
  return { t: 'intent', n, kind: 'toy', ...rest, claims: {}, after: false, ...more };
}
