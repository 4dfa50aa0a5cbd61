import { ParseError } from '../core/errors.ts';

/** A path as btrfs-progs prints it: raw, without any quoting (6.2 and 6.14). */
export interface PrintedPath {
  /** Undefined when its bytes are no UTF-8: bofh has no way to name such a thing to a program. */
  readonly path: string | undefined;
  /** For people: what is no UTF-8 is replaced. */
  readonly shown: string;
}

/** A path out of an answer that came with a character for each byte. */
export function printedPath(latin1: string): PrintedPath {
  const bytes = Buffer.from(latin1, 'latin1');
  const shown = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  return { path: Buffer.from(shown).equals(bytes) ? shown : undefined, shown };
}

/** A UUID, or undefined for the `-` of one that is not set. */
export function uuidOr(text: string | undefined): string | undefined {
  return text === '-' ? undefined : text;
}

/** A number that the pattern has let through. */
export function digits(text: string | undefined, what: string): number {
  const number = Number(text);
  if (text === undefined || !Number.isSafeInteger(number)) throw new ParseError(`${what} is no number`);
  return number;
}

/** Of a line that no pattern lets through. */
export function notRead(line: string): ParseError {
  return new ParseError(`btrfs: cannot read the line ${JSON.stringify(line)}`);
}
