import type { Found } from './resolve.ts';
import type { Inode } from './tree.ts';

/** Permissions as getfacl(1) shows them, by their number. */
export const permissions = ['---', '--x', '-w-', '-wx', 'r--', 'r-x', 'rw-', 'rwx'];

/** Returns the access ACL of an inode: the mode has the entries of owner and others, and the mask. */
export function accessOf({ mode, acl }: Inode): readonly string[] {
  const [owner, group, other] = [mode >> 6, mode >> 3, mode].map((bits) => permissions[bits & 7] ?? '');
  const { access = [] } = acl === 'unread' ? {} : (acl ?? {});
  if (access.length === 0) return [`user::${owner}`, `group::${group}`, `other::${other}`];
  const kept = { user: owner, mask: group, other };
  return access.map((entry) =>
    entry.replace(/^(?<tag>user|mask|other)::.*$/, (_, tag: keyof typeof kept) => `${tag}::${kept[tag]}`),
  );
}

/** Sets the ACLs of an inode: its mode gets owner, others, and the mask or the group. */
export function setAcl(
  { tree, ino, inode }: Pick<Found, 'tree' | 'ino' | 'inode'>,
  { access, inherited }: { readonly access: readonly string[]; readonly inherited: readonly string[] },
): void {
  const bits = (key: string): number =>
    permissions.indexOf(access.find((entry) => entry.startsWith(key))?.slice(-3) ?? '');
  const mask = bits('mask::');
  const low = (bits('user::') << 6) | ((mask < 0 ? bits('group::') : mask) << 3) | bits('other::');
  const mode = (inode.mode & 0o7000) | low;
  const acl = { access: mask < 0 ? [] : access, inherited };
  const real = inode.real === undefined ? {} : { real: { ...inode.real, mode } };
  tree.inodes.set(ino, { ...inode, mode, acl, ...real });
}

/** Returns a new inode with what the default ACL of its directory gives it (acl(5)). */
export function inheriting({ acl }: Inode, made: Inode): Inode {
  const inherited = acl === 'unread' ? [] : (acl?.inherited ?? []);
  if (inherited.length === 0 || made.kind === 'symlink') return made;
  const access = inherited.some((entry) => entry.startsWith('mask:')) ? inherited : [];
  return { ...made, acl: { access, inherited: made.kind === 'directory' ? inherited : [] } };
}
