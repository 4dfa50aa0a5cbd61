import type { ByHand } from '../../core/errors.ts';
import type { ChangeUndo } from './change.ts';

/** How a person sees what was changed of a partition table, and puts the old one back: byte for byte, from the journal. */
export function changedByHand({ device, old, table, number, saved }: ChangeUndo): ByHand {
  const part = table.partitions.find((each) => each.number === number);
  const before = old?.partitions.find((each) => each.number === number);
  const change =
    part === undefined
      ? `the empty ${table.type} table of id ${table.id}, on what was blank`
      : `partition ${String(number)} from byte ${String(part.start)}, ${String(part.size)} bytes long, which ${before === undefined ? 'was not there' : `had ${String(before.size)}`}`;
  const program = `printf '%s' "$1" | base64 --decode | perl -MCompress::Zlib -0777 -ne 'print uncompress($_)' | dd "of=$2" oflag=seek_bytes "seek=$3" conv=nocreat,notrunc,fsync`;
  return {
    what: `${change}, on ${device}`,
    look: [
      ['sfdisk', '--list', device],
      ['lsblk', device],
    ],
    clear: [
      ...(number === null || before !== undefined
        ? []
        : [['partx', '--delete', '--nr', String(number), device]]),
      ...saved.map(({ offset, content }) => ['sh', '-c', program, 'sh', content, device, String(offset)]),
      ...(before === undefined ? [] : [['partx', '--update', '--nr', String(number), device]]),
    ],
  };
}
