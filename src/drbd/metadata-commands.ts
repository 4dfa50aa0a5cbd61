import { type Command, nothing, type ReadCommand, stderrAlone } from '../command/index.ts';
import { classifyDevice } from '../blockdevice/commands.ts';
import { ParseError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import { classifyDrbd } from './commands.ts';

/** The format of metadata: module 8.4 reads v08, module 9 v09, and neither the other's. */
export type MetadataFormat = 'v08' | 'v09';

/** Internal metadata of a volume, as drbdmeta is told of them. */
export interface MetadataAt {
  readonly minor: number;
  readonly format: MetadataFormat;
  readonly device: string;
}

/**
 * Writes new metadata at the end of a device. Where it finds something at the start of the device, or metadata, it asks, and
 * without a terminal takes that for a no, exit 1; `told` answers yes. Over an ext2/3/4, xfs, jfs or reiserfs that reaches into
 * the metadata it refuses all the same, exit 40, and over a volume that is up, exit 20 (drbdmeta.c of 9.22).
 * `peers`: of v09 alone.
 */
export function createMd(
  at: MetadataAt,
  { peers, content }: { readonly peers: number; readonly content: 'blank' | 'told' },
): Command<void, 'destroy'> {
  const bare = drbdmeta(at, ['create-md', ...(at.format === 'v09' ? [String(peers)] : [])]);
  return { ...bare, argv: [...(content === 'told' ? ['--force'] : []), ...bare.argv], access: 'destroy' };
}

/** Names metadata, by 16 hexadecimal digits: create-md leaves zeros, and blkid shows it as the uuid. */
export function writeDeviceUuid(at: MetadataAt, uuid: string): Command<void, 'change'> {
  return { ...drbdmeta(at, ['write-dev-uuid', uuid]), access: 'change' };
}

/**
 * Says which data a device has: those of a generation, whole and up to date. Hosts that have the same one send each other nothing,
 * and one that has none yet fetches all of it. Without `--force` drbdmeta asks, and where nobody answers it writes nothing, exit 0
 * (9.22). `peer`: in v09, of whom it is said.
 */
export function setGeneration(
  at: MetadataAt,
  { uuid, peer }: { readonly uuid: string; readonly peer: number | undefined },
): Command<void, 'change'> {
  const bare = drbdmeta(at, ['set-gi', `${uuid}:0:0:0:1:1`]);
  const node = peer === undefined ? [] : ['--node-id', String(peer)];
  return { ...bare, argv: ['--force', ...node, ...bare.argv], access: 'change' };
}

function drbdmeta({ minor, format, device }: MetadataAt, words: readonly string[]) {
  return {
    tool: 'drbdmeta',
    argv: [String(minor), format, device, 'internal', ...words],
    parse: nothing,
    classify: classifyDrbd,
  } as const;
}

/** A block of a device, as metadata are made of them. */
export const blockSize: Bytes = 4096;

/** The blocks of a range of a device that are not all zeros, by their offset. Offset and count are whole blocks. */
export function blocksAt(
  device: string,
  { from, count }: { readonly from: Bytes; readonly count: Bytes },
): ReadCommand<ReadonlyMap<Bytes, Uint8Array>> {
  const range = [`--skip-bytes=${String(from)}`, `--read-bytes=${String(count)}`];
  return {
    tool: 'od',
    argv: ['--address-radix=d', '--format=x1', `--width=${String(blockSize)}`, ...range, device],
    access: 'read',
    shownOf: stderrAlone,
    parse: ({ stdout }) => blocksIn(stdout, from + count),
    classify: classifyDevice,
  };
}

/** A line for each block, `*` for those that are like the one before, and the end by itself (od(1)). */
function blocksIn(text: string, end: Bytes): ReadonlyMap<Bytes, Uint8Array> {
  const found = new Map<Bytes, Uint8Array>();
  let last: { readonly at: Bytes; readonly block: Uint8Array } | undefined;
  let repeats = false;
  const lines = text.split('\n');
  if (lines.pop() !== '') throw new ParseError('its last line was cut off');
  for (const line of lines) {
    if (line === '*') {
      repeats = true;
      continue;
    }
    const { at: digits = '', bytes = '' } =
      /^(?<at>\d{7,})(?<bytes>(?: [0-9a-f]{2})*)$/.exec(line)?.groups ?? {};
    const at = Number(digits);
    const block = Uint8Array.from(Buffer.from(bytes.replaceAll(' ', ''), 'hex'));
    if (digits === '' || (last !== undefined && (repeats ? at <= last.at : at !== last.at + blockSize)))
      throw new ParseError(`cannot read the line ${JSON.stringify(line.slice(0, 80))}`);
    if (repeats && last !== undefined)
      for (let same = last.at + blockSize; same < at; same += blockSize) keep(same, last.block);
    repeats = false;
    if (at === end && block.length === 0) return found;
    if (block.length !== blockSize) throw new ParseError(`a block of ${String(block.length)} bytes`);
    keep(at, block);
    last = { at, block };
  }
  throw new ParseError(`it does not end at ${String(end)}`);

  function keep(at: Bytes, block: Uint8Array): void {
    if (block.some((byte) => byte !== 0)) found.set(at, block);
  }
}
