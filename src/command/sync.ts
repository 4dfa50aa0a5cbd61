import { posix } from 'node:path';
import type { ChangeHost } from './host.ts';

/** Makes the names in the directory of a file durable. */
export async function syncDirectoryOf(host: ChangeHost, file: string): Promise<void> {
  const directory = posix.dirname(file);
  if ((await host.stat(directory))?.kind === 'directory') await host.sync(directory);
}

/** Makes the names in a directory, and its own name, durable; does nothing if it does not exist. */
export async function syncWithParent(host: ChangeHost, directory: string): Promise<void> {
  for (const path of [directory, posix.dirname(directory)])
    if ((await host.stat(path)) !== undefined) await host.sync(path);
}
