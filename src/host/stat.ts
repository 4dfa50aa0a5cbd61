import type { BigIntStats } from 'node:fs';
import type { FileStat } from '../command/index.ts';

/** What bofh wants to know of Node's answer. */
export function statOf(stats: BigIntStats): FileStat {
  const kind = kindOf(stats);
  return {
    kind,
    inode: String(stats.ino),
    device: majorMinor(stats.dev),
    ...(kind === 'block' || kind === 'character' ? { node: majorMinor(stats.rdev) } : {}),
    size: Number(stats.size),
    mode: Number(stats.mode) & 0o7777,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    links: Number(stats.nlink),
  };
}

function kindOf(stats: BigIntStats): FileStat['kind'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isBlockDevice()) return 'block';
  if (stats.isCharacterDevice()) return 'character';
  return 'other';
}

/** glibc's gnu_dev_major and gnu_dev_minor (sys/sysmacros.h). */
function majorMinor(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n);
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
  return `${String(major)}:${String(minor)}`;
}
