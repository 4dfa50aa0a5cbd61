import { present } from '../../core/present.ts';
import type { Found } from './resolve.ts';
import type { Inode } from './tree.ts';

/** Sets an extended attribute of an inode to a value in base64; null removes it. */
export function setXattr(
  { tree, ino, inode }: Pick<Found, 'tree' | 'ino' | 'inode'>,
  name: string,
  value: string | null,
): void {
  const known = new Map(inode.xattrs?.known).set(name, value);
  tree.inodes.set(ino, { ...inode, xattrs: { ...inode.xattrs, known } });
}

/** The path on the real host that has the attributes which the model does not know, if there is one. */
export function xattrsFrom({ xattrs, real, realPath }: Inode, path: string): string | undefined {
  return xattrs?.from ?? (real === undefined ? undefined : (realPath ?? path));
}

/** The attributes of a copy of an inode. */
export function copiedXattrs(inode: Inode, path: string): Pick<Inode, 'xattrs'> {
  const from = xattrsFrom(inode, path);
  const known = inode.xattrs?.known ?? new Map<string, string | null>();
  return from === undefined && known.size === 0 ? {} : { xattrs: { ...present({ from }), known } };
}

/** The extended attributes that an inode of the model has, as text. */
export function xattrsInWords({ xattrs }: Inode): string {
  const all = [...(xattrs?.known ?? [])].filter(([, value]) => value !== null).toSorted();
  return all.map(([name, value]) => ` ${name}=${value ?? ''}`).join('');
}
