import { ParseError } from '../core/errors.ts';

/** A path as btrfs-progs prints it: raw, without any quoting (6.2 and 6.14). */
export interface PrintedPath {
  /** Undefined if it is not UTF-8: bofh cannot pass such a name to a program. */
  readonly path: string | undefined;
  /** For display: bytes that are not UTF-8 are replaced. */
  readonly shown: string;
}

/** Converts a path from an answer with one character per byte. */
export function printedPath(latin1: string): PrintedPath {
  const bytes = Buffer.from(latin1, 'latin1');
  const shown = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  return { path: Buffer.from(shown).equals(bytes) ? shown : undefined, shown };
}

/** Returns a UUID; undefined for `-`. */
export function uuidOr(text: string | undefined): string | undefined {
  return text === '-' ? undefined : text;
}

/** Converts a number that matched a pattern. */
export function digits(text: string | undefined, what: string): number {
  const number = Number(text);
  if (text === undefined || !Number.isSafeInteger(number)) throw new ParseError(`${what} is not a number`);
  return number;
}

/** The error for a line that matches no pattern. */
export function notRead(line: string): ParseError {
  return new ParseError(`btrfs: cannot read the line ${JSON.stringify(line)}`);
}
