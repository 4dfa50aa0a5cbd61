import { type Answer, type Command, nothing, type ReadCommand } from '../command/index.ts';
import { ParseError, type Reason } from '../core/errors.ts';

/**
 * `btrfs inspect-internal rootid`: the id of the subvolume that a directory is in. A number and nothing else. A file is opened for
 * writing, and so refused in a read-only one (6.2).
 */
export function rootId(path: string): ReadCommand<number> {
  return {
    tool: 'btrfs',
    argv: ['inspect-internal', 'rootid', path],
    access: 'read',
    parse: ({ stdout }) => {
      const id = /^(?<id>\d+)\n$/.exec(stdout)?.groups?.id;
      if (id === undefined) throw new ParseError(`btrfs: ${JSON.stringify(stdout)} is no id`);
      return Number(id);
    },
    classify,
  };
}

/** `btrfs subvolume get-default`: the id of the subvolume that is mounted when none is named. */
export function getDefault(path: string): ReadCommand<number> {
  return {
    tool: 'btrfs',
    argv: ['subvolume', 'get-default', path],
    access: 'read',
    encoding: 'latin1',
    parse: ({ stdout }) => {
      const id = /^ID (?<id>\d+)(?: \(FS_TREE\)| gen \d+ top level \d+ path .+)\n$/s.exec(stdout)?.groups?.id;
      if (id === undefined) throw new ParseError(`btrfs: ${JSON.stringify(stdout)} names no subvolume`);
      return Number(id);
    },
    classify,
  };
}

/** `btrfs subvolume create`. It refuses a name that is taken. */
export function subvolumeCreate(path: string): Command<void, 'change'> {
  return change(['subvolume', 'create', path]);
}

/**
 * `btrfs subvolume snapshot`. Where `path` is a directory that exists already the snapshot is made *in* it, under the name of
 * the source (6.2), so the path must be free.
 */
export function subvolumeSnapshot(make: {
  readonly source: string;
  readonly path: string;
  readonly mode: 'ro' | 'rw';
}): Command<void, 'change'> {
  return change(['subvolume', 'snapshot', ...(make.mode === 'ro' ? ['-r'] : []), make.source, make.path]);
}

/**
 * `btrfs subvolume delete` by its id, which is never given twice: whatever has its name by now stays. `root` is the root of
 * any subvolume of the filesystem (6.2 and 6.14 refuse a directory). `--commit-each` waits until it is on the disk. The
 * kernel refuses the default one and one with others in it, but not one that is mounted.
 */
export function subvolumeDelete(of: {
  readonly root: string;
  readonly id: number;
}): Command<void, 'destroy'> {
  return {
    ...change(['subvolume', 'delete', '--commit-each', '--subvolid', String(of.id), of.root]),
    access: 'destroy',
  };
}

/** `btrfs subvolume set-default`. */
export function setDefault(of: { readonly id: number; readonly path: string }): Command<void, 'change'> {
  return change(['subvolume', 'set-default', String(of.id), of.path]);
}

/** `btrfs property set ro`. Without `-f` it refuses to make a received subvolume writable. */
export function setReadOnly(path: string, mode: 'ro' | 'rw'): Command<void, 'change'> {
  return change(['property', 'set', '-t', 'subvol', path, 'ro', mode === 'ro' ? 'true' : 'false']);
}

/** `btrfs filesystem sync`: all that was done so far is on the disk (BTRFS_IOC_SYNC waits for the transaction). */
export function filesystemSync(path: string): Command<void, 'change'> {
  return { ...change(['filesystem', 'sync', path]), repeatable: true };
}

/**
 * A rename that replaces nothing (renameat2 with RENAME_NOREPLACE). It exits 0 when the new name is taken (coreutils 9.1):
 * look afterwards.
 */
export function moveNew(from: string, to: string): Command<void, 'change'> {
  return {
    tool: 'mv',
    argv: ['--no-clobber', '--no-target-directory', from, to],
    access: 'change',
    parse: nothing,
    classify,
  };
}

/**
 * `find -delete` of everything beneath a directory. It works from open directories, so it follows no link, and stays in one
 * subvolume.
 */
export function emptyDirectory(path: string): Command<void, 'destroy'> {
  return {
    tool: 'find',
    argv: [path, '-xdev', '-mindepth', '1', '-delete'],
    access: 'destroy',
    repeatable: true,
    parse: nothing,
    classify,
  };
}

/**
 * Why btrfs failed, of its words in the C locale (6.2, 6.14; fixtures in test/fixtures/btrfs): it exits 1 for everything.
 * "Not a subvolume" and "no btrfs" are said of what is there and is something else.
 */
export function classify({ stderr }: Answer): Reason {
  if (
    /No such file or directory|can't find uuid|Subvolume not found|cannot find parent subvolume/.test(stderr)
  )
    return 'not-found';
  if (/already exists|File exists/.test(stderr)) return 'exists';
  if (/Directory not empty|Device or resource busy|Text file busy|not deleting default/.test(stderr))
    return 'busy';
  if (/No space left|Disk quota exceeded/.test(stderr)) return 'no-space';
  if (/Operation not permitted|Permission denied|Read-only file system/.test(stderr)) return 'denied';
  return 'unknown';
}

/** Is this the answer of a path that is there and is no subvolume? */
export function isNoSubvolume({ stderr }: Pick<Answer, 'stderr'>): boolean {
  return /^ERROR: (?:Not a Btrfs (?:subvolume|filesystem)|not a btrfs filesystem)\b/im.test(stderr);
}

function change(argv: readonly string[]): Command<void, 'change'> {
  return { tool: 'btrfs', argv, access: 'change', parse: nothing, classify };
}
