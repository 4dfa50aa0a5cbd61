import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { UsageError } from '../../core/errors.ts';

/**
 * Refuses an argument that is not UTF-8: Node.js replaces the invalid bytes, so that it would name another
 * file. Throws UsageError. `words` are the arguments, each with a NUL at the end, as in proc_pid_cmdline(5).
 */
export function refuseOtherBytes(
  args: readonly string[],
  words: () => Buffer = () => readFileSync('/proc/self/cmdline'),
): void {
  if (!args.some((arg) => arg.includes('\ufffd'))) return;
  const odd = wordsOf(words()).find((word) => !isUtf8(word));
  if (odd === undefined) return;
  throw new UsageError(`the argument ${inOctal(odd)} is not UTF-8`, {
    remedy: `if it is the name of a file, rename the file: mv ${inOctal(odd)} NEW`,
  });
}

function wordsOf(bytes: Buffer): readonly Buffer[] {
  const words: Buffer[] = [];
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(0, from);
    words.push(bytes.subarray(from, end < 0 ? bytes.length : end));
    from = end < 0 ? bytes.length : end + 1;
  }
  return words;
}

/** Quotes bytes for a shell: $'a\377.img'. */
function inOctal(bytes: Buffer): string {
  const letters = [...bytes].map((byte) => {
    if (byte === 0x27 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
    return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`;
  });
  return `$'${letters.join('')}'`;
}
