import { ParseError } from '../../errors.ts';
import { holdsSecret } from '../options.ts';
import { decodeField, encodeField } from './fields.ts';

/** A line of fstab(5). */
export interface FstabEntry {
  /** A device, `UUID=…`, a share, a word such as `tmpfs`. */
  readonly source: string;
  /** Where it is mounted; `none` for swap. */
  readonly target: string;
  readonly type: string;
  readonly options: readonly string[];
  readonly dump: number;
  readonly pass: number;
}

/** A line that says something. */
export interface FstabLine extends FstabEntry {
  /** From 1, comments and empty lines counted. */
  readonly number: number;
  /** The line as it stands, one character a byte, without its end. */
  readonly bytes: string;
  /** It holds bytes that are not UTF-8: they stand as `\377` in what is said of it. */
  readonly odd: boolean;
  /** One of its options holds a password. */
  readonly secret: boolean;
}

// libmount 2.38 wants the first three, and leaves out a line that it cannot read: here that is an error.
const pattern =
  /^[ \t]*(?<source>[^ \t]+)[ \t]+(?<target>[^ \t]+)[ \t]+(?<type>[^ \t]+)(?:[ \t]+(?<options>[^ \t]+)(?:[ \t]+(?<dump>\d+)(?:[ \t]+(?<pass>\d+)(?:[ \t]+#.*)?)?)?)?[ \t]*$/s;

/** Every line of an fstab that is neither empty nor a comment. Throws ParseError, with its number, for one that is not understood. */
export function parseFstab(content: string, file = '/etc/fstab'): readonly FstabLine[] {
  return linesOf(content).flatMap((bytes, index) => {
    if (/^[ \t]*(?:#|$)/.test(bytes)) return [];
    const fields = pattern.exec(bytes)?.groups;
    if (fields === undefined) throw notUnderstood(file, index + 1);
    const { options = 'defaults', dump = '0', pass = '0' } = fields;
    const decoded = [fields.source, fields.target, fields.type, options].map((field) =>
      decodeField(field ?? ''),
    );
    const [source, target, type, words] = decoded.map(({ text }) => text);
    const list = (words ?? '').split(',').filter((word) => word !== '');
    return [
      {
        number: index + 1,
        bytes,
        odd: decoded.some(({ odd }) => odd),
        secret: list.some(holdsSecret),
        source: source ?? '',
        target: target ?? '',
        type: type ?? '',
        options: list,
        dump: Number(dump),
        pass: Number(pass),
      },
    ];
  });
}

/** A line, one character a byte, as an administrator would write it. */
export function formatFstab({ source, target, type, options, dump, pass }: FstabEntry): string {
  const words = options.length === 0 ? 'defaults' : options.join(',');
  const fields = [source, target, type, words].map(encodeField);
  return [...fields, String(dump), String(pass)].join(' ');
}

/** The lines of a text without their ends; the last may lack one. */
export function linesOf(content: string): readonly string[] {
  const lines = content.split('\n');
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}

/** Without the line itself, which may hold a password. */
function notUnderstood(file: string, number: number): ParseError {
  return new ParseError(`${file}: line ${String(number)} is not understood`, {
    remedy: `mend it: sed -n ${String(number)}p ${file}; findmnt --verify`,
  });
}
