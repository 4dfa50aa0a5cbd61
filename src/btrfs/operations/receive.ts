import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import type { FileStat, ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../errors.ts';
import { realPath } from '../../mount/index.ts';
import { receive } from '../send-commands.ts';
import { streamIn } from '../stream.ts';
import {
  planReceived,
  receivedByHand,
  receivedClaims,
  receivedUndo,
  receiveInto,
  receives,
} from './received.ts';

const undo = z.extend(receivedUndo, {
  file: z.string(),
  /** Which file that was. */
  inode: z.string(),
  size: z.int(),
});

/**
 * `tx.btrfs.receiveSubvolume`: receives the one stream of a file, that `btrfs send` has written, into a directory of a btrfs.
 * It appears in its place complete and read-only, or not at all. Undo deletes it by its id, and what came of it so far.
 */
export const receiveSubvolume = operation({
  kind: 'btrfs.subvolume.receive',
  version: 1,
  args: z.strictObject({
    file: z.string(),
    /** A directory. */
    into: z.string(),
    /** Its name there; what the stream calls it unless said otherwise. */
    name: z.exactOptional(z.string()),
  }),
  undo,
  ...receives,
  prepare: async ({ args: { file: asked, into, name }, mark, host }) => {
    const file = await realPath(host, asked);
    const { inode, size } = await streamFile(host, file);
    const stream = await streamIn(host, { path: file, size });
    return { ...(await planReceived(host, { into, as: name, mark }, stream)), file, inode, size };
  },
  claims: async ({ undo: of, on }) => {
    const { makes, needs } = await receivedClaims(of, on);
    return { makes, needs: [...needs, `file:${of.file}`] };
  },
  run: async ({ undo: of, host }) => {
    const { inode, size } = await streamFile(host, of.file);
    if (inode !== of.inode || size !== of.size)
      throw new RefusedError(`${of.file} was replaced while it was being looked at`, {
        remedy: 'wait until it is complete, then give the command again',
      });
    return receiveInto(host, of, (directory) => host.run(receive({ directory, file: of.file })));
  },
  describe: ({ way, ...of }) => receivedByHand(`what was received from ${of.undo.file} as`, of, way),
});

async function streamFile(host: ReadHost, path: string): Promise<FileStat> {
  const stat = await host.stat(path);
  if (stat?.kind === 'file') return stat;
  throw new RefusedError(`${path} is not a file but a ${stat?.kind ?? 'name of nothing'}`, {
    remedy: 'name a file that holds one stream',
  });
}
