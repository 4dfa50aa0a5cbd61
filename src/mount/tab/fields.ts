import * as z from 'zod/mini';
import { ParseError } from '../../core/errors.ts';

// A table such as /etc/fstab is bytes: lines of others must stay exactly the same. So a line is
// kept with one character per byte (latin1), and only requested fields become text.

/**
 * Decodes octal escapes and UTF-8 in a field. `odd`: it has bytes that are not UTF-8, shown as
 * `\377`.
 */
export function decodeField(field: string): { readonly text: string; readonly odd: boolean } {
  const bytes = Buffer.from(
    field.replace(/\\(?<code>[0-3][0-7]{2})/g, (_, code: string) =>
      String.fromCharCode(Number.parseInt(code, 8)),
    ),
    'latin1',
  );
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), odd: false };
  } catch {
    return { text: shown(bytes), odd: true };
  }
}

function shown(bytes: Buffer): string {
  const lossy = new TextDecoder().decode(bytes);
  if (!lossy.includes('\ufffd')) return lossy;
  return [...bytes]
    .map((byte) => (byte < 0x80 ? String.fromCharCode(byte) : `\\${byte.toString(8)}`))
    .join('');
}

/**
 * Encodes a text as a field: characters that would end it, or begin something else, become octal
 * (fstab(5)).
 */
export function encodeField(text: string): string {
  const escaped = text.replace(/[\s\\]|^#/g, (char) => octal(char));
  return Buffer.from(escaped, 'utf8').toString('latin1');
}

// Only ASCII is escaped: other white space in \s stays UTF-8, and does not end a field.
function octal(char: string): string {
  const code = char.charCodeAt(0);
  return code > 0x7f ? char : `\\${code.toString(8).padStart(3, '0')}`;
}

/** Decodes a line as text; undefined if it is not UTF-8, and so cannot be journalled. */
export function lineText(bytes: string): string | undefined {
  const { text, odd } = decodeField(bytes.replaceAll('\\', '\\134'));
  return odd ? undefined : text;
}

/** Encodes a line: one character per byte, the reverse of `lineText`. */
export function lineBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** A field of a line, and the position of its bytes. */
export interface Field {
  readonly text: string;
  readonly odd: boolean;
  readonly from: number;
  readonly to: number;
}

/**
 * Returns the fields of a line, separated by blanks and tabs. A carriage return at the end of the
 * line belongs to none, as in libmount.
 */
export function fieldsIn(bytes: string): readonly Field[] {
  return [...bytes.replace(/\r$/, '').matchAll(/[^ \t]+/g)].map(({ 0: field, index }) => ({
    ...decodeField(field),
    ...{ from: index, to: index + field.length },
  }));
}

/**
 * Returns the line with other texts in some of its fields (undefined: unchanged), and every other
 * byte unchanged.
 */
export function withFields(
  bytes: string,
  texts: readonly (string | undefined)[],
  defaults: readonly string[],
): string {
  const fields = fieldsIn(bytes);
  const end = fields.slice(0, texts.length).at(-1)?.to ?? 0;
  const count = texts.findLastIndex((text) => text !== undefined) + 1;
  const more = texts
    .slice(fields.length, count)
    .map((text, index) => ` ${encodeField(text ?? defaults[fields.length + index] ?? '')}`);
  let line = bytes.slice(0, end) + more.join('') + bytes.slice(end);
  for (const [index, { from, to, text }] of [...fields.entries()].reverse()) {
    const { [index]: other } = texts;
    if (other !== undefined && other !== text)
      line = line.slice(0, from) + encodeField(other) + line.slice(to);
  }
  return line;
}

/**
 * A line that could not be parsed: libmount and systemd skip it, or disagree about it. Never
 * edited.
 */
export interface UnreadLine {
  /** Number of the line, counted from 1. */
  readonly number: number;
  /** The reason, without the text of the line, which may be a password. */
  readonly why: string;
  /** The texts of its fields. */
  readonly words: readonly string[];
}

/** The parsed lines of a table, and those that could not be parsed. */
export interface Table<Line> {
  readonly lines: readonly Line[];
  readonly unread: readonly UnreadLine[];
}

/**
 * Parses every line except comments and empty ones; `read` returns the reason if it cannot parse
 * one.
 */
export function readLines<Line>(
  content: string,
  read: (line: {
    readonly number: number;
    readonly bytes: string;
    readonly fields: readonly Field[];
  }) => Line | string,
): Table<Line> {
  const lines: Line[] = [];
  const unread: UnreadLine[] = [];
  for (const [index, bytes] of linesOf(content).entries()) {
    const fields = fieldsIn(bytes);
    if (fields.length === 0 || /^[ \t]*#/.test(bytes)) continue;
    const number = index + 1;
    const found = [bytes, ...fields.map(({ text }) => text)].some((each) => each.includes('\0'))
      ? 'it holds a NUL byte'
      : read({ number, bytes, fields });
    if (typeof found === 'string') unread.push({ number, why: found, words: fields.map(({ text }) => text) });
    else lines.push(found);
  }
  return { lines, unread };
}

/** Returns the lines of a text without their ends; the last one may have none. */
export function linesOf(content: string): readonly string[] {
  const lines = content.split('\n');
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}

/** The error for callers that need every line of a table. */
export function unreadLine(file: string, { number, why }: UnreadLine): ParseError {
  return new ParseError(`${file}: line ${String(number)} could not be parsed: ${why}`, {
    remedy: `correct it in an editor; to see it: sed -n ${String(number)}p ${file}`,
  });
}

/** A word of a table. */
export const word = z.string().check(
  z.minLength(1),
  z.refine((text) => !/[\0\ufffd]/.test(text), 'it has bytes that are not UTF-8'),
);
