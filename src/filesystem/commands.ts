import { classifyDevice } from '../blockdevice/index.ts';
import { type Command, nothing } from '../command/index.ts';
import { type Bytes, formatSize } from '../units.ts';

/** What mkfs.ext4 and mkswap are given. */
export interface NewFilesystem {
  readonly device: string;
  readonly uuid: string;
  readonly label?: string;
}

/**
 * Makes an ext4 filesystem. It overwrites whatever there is and asks only on a terminal (mkfs.ext4 1.47), so probe
 * first. Without `-F`, so that it refuses a device that is in use. Not `-q`: what it prints is its progress.
 */
export function mkfsExt4(make: NewFilesystem): Command<void, 'change'> {
  return {
    tool: 'mkfs.ext4',
    argv: ['-U', make.uuid, ...labelled(make), make.device],
    access: 'change',
    parse: nothing,
    classify: classifyDevice,
    progress: inodeTables,
  };
}

/** Makes a swap area. It overwrites a filesystem with a warning (mkswap 2.38), so probe first. Never with `-f`. */
export function mkswap(make: NewFilesystem): Command<void, 'change'> {
  return {
    tool: 'mkswap',
    argv: ['-U', make.uuid, ...labelled(make), make.device],
    access: 'change',
    parse: nothing,
    classify: classifyDevice,
  };
}

/** Limits of the two, from what the tools do at them (e2fsprogs 1.47, util-linux 2.38). */
export const limits: Readonly<Record<'ext4' | 'swap', { smallest: Bytes; labelBytes: number; why: string }>> =
  {
    ext4: {
      smallest: 2 * 1024 ** 2,
      labelBytes: 16,
      why: `below ${formatSize(2 * 1024 ** 2)} it has no journal`,
    },
    swap: { smallest: 40 * 1024, labelBytes: 15, why: 'mkswap makes none that is smaller' },
  };

function labelled({ label }: NewFilesystem): readonly string[] {
  return label === undefined ? [] : ['-L', label];
}

// "Writing inode tables:  3/16\b\b\b\b\b", then "done": the one part that takes long on a large device.
function inodeTables(output: string): number | undefined {
  const tables = /Writing inode tables:(?<counts>[^a-z\n]*)(?<done>done)?/.exec(output)?.groups;
  if (tables?.done !== undefined) return 1;
  const last = [...(tables?.counts ?? '').matchAll(/(?<done>\d+)\/(?<all>\d+)/g)].at(-1)?.groups;
  const fraction = Number(last?.done) / Number(last?.all);
  return fraction >= 0 && fraction <= 1 ? fraction : undefined;
}
