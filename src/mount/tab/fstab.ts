import { holdsSecret } from '../options.ts';
import { encodeField, readLines, type Table, withFields } from './fields.ts';

/** A line of fstab(5). */
export interface FstabEntry {
  /** A device, `UUID=…`, a share, a word such as `tmpfs`. */
  readonly source: string;
  /** Its mount point; `none` for swap. */
  readonly target: string;
  readonly type: string;
  readonly options: readonly string[];
  readonly dump: number;
  readonly pass: number;
}

/** A parsed line. */
export interface FstabLine extends FstabEntry {
  /** Number of the line, counted from 1, including comments and empty lines. */
  readonly number: number;
  /** The original line, one character per byte, without its end. */
  readonly bytes: string;
  /** Whether it contains bytes that are not UTF-8, shown as `\377`. */
  readonly odd: boolean;
  /** Whether one of its options contains a password. */
  readonly secret: boolean;
}

/**
 * Splits options at commas; a comma within double quotes does not separate (libmount,
 * `context="…:c127,c456"`).
 */
export function optionsIn(text: string): readonly string[] {
  return (text.match(/(?:"[^"]*"|[^,"]|")+/g) ?? []).filter((word) => word !== '');
}

/**
 * Parses every line of an fstab that is neither empty nor a comment, as libmount (2.36 to 2.41)
 * reads it.
 */
export function parseFstab(content: string): Table<FstabLine> {
  return readLines(content, ({ number, bytes, fields }) => {
    const [source, target, type, options, dump, pass, more] = fields;
    if (source === undefined || target === undefined || type === undefined)
      return 'it has fewer than three fields (device, place and type)';
    for (const [name, field] of Object.entries({ fifth: dump, sixth: pass }))
      if (field !== undefined && !/^\d{1,9}$/.test(field.text))
        return `its ${name} field is not a number${field.text.startsWith('#') ? ': a comment needs a line of its own' : ''}`;
    if (more?.text.startsWith('#') === false) return 'it has more than six fields';
    const list = optionsIn(options?.text ?? 'defaults');
    return {
      number,
      bytes,
      odd: [source, target, type, options].some((field) => field?.odd === true),
      secret: list.some(holdsSecret),
      ...{ source: source.text, target: target.text, type: type.text, options: list },
      ...{ dump: Number(dump?.text ?? 0), pass: Number(pass?.text ?? 0) },
    };
  });
}

/** Returns the line with some fields changed, and every other byte unchanged. */
export function changedFstab(
  bytes: string,
  to: { readonly [K in keyof FstabEntry]?: FstabEntry[K] | undefined },
): string {
  const { source, target, type, options, dump, pass } = to;
  const words = options === undefined ? undefined : options.join(',') || 'defaults';
  const texts = [source, target, type, words, dump?.toString(), pass?.toString()];
  return withFields(bytes, texts, ['', '', '', 'defaults', '0', '0']);
}

/** Formats a line, one character per byte, as an administrator would write it. */
export function formatFstab({ source, target, type, options, dump, pass }: FstabEntry): string {
  const words = options.length === 0 ? 'defaults' : options.join(',');
  const fields = [source, target, type, words].map(encodeField);
  return [...fields, String(dump), String(pass)].join(' ');
}
