// A table such as /etc/fstab is bytes: whatever stands in others' lines must come out as it went in. So a line is kept as
// one character for each byte (latin1), and only the fields of a line that is asked for become text.

/** The text of a field: octal escapes and UTF-8 are undone. `odd`: it has bytes that are not UTF-8, which stand as `\377`. */
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

/** A text as a field: what would end it, or begin something else, is written in octal (fstab(5)). */
export function encodeField(text: string): string {
  const escaped = text.replace(/[\s\\]|^#/g, (char) => octal(char));
  return Buffer.from(escaped, 'utf8').toString('latin1');
}

// Only what is ASCII is written so: the other white space that \s knows stands as UTF-8, and is no end of a field.
function octal(char: string): string {
  const code = char.charCodeAt(0);
  return code > 0x7f ? char : `\\${code.toString(8).padStart(3, '0')}`;
}

/** A line as text; undefined when it is not UTF-8, and so could not be kept in the journal as it is. */
export function lineText(bytes: string): string | undefined {
  const { text, odd } = decodeField(bytes.replaceAll('\\', '\\134'));
  return odd ? undefined : text;
}

/** The same back: one character for each byte. */
export function lineBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
