import { posix } from 'node:path';
import { RefusedError } from '../core/errors.ts';
import type { FileStat, ReadHost } from './host.ts';

/** Where a path ends, every symbolic link at its end followed; no `stat`: there is nothing. RefusedError for links in a circle. */
export async function follow(
  host: ReadHost,
  path: string,
): Promise<{ readonly path: string; readonly stat: FileStat | undefined }> {
  let at = path;
  // As many as the kernel follows (path_resolution(7)).
  for (let links = 0; links < 40; links += 1) {
    const stat = await host.stat(at);
    if (stat?.kind !== 'symlink') return { path: at, stat };
    at = posix.resolve(posix.dirname(at), await host.readLink(at));
  }
  throw new RefusedError(`${path}: more than 40 symbolic links, they lead in a circle`, {
    remedy: `see where it leads: namei ${path}`,
  });
}
