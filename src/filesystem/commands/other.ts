import { classifyDevice } from '../../blockdevice/index.ts';
import { type Command, nothing, type ReadCommand } from '../../command/index.ts';
import { ParseError } from '../../core/errors.ts';
import type { Bytes } from '../../core/units.ts';

/** Returns the free bytes of a mounted filesystem, from statfs(2). */
export function freeAt(path: string): ReadCommand<Bytes> {
  return {
    tool: 'stat',
    argv: ['--file-system', '--format=%S %f', path],
    access: 'read',
    parse: ({ stdout }) => {
      const { size, free } = /^(?<size>\d+) (?<free>\d+)\n$/.exec(stdout)?.groups ?? {};
      if (size === undefined || free === undefined)
        throw new ParseError(`no sizes in ${JSON.stringify(stdout)}`);
      return Number(size) * Number(free);
    },
    classify: classifyDevice,
  };
}

/** Sizes of a FAT filesystem. */
export interface FatGeometry {
  readonly sectorSize: Bytes;
  readonly sectors: number;
  readonly clusterSize: Bytes;
  readonly usedClusters: number;
  readonly clusters: number;
}

/**
 * Reads a FAT filesystem without changing it. Exit code 1 means that something needs repair
 * (fsck.fat(8)).
 */
export function fatGeometry(device: string): ReadCommand<FatGeometry> {
  return {
    tool: 'fsck.vfat',
    argv: ['-n', '-v', device],
    access: 'read',
    accepts: [0, 1],
    timeoutMs: 600_000,
    parse: ({ stdout }) => {
      const number = (pattern: RegExp): number => {
        const found = pattern.exec(stdout)?.groups?.number;
        if (found === undefined) throw new ParseError(`no geometry in ${JSON.stringify(stdout)}`);
        return Number(found);
      };
      return {
        sectorSize: number(/^ +(?<number>\d+) bytes per logical sector$/m),
        sectors: number(/^ +(?<number>\d+) sectors total$/m),
        clusterSize: number(/^ +(?<number>\d+) bytes per cluster$/m),
        usedClusters: number(/: \d+ files, (?<number>\d+)\/\d+ clusters\n$/),
        clusters: number(/: \d+ files, \d+\/(?<number>\d+) clusters\n$/),
      };
    },
    classify: classifyDevice,
  };
}

/**
 * Returns the last page of a swap area, from its header: after a boot block of 1024 bytes and the
 * version (linux/swap.h).
 */
export function swapLastPage(device: string): ReadCommand<number> {
  return {
    tool: 'od',
    argv: ['--address-radix=n', '--format=u4', '--skip-bytes=1028', '--read-bytes=4', device],
    access: 'read',
    parse: ({ stdout }) => {
      const page = /^ *(?<page>\d+)\n$/.exec(stdout)?.groups?.page;
      if (page === undefined) throw new ParseError(`no number in ${JSON.stringify(stdout)}`);
      return Number(page);
    },
    classify: classifyDevice,
  };
}

/**
 * Mounts a filesystem privately, for tools that need it mounted. The options disable devices,
 * setuid and programs on it.
 */
export function mountPrivately({
  device,
  path,
  type,
}: {
  readonly device: string;
  readonly path: string;
  readonly type: 'xfs' | 'btrfs';
}): Command<void, 'change'> {
  // Its default subvolume may be gone; the top level always exists.
  const options = ['rw', 'nosuid', 'nodev', 'noexec', ...(type === 'btrfs' ? ['subvolid=5'] : [])];
  return {
    tool: 'mount',
    argv: ['--types', type, '--options', options.join(','), '--source', device, '--target', path],
    access: 'change',
    parse: nothing,
    classify: classifyDevice,
  };
}

/** Unmounts a private mount. */
export function umountPrivate(path: string): Command<void, 'change'> {
  return {
    tool: 'umount',
    argv: ['--no-canonicalize', path],
    access: 'change',
    repeatable: true,
    parse: nothing,
    classify: ({ stderr }) => (/target is busy/.test(stderr) ? 'busy' : 'unknown'),
  };
}
