import { encodeField, fieldsIn, readLines, type Table, withFields } from './fields.ts';

/** A line of crypttab(5). */
export interface CrypttabEntry {
  /** Name of the mapping: /dev/mapper/NAME. */
  readonly name: string;
  /** A device, or `UUID=…`. */
  readonly device: string;
  /** A key file; `none`: a passphrase is requested. Never the key itself. */
  readonly key: string;
  readonly options: readonly string[];
}

/** A parsed line. */
export interface CrypttabLine extends CrypttabEntry {
  readonly number: number;
  readonly bytes: string;
  readonly odd: boolean;
  readonly secret: false;
}

/**
 * Returns the text of a field; empty for `-` and `none`, which mean nothing in the third and fourth
 * field (systemd-cryptsetup).
 */
function said(text: string | undefined): string {
  return text === undefined || text === '-' || text === 'none' ? '' : text;
}

/** Parses every line of a crypttab that is neither empty nor a comment. */
export function parseCrypttab(content: string): Table<CrypttabLine> {
  return readLines(content, ({ number, bytes, fields }) => {
    const [name, device, key, options, more] = fields;
    if (name === undefined || device === undefined) return 'it has fewer than two fields (name and device)';
    // systemd ignores what follows; Debian's own scripts read it as options.
    if (more !== undefined)
      return `it has more than four fields${fields.some(({ text }) => text.startsWith('#')) ? ': a comment needs a line of its own' : ''}`;
    return {
      number,
      bytes,
      odd: fields.some(({ odd }) => odd),
      secret: false,
      ...{ name: name.text, device: device.text, key: said(key?.text) || 'none' },
      options: said(options?.text)
        .split(',')
        .filter((word) => word !== ''),
    };
  });
}

/** Returns the line with some fields changed, and every other byte unchanged. */
export function changedCrypttab(
  bytes: string,
  { name, device, key, options }: { readonly [K in keyof CrypttabEntry]?: CrypttabEntry[K] | undefined },
): string {
  // An empty list of options is written as `none` if the field exists.
  const words = options?.length === 0 ? (fieldsIn(bytes).length < 4 ? undefined : '-') : options?.join(',');
  return withFields(bytes, [name, device, key, words], ['', '', 'none', '']);
}

/** Formats a line, one character per byte, as an administrator would write it. */
export function formatCrypttab({ name, device, key, options }: CrypttabEntry): string {
  const fields = [name, device, key, ...(options.length === 0 ? [] : [options.join(',')])];
  return fields.map(encodeField).join(' ');
}
