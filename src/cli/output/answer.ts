import type { Runtime } from '../runtime/runtime.ts';
import { table } from './table.ts';

/** The answer of a verb: as data, and as a table or as lines. */
export type Answer<T> = { readonly data: T } & (
  | { readonly head: readonly string[]; readonly rows: readonly (readonly string[])[]; readonly none: string }
  | { readonly lines: readonly string[] }
);

/**
 * Prints an answer to stdout, as JSON if requested. `none` goes to stderr instead of an empty
 * table.
 */
export function give<T>({ terminal, settings }: Runtime, answer: Answer<T>): void {
  if (settings.answer === 'json') terminal.answer(`${JSON.stringify(answer.data, null, 2)}\n`);
  else if ('lines' in answer) terminal.answer(answer.lines.map((line) => `${line}\n`).join(''));
  else if (answer.rows.length > 0) terminal.answer(table(answer.head, answer.rows));
  else if (!settings.quiet) terminal.line(answer.none);
}
