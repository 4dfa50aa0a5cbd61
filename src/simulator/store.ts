import type { World } from './world/world.ts';
import { posix } from 'node:path';
import type { Store, StoreFile } from '../atomic/journal/store.ts';
import { UsageError } from '../core/errors.ts';
import { checkAlive, actWithFault } from './faults/faults.ts';
import * as files from './world/files.ts';
import { simulatedHost, type SimulatedHost } from './host.ts';
import { resolve, treeOf } from './world/resolve.ts';
import { addInode, directory, file, inodeOf, removeEntry } from './world/tree.ts';

let lastDescriptor = 1_000_000;

/**
 * Returns a state directory on the simulated disk of a simulated host. A power cut loses unsynced
 * data, and `flock` of that host can lock its descriptors.
 */
export function memoryStore(
  options: {
    /** The host with the state directory on its disk (default: a new host). */
    readonly host?: SimulatedHost;
    /** Directory of the journals on that host (default: /var/lib/bofh/journal). */
    readonly directory?: string;
  } = {},
): Store {
  const { host = simulatedHost(), directory: top = '/var/lib/bofh/journal' } = options;
  const { world, process } = host;
  const path = (name: string): string => posix.join(top, name);
  const doing = <T>(verb: string, name: string, act: () => T): T => withFault(host, verb, name, act);
  return {
    directory: top,
    names: (folder) => {
      checkAlive(process);
      return resolve(world, path(folder), 'follow').found ? files.readDir(world, path(folder)) : [];
    },
    create: (name) =>
      doing('create', name, () => {
        makeDurable(world, posix.dirname(path(name)));
        const parent = files.reached(world, 'create', posix.dirname(path(name)));
        if (inodeOf(parent.tree, parent.ino).entries?.has(posix.basename(name)) === true)
          throw errno('EEXIST', name);
        const ino = addInode(parent.tree, parent.ino, posix.basename(name), file('', 0o600));
        return opened(host, { storage: parent.storage, ino, name });
      }),
    open: (name) => {
      checkAlive(process);
      const there = resolve(world, path(name), 'keep');
      return there.found ? opened(host, { storage: there.storage, ino: there.ino, name }) : undefined;
    },
    inode: (name) => {
      checkAlive(process);
      const there = resolve(world, path(name), 'keep');
      return there.found ? `${there.storage}:${there.ino}` : undefined;
    },
    // The simulated disk stores no times, and becomes full only by a fault.
    changedMs: (name) =>
      resolve(world, path(name), 'keep').found
        ? (renameTimes(world).get(path(name)) ?? Date.now())
        : undefined,
    createdMs: () => undefined,
    bytes: (name) => bytesIn(world, path(name)),
    freeBytes: () => undefined,
    makeDir: (name) => doing('mkdir', name, () => files.makeDir(world, path(name), 0o700, true)),
    rename: (from, to) =>
      doing('rename', `${from} ${to}`, () => {
        makeDurable(world, posix.dirname(path(to)));
        files.renamePath(world, path(from), path(to));
        renameTimes(world).set(path(to), Date.now());
      }),
    remove: (name) => doing('remove', name, () => removeAll(world, path(name))),
    syncDir: (folder) => doing('syncdir', folder, () => files.syncPath(world, path(folder))),
  };
}

function opened(
  host: SimulatedHost,
  at: { readonly storage: string; readonly ino: number; readonly name: string },
): StoreFile {
  const { world, process } = host;
  const { storage, ino, name } = at;
  const fd = (lastDescriptor += 1);
  const inode = `${storage}:${ino}`;
  // A power cut replaces the tree, but then this process is dead.
  const tree = treeOf(world, storage);
  let bytes = inodeOf(tree, ino).content ?? new Uint8Array();
  const now = (): Uint8Array => tree.inodes.get(ino)?.content ?? bytes;
  const put = (content: Uint8Array): void => {
    bytes = content;
    const known = tree.inodes.get(ino);
    if (known !== undefined) tree.inodes.set(ino, { ...known, content });
  };
  process.open.set(fd, inode);
  return {
    fd,
    inode,
    read: () => {
      checkAlive(process);
      return Buffer.from(now());
    },
    write: (added, position) => {
      const write = (bytes: Uint8Array): number => {
        const grown = new Uint8Array(Math.max(now().length, position + bytes.length));
        grown.set(now());
        grown.set(bytes, position);
        put(grown);
        return bytes.length;
      };
      const writeFirst = (): number => write(added.subarray(0, Math.min(7, added.length)));
      return withFault(host, 'write', name, () => write(added), writeFirst);
    },
    truncate: (length) => withFault(host, 'truncate', name, () => put(now().slice(0, length))),
    datasync: () =>
      withFault(host, 'datasync', name, () => tree.inodes.has(ino) && files.syncInode(world, storage, ino)),
    close: () => {
      if (!process.open.delete(fd)) return;
      const kept = world.orphans.some(({ lock }) => lock === fd);
      if (!kept) world.flocks = world.flocks.filter((lock) => lock.fd !== fd);
    },
  };
}

/** Runs one access to the store. A fault can kill the process or fail the access here. */
function withFault<T>(
  host: SimulatedHost,
  verb: string,
  name: string,
  act: () => T,
  part: () => T = () => {
    throw new UsageError(`only a write to the journal can be short, not "${verb} ${name}"`);
  },
): T {
  checkAlive(host.process);
  return actWithFault(host, {
    tool: 'store',
    argv: [verb, name],
    act,
    part,
    error: (code) => errno(code, name),
  });
}

/**
 * Creates a directory and its missing parents, and syncs their names at once, as the real store
 * does.
 */
function makeDurable(world: World, path: string): void {
  if (resolve(world, path, 'follow').found) return;
  const above = posix.dirname(path);
  makeDurable(world, above);
  const parent = files.reached(world, 'mkdir', above);
  addInode(parent.tree, parent.ino, posix.basename(path), directory(0o700));
  files.syncInode(world, parent.storage, parent.ino);
}

function bytesIn(world: World, path: string): number {
  const there = resolve(world, path, 'keep');
  if (!there.found) return 0;
  const names = [...(there.inode.entries?.keys() ?? [])];
  return names.reduce(
    (sum, name) => sum + bytesIn(world, posix.join(path, name)),
    there.inode.content?.length ?? 0,
  );
}

function removeAll(world: World, path: string): void {
  const there = resolve(world, path, 'keep');
  if (!there.found) return;
  for (const name of there.inode.entries?.keys() ?? []) removeAll(world, posix.join(path, name));
  const parent = files.reached(world, 'remove', posix.dirname(path));
  removeEntry(parent.tree, parent.ino, posix.basename(path));
}

function errno(code: string, name: string): Error {
  return Object.assign(new Error(`${code}: simulated fault, '${name}'`), { code });
}

const times = new WeakMap<World, Map<string, number>>();

/** Returns the times at which files were renamed, because simulated files have no times. */
function renameTimes(world: World): Map<string, number> {
  const known = times.get(world) ?? new Map<string, number>();
  times.set(world, known);
  return known;
}
