import type { ByHand } from '../../core/errors.ts';
import type { WipeUndo } from './wipe.ts';

/** How a person sees what was erased, and puts it back: in octal, which every printf takes. */
export function wipedByHand({ device, magics }: WipeUndo): ByHand {
  const what = magics.map(({ type, uuid }) => (uuid === null ? type : `${type}, uuid ${uuid}`));
  return {
    what: `the signatures that were erased from ${device}: ${[...new Set(what)].join('; ')}`,
    look: [
      ['wipefs', device],
      ...magics.map(({ offset, bytes }) => [
        ...['od', '--address-radix=d', '--format=x1', `--skip-bytes=${String(offset)}`],
        ...[`--read-bytes=${String(bytes.length / 2)}`, device],
      ]),
    ],
    clear: magics.map(({ offset, bytes }) => writtenByHand(device, offset, Buffer.from(bytes, 'hex'))),
  };
}

/** Words that write bytes into a device, and nothing beside them. */
export function writtenByHand(device: string, offset: number, bytes: Uint8Array): readonly string[] {
  const octal = [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
  const act = `printf '${octal}' | dd "of=$1" oflag=seek_bytes "seek=$2" conv=nocreat,notrunc,fsync`;
  return ['sh', '-c', act, 'sh', device, String(offset)];
}
