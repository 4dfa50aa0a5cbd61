import * as z from 'zod/mini';
import { sha256, sha256Hex } from '../../file/path.ts';

/** The change of one line of a table: its text before and after, and its position. */
export const lineEdit = z.strictObject({
  /** Index of the line, or where to insert it, counted from 0. */
  index: z.int().check(z.minimum(0)),
  /** The old line; null: it is new. */
  before: z.nullable(z.string()),
  /** The new line; null: it is removed. */
  after: z.nullable(z.string()),
  /**
   * Hashes of the lines above and below, whose text may be unfit for the journal: null if there is
   * none.
   */
  above: z.nullable(sha256Hex),
  below: z.nullable(sha256Hex),
});
export type LineEdit = z.infer<typeof lineEdit>;

/**
 * Returns the edit that replaces `before` by `after` at an index of a content, one character per
 * byte.
 */
export function editAt(
  content: string,
  { index, before, after }: Pick<LineEdit, 'index' | 'before' | 'after'>,
): LineEdit {
  const lines = split(content);
  const hash = (line: string | undefined): string | null => (line === undefined ? null : sha256(body(line)));
  const next = index + (before === null ? 0 : 1);
  return { index, before, after, above: hash(lines[index - 1]), below: hash(lines[next]) };
}

/** Applies the edit and keeps every other line. The line at its index must match. */
export function applyEdit(content: string, { index, before, after }: LineEdit): string {
  const lines = split(content);
  const old = before === null ? undefined : bytesOf(before);
  if (old !== undefined && body(lines[index] ?? '') !== old)
    throw new TypeError('the line is not where the edit has it');
  return put(lines, { index, taken: old === undefined ? 0 : 1, line: after });
}

/**
 * Whether the edit is applied in a content that others may have edited meanwhile. `neither`: the
 * line exists in neither form.
 */
export function stateOf(content: string, edit: LineEdit): 'made' | 'not made' | 'neither' {
  const has = (line: string | null): boolean =>
    line !== null && find(split(content), bytesOf(line)).length > 0;
  if (edit.before === null) return has(edit.after) ? 'made' : 'not made';
  if (edit.after === null) return has(edit.before) ? 'not made' : 'made';
  if (has(edit.after)) return has(edit.before) ? 'neither' : 'made';
  return has(edit.before) ? 'not made' : 'neither';
}

/**
 * Reverts the edit: removes or restores only its own line, and keeps changes of others. A removed
 * line returns below its old neighbour, or above the other one, or at its old index.
 */
export function revertEdit(content: string, edit: LineEdit): string {
  const lines = split(content);
  if (edit.after !== null) {
    const found = find(lines, bytesOf(edit.after));
    const index = found.includes(edit.index) ? edit.index : found.at(-1);
    return index === undefined ? content : put(lines, { index, taken: 1, line: edit.before });
  }
  const index = placeFor(lines, edit);
  return put(lines, { index, taken: 0, line: edit.before });
}

function placeFor(lines: readonly string[], { index, above, below }: LineEdit): number {
  const at = (hash: string | null): readonly number[] =>
    hash === null ? [] : lines.flatMap((line, n) => (sha256(body(line)) === hash ? [n] : []));
  const [over, ...otherOver] = at(above);
  if (over !== undefined && otherOver.length === 0) return over + 1;
  const [under, ...otherUnder] = at(below);
  if (under !== undefined && otherUnder.length === 0) return under;
  return Math.min(index, lines.length);
}

function find(lines: readonly string[], wanted: string): readonly number[] {
  return lines.flatMap((line, index) => (body(line) === wanted ? [index] : []));
}

/**
 * Replaces lines, with their line ends. If the line above an inserted one has no end, adds it; a
 * last line without an end stays without one.
 */
function put(
  lines: readonly string[],
  { index, taken, line }: { readonly index: number; readonly taken: 0 | 1; readonly line: string | null },
): string {
  const above = lines.slice(0, index);
  const last = above.at(-1);
  if (line !== null && last !== undefined) above[above.length - 1] = `${body(last)}\n`;
  // A changed line without an end stays without one.
  const end = taken === 1 && lines[index]?.endsWith('\n') === false ? '' : '\n';
  return [...above, ...(line === null ? [] : [`${bytesOf(line)}${end}`]), ...lines.slice(index + taken)].join(
    '',
  );
}

function split(content: string): readonly string[] {
  return content.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function body(line: string): string {
  return line.replace(/\n$/, '');
}

function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
