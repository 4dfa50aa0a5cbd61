import { posix } from 'node:path';
import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import type { ReadHost } from '../../command/index.ts';
import { CommandError, ParseError, RefusedError } from '../../core/errors.ts';
import { absolutePath, besideWith, realParent, sameFile } from '../../file/path.ts';
import { send } from '../send-commands.ts';
import { streamIn } from '../stream.ts';
import { askedSource, planSent, sentNeeds, sentPaths, sentUndo } from './sent.ts';

const undo = z.strictObject({
  ...sentUndo,
  file: absolutePath,
  /** A hard link to the new file until the commit: proves the step. */
  private: absolutePath,
  /** The UUID by which a receiver knows it. */
  streamUuid: z.string(),
});

type Undo = z.infer<typeof undo>;

/**
 * `tx.btrfs.sendToFile`: writes the stream of a read-only subvolume into a new file. The file
 * appears with the complete stream or not at all, and never replaces another one. As with an image,
 * the file at the path belongs to the step while it is the inode of the private name, which stays
 * until the commit.
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
    await realParent(host, file);
    const own = besideWith(file, mark);
    for (const path of [file, own]) {
      const stat = await host.stat(path);
      if (stat !== undefined) throw taken(path, `there is a ${stat.kind} of that name`);
    }
    return { source, parent, file, private: own, streamUuid: stream.uuid };
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
        remedy: 'look at what is at that path (bofh btrfs show), then give the command again',
      });
    await host.sync(of.private);
    try {
      await host.link(of.private, of.file);
    } catch (error) {
      if (!(error instanceof CommandError && error.reason === 'exists')) throw error;
      throw taken(of.file, 'it appeared meanwhile', error);
    }
    await host.sync(posix.dirname(of.file));
    return { size };
  },
  value: ({ undo: { file, streamUuid }, result: { size } }) => ({ file, uuid: streamUuid, size }),
  look: ({ undo: of, host }) => look(host, of),
  revert: async ({ undo: of, host }) => {
    const own = await host.stat(of.private);
    if (own?.kind !== 'file') return;
    if (sameFile(own, await host.stat(of.file))) {
      await host.removeFile(of.file);
      await host.sync(posix.dirname(of.file));
    }
    await host.removeFile(of.private);
  },
  content: {
    lost: 'undone',
    of: 'device',
    changed: async ({ undo: of, result, host }) => {
      const own = await host.stat(of.private);
      // Before it has its name, the file is unknown to others.
      if (own?.kind !== 'file' || !sameFile(own, await host.stat(of.file))) return undefined;
      const isWhole = result === undefined || own.size === result.size;
      return isWhole && (await holdsStream(host, of, own.size))
        ? undefined
        : { found: `others wrote to ${of.file}` };
    },
  },
  sync: async ({ undo: of, host }) => {
    if ((await host.stat(of.private))?.kind === 'file') await host.sync(of.private);
    const directory = posix.dirname(of.file);
    if ((await host.stat(directory))?.kind === 'directory') await host.sync(directory);
  },
  afterCommit: async ({ undo: of, host }) => {
    if ((await host.stat(of.private))?.kind === 'file') await host.removeFile(of.private);
  },
  describe: ({ undo: of, way }) => ({
    what: `the stream ${of.file} of the subvolume ${of.source.path} (uuid ${of.source.uuid}), whose second name is ${of.private}`,
    look: [['ls', '-li', of.file, of.private]],
    // Before the commit removes both names of the inode, but no other file at that name.
    clear: [
      way === 'back'
        ? ['find', posix.dirname(of.file), '-maxdepth', '1', '-samefile', of.private, '-delete']
        : ['rm', of.private],
    ],
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

async function look(host: ReadHost, of: Undo): Promise<Look> {
  const own = await host.stat(of.private);
  if (own === undefined) return { state: 'gone' };
  if (own.kind !== 'file') return { state: 'not-ours', found: `${of.private} is a ${own.kind}` };
  const there = await host.stat(of.file);
  if (there === undefined || sameFile(own, there)) return { state: 'ours' };
  return { state: 'ours', found: `${of.file} is another file now and stays` };
}

function taken(path: string, how: string, cause?: unknown): RefusedError {
  return new RefusedError(`${path} exists already: ${how}`, {
    code: 'exists',
    cause,
    remedy: 'move it away, or choose another name',
  });
}
