import { posix } from 'node:path';
import * as z from 'zod/mini';
import { type Changed, operation } from '../atomic/operation.ts';
import { identityOf, type MountEntry, movedFrom } from '../blockdevice/index.ts';
import {
  type Answer,
  type ChangeHost,
  type Command,
  follow,
  type ReadHost,
  refuseExposed,
} from '../command/index.ts';
import { type ManualRecovery, CommandError, RefusedError } from '../core/errors.ts';
import { filesChanged, filesOf, filesWitness, holding, named, otherHolders } from '../filesystem/index.ts';
import { refuseFullBeneath, watchingRoom } from '../lvm/index.ts';
import { realPath } from '../mount/index.ts';
import { present } from '../core/present.ts';
import type { Bytes } from '../core/units.ts';
import { placesOf } from './archive.ts';
import {
  complaints,
  emptyDirectory,
  syncFilesystem,
  tarExtract,
  tarList,
  tarTree,
  unquoted,
} from './commands.ts';
import { insideFile, insidePath, journalledFile, removeInside, writeInside } from './inside.ts';
import { checkMounted, empty, entriesOf, isFilled, othersOn, syncRoot, undoPath } from './root.ts';
import { checkTar, sourceFile } from './source.ts';
import { changedTree, expectSame, readTree } from './tree.ts';

export * from './save.ts';
export * from './files.ts';
export * from './image.ts';
export * from './debian.ts';
export * from './script.ts';

const count = z.int().check(z.nonnegative());

const args = z.strictObject({
  /** A tar archive, plain or compressed, or a directory, which is copied with all attributes. */
  source: z.string(),
  /**
   * `included`: what is mounted in the source directory is copied too. This sequence must have
   * mounted all of it, and nothing else may write there (default: such a directory is refused).
   */
  mounts: z.exactOptional(z.literal('included')),
  /** Mount point of the filesystem, mounted read-write. */
  root: z.string(),
  /** The block device of the filesystem. */
  device: z.string(),
  /** UUID of the filesystem, which must be empty. */
  filesystem: z.string().check(z.minLength(1)),
  /** Files to write after the archive, replacing its files of the same names. */
  files: z.readonly(z.array(insideFile)),
  /**
   * Files of the archive to remove before `files` are written: keys and ids of the copied system.
   */
  remove: z.exactOptional(z.readonly(z.array(insidePath))),
});

const undo = z.strictObject({
  mark: z.string(),
  root: z.string(),
  device: z.string(),
  /** Result of `identityOf`. */
  identity: z.string(),
  /** Name of the device when it was filled. */
  key: z.string(),
  filesystem: z.string(),
  /** The mount through which the step writes, and the boot to which this mount id belongs. */
  mounted: z.strictObject({ id: z.int(), boot: z.string() }),
  /** Path where the undo mounts the filesystem, whatever happened to the original mount. */
  path: z.string(),
  source: z.strictObject({
    inode: z.string(),
    size: count,
    path: z.exactOptional(z.string()),
    /** Only for a directory: SHA-256 over the list of its files. */
    digest: z.exactOptional(z.string()),
    mounts: z.exactOptional(z.literal('included')),
  }),
  /** Files written besides the archive. */
  files: z.exactOptional(z.readonly(z.array(z.string()))),
  summary: z.strictObject({ members: count, bytes: count, archiveBytes: count }),
});

type Undo = z.infer<typeof undo>;

/**
 * `tx.copy.unpack`: fills the empty root of a filesystem from a tar archive or a directory, then
 * writes further files into it. Fails if the directory changes meanwhile.
 *
 * The UUID of the filesystem, together with the fact that its root was empty, proves the step: all
 * its content is newer. So the undo empties only that filesystem again, except `lost+found`.
 */
export const unpack = operation({
  kind: 'copy.unpack',
  version: 1,
  args,
  undo,
  journalled: ({ files, ...rest }) => ({
    ...rest,
    files: files.map(journalledFile),
  }),
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: asked, mark, host, chosen }) => {
    const root = await realPath(host, asked.root);
    await refuseExposed(host, root, 'there');
    const tree = await treeAt(host, asked.source, asked.mounts);
    const { inode, size } = tree ?? (await sourceFile(host, asked.source));
    const { identity, key } = await identityOf(host, asked.device);
    const { id, type } = await checkRoot(host, { ...asked, root, identity });
    await refuseFullBeneath(host, asked.device, `the unpacking into ${root}`);
    const { boot } = await host.facts();
    // Listing the archive takes as long as unpacking it, so an unchanged archive is not listed
    // again under the locks.
    const known = chosen?.source.inode === inode && chosen.source.size === size ? chosen.summary : undefined;
    const summary = tree?.summary ?? known ?? { ...(await checkTar({ host, source: asked.source })) };
    // A btrfs may compress what it writes.
    if (type !== 'btrfs')
      await refuseFullBeneath(host, asked.device, `the unpacking into ${root}`, {
        bytes: leastBytes(summary),
      });
    return {
      mark,
      root,
      device: asked.device,
      identity,
      key,
      filesystem: asked.filesystem,
      mounted: { id, boot },
      path: undoPath(mark),
      source: { inode, size, path: asked.source, ...present({ digest: tree?.digest, mounts: asked.mounts }) },
      files: asked.files.map(({ path: name }) => name),
      summary,
    };
  },
  claims: async ({ undo: { device, filesystem, root }, on }) => {
    const { key, beneath } = await on(device);
    return { changes: [`fs:${filesystem}`], needs: [`mnt:${root}`, key, ...beneath] };
  },
  within: ({ undo: { filesystem } }) => `fs:${filesystem}`,
  run: async ({ args: { source, mounts, files, remove = [] }, undo: wanted, host }) => {
    await checkRoot(host, wanted);
    const tree = await treeAt(host, source, mounts);
    const { inode, size } = tree ?? (await sourceFile(host, source));
    if (tree !== undefined && tree.digest !== wanted.source.digest) throw changedTree(source, tree.entries);
    if (inode !== wanted.source.inode || size !== wanted.source.size)
      throw new RefusedError(`${source} was replaced or changed while bofh examined it`, {
        remedy: 'wait until it is complete, then run the command again',
      });
    const { archiveBytes } = wanted.summary;
    const from = tree?.path;
    await extract(host, wanted, {
      source: from === undefined ? source : '-',
      directory: wanted.root,
      archiveBytes,
      from,
      mounts,
    });
    if (tree === undefined) await expectUnpacked(host, source, wanted);
    else await expectSame(host, { source, mounts, digest: tree.digest, root: wanted.root });
    await removeInside(host, { root: wanted.root, paths: remove });
    await writeInside(host, { root: wanted.root, files, mark: wanted.mark });
    await host.run(syncFilesystem(wanted.root));
    return null;
  },
  value: ({ undo: { summary } }) => ({ members: summary.members, bytes: summary.bytes }),
  look: async ({ undo: made, host }) => {
    const undoing = (await host.stat(made.path)) !== undefined;
    const node = await holding(host, made);
    if (node === undefined || !(await isFilled(host, node))) return { state: undoing ? 'ours' : 'gone' };
    const moved = await movedFrom(host, node.path, made.key);
    return { state: 'ours', holders: await othersOn(host, node, made), ...moved };
  },
  revert: ({ undo: made, host }) => empty(host, made),
  content: {
    lost: 'undone',
    of: 'files',
    witness: ({ undo: made, host }) => filesWitness(host, made),
    changed: ({ undo: made, witness, host }) =>
      witness === undefined ? besideArchive(host, made) : filesChanged(host, made, witness),
  },
  sync: ({ undo: made, host }) => syncRoot(host, made),
  describe: ({ undo: of }) => unpackedRecovery(of),
});

/** For an interrupted step: returns what neither the archive nor the sequence can have written. */
async function besideArchive(host: ChangeHost, made: Undo): Promise<Changed | undefined> {
  const listed = await filesOf(host, made);
  if (listed === undefined || 'changed' in listed) return listed?.changed;
  const { node, files } = listed;
  if (files.entries.length === 0) return undefined;
  const known = await sizesIn(host, made);
  if (known === undefined) return undefined;
  const sizes = new Map([...known, ...ownSizes(made)]);
  const directories = new Set([...sizes.keys()].flatMap(above));
  const others = files.entries.filter(({ type, path, size }) => {
    const most = sizes.get(path);
    return most === undefined ? !directories.has(path) : type === 'f' && size > most;
  });
  return others.length === 0 ? undefined : { found: named(others), holders: await otherHolders(host, node) };
}

/**
 * Returns the size of each file in the archive. Undefined for mounts of this sequence that a boot
 * has ended: the files cannot be compared with them. RefusedError if the archive is missing or
 * changed.
 */
async function sizesIn(
  host: ReadHost,
  { source, root }: Undo,
): Promise<ReadonlyMap<string, Bytes> | undefined> {
  const { path = '', mounts } = source;
  const tree =
    source.digest === undefined ? undefined : await treeAt(host, path, mounts).catch(() => undefined);
  if (tree !== undefined && tree.digest === source.digest)
    return new Map(tree.entries.map((each) => [each.path, each.size]));
  if (mounts !== undefined && tree === undefined) return undefined;
  const { stat } = await follow(host, path);
  if (source.digest !== undefined || stat?.inode !== source.inode || stat.size !== source.size)
    throw new RefusedError(
      `${path === '' ? 'the archive' : path} is missing or has changed, so the files that were unpacked into ${root} cannot be distinguished from other files`,
      {
        code: 'differs',
        remedy:
          'restore it at its path; then: bofh recover; or, to lose all files on that filesystem: bofh recover ID --discard OBJECT; for the ID: bofh journal list',
      },
    );
  const { members } = await host.run(tarList(path));
  return new Map([...placesOf(members)].map(([name, size]) => [unquoted(name), size]));
}

/** Returns the files written besides the archive, with their private names before the rename. */
function ownSizes({ files = [], mark }: Undo): readonly (readonly [string, Bytes])[] {
  return files.flatMap((path) => {
    const name = Buffer.from(path).toString('latin1');
    const own = posix.join(posix.dirname(name), `.bofh-${mark}`);
    return [name, own].map((each) => [each, Number.POSITIVE_INFINITY] as const);
  });
}

/** Returns the parent directories of a path. */
function above(path: string): readonly string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, at) => parts.slice(0, at + 1).join('/'));
}

/**
 * Returns the least number of bytes that unpacking writes: without headers of members, and without
 * the holes of sparse files, which are not in the archive.
 */
function leastBytes({ members, bytes, archiveBytes }: Undo['summary']): Bytes {
  return Math.max(0, Math.min(bytes, archiveBytes - members * 2048));
}

/**
 * Unpacks the archive. The first complaint of tar is the cause, so the error ends with it, not with
 * the last one.
 */
async function extract(
  host: ChangeHost,
  { device, root }: Undo,
  what: Parameters<typeof tarExtract>[0] & {
    readonly from: string | undefined;
    readonly mounts: 'included' | undefined;
  },
): Promise<void> {
  const { from, mounts } = what;
  try {
    await watchingRoom(host, { devices: [device], what: `the unpacking into ${root}` }, (signal) => {
      const into = { ...tarExtract(what), signal };
      return from === undefined ? host.run(into) : copyTree(host, { from, mounts }, into);
    });
  } catch (error) {
    if (!(error instanceof CommandError) || error.exitCode === undefined) throw error;
    const { tool, argv, reason, exitCode, stdout } = error;
    const stderr = complaints(error.stderr).split('\n')[0] ?? '';
    throw new CommandError({ tool, argv, reason, exitCode, stdout, stderr, cause: error });
  }
}

/**
 * Copies a directory. tar exits with 0 if it could not set an attribute, and only reports that on
 * stderr.
 */
async function copyTree(
  host: ChangeHost,
  { from, mounts }: { readonly from: string; readonly mounts: 'included' | undefined },
  into: Command<void>,
): Promise<void> {
  const parse = ({ stderr }: Answer): string => complaints(stderr);
  const said = await host.pipe({ commands: [tarTree(from, mounts), into], parse });
  if (said === '') return;
  throw new RefusedError(`the copy of ${from} is not complete: ${said.split('\n')[0] ?? ''}`, {
    remedy: 'remove that file from the directory, or create a tar archive of the directory and use tar:FILE',
  });
}

/** Returns the directory, with its identity; undefined for anything else. */
async function treeAt(host: ReadHost, source: string, mounts: 'included' | undefined) {
  const { stat } = await follow(host, source);
  if (stat?.kind !== 'directory') return undefined;
  return { inode: stat.inode, size: stat.size, ...(await readTree(host, source, mounts)) };
}

/**
 * RefusedError if tar had no effect although it exited with 0. Must run before bofh writes its own
 * files, which would hide that.
 */
async function expectUnpacked(host: ReadHost, source: string, { root, summary }: Undo): Promise<void> {
  if (summary.bytes === 0 || (await entriesOf(host, root)).length > 0) return;
  throw new RefusedError(`tar reported success, but no file of ${source} is in ${root}`, {
    remedy: `list the archive: tar --list --file=${source}`,
  });
}

/** RefusedError unless the filesystem is mounted at the root, read-write and empty. */
async function checkRoot(
  host: ReadHost,
  of: Pick<Undo, 'root' | 'device' | 'identity' | 'filesystem'>,
): Promise<MountEntry> {
  const { root } = of;
  const mounted = await checkMounted(host, of);
  const names = await entriesOf(host, root);
  if (names.length > 0)
    throw new RefusedError(
      `${root} is not empty (${names.slice(0, 3).join(', ')}): bofh fills only a new filesystem`,
      {
        code: 'has-data',
        remedy: `see what is in it: ls -la ${root}; then use a new filesystem, or remove these files`,
      },
    );
  return mounted;
}

/** Uses the UUID and a separate mount, because a path could now lead to other files. */
function unpackedRecovery({ filesystem, device, path }: Undo): ManualRecovery {
  const { tool, argv } = emptyDirectory(path);
  return {
    what: `the content of the filesystem of UUID ${filesystem} on ${device}, which was empty before`,
    look: [
      ['blkid', '--probe', device],
      ['findmnt', '--source', `UUID=${filesystem}`],
    ],
    clear: [
      ['mkdir', '--parents', path],
      ['mount', '--source', `UUID=${filesystem}`, '--target', path],
      [tool, ...argv],
      ['umount', path],
      ['rmdir', path],
    ],
  };
}
