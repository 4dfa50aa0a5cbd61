import type { Store, StoreFile } from '../../../src/atomic/journal/store.ts';
import { unlock } from './host.ts';
import { alive, type Process } from './process.ts';
import { folderOf } from './files.ts';

const opened = new WeakMap<Process, Map<number, StoreFile>>();

export function openFiles(process: Process): readonly StoreFile[] {
  return [...(opened.get(process)?.values() ?? [])];
}

export function fileOf(process: Process, fd: number): StoreFile {
  const file = opened.get(process)?.get(fd);
  if (file === undefined) throw new Error(`EBADF: descriptor ${fd} is not open`);
  return file;
}

/** The state directory of the toy host as one process uses it. */
export function memoryStore(process: Process): Store {
  const { world } = process;
  const files = new Map<number, StoreFile>();
  opened.set(process, files);
  let descriptors = 2;
  const open = (number: number): StoreFile => {
    const fd = (descriptors += 1);
    const file = memoryFile(process, fd, number, () => files.delete(fd));
    files.set(fd, file);
    return file;
  };
  return {
    directory: '/state',
    names: (folder) => {
      alive(process);
      const all = [...world.files.names.keys()].filter((name) => folderOf(name) === folder);
      return all.map((name) => name.replace('history/', '')).sort();
    },
    create: (name) => {
      if (world.files.names.has(name)) throw Object.assign(new Error(`EEXIST: ${name}`), { code: 'EEXIST' });
      const inode = process.event('names', `create ${name}`, () => world.files.add(name));
      if (inode === undefined) throw new Error('a file must be made');
      return open(inode.number);
    },
    open: (name) => {
      alive(process);
      const number = world.files.names.get(name);
      return number === undefined ? undefined : open(number);
    },
    inode: (name) => {
      alive(process);
      const number = world.files.names.get(name);
      return number === undefined ? undefined : `1:${number}`;
    },
    changedMs: (name) => (world.files.names.has(name) ? 0 : undefined),
    createdMs: () => undefined,
    bytes: () => 0,
    freeBytes: () => undefined,
    makeDir: (name) => {
      process.event('names', `mkdir ${name}`, () => world.files.add(name));
    },
    rename: (from, to) => {
      if (!world.files.names.has(from)) throw Object.assign(new Error(`ENOENT: ${from}`), { code: 'ENOENT' });
      process.event('names', `rename ${from} ${to}`, () => world.files.rename(from, to));
    },
    remove: (name) => {
      process.event('names', `remove ${name}`, () => world.files.remove(name));
    },
    syncDir: (folder) => {
      process.event('fsyncdir', `fsync ${folder}`, () => world.files.syncNames(folder));
    },
  };
}

function memoryFile(process: Process, fd: number, number: number, forget: () => void): StoreFile {
  const { world } = process;
  const usable = () => {
    alive(process);
    fileOf(process, fd);
    const inode = world.files.inodes.get(number);
    if (inode === undefined) throw new Error('no such inode');
    return inode;
  };
  const file: StoreFile = {
    fd,
    inode: `1:${number}`,
    read: () => Buffer.from(usable().data),
    write: (bytes, position) => {
      const inode = usable();
      const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      const label = `write ${typesOf(data)}`;
      return process.event('write', label, () => world.files.write(inode, data, position)) ?? 0;
    },
    truncate: (length) => {
      const inode = usable();
      if (inode.data.length === length) return;
      process.event('names', `truncate`, () => world.files.truncate(inode, length));
    },
    datasync: () => {
      const inode = usable();
      const label = `fdatasync ${typesOf(lastWrite(inode.changes.at(-1)))}`;
      try {
        process.event('fdatasync', label, () => world.files.sync(inode));
      } catch (error) {
        if (!process.dead) world.files.failSync(inode);
        throw error;
      }
    },
    close: () => {
      forget();
      unlock(process.machine.fileLocks, file);
    },
  };
  return file;
}

function lastWrite(change: object | undefined): Buffer {
  return change !== undefined && 'bytes' in change && Buffer.isBuffer(change.bytes)
    ? change.bytes
    : Buffer.alloc(0);
}

/** The lines of a write, for the labels of events: `done 1, intent 2 vol.make`. */
function typesOf(bytes: Buffer): string {
  if (bytes[0] === 1) return 'ballast';
  const pattern = /"t":"(?<t>[a-z-]+)"(?:,"[ns]":(?<n>\d+))?(?:,"kind":"(?<kind>[a-z.]+)")?/g;
  const lines = [...bytes.toString().matchAll(pattern)].map(({ groups }) =>
    [groups?.t, groups?.n, groups?.kind].filter((word) => word !== undefined).join(' '),
  );
  return lines.join(', ');
}
