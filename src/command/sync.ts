import { posix } from 'node:path';
import type { ChangeHost } from './host.ts';

/** Makes the names in the directory of a file durable. */
export async function syncDirectoryOf(host: ChangeHost, file: string): Promise<void> {
  const directory = posix.dirname(file);
  if ((await host.stat(directory))?.kind === 'directory') await host.sync(directory);
}
