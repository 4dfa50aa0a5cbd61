import { UsageError } from '../../core/errors.ts';
import { nearestOf } from '../../core/nearest.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { table } from './table.ts';
import { printable } from './text.ts';

/** The answer of a verb: as data, and as a table or as lines. */
export type Answer<T> = { readonly data: T } & (
  | { readonly head: readonly string[]; readonly rows: readonly (readonly string[])[]; readonly none: string }
  | { readonly lines: readonly string[] }
);

/**
 * Prints an answer to stdout, as JSON if requested. `none` goes to stderr instead of an empty
 * table.
 */
export function give<T>({ terminal, settings, verb }: Runtime, answer: Answer<T>): void {
  if (settings.format !== undefined) {
    if ('lines' in answer)
      throw new UsageError(`--format chooses columns of a table, and "${verb}" prints none here`);
    for (const row of columns(settings.format, answer)) terminal.answer(`${row.join('\t')}\n`);
  } else if (settings.answer === 'json') terminal.answer(`${JSON.stringify(answer.data, null, 2)}\n`);
  else if ('lines' in answer) terminal.answer(answer.lines.map((line) => `${line}\n`).join(''));
  else if (answer.rows.length > 0) terminal.answer(table(answer.head, answer.rows));
  else if (!settings.quiet) terminal.line(answer.none);
}

/** The rows of a table with these columns only. Throws UsageError for an unknown one. */
function columns(
  format: readonly string[],
  { head, rows }: Extract<Answer<unknown>, { readonly head: unknown }>,
): readonly (readonly string[])[] {
  const names = head.map((title) => title.toLowerCase().replaceAll(' ', '-'));
  const at = format.map((name) => {
    const index = names.indexOf(name.toLowerCase());
    if (index >= 0) return index;
    const near = nearestOf(name, names);
    throw new UsageError(
      `--format: there is no column "${printable(name)}"; the columns are ${names.join(', ')}`,
      near === undefined ? {} : { remedy: `did you mean ${near}?` },
    );
  });
  return rows.map((row) => at.map((index) => printable(row[index] ?? '')));
}
