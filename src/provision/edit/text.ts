import { isRecord, type Revealed } from '../plain.ts';

/** A syntax whose files can be edited. `text` is the content of a file. */
export interface Syntax {
  /** Content of a new file. */
  readonly empty: string;
  /** Throws Unparsed for an invalid text. */
  readonly parse: (text: string) => unknown;
  /** Sets a value. All existing parents on the path must be objects. */
  readonly set: (text: string, path: readonly string[], value: Revealed) => string;
  /** Removes a value, which must exist. */
  readonly remove: (text: string, path: readonly string[]) => string;
}

/** A file that does not follow its syntax. */
export class Unparsed extends Error {
  readonly line: number;

  constructor(line: number, why: string) {
    super(why);
    this.line = line;
  }
}

/** Returns an object with only this value: `{ a: { b: value } }`. */
export function nested(path: readonly string[], value: Revealed): Revealed {
  return path.reduceRight<Revealed>((inner, key) => ({ [key]: inner }), value);
}

/** Returns a copy of the object with another value at the path; undefined removes it. */
export function withValue(
  of: unknown,
  [key = '', ...rest]: readonly string[],
  value: Revealed | undefined,
): object {
  const all = isRecord(of) ? of : {};
  if (rest.length === 0 && value === undefined)
    return Object.fromEntries(Object.entries(all).filter(([name]) => name !== key));
  if (rest.length === 0) return { ...all, [key]: value };
  const inner = all[key];
  return {
    ...all,
    [key]: isRecord(inner) || value === undefined ? withValue(inner, rest, value) : nested(rest, value),
  };
}

/** Replaces a part of the text. The new part gets the line ends of the text. */
export function splice(text: string, [from, to]: readonly [number, number], part: string): string {
  const own = text.includes('\r\n') ? part.replaceAll(/\r?\n/g, '\r\n') : part;
  return text.slice(0, from) + own + text.slice(to);
}

/** Returns the indentation of the first indented line: a tab, or spaces (default: two). */
export function indentOf(text: string): string {
  return /^(?<indent>\t+| +)[^\s#/*-]/m.exec(text)?.groups?.indent ?? '  ';
}

export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/** Returns the offset at which the line of an offset starts. */
export function lineStart(text: string, offset: number): number {
  return text.lastIndexOf('\n', offset - 1) + 1;
}

/** Returns the offset at which the next line starts, or the text ends. */
export function nextLine(text: string, offset: number): number {
  const at = text.indexOf('\n', offset);
  return at < 0 ? text.length : at + 1;
}

/** Start and end of a part of the text. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** Braces (`{ … }`) and the pairs in them. */
interface Braces extends Span {
  readonly pairs: readonly Span[];
}

const toComma = /^(?:\s|\/\/[^\n]*|\/\*[^]*?\*\/|#[^\n]*)*,/;
const restOfLine = /^[ \t]*(?:\/\/[^\n]*|\/\*[^\n]*?\*\/[ \t]*|#[^\n]*)?\r?$/;

/**
 * Adds a pair at the end. If the pairs are on several lines, the new one gets its own line.
 * Comments stay where they are.
 */
export function addPair(text: string, { start, end, pairs }: Braces, pair: string, indent: string): string {
  const last = pairs.at(-1);
  const outer = /^\s*/.exec(text.slice(lineStart(text, start), start))?.[0] ?? '';
  if (last === undefined) {
    const inside = text.slice(start + 1, end - 1).trimEnd();
    return splice(text, [start + 1, end - 1], `${inside}\n${outer}${indent}${pair}\n${outer}`);
  }
  const line = text.slice(last.end, nextLine(text, last.end)).replace(/\n$/, '');
  const own = text.slice(lineStart(text, last.start), last.start);
  if (own.trim() !== '' || !restOfLine.test(line)) return splice(text, [last.end, last.end], `, ${pair}`);
  const at = last.end + line.replace(/\r$/, '').length;
  return splice(splice(text, [at, at], `\n${own}${pair}`), [last.end, last.end], ',');
}

/** Removes a pair, with its line and the comment in this line. */
export function removePair(text: string, { pairs }: Braces, pair: Span): string {
  const index = pairs.indexOf(pair);
  const [before, after] = [pairs[index - 1], pairs[index + 1]];
  const end =
    after === undefined ? pair.end : pair.end + (toComma.exec(text.slice(pair.end))?.[0].length ?? 0);
  const start = lineStart(text, pair.start);
  const line = text.slice(end, nextLine(text, end)).replace(/\n$/, '');
  const isOwnLine = text.slice(start, pair.start).trim() === '' && restOfLine.test(line);
  if (after !== undefined)
    return splice(text, isOwnLine ? [start, nextLine(text, end)] : [pair.start, after.start], '');
  if (before === undefined)
    return splice(text, isOwnLine ? [start, nextLine(text, end)] : [pair.start, pair.end], '');
  if (!isOwnLine) return splice(text, [before.end, pair.end], '');
  const comma = before.end + (toComma.exec(text.slice(before.end))?.[0].length ?? 1);
  return splice(splice(text, [start, nextLine(text, end)], ''), [comma - 1, comma], '');
}
