import type { FileStat } from '../../command/index.ts';

/** The inode of a name. Immutable: a change replaces it. */
export interface Inode {
  readonly kind: FileStat['kind'];
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Content of a file. */
  readonly content?: Uint8Array;
  /** Length of a file that is longer than its written data: sparse, or preallocated. */
  readonly length?: number;
  /** Target of a symbolic link. */
  readonly target?: string;
  /** Entries of a directory. */
  readonly entries?: ReadonlyMap<string, number>;
  /** `major:minor` of a device node. */
  readonly node?: string;
  /** Creation time; missing: its number, which no other inode has had. */
  readonly birth?: number;
  /**
   * Its ACL with a mask (default: none), of which the mode has owner, others and mask, and what its
   * files inherit. `unread`: copied from a file of a real host whose ACL was not read.
   */
  readonly acl?: 'unread' | { readonly access: readonly string[]; readonly inherited: readonly string[] };
  /**
   * Its extended attributes in base64 (null: removed). Those that are not `known` are as at the path
   * `from` of a real host.
   */
  readonly xattrs?: { readonly from?: string; readonly known: ReadonlyMap<string, string | null> };
  /** Only for a file of a real host: the result of lstat(2) there. */
  readonly real?: FileStat;
  /** Only for a file of a real host: its path there. */
  readonly realPath?: string;
  /** A directory in a filesystem that a plan does not really mount: it may have more names on the real host. */
  readonly unread?: true;
}

/** The files of one filesystem. */
export interface Tree {
  readonly root: number;
  next: number;
  readonly inodes: Map<number, Inode>;
}

/** Returns a new empty directory. */
export function directory(mode = 0o755): Inode {
  return { kind: 'directory', mode, uid: 0, gid: 0, entries: new Map() };
}

/** Returns a regular file with this content. */
export function file(content: Uint8Array | string, mode = 0o644): Inode {
  return { kind: 'file', mode, uid: 0, gid: 0, content: bytesOf(content) };
}

/** Returns a symbolic link. */
export function symlink(target: string): Inode {
  return { kind: 'symlink', mode: 0o777, uid: 0, gid: 0, target };
}

/** Returns a block device node. */
export function blockNode(node: string): Inode {
  return { kind: 'block', mode: 0o660, uid: 0, gid: 6, node };
}

/**
 * Returns a tree with only its root. As in ext4 the root has number 2, and 11 is the first free
 * one.
 */
export function emptyTree(mode = 0o755): Tree {
  return { root: 2, next: 11, inodes: new Map([[2, directory(mode)]]) };
}

export function copyTree(tree: Tree): Tree {
  return { ...tree, inodes: new Map(tree.inodes) };
}

export function inodeOf(tree: Tree, ino: number): Inode {
  const inode = tree.inodes.get(ino);
  if (inode === undefined) throw new TypeError(`the simulated tree has no inode ${ino}`);
  return inode;
}

/** Adds an entry to a directory. */
export function addEntry(tree: Tree, parent: number, name: string, ino: number): void {
  const above = inodeOf(tree, parent);
  tree.inodes.set(parent, { ...above, entries: new Map(above.entries).set(name, ino) });
}

/**
 * Adds a new inode under a name. Numbers are never used again, so that a durable name cannot lead
 * to a later file.
 */
export function addInode(tree: Tree, parent: number, name: string, inode: Inode): number {
  const ino = tree.next;
  tree.next += 1;
  tree.inodes.set(ino, inode);
  addEntry(tree, parent, name, ino);
  return ino;
}

/** Removes a name, and with its last name the inode. */
export function removeEntry(tree: Tree, parent: number, name: string): void {
  const above = inodeOf(tree, parent);
  const entries = new Map(above.entries);
  const ino = entries.get(name);
  entries.delete(name);
  tree.inodes.set(parent, { ...above, entries });
  if (ino !== undefined && namesOf(tree, ino) === 0) tree.inodes.delete(ino);
}

/** Returns the number of names of an inode. */
export function namesOf(tree: Tree, ino: number): number {
  let names = 0;
  for (const { entries } of tree.inodes.values()) {
    if (entries === undefined) continue;
    for (const other of entries.values()) if (other === ino) names += 1;
  }
  return names;
}

/**
 * Returns the link count as lstat does: a directory also has its own `.` and the `..` of each
 * directory in it.
 */
export function linksOf(tree: Tree, ino: number): number {
  const inode = inodeOf(tree, ino);
  if (inode.kind !== 'directory') return namesOf(tree, ino);
  const inside = [...(inode.entries?.values() ?? [])].filter(
    (each) => inodeOf(tree, each).kind === 'directory',
  );
  return 2 + inside.length;
}

/** Adds a path below the root, with the directories above it. */
export function plant(tree: Tree, path: string, inode: Inode): number {
  const parts = path.split('/').filter((part) => part !== '');
  let at = tree.root;
  for (const [index, part] of parts.entries()) {
    const known = inodeOf(tree, at).entries?.get(part);
    const last = index === parts.length - 1;
    if (known !== undefined && last) {
      if (inode.kind !== 'directory') tree.inodes.set(known, inode);
      return known;
    }
    at = known ?? addInode(tree, at, part, last ? inode : directory());
  }
  return at;
}

/**
 * Returns a tree of these paths, where later ones override earlier ones. Equals `plant` for each
 * path, without copying the growing directories.
 */
export function treeOfPaths(paths: Iterable<readonly [string, Inode]>): Tree {
  const tree = emptyTree();
  const directories = new Map([['', tree.root]]);
  const growing = new Map<number, Map<string, number>>();
  const entriesOf = (ino: number): Map<string, number> => {
    const known = growing.get(ino);
    if (known !== undefined) return known;
    const above = inodeOf(tree, ino);
    const entries = new Map(above.entries);
    growing.set(ino, entries);
    tree.inodes.set(ino, { ...above, entries });
    return entries;
  };
  const put = (path: string, inode: Inode): number => {
    const cut = path.lastIndexOf('/');
    const [above, name] = [path.slice(0, cut), path.slice(cut + 1)];
    const entries = entriesOf(directories.get(above) ?? put(above, directory()));
    const known = entries.get(name);
    const ino = known ?? tree.next;
    if (known === undefined) {
      tree.next += 1;
      entries.set(name, ino);
    }
    if (known === undefined || inode.kind !== 'directory') {
      tree.inodes.set(ino, inode);
      growing.delete(ino);
    }
    directories.set(path, ino);
    return ino;
  };
  for (const [path, inode] of paths) put(path.replaceAll(/\/{2,}/g, '/'), inode);
  return tree;
}

/** Returns every path below a directory with its inode number, in the order of their names. */
export function* walk(tree: Tree, ino = tree.root, path = ''): Generator<readonly [string, number]> {
  const entries = [...(tree.inodes.get(ino)?.entries ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, child] of entries) {
    yield [`${path}/${name}`, child];
    if (tree.inodes.get(child)?.kind === 'directory') yield* walk(tree, child, `${path}/${name}`);
  }
}

export function bytesOf(content: Uint8Array | string): Uint8Array {
  return typeof content === 'string' ? new TextEncoder().encode(content) : content.slice();
}
