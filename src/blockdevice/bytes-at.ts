import { type ReadCommand, stderrAlone } from '../command/index.ts';
import { ParseError } from '../errors.ts';
import { classifyDevice } from './commands.ts';

/** Bytes of a device, or of a file that has them: through the page cache, in which the kernel's filesystems keep their superblocks. */
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
    parse: ({ stdout }) => {
      const lines = stdout.split('\n');
      if (lines.at(-1) === '') lines.pop();
      for (const line of lines)
        if (!/^(?: [0-9a-f]{2})+$/.test(line))
          throw new ParseError(`cannot read the line ${JSON.stringify(line)}`);
      const bytes = Uint8Array.from(Buffer.from(lines.join('').replaceAll(' ', ''), 'hex'));
      if (bytes.length !== count) throw new ParseError(`${bytes.length} bytes instead of ${count}`);
      return new DataView(bytes.buffer);
    },
    classify: classifyDevice,
  };
}

/** O_DIRECT needs whole logical sectors; 4 KiB is the largest that there is. */
const directBlock = 4096;

/**
 * Bytes of a device past its page cache (O_DIRECT). The cache of a device shows what was read or written through its own
 * node: what a DRBD volume, a mapping or a guest on it has written since is missing there. Pages of the node that are
 * dirty are written first (block/fops.c), so this is never older than what `bytesAt` reads.
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
      if (bytes.length !== count) throw new ParseError(`${bytes.length} bytes instead of ${count}`);
      return new DataView(bytes.buffer, bytes.byteOffset, count);
    },
    classify: classifyDevice,
  };
}
