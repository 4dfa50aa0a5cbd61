import { RefusedError } from '../core/errors.ts';

// Names on Linux are bytes, and a JavaScript string cannot contain all of them. Node replaces bytes
// that are not UTF-8 by U+FFFD, and the name becomes that of another file. Here such a byte becomes
// half of a surrogate pair instead (0xff: U+DCFF), which no decoded text contains. So the byte is
// preserved, shown as `\377`, and refused where it would reach a program or a file.

// RFC 3629, section 4; each alternative but the last is complete UTF-8, one character for each
// byte.
const sequences =
  /[\x00-\x7f]+|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[\x80-\xff]/g;
const odd = /(?<![\ud800-\udbff])[\udc80-\udcff]/;

/** Decodes a name from the kernel; each byte that is not UTF-8 becomes half of a surrogate pair. */
export function nameOf(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString('utf8');
  if (!text.includes('\ufffd')) return text;
  return buffer
    .toString('latin1')
    .replace(sequences, (part) =>
      part.length === 1 && part > '\x7f'
        ? String.fromCharCode(0xdc00 + part.charCodeAt(0))
        : Buffer.from(part, 'latin1').toString('utf8'),
    );
}

/** Whether a text contains a byte that is not UTF-8. */
export function isOdd(text: string): boolean {
  return odd.test(text);
}

/** Formats a name for messages: bytes that are not UTF-8 in octal, as in fstab(5) and a shell. */
export function shownName(text: string): string {
  return text.replaceAll(new RegExp(odd, 'g'), (half) => `\\${(half.charCodeAt(0) - 0xdc00).toString(8)}`);
}

/** The error for such a name, which is not passed to a program or a file access. */
export function notUtf8(text: string): RefusedError {
  return new RefusedError(`the name ${shownName(text)} is not UTF-8: bofh cannot pass it to a program`, {
    remedy: 'rename the file first: mv OLD NEW (the Tab key completes OLD)',
  });
}
