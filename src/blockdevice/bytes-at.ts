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
