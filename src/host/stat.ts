import { constants } from 'node:fs';
import type { FileStat } from '../command/index.ts';

/** The fields of lstat(2) that bofh needs; Node's BigIntStats have them. */
export interface StatNumbers {
  readonly mode: bigint;
  readonly ino: bigint;
  readonly dev: bigint;
  readonly rdev: bigint;
  readonly size: bigint;
  readonly uid: bigint;
  readonly gid: bigint;
  readonly nlink: bigint;
  /** 0 if the filesystem does not record it. */
  readonly birthtimeNs: bigint;
}

/** Formats the numbers of a stat as the texts of `FileStat`. */
export function statOf(stats: StatNumbers): FileStat {
  const kind = kindOf(stats.mode);
  return {
    kind,
    inode: String(stats.ino),
    ...((kind === 'file' || kind === 'directory') && stats.birthtimeNs > 0n
      ? { birth: String(stats.birthtimeNs) }
      : {}),
    device: majorMinor(stats.dev),
    ...(kind === 'block' || kind === 'character' ? { node: majorMinor(stats.rdev) } : {}),
    size: Number(stats.size),
    mode: Number(stats.mode) & 0o7777,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    links: Number(stats.nlink),
  };
}

const kinds = new Map<number, FileStat['kind']>([
  [constants.S_IFREG, 'file'],
  [constants.S_IFDIR, 'directory'],
  [constants.S_IFLNK, 'symlink'],
  [constants.S_IFBLK, 'block'],
  [constants.S_IFCHR, 'character'],
]);

/** The type of a file, from the high bits of its mode. */
export function kindOf(mode: bigint): FileStat['kind'] {
  return kinds.get(Number(mode) & constants.S_IFMT) ?? 'other';
}

/** glibc's gnu_dev_major and gnu_dev_minor (sys/sysmacros.h). */
export function majorMinor(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n);
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
  return `${String(major)}:${String(minor)}`;
}
