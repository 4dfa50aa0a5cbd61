import { type Command, nothing, type ReadCommand, stderrAlone } from '../command/index.ts';
import { classifyDevice } from '../blockdevice/commands.ts';
import { ParseError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';
import { classifyDrbd } from './commands.ts';

/** The format of metadata: module 8.4 reads only v08, module 9 only v09. */
export type MetadataFormat = 'v08' | 'v09';

/** The internal metadata of a volume, as arguments of drbdmeta. */
export interface MetadataAt {
  readonly minor: number;
  readonly format: MetadataFormat;
  readonly device: string;
}

/**
 * Writes new metadata at the end of a device. If drbdmeta finds metadata, or content at the start
 * of the device, it asks; without a terminal it assumes "no" and exits 1, and with `named` the
 * answer is yes. It always refuses an ext2/3/4, xfs, jfs or reiserfs that reaches into the metadata
 * (exit 40), and a volume that is up (exit 20; drbdmeta.c of 9.22). `peers`: only for v09.
 */
export function createMd(
  at: MetadataAt,
  { peers, content }: { readonly peers: number; readonly content: 'blank' | 'named' },
): Command<void, 'destroy'> {
  const bare = drbdmeta(at, ['create-md', ...(at.format === 'v09' ? [String(peers)] : [])]);
  return { ...bare, argv: [...(content === 'named' ? ['--force'] : []), ...bare.argv], access: 'destroy' };
}

/** Sets the UUID of metadata, 16 hexadecimal digits, which blkid shows; create-md leaves zeros. */
export function writeDeviceUuid(at: MetadataAt, uuid: string): Command<void, 'change'> {
  return { ...drbdmeta(at, ['write-dev-uuid', uuid]), access: 'change' };
}

/**
 * Sets the generation of a device's data, marked consistent and up to date. Hosts with the same generation do
 * not resync; a host without a generation fetches all data. Without `--force` drbdmeta asks; without an
 * answer it writes nothing and exits 0 (9.22). `peer`: for v09, the peer for which the generation is set.
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

/** The block size of a device that metadata uses. */
export const blockSize: Bytes = 4096;

/**
 * The blocks in a range of a device that are not all zeros, by offset. Offset and count are in
 * whole blocks.
 */
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

const zeros = Buffer.alloc(blockSize);

/**
 * Parses the output of od(1) into the blocks that are not zeros: one line for each block, `*` for repetitions
 * of the line before, and the end offset on its own line.
 */
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
    if (repeats && last !== undefined && found.has(last.at))
      for (let same = last.at + blockSize; same < at; same += blockSize) found.set(same, last.block);
    repeats = false;
    if (at === end && block.length === 0) return found;
    if (block.length !== blockSize)
      throw new ParseError(
        `a block of the metadata has ${String(block.length)} bytes, not ${String(blockSize)}`,
      );
    if (!zeros.equals(block)) found.set(at, block);
    last = { at, block };
  }
  throw new ParseError(`the metadata does not end at byte ${String(end)}`);
}
