import { classifyDevice } from '../../blockdevice/index.ts';
import { type Command, nothing, type ReadCommand } from '../../command/index.ts';
import { ParseError } from '../../core/errors.ts';
import type { Bytes } from '../../core/units.ts';

/** The superblock of an ext2, ext3 or ext4; counts are in its own blocks. */
export interface ExtSuperblock {
  readonly blockSize: Bytes;
  readonly blocks: number;
  readonly free: number;
  readonly firstBlock: number;
  readonly blocksPerGroup: number;
  readonly inodeBlocksPerGroup: number;
  /** Blocks reserved for the group descriptors of a larger filesystem. */
  readonly reservedGdt: number;
  readonly descriptorSize: Bytes;
  readonly features: readonly string[];
  /**
   * `errors`: the kernel has met an error, or resize2fs was killed midway: a full e2fsck is needed.
   */
  readonly state: 'clean' | 'not clean' | 'errors';
}

/** Reads the superblock of a device, mounted or not; free blocks are as of the last write-back. */
export function dumpe2fs(device: string): ReadCommand<ExtSuperblock> {
  return {
    tool: 'dumpe2fs',
    argv: ['-h', device],
    access: 'read',
    parse: ({ stdout }) => parseSuperblock(stdout),
    classify: classifyDevice,
  };
}

/**
 * Returns the smallest number of blocks for resize2fs, by its own estimate, which it enforces. For
 * a mounted filesystem, as of the last write-back.
 */
export function extMinimum(device: string): ReadCommand<number> {
  return {
    tool: 'resize2fs',
    argv: ['-P', device],
    access: 'read',
    // resize2fs reads the bitmaps of the whole filesystem.
    timeoutMs: 600_000,
    parse: ({ stdout }) => {
      const blocks = /^Estimated minimum size of the filesystem: (?<blocks>\d+)\n$/.exec(stdout)?.groups
        ?.blocks;
      if (blocks === undefined) throw new ParseError(`no minimum in ${JSON.stringify(stdout)}`);
      return Number(blocks);
    },
    classify: classifyDevice,
  };
}

/**
 * Checks all of an unmounted filesystem and repairs what is safe without a question; resize2fs
 * requires this check. Exit code 1 means repaired (e2fsck(8)), which is not a failure; 4: an
 * administrator must decide.
 */
export function e2fsckPreen(device: string): Command<void, 'change'> {
  return {
    tool: 'e2fsck',
    argv: ['-f', '-p', device],
    access: 'change',
    accepts: [0, 1],
    parse: nothing,
    classify: classifyDevice,
  };
}

/**
 * Sets the size in the blocks of the filesystem; a mounted one can only grow. Never with `-f`. For
 * the current size resize2fs prints "Nothing to do" and exits with 0 (e2fsprogs 1.47).
 */
export function resize2fs(device: string, blocks: number): Command<void, 'change'> {
  return {
    tool: 'resize2fs',
    argv: [device, String(blocks)],
    access: 'change',
    parse: nothing,
    // resize2fs prints that a filesystem is mounted even if that is not the cause of the failure.
    classify: (answer) => (/Permission denied/.test(answer.stderr) ? 'denied' : classifyDevice(answer)),
  };
}

const line = /^\s*(?<key>[^:]+):(?:\s+(?<value>.*))?$/;

function parseSuperblock(text: string): ExtSuperblock {
  const values = new Map<string, string>();
  const twice = new Set<string>();
  for (const each of text.trimEnd().split('\n')) {
    const { key, value = '' } = line.exec(each)?.groups ?? {};
    if (key === undefined) throw new ParseError(`dumpe2fs: cannot read the line ${JSON.stringify(each)}`);
    if (values.has(key)) twice.add(key);
    values.set(key, value.trim());
  }
  const word = (key: string): string => {
    const value = values.get(key);
    // A label or the last mount point may contain a newline, and then text that looks like another field.
    if (twice.has(key)) throw new ParseError(`dumpe2fs shows "${key}" twice`);
    if (value === undefined) throw new ParseError(`dumpe2fs does not show "${key}"`);
    return value;
  };
  const count = (key: string, without?: number): number => {
    if (without !== undefined && !values.has(key)) return without;
    if (!/^\d+$/.test(word(key))) throw new ParseError(`dumpe2fs: "${key}" is "${word(key)}"`);
    return Number(word(key));
  };
  return {
    blockSize: count('Block size'),
    blocks: count('Block count'),
    free: count('Free blocks'),
    firstBlock: count('First block'),
    blocksPerGroup: count('Blocks per group'),
    inodeBlocksPerGroup: count('Inode blocks per group'),
    // dumpe2fs omits each value that is zero or has its original size.
    reservedGdt: count('Reserved GDT blocks', 0),
    descriptorSize: count('Group descriptor size', 32),
    features: word('Filesystem features').split(/\s+/),
    state: stateOf(word('Filesystem state')),
  };
}

function stateOf(text: string): ExtSuperblock['state'] {
  const groups = /^(?<clean>clean|not clean)(?<errors> with errors)?$/.exec(text)?.groups;
  if (groups?.clean === undefined) throw new ParseError(`dumpe2fs: the filesystem's state is "${text}"`);
  if (groups.errors !== undefined) return 'errors';
  return groups.clean === 'clean' ? 'clean' : 'not clean';
}
