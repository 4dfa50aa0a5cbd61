import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import type { ReadHost } from '../../command/index.ts';
import { ParseError, RefusedError } from '../../core/errors.ts';
import { absolutePath } from '../../file/path.ts';
import {
  clearNew,
  freeNames,
  hasBothNames,
  linkNew,
  lookAtNew,
  removeNew,
  removePrivateName,
  syncNew,
} from '../../file/private-name.ts';
import { send } from '../send-commands.ts';
import { streamIn } from '../stream.ts';
import { askedSource, planSent, sentNeeds, sentPaths, sentUndo } from './sent.ts';

const undo = z.strictObject({
  ...sentUndo,
  file: absolutePath,
  /** A hard link to the new file until the commit: proves the step. */
  private: absolutePath,
  /** The UUID of the subvolume in the stream: btrfs receive stores it as received UUID. */
  streamUuid: z.string(),
});

type Undo = z.infer<typeof undo>;

/**
 * `tx.btrfs.sendToFile`: writes the stream of a read-only subvolume into a new file. The file
 * appears with the complete stream or not at all, and never replaces another one. The file at the
 * path belongs to the step as long as it is the same inode as the private name, which the commit
 * removes.
 */
export const sendToFile = operation({
  kind: 'btrfs.send',
  version: 1,
  args: z.strictObject({
    ...askedSource,
    /** Absolute path of the new file for the stream. */
    file: absolutePath,
  }),
  undo,
  result: z.strictObject({ size: z.int() }),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { file, ...asked }, mark, host }) => {
    const { stream, source, parent } = await planSent(host, asked);
    return { source, parent, file, private: await freeNames(host, file, mark), streamUuid: stream.uuid };
  },
  claims: async ({ undo: of, on }) => ({
    makes: [`file:${of.file}`],
    needs: [...new Set(await sentNeeds(of, on))],
  }),
  run: async ({ undo: of, host }) => {
    const sent = await sentPaths(host, of);
    await host.writeNew(of.private, '', { mode: 0o600 });
    await host.run(send({ ...sent, file: of.private }));
    const size = (await host.stat(of.private))?.size ?? 0;
    const { uuid } = await streamIn(host, { path: of.private, size });
    if (uuid !== of.streamUuid)
      throw new RefusedError(`btrfs has sent the subvolume ${uuid}, not ${of.streamUuid}`, {
        remedy: `see which subvolume it is now: bofh btrfs show ${of.source.path}; then run the command again`,
      });
    await host.sync(of.private);
    await linkNew(host, of);
    return { size };
  },
  value: ({ undo: { file, streamUuid }, result: { size } }) => ({ file, uuid: streamUuid, size }),
  look: ({ undo: of, host }) => lookAtNew(host, of),
  revert: ({ undo: of, host }) => removeNew(host, of),
  content: {
    lost: 'undone',
    of: 'device',
    changed: async ({ undo: of, result, host }) => {
      if (!(await hasBothNames(host, of))) return undefined;
      const { size = 0 } = (await host.stat(of.private)) ?? {};
      const isWhole = result === undefined || size === result.size;
      return isWhole && (await holdsStream(host, of, size))
        ? undefined
        : { found: `others wrote to ${of.file}` };
    },
  },
  sync: ({ undo: of, host }) => syncNew(host, of),
  afterCommit: ({ undo: of, host }) => removePrivateName(host, of),
  describe: ({ undo: of, way }) => ({
    what: `the stream ${of.file} of the subvolume ${of.source.path} (uuid ${of.source.uuid}), whose second name is ${of.private}`,
    look: [['ls', '-li', of.file, of.private]],
    clear: [clearNew(of, way)],
  }),
});

async function holdsStream(host: ReadHost, of: Undo, size: number): Promise<boolean> {
  try {
    return (await streamIn(host, { path: of.private, size })).uuid === of.streamUuid;
  } catch (error) {
    if (error instanceof ParseError || error instanceof RefusedError) return false;
    throw error;
  }
}
