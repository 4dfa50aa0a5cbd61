import { ParseError } from '../../errors.ts';
import { decodeField, encodeField } from './fields.ts';
import { linesOf } from './fstab.ts';

/** A line of crypttab(5). */
export interface CrypttabEntry {
  /** Of the mapping: /dev/mapper/NAME. */
  readonly name: string;
  /** A device, or `UUID=…`. */
  readonly device: string;
  /** A file with the key; `none`: it is asked for. Never the key itself. */
  readonly key: string;
  readonly options: readonly string[];
}

/** A line that says something. */
export interface CrypttabLine extends CrypttabEntry {
  readonly number: number;
  readonly bytes: string;
  readonly odd: boolean;
  readonly secret: false;
}

const pattern =
  /^[ \t]*(?<name>[^ \t]+)[ \t]+(?<device>[^ \t]+)(?:[ \t]+(?<key>[^ \t]+)(?:[ \t]+(?<options>[^ \t]+))?)?[ \t]*$/s;

/** Every line of a crypttab that is neither empty nor a comment. Throws ParseError, with its number, for one that is not understood. */
export function parseCrypttab(content: string, file = '/etc/crypttab'): readonly CrypttabLine[] {
  return linesOf(content).flatMap((bytes, index) => {
    if (/^[ \t]*(?:#|$)/.test(bytes)) return [];
    const fields = pattern.exec(bytes)?.groups;
    if (fields === undefined)
      throw new ParseError(`${file}: line ${String(index + 1)} is not understood`, {
        remedy: `mend it: sed -n ${String(index + 1)}p ${file}`,
      });
    const { key = 'none', options = '' } = fields;
    const decoded = [fields.name, fields.device, key, options].map((field) => decodeField(field ?? ''));
    const [name, device, file2, words] = decoded.map(({ text }) => text);
    return [
      {
        number: index + 1,
        bytes,
        odd: decoded.some(({ odd }) => odd),
        secret: false,
        name: name ?? '',
        device: device ?? '',
        key: file2 === '-' ? 'none' : (file2 ?? ''),
        options: (words ?? '').split(',').filter((word) => word !== ''),
      },
    ];
  });
}

/** A line, one character a byte, as an administrator would write it. */
export function formatCrypttab({ name, device, key, options }: CrypttabEntry): string {
  const fields = [name, device, key, ...(options.length === 0 ? [] : [options.join(',')])];
  return fields.map(encodeField).join(' ');
}
