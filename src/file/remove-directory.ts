import { posix } from 'node:path';
import * as z from 'zod/mini';
import { operation } from '../atomic/operation.ts';
import {
  type FileStat,
  inShell,
  kindInWords,
  moveAway,
  refuseExposed,
  syncDirectoryOf,
} from '../command/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { bringBackTo, keepAt, refuseTaken } from './kept.ts';
import { moveNew } from './move-new.ts';
import { absolutePath, besideWith, birth, birthOf, inodeNumber, realParent } from './path.ts';
import { refuseMountPoint } from './remove.ts';

const args = z.strictObject({
  /** Absolute path of a directory that is empty, or contains only what `emptied` names. */
  path: absolutePath,
  /** All paths in it, at every depth, that earlier steps of this sequence remove: files, links and directories. */
  emptied: z.exactOptional(z.readonly(z.array(absolutePath))),
});

const undo = z.strictObject({
  path: absolutePath,
  tombstone: absolutePath,
  inode: inodeNumber,
  birth,
  emptied: z.exactOptional(z.readonly(z.array(absolutePath))),
  /**
   * True if the directory contains objects that earlier steps removed: the commit deletes these
   * first.
   */
  deferred: z.exactOptional(z.boolean()),
});

type Undo = z.infer<typeof undo>;

/**
 * `tx.file.removeDirectory`: renames an empty directory at once, and deletes it after the commit.
 * Until then it is beside its old path as `.bofh-gone-MARK`. Undo renames it back, and is stuck if
 * the name is in use again. A directory that this sequence empties (`emptied`) keeps
 * its name until the commit, because it still contains the removed files under other names.
 */
export const removeDirectory = operation({
  kind: 'file.directory.remove',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { path, emptied = [] }, mark, host }): Promise<Undo> => {
    const outside = emptied.find((each) => !each.startsWith(`${path}/`));
    if (outside !== undefined)
      throw new UsageError(`file.removeDirectory: emptied names ${outside}, which is not in ${path}`, {
        remedy: 'name only what earlier steps remove in the directory',
      });
    await realParent(host, path);
    const stat = await host.stat(path);
    if (stat?.kind !== 'directory')
      throw new RefusedError(
        stat === undefined
          ? `there is no directory ${path}`
          : `${path} is not a directory but ${kindInWords(stat)}`,
        {
          remedy: `see what it is: ls -ld ${inShell(path)}`,
          ...(stat === undefined ? { code: 'not-found' as const } : {}),
        },
      );
    await refuseExposed(host, path, 'there');
    await refuseMountPoint(host, path);
    const tombstonePrefix = `.bofh-gone-${mark.slice(0, mark.lastIndexOf('.') + 1)}`;
    const content = await host.readDir(path);
    refuseContent(
      path,
      content.filter(
        (name) => !name.startsWith(tombstonePrefix) && !emptied.includes(posix.join(path, name)),
      ),
    );
    const tombstone = besideWith(path, `gone-${mark}`);
    if ((await host.stat(tombstone)) !== undefined) throw taken(tombstone);
    return {
      ...{ path, tombstone, inode: stat.inode, ...birthOf(stat) },
      ...(content.length > 0 ? { deferred: true, emptied } : {}),
    };
  },
  claims: ({ undo: { path, emptied = [] } }) => ({
    changes: [path, ...emptied].map((each) => `file:${each}` as const),
  }),
  defers: ({ undo: { deferred } }) => deferred === true,
  after: () => true,
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
    const at = placeOf(of);
    const stat = await host.stat(at);
    if (stat === undefined) return { state: 'gone' };
    if (isDirectory(stat, of)) return { state: 'ours' };
    return { state: 'not-ours', found: `${at} is not the removed directory` };
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
    const at = placeOf(of);
    if (!isDirectory(await host.stat(at), of)) return;
    const content = await host.readDir(at);
    if (content.length > 0)
      throw new RefusedError(
        `${of.path} cannot be removed: another process has written to it since ${of.deferred === true ? 'the step' : 'it was renamed'}`,
        {
          remedy: `it is at ${at} (${content.slice(0, 3).join(', ')}): copy what you need, remove that directory; then: bofh recover`,
        },
      );
    await host.removeDir(at);
  },
  later: {
    keep: ({ undo: of, host, to }) => keepAt(host, { path: of.path, from: placeOf(of), to }),
    refuse: ({ undo: { path }, host }) => refuseTaken(host, path),
    bringBack: async ({ undo: { tombstone }, host, from }) => ({
      ...(await bringBackTo(host, { from, to: tombstone })),
      deferred: false,
    }),
  },
  describe: ({ undo: of, way }) => {
    const { path, tombstone, inode, deferred } = of;
    if (deferred === true)
      return {
        what: `the directory ${path} (inode ${inode}), which is removed after the commit`,
        look: [['ls', '-lid', path]],
        clear: way === 'back' ? [] : [['rmdir', path]],
      };
    return {
      what: `the directory ${path} (inode ${inode}), kept at ${tombstone} until it is removed`,
      look: [['ls', '-lid', path, tombstone]],
      clear: [
        way === 'back'
          ? ['mv', '--no-clobber', '--no-target-directory', tombstone, path]
          : ['rmdir', tombstone],
      ],
    };
  },
});

/** Path of the directory until the commit. */
function placeOf({ path, tombstone, deferred }: Undo): string {
  return deferred === true ? path : tombstone;
}

function isDirectory(stat: FileStat | undefined, of: Pick<Undo, 'inode' | 'birth'>): boolean {
  return (
    stat?.kind === 'directory' &&
    stat.inode === of.inode &&
    (of.birth === undefined || stat.birth === of.birth)
  );
}

/** RefusedError for a directory that contains more than the step removes. */
export function refuseContent(path: string, content: readonly string[]): void {
  if (content.length === 0) return;
  const some = `${content.slice(0, 3).join(', ')}${content.length > 3 ? ', …' : ''}`;
  throw new RefusedError(`${path} is not empty (${some}), and bofh removes only empty directories`, {
    remedy: `look at it: ls -la ${path}; then remove its content first`,
  });
}

function taken(path: string): RefusedError {
  return new RefusedError(`${path} exists already`, {
    code: 'exists',
    remedy: moveAway(path),
  });
}

function blocked({ path, tombstone }: Undo): RefusedError {
  return new RefusedError(
    `${path} cannot be restored: its name was taken meanwhile. The directory is kept as ${tombstone}`,
    {
      remedy: `move one of ${path} and ${tombstone} away; then: bofh recover`,
    },
  );
}

function changed(path: string): RefusedError {
  return new RefusedError(`${path} was changed concurrently, and stays as it is`, {
    remedy: `look at it: ls -lad ${path}; then run the command again`,
  });
}
