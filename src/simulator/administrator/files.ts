import { posix } from 'node:path';
import { around, movedInside, onBtrfs, putState } from '../world/btrfs.ts';
import * as files from '../world/files.ts';
import { setAcl } from '../world/acl.ts';
import { setXattr } from '../world/xattr.ts';
import { resolve } from '../world/resolve.ts';
import { addInode, file, inodeOf, type Inode, symlink } from '../world/tree.ts';
import { settle, type World } from '../world/world.ts';
import type { WrapAct } from './act.ts';

/** Acts of an administrator on files. */
export interface FileAdmin {
  /** Writes a file, and creates missing directories above it; `mode`: permission bits (default: `0o644`). */
  writeFile(path: string, content: Uint8Array | string, mode?: number): void;
  /** Creates a symbolic link at `path` that leads to `target`. */
  symlink(path: string, target: string): void;
  /** Removes a file or a link. */
  removeFile(path: string): void;
  /** Creates a directory and those above it, as `mkdir -p`. */
  mkdir(path: string): void;
  /** Renames within one filesystem; nothing may be at `to`. */
  rename(from: string, to: string): void;
  /** Returns the content of a file as text. */
  readFile(path: string): string;
  /** Gives a file to another user, by uid. */
  chown(path: string, uid: number): void;
  /**
   * Sets all entries of the ACL, as `user::rw-,user:33:r--,group::r--,mask::r--,other::---`, and of
   * the default ACL of a directory (default: none).
   */
  setAcl(path: string, acl: string, defaultAcl?: string): void;
  /** Sets an extended attribute, such as `user.note`; null removes it. */
  setXattr(path: string, name: string, value: string | null): void;
}

/** Returns these methods for a simulated host. */
export function fileActs(world: World, does: WrapAct): FileAdmin {
  return {
    writeFile: does((path, content, mode = 0o644) =>
      put(world, path, () => write(world, path, content, mode)),
    ),
    symlink: does((path, target) => put(world, path, () => plantAt(world, path, symlink(target)))),
    removeFile: does((path) => put(world, path, () => files.removeFile(world, path))),
    mkdir: does((path) => put(world, path, () => files.makeDir(world, path, 0o755, true))),
    rename: does((from, to) => put(world, to, () => move(world, from, to))),
    chown: does((path, uid) =>
      put(world, path, () => {
        const { tree, ino, inode } = files.reached(world, 'chown', path, 'keep');
        tree.inodes.set(ino, { ...inode, uid });
      }),
    ),
    setAcl: does((path, acl, defaultAcl = '') =>
      put(world, path, () =>
        setAcl(files.reached(world, 'setfacl', path, 'keep'), {
          access: acl.split(','),
          inherited: defaultAcl === '' ? [] : defaultAcl.split(','),
        }),
      ),
    ),
    setXattr: does((path, name, value) =>
      put(world, path, () =>
        setXattr(
          files.reached(world, 'setfattr', path, 'keep'),
          name,
          value === null ? null : Buffer.from(value).toString('base64'),
        ),
      ),
    ),
    readFile: (path) => new TextDecoder().decode(files.readFile(world, path)),
  };
}

/** Makes changes of a file that are durable at once. */
export function put(world: World, path: string, act: () => void): void {
  act();
  written(world, path);
  const parent = resolve(world, posix.dirname(path), 'follow');
  if (parent.found) settle(world, parent.storage);
}

/** Increments the generation of the subvolume that contains the path. */
function written(world: World, path: string): void {
  const at = onBtrfs(world, path);
  if (at === undefined) return;
  const { id } = around(at);
  const generation = at.state.generation + 1;
  const subvolumes = at.state.subvolumes.map((each) => (each.id === id ? { ...each, generation } : each));
  putState(world, at.mount, { ...at.state, generation, subvolumes });
}

/** Writes a file with this content, and the directories above it. */
export function write(world: World, path: string, content: Uint8Array | string, mode: number): void {
  const there = resolve(world, path, 'follow');
  // In place, as an editor that keeps the inode does.
  if (there.found) {
    const { length: _, ...inode } = inodeOf(there.tree, there.ino);
    there.tree.inodes.set(there.ino, { ...inode, ...file(content, mode) });
    // This also overwrites the filesystem of an image.
    world.live.delete(files.storageOf(world, there));
  } else plantAt(world, path, file(content, mode));
}

function plantAt(world: World, path: string, inode: Inode): void {
  files.makeDir(world, posix.dirname(path), 0o755, true);
  const parent = files.reached(world, 'create', posix.dirname(path));
  addInode(parent.tree, parent.ino, posix.basename(path), inode);
}

function move(world: World, from: string, to: string): void {
  movedInside(world, from, to);
  files.renamePath(world, from, to);
}
