import type { Runtime } from '../runtime/runtime.ts';
import { table } from './table.ts';

/** The answer of a verb: what it is as data, and as a table or as lines. */
export type Answer<T> = { readonly data: T } & (
  | { readonly head: readonly string[]; readonly rows: readonly (readonly string[])[]; readonly none: string }
  | { readonly lines: readonly string[] }
);

/** Writes an answer to stdout: JSON where it was asked for. `none` is what is said on stderr in place of an empty table. */
export function give<T>({ terminal, settings }: Runtime, answer: Answer<T>): void {
  if (settings.answer === 'json') terminal.answer(`${JSON.stringify(answer.data, null, 2)}\n`);
  else if ('lines' in answer) terminal.answer(answer.lines.map((line) => `${line}\n`).join(''));
  else if (answer.rows.length === 0) terminal.line(answer.none);
  else terminal.answer(table(answer.head, answer.rows));
}
