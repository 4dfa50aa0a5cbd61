import { UsageError } from '../../core/errors.ts';
import { nearestOf } from '../../core/nearest.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type Cell, plainLook } from './style.ts';
import { table, textIn } from './table.ts';
import { printable } from './text.ts';

/** The answer of a verb: as data, and as a table or as lines. */
export type Answer<T> = { readonly data: T } & (
  | { readonly head: readonly string[]; readonly rows: readonly (readonly Cell[])[]; readonly none: string }
  | { readonly lines: readonly string[] }
);

/**
 * Prints an answer to stdout, as JSON if requested. `none` goes to stderr instead of an empty
 * table.
 */
export function give<D>(runtime: Runtime<D>, answer: Answer<NoInfer<D>>): void {
  const { terminal, settings, verb, page = (text: string) => terminal.answer(text) } = runtime;
  if (settings.format !== undefined) {
    if ('lines' in answer)
      throw new UsageError(`--format selects columns of a table, but "${verb}" prints no table in this form`);
    page(
      columns(settings.format, answer)
        .map((row) => `${row.join('\t')}\n`)
        .join(''),
    );
  } else if (settings.answer === 'json') page(`${JSON.stringify(answer.data, null, 2)}\n`);
  else if ('lines' in answer) page(answer.lines.map((line) => `${line}\n`).join(''));
  else if (answer.rows.length > 0) page(table(answer.head, answer.rows, terminal.look));
  else if (!settings.quiet) terminal.line(answer.none);
}

/**
 * The rows of a table with only these columns, in the form for a pipe. Throws UsageError for an unknown
 * column.
 */
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
  return rows.map((row) => at.map((index) => textIn(row[index] ?? '', plainLook)));
}
