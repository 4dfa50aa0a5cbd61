import * as z from 'zod/mini';
import { operation } from '../atomic/operation.ts';
import { type FileStat, type ReadHost, refuseExposed } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { bringBackTo, keepAt, refuseTaken } from './kept.ts';
import { moveNew } from './move-new.ts';
import { absolutePath, besideWith, birth, birthOf, inodeNumber, realParent } from './path.ts';
import { syncDirectoryOf } from './private-name.ts';
import { refuseMountPoint } from './remove.ts';

const args = z.strictObject({
  /** Absolute path of an empty directory. */
  path: absolutePath,
});

const undo = z.strictObject({ path: absolutePath, tombstone: absolutePath, inode: inodeNumber, birth });

type Undo = z.infer<typeof undo>;

/**
 * `tx.file.removeDirectory`: removes an empty directory: renames it at once and deletes it after the
 * commit. Until then it is beside its place as `.bofh-gone-MARK`. Undo renames it back, and is stuck
 * if the name is in use again.
 */
export const removeDirectory = operation({
  kind: 'file.directory.remove',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { path }, mark, host }): Promise<Undo> => {
    await realParent(host, path);
    const stat = await host.stat(path);
    if (stat?.kind !== 'directory')
      throw new RefusedError(
        stat === undefined
          ? `there is no directory ${path}`
          : `${path} is not a directory but a ${stat.kind}`,
        {
          remedy: `see what it is: ls -ld ${path}`,
          ...(stat === undefined ? { code: 'not-found' as const } : {}),
        },
      );
    await refuseExposed(host, path, 'there');
    await refuseMountPoint(host, path);
    await refuseContent(host, path);
    const tombstone = besideWith(path, `gone-${mark}`);
    if ((await host.stat(tombstone)) !== undefined) throw taken(tombstone);
    return { path, tombstone, inode: stat.inode, ...birthOf(stat) };
  },
  claims: ({ undo: { path } }) => ({ changes: [`file:${path}`] }),
  run: async ({ undo: of, host }) => {
    if (!isDirectory(await host.stat(of.path), of)) throw changed(of.path);
    await host.run(moveNew(of.path, of.tombstone));
    if (!isDirectory(await host.stat(of.tombstone), of)) throw changed(of.path);
    await syncDirectoryOf(host, of.path);
    if ((await host.readDir(of.tombstone)).length > 0) throw changed(of.path);
    return null;
  },
  value: () => undefined,
  look: async ({ undo: of, host }) => {
    const stat = await host.stat(of.tombstone);
    if (stat === undefined) return { state: 'gone' };
    if (isDirectory(stat, of)) return { state: 'ours' };
    return { state: 'not-ours', found: `${of.tombstone} is not the directory that was removed` };
  },
  revert: async ({ undo: of, host }) => {
    if (!isDirectory(await host.stat(of.tombstone), of)) return;
    if ((await host.stat(of.path)) !== undefined) throw blocked(of);
    await host.run(moveNew(of.tombstone, of.path));
    if (!isDirectory(await host.stat(of.path), of)) throw blocked(of);
    await syncDirectoryOf(host, of.path);
  },
  sync: ({ undo: { path }, host }) => syncDirectoryOf(host, path),
  afterCommit: async ({ undo: of, host }) => {
    if (!isDirectory(await host.stat(of.tombstone), of)) return;
    if ((await host.readDir(of.tombstone)).length > 0)
      throw new RefusedError(`${of.path} was removed, but another process has written to it since`, {
        remedy: `it is at ${of.tombstone}: keep what you need, delete it, then bofh recover`,
      });
    await host.removeDir(of.tombstone);
  },
  later: {
    keep: ({ undo: { path, tombstone }, host, to }) => keepAt(host, { path, from: tombstone, to }),
    refuse: ({ undo: { path }, host }) => refuseTaken(host, path),
    bringBack: ({ undo: { tombstone }, host, from }) => bringBackTo(host, { from, to: tombstone }),
  },
  describe: ({ undo: { path, tombstone, inode }, way }) => ({
    what: `the directory ${path} (inode ${inode}), kept at ${tombstone} until it is removed`,
    look: [['ls', '-lid', path, tombstone]],
    clear: [
      way === 'back'
        ? ['mv', '--no-clobber', '--no-target-directory', tombstone, path]
        : ['rmdir', tombstone],
    ],
  }),
});

function isDirectory(stat: FileStat | undefined, of: Pick<Undo, 'inode' | 'birth'>): boolean {
  return (
    stat?.kind === 'directory' &&
    stat.inode === of.inode &&
    (of.birth === undefined || stat.birth === of.birth)
  );
}

/** RefusedError for a directory with anything in it. */
export async function refuseContent(host: ReadHost, path: string): Promise<void> {
  const content = await host.readDir(path);
  if (content.length === 0) return;
  const some = `${content.slice(0, 3).join(', ')}${content.length > 3 ? ', …' : ''}`;
  throw new RefusedError(`${path} is not empty (${some}), and bofh removes empty directories alone`, {
    remedy: `look at it (ls -la ${path}), and remove its content first`,
  });
}

function taken(path: string): RefusedError {
  return new RefusedError(`${path} exists already`, {
    code: 'exists',
    remedy: 'see what it is, and move it away',
  });
}

function blocked({ path, tombstone }: Undo): RefusedError {
  return new RefusedError(`${path} cannot be put back: the name was taken meanwhile; it is at ${tombstone}`, {
    remedy: `move one of ${path} and ${tombstone} away, then bofh recover`,
  });
}

function changed(path: string): RefusedError {
  return new RefusedError(`${path} was changed concurrently, and stays as it is`, {
    remedy: `look at it (ls -lad ${path}), and give the command again`,
  });
}
