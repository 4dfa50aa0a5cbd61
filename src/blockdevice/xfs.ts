import { errnoReason, type ReadCommand } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import type { Bytes } from '../core/units.ts';

/** Sizes of an xfs, in its own blocks. */
export interface XfsGeometry {
  readonly blockSize: Bytes;
  readonly blocks: number;
  /** Size of each allocation group except the last. */
  readonly groupBlocks: number;
}

/** Reads the sizes of a mounted xfs, from the kernel, by its mount point. */
export function xfsGeometry(path: string): ReadCommand<XfsGeometry> {
  return {
    tool: 'xfs_growfs',
    argv: ['-n', path],
    access: 'read',
    parse: ({ stdout }) => {
      const group = / agcount=\d+, agsize=(?<group>\d+) blks$/m.exec(stdout)?.groups?.group;
      const data = /^data {5}= {23}bsize=(?<size>\d+) +blocks=(?<blocks>\d+), imaxpct=\d+$/m.exec(
        stdout,
      )?.groups;
      if (group === undefined || data === undefined)
        throw new ParseError(`no geometry in ${JSON.stringify(stdout)}`);
      return { blockSize: Number(data.size), blocks: Number(data.blocks), groupBlocks: Number(group) };
    },
    classify: errnoReason,
  };
}
