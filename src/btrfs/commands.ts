import { type Answer, type Command, errnoReason, nothing, type ReadCommand } from '../command/index.ts';
import { ParseError, type Reason } from '../core/errors.ts';

/**
 * `btrfs inspect-internal rootid`: the id of the subvolume of a directory, as a plain number. Only
 * for directories: btrfs opens a file for writing, which a read-only subvolume refuses (6.2).
 */
export function rootId(path: string): ReadCommand<number> {
  return {
    tool: 'btrfs',
    argv: ['inspect-internal', 'rootid', path],
    access: 'read',
    parse: ({ stdout }) => {
      const id = /^(?<id>\d+)\n$/.exec(stdout)?.groups?.id;
      if (id === undefined) throw new ParseError(`btrfs: ${JSON.stringify(stdout)} is not an id`);
      return Number(id);
    },
    classify,
  };
}

/** `btrfs subvolume get-default`: the id of the subvolume that is mounted by default. */
export function getDefault(path: string): ReadCommand<number> {
  return {
    tool: 'btrfs',
    argv: ['subvolume', 'get-default', path],
    access: 'read',
    encoding: 'latin1',
    parse: ({ stdout }) => {
      const id = /^ID (?<id>\d+)(?: \(FS_TREE\)| gen \d+ top level \d+ path .+)\n$/s.exec(stdout)?.groups?.id;
      if (id === undefined)
        throw new ParseError(`btrfs: ${JSON.stringify(stdout)} does not name a subvolume`);
      return Number(id);
    },
    classify,
  };
}

/** `btrfs subvolume create`. Refuses an existing name. */
export function subvolumeCreate(path: string): Command<void, 'change'> {
  return change(['subvolume', 'create', path]);
}

/**
 * `btrfs subvolume snapshot`. The path must be free: if it is an existing directory, btrfs creates
 * the snapshot *in* it, under the name of the source (6.2).
 */
export function subvolumeSnapshot(make: {
  readonly source: string;
  readonly path: string;
  readonly mode: 'ro' | 'rw';
}): Command<void, 'change'> {
  return change(['subvolume', 'snapshot', ...(make.mode === 'ro' ? ['-r'] : []), make.source, make.path]);
}

/**
 * `btrfs subvolume delete` by id, because ids are never reused and names are. `root` is the root of
 * any subvolume of the filesystem (6.2 and 6.14 refuse a directory). `--commit-each` waits until
 * the removal is on disk. The kernel refuses the default subvolume and one that contains others,
 * but not a mounted one.
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

/** `btrfs property set ro`. Without `-f` btrfs refuses to make a received subvolume writable. */
export function setReadOnly(path: string, mode: 'ro' | 'rw'): Command<void, 'change'> {
  return change(['property', 'set', '-t', 'subvol', path, 'ro', mode === 'ro' ? 'true' : 'false']);
}

/**
 * `btrfs filesystem sync`: makes all earlier changes durable (BTRFS_IOC_SYNC waits for the
 * transaction).
 */
export function filesystemSync(path: string): Command<void, 'change'> {
  return { ...change(['filesystem', 'sync', path]), repeatable: true };
}

/**
 * Finds why btrfs failed, from its text in the C locale (6.2, 6.14; fixtures in
 * test/fixtures/btrfs): it exits with 1 for everything. "Not a subvolume" and "no btrfs" mean that
 * the path is something else.
 */
export function classify(answer: Answer): Reason {
  const { stderr } = answer;
  if (/can't find uuid|Subvolume not found|cannot find parent subvolume/.test(stderr)) return 'not-found';
  if (/already exists/.test(stderr)) return 'exists';
  return /not deleting default/.test(stderr) ? 'busy' : errnoReason(answer);
}

/** Whether the answer means that the path exists and is not a subvolume. */
export function isNoSubvolume({ stderr }: Pick<Answer, 'stderr'>): boolean {
  return /^ERROR: (?:Not a Btrfs (?:subvolume|filesystem)|not a btrfs filesystem)\b/im.test(stderr);
}

/** A command of btrfs that prints nothing. */
export function change(argv: readonly string[]): Command<void, 'change'> {
  return { tool: 'btrfs', argv, access: 'change', parse: nothing, classify };
}
