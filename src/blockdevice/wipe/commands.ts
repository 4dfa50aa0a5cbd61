import * as z from 'zod/mini';
import { type Command, nothing, type ReadCommand } from '../../command/index.ts';
import type { Bytes } from '../../core/units.ts';
import { classifyDevice } from '../commands.ts';

/**
 * A run of bytes by which blkid recognises content; one content may have several, and a device may
 * have several contents.
 */
export interface Magic {
  readonly offset: Bytes;
  readonly length: Bytes;
  /** `ext4`, `gpt`, `PMBR` … */
  readonly type: string;
  readonly usage: string;
  readonly uuid: string | null;
}

const listSchema = z.object({
  signatures: z.array(
    z.object({
      offset: z.string().check(z.regex(/^0x[0-9a-f]+$/)),
      length: z.int().check(z.positive()),
      type: z.string().check(z.minLength(1)),
      usage: z.string(),
      uuid: z.nullable(z.string()),
    }),
  ),
});

/**
 * Lists what `wipefs --all` would erase, by the same search (wipefs.c, read_offsets). Only reads,
 * unlike `--no-act --all`, which opens the device exclusively and makes the kernel read its
 * partition table again (2.38).
 */
export function magicsOn(device: string): ReadCommand<readonly Magic[]> {
  return {
    tool: 'wipefs',
    argv: ['--json', '--output', 'OFFSET,LENGTH,TYPE,USAGE,UUID', device],
    access: 'read',
    parse: ({ stdout }) =>
      listSchema
        .parse(JSON.parse(stdout))
        .signatures.map(({ offset, ...rest }) => ({ ...rest, offset: Number.parseInt(offset, 16) }))
        .sort((one, other) => one.offset - other.offset),
    classify: classifyDevice,
  };
}

/**
 * Writes bytes to a device, and changes no others. Prints nothing; the data is durable when it
 * ends.
 */
export function writeBytes(
  device: string,
  { offset, bytes }: { readonly offset: Bytes; readonly bytes: Uint8Array },
): Command<void> {
  const how = ['oflag=seek_bytes', `seek=${offset}`, 'conv=nocreat,notrunc,fsync', 'status=none'];
  return {
    tool: 'dd',
    argv: [`of=${device}`, ...how],
    access: 'change',
    stdin: bytes,
    parse: nothing,
    classify: classifyDevice,
  };
}
