import { type Command, nothing } from '../../command/index.ts';
import type { Bytes } from '../../core/units.ts';
import { classifyDevice } from '../commands.ts';

/** A part of a device; `size` is the total number of bytes to destroy. */
interface Part {
  readonly offset: Bytes;
  readonly length: Bytes;
  readonly size: Bytes;
}

/**
 * Discards a part of a device, or fills it with zeros. Never with `--force`, so that the device is
 * opened exclusively and the kernel refuses one in use. Without a terminal, a signature on it
 * causes only a warning (2.38).
 */
export function blkdiscard(
  device: string,
  how: 'discard' | 'zero',
  { offset, length, size }: Part,
): Command<void, 'destroy'> {
  const range = ['--offset', String(offset), '--length', String(length)];
  const step = ['--step', String(64 * 1024 ** 2), '--verbose'];
  return {
    tool: 'blkdiscard',
    argv: [...(how === 'zero' ? ['--zeroout'] : []), ...range, ...step, device],
    access: 'destroy',
    parse: nothing,
    classify: classifyDevice,
    progress: (output) => done(output, { offset, size }),
  };
}

/**
 * Reads the progress. "/dev/vdb: Zero-filled 67108864 bytes from the offset 1048576", once a
 * second: the bytes since the last line.
 */
function done(output: string, { offset, size }: Omit<Part, 'length'>): number | undefined {
  const last = [...output.matchAll(/ (?<bytes>\d+) bytes from the offset (?<from>\d+)$/gm)].at(-1)?.groups;
  if (last === undefined) return undefined;
  // The head, which is the last part, is destroyed at the very end.
  const fraction = offset === 0 ? 1 : (Number(last.bytes) + Number(last.from)) / size;
  return fraction >= 0 && fraction <= 1 ? fraction : undefined;
}
