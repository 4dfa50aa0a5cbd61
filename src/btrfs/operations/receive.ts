import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import { identityOf } from '../../blockdevice/index.ts';
import { kindInWords, type ReadHost, refuseExposed } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { realPath } from '../../mount/index.ts';
import { receive } from '../send-commands.ts';
import { noStream, type StreamHead, streamIn, streamOn } from '../stream.ts';
import {
  planReceived,
  receivedRecovery,
  receivedClaims,
  receivedUndo,
  receiveInto,
  receives,
} from './received-subvolume.ts';
import { present } from '../../core/present.ts';

const undo = z.extend(receivedUndo, {
  file: z.string(),
  /** Identity of the file or device. */
  inode: z.string(),
  /** Size of the file; 0 for a device, which continues after the stream. */
  size: z.int(),
  from: z.exactOptional(z.literal('device')),
});

/**
 * `tx.btrfs.receiveSubvolume`: receives a stream of `btrfs send` from a file or a device into a
 * directory of a btrfs. The subvolume appears complete and read-only, or not at all. Undo deletes
 * it by its id, and any incomplete copy.
 */
export const receiveSubvolume = operation({
  kind: 'btrfs.subvolume.receive',
  version: 1,
  args: z.strictObject({
    /** Absolute path of the file, or a device. */
    file: z.string(),
    /** Directory for the subvolume. */
    into: z.string(),
    /** Name of the subvolume in the directory (default: the name in the stream). */
    name: z.exactOptional(z.string()),
  }),
  undo,
  ...receives,
  prepare: async ({ args: { file: asked, into, name }, mark, host }) => {
    const { stream, ...source } = await sourceAt(host, asked);
    return { ...(await planReceived(host, { into, as: name, mark }, stream)), ...source };
  },
  claims: async ({ undo: of, on }) => {
    const { makes, needs } = await receivedClaims(of, on);
    if (of.from !== 'device') return { makes, needs: [...needs, `file:${of.file}`] };
    const { key, beneath } = await on(of.file);
    return { makes, needs: [...new Set([...needs, key, ...beneath])] };
  },
  run: async ({ undo: of, host }) => {
    const { inode, size, stream } = await sourceAt(host, of.file);
    if (inode !== of.inode || size !== of.size || stream.uuid !== of.streamUuid)
      throw new RefusedError(`${of.file} was replaced or changed while bofh examined it`, {
        remedy: 'wait until it is complete, then run the command again',
      });
    const from = present({ from: of.from });
    return receiveInto(host, of, (directory, signal) =>
      host.run({ ...receive({ directory, file: of.file, ...from }), signal }),
    );
  },
  describe: ({ way, ...of }) => receivedRecovery(`what was received from ${of.undo.file} as`, of, way),
});

interface Source {
  readonly file: string;
  readonly inode: string;
  readonly size: number;
  readonly from?: 'device';
  readonly stream: StreamHead;
}

/** Returns the stream in a file, or at the start of a device. */
async function sourceAt(host: ReadHost, asked: string): Promise<Source> {
  const file = await realPath(host, asked);
  const stat = await host.stat(file);
  if (stat?.kind === 'file') {
    await refuseExposed(host, file, 'there');
    const { inode, size } = stat;
    return { file, inode, size, stream: await streamIn(host, { path: file, size }) };
  }
  if (stat?.kind !== 'block')
    throw new RefusedError(`${file} is not a file but ${kindInWords(stat)}`, {
      remedy: 'name a file or a device that contains one stream',
    });
  const stream = await streamOn(host, file);
  if (stream === undefined) throw noStream(asked);
  const { identity } = await identityOf(host, file);
  // Uses the given path: after a reboot the kernel name may belong to another device.
  return { file: asked, inode: identity, size: 0, from: 'device', stream };
}
