import type { XfsGeometry } from '../../blockdevice/index.ts';
import { type Answer, type Command, errnoReason, nothing, type ReadCommand } from '../../command/index.ts';
import { ParseError, type Reason } from '../../core/errors.ts';

/**
 * Reads the superblock of an unmounted xfs. For a mounted one it is out of date: xfs does not write
 * through the page cache of the device (xfsprogs 6.1, Linux 6.18: 76,800 blocks after xfs_growfs to
 * 80,000).
 */
export function xfsSuperblock(device: string): ReadCommand<XfsGeometry & { readonly free: number }> {
  return {
    tool: 'xfs_db',
    argv: ['-r', '-c', 'sb 0', '-c', 'print blocksize dblocks agblocks fdblocks', device],
    access: 'read',
    parse: ({ stdout }) => {
      const groups = superblock.exec(stdout)?.groups;
      if (groups === undefined) throw new ParseError(`not a superblock: ${JSON.stringify(stdout)}`);
      return {
        blockSize: Number(groups.size),
        blocks: Number(groups.blocks),
        groupBlocks: Number(groups.group),
        free: Number(groups.free),
      };
    },
    classify,
  };
}

const superblock =
  /^blocksize = (?<size>\d+)\ndblocks = (?<blocks>\d+)\nagblocks = (?<group>\d+)\nfdblocks = (?<free>\d+)\n$/;

/**
 * Grows a mounted xfs to a number of its blocks. For the current size xfs_growfs prints "unchanged,
 * skipping" and exits with 0. It would also try to shrink one, "[EXPERIMENTAL]" (6.1), so request
 * only growth.
 */
export function xfsGrow({
  path,
  blocks,
}: {
  readonly path: string;
  readonly blocks: number;
}): Command<void, 'change'> {
  return {
    tool: 'xfs_growfs',
    argv: ['-D', String(blocks), path],
    access: 'change',
    parse: nothing,
    classify,
  };
}

/** Finds why a program of xfsprogs failed. */
export function classify(answer: Answer): Reason {
  return /contains a mounted filesystem|in use/.test(answer.stderr) ? 'busy' : errnoReason(answer);
}
