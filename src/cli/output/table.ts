import stringWidth from 'fast-string-width';
import { type Cell, type Look, type TextStyle, plainLook } from './style.ts';
import { printable, wrapped } from './text.ts';

interface Shown {
  readonly text: string;
  readonly as: TextStyle | undefined;
}

/** Minimum width of a wrapped last column: narrower text is hard to read. */
const minTextWidth = 24;

/**
 * Returns a plain text table, like `column -t`. A screen that is too narrow for it would break
 * lines within a name or UUID, which then can be neither read nor copied. So the table is changed
 * until it fits: empty columns are left out; then the last column is wrapped between words; then
 * each row is printed as a block of lines, with the titles at the left.
 */
export function table(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  look: Look = plainLook,
): string {
  const all = rows.map((row) => row.map((cell) => shown(cell, look)));
  const whole = draw(head, all, look);
  if (whole.width <= look.columns) return whole.text;
  const isUsed = head.map((_, at) => all.some((row) => row[at]?.text !== ''));
  const titles = head.filter((_, at) => isUsed[at]);
  const cells = all.map((row) => row.filter((_, at) => isUsed[at]));
  const dense = draw(titles, cells, look);
  if (dense.width <= look.columns) return dense.text;
  const room = look.columns - dense.width + dense.last;
  const narrow =
    room < minTextWidth
      ? undefined
      : draw(
          titles,
          cells.map((row) => wrapLast(row, room)),
          look,
        );
  if (narrow !== undefined && narrow.width <= look.columns) return narrow.text;
  return cells.map((row) => block(titles, row, look)).join('\n');
}

function shown(cell: Cell, look: Look): Shown {
  return { text: textIn(cell, look), as: typeof cell === 'object' && 'as' in cell ? cell.as : undefined };
}

/** The text of a cell, escaped. */
export function textIn(cell: Cell, { time }: Look): string {
  if (typeof cell === 'string') return printable(cell);
  return printable('time' in cell ? time(cell.time) : cell.text);
}

/** Draws the table. Text is escaped before colours are added; colours do not count for the width. */
function draw(
  head: readonly string[],
  rows: readonly (readonly Shown[])[],
  { paint }: Look,
): { readonly text: string; readonly width: number; readonly last: number } {
  const lines = [head.map((text): Shown => ({ text, as: 'heading' })), ...rows].flatMap(linesOf);
  const widths = head.map((_, at) => lines.reduce((most, line) => Math.max(most, columns(line[at])), 0));
  const padded = (line: readonly Shown[]): string =>
    line
      .map((cell, at) => `${paint(cell.as, cell.text)}${' '.repeat((widths[at] ?? 0) - columns(cell))}`)
      .join('  ')
      .trimEnd();
  return {
    text: lines.map((line) => `${padded(line)}\n`).join(''),
    width: widths.reduce((sum, width) => sum + width, 2 * (widths.length - 1)),
    last: widths.at(-1) ?? 0,
  };
}

/** Splits a row into as many lines as its cell with the most lines has. */
function linesOf(row: readonly Shown[]): readonly (readonly Shown[])[] {
  const cells = row.map(({ text }) => text.split('\n'));
  const height = cells.reduce((most, { length }) => Math.max(most, length), 1);
  return Array.from({ length: height }, (_, line) =>
    row.map(({ as }, at) => ({ text: cells[at]?.[line] ?? '', as })),
  );
}

/** The width of a cell in columns of the screen. Almost all text is ASCII, and counting anything else is slow. */
function columns(cell: Shown | undefined): number {
  const text = cell?.text ?? '';
  return /^[ -~]*$/.test(text) ? text.length : stringWidth(text);
}

function wrapLast(row: readonly Shown[], columns: number): readonly Shown[] {
  return row.map((cell, at) =>
    at < row.length - 1
      ? cell
      : { ...cell, text: wrapped([cell.text], { first: '', next: '', columns }).join('\n') },
  );
}

function block(titles: readonly string[], row: readonly Shown[], { columns, paint }: Look): string {
  const width = Math.max(...titles.map(({ length }) => length)) + 2;
  const lines = row.flatMap(({ text, as }, at) =>
    text === ''
      ? []
      : wrapped([text], { first: '', next: '', columns: columns - width }).map((line, index) => {
          const title = (index === 0 ? (titles[at] ?? '') : '').padEnd(width);
          return `${paint('heading', title)}${paint(as, line)}\n`;
        }),
  );
  return lines.join('');
}
