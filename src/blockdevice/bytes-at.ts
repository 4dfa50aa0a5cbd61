import { type ReadCommand, stderrAlone } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import { classifyDevice } from './commands.ts';

/**
 * Reads bytes of a device, or of a file, through the page cache, where the kernel's filesystems
 * keep their superblocks.
 */
export function bytesAt(
  device: string,
  { from, count }: { readonly from: number; readonly count: number },
): ReadCommand<DataView> {
  const range = [`--skip-bytes=${from}`, `--read-bytes=${count}`];
  return {
    tool: 'od',
    argv: ['--address-radix=n', '--format=x1', '--output-duplicates', ...range, device],
    access: 'read',
    shownOf: stderrAlone,
    parse: ({ stdout }) => new DataView(hexBytes(stdout, count).buffer),
    classify: classifyDevice,
  };
}

const [space, newline] = [0x20, 0x0a];
/** The value of a hexadecimal digit, by its character code; -1: it is not a digit. */
const digits = Int8Array.from({ length: 256 }, (_, code) =>
  '0123456789abcdef'.indexOf(String.fromCharCode(code)),
);

/**
 * Parses ` 0f 1e …` lines. Reads are up to a megabyte long; regular expressions and joined strings
 * took 20 times as long.
 */
function hexBytes(stdout: string, count: number): Uint8Array<ArrayBuffer> {
  const text = Buffer.from(stdout, 'latin1');
  const bytes = new Uint8Array(count);
  let n = 0;
  for (let at = 0; at < text.length; ) {
    if (text[at] === newline && text[at - 1] !== newline && at > 0) {
      at += 1;
      continue;
    }
    // Negative if one of the two is not a digit.
    const byte = ((digits[text[at + 1] ?? 0] ?? -1) << 4) | (digits[text[at + 2] ?? 0] ?? -1);
    if (text[at] !== space || byte < 0) {
      const from = stdout.lastIndexOf('\n', at - 1) + 1;
      throw new ParseError(`cannot read the line ${JSON.stringify(stdout.slice(from).split('\n', 1)[0])}`);
    }
    bytes[n] = byte;
    n += 1;
    at += 3;
  }
  if (n !== count) throw new ParseError(`${n} bytes were read, not ${count}`);
  return bytes;
}

/** O_DIRECT needs whole logical sectors; the largest ones have 4 KiB. */
const directBlock = 4096;

/**
 * Reads bytes of a device, bypassing its page cache (O_DIRECT). The page cache has only what was
 * read or written through the device's own node, not later writes by a DRBD volume, a mapping or a
 * guest on it. The kernel writes dirty pages of the node first (block/fops.c), so the result is
 * never older than that of `bytesAt`.
 */
export function directBytesAt(
  device: string,
  { from, count }: { readonly from: number; readonly count: number },
): ReadCommand<DataView> {
  const first = Math.floor(from / directBlock) * directBlock;
  const end = Math.ceil((from + count) / directBlock) * directBlock;
  const range = [`bs=${directBlock}`, `skip=${first}`, `count=${end - first}`];
  return {
    tool: 'dd',
    argv: ['iflag=direct,fullblock,skip_bytes,count_bytes', ...range, 'status=none', `if=${device}`],
    access: 'read',
    shownOf: stderrAlone,
    encoding: 'latin1',
    parse: ({ stdout }) => {
      const bytes = Uint8Array.from(Buffer.from(stdout, 'latin1')).subarray(
        from - first,
        from - first + count,
      );
      if (bytes.length !== count) throw new ParseError(`${bytes.length} bytes were read, not ${count}`);
      return new DataView(bytes.buffer, bytes.byteOffset, count);
    },
    classify: classifyDevice,
  };
}
