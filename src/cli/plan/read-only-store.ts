import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Store, StoreFile } from '../../atomic/journal/store.ts';

/** Returns the journals of a store on disk, opened read-only for a dry run. */
export function readOnlyStore(store: Store): Store {
  return {
    ...store,
    open: (name) => {
      // This call checks that no other user can have written a journal there.
      store.names('.');
      return readOnlyFile(join(store.directory, name));
    },
    create: refuse,
    makeDir: refuse,
    rename: refuse,
    remove: refuse,
    syncDir: refuse,
  };
}

function readOnlyFile(path: string): StoreFile | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return {
    fd,
    inode: `${String(dev)}:${String(ino)}`,
    read: () => readFileSync(fd),
    close: () => closeSync(fd),
    write: refuse,
    truncate: refuse,
    datasync: refuse,
  };
}

function refuse(): never {
  throw new TypeError('a dry run tried to write to the state directory');
}
