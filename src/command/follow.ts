import { posix } from 'node:path';
import { RefusedError } from '../core/errors.ts';
import type { FileStat, ReadHost } from './host.ts';

/**
 * Returns the end of a path after following every symbolic link; without `stat`, nothing exists
 * there. RefusedError for a loop of links.
 */
export async function follow(
  host: ReadHost,
  path: string,
): Promise<{ readonly path: string; readonly stat: FileStat | undefined }> {
  let at = path;
  // Most links in a path (path_resolution(7)).
  for (let links = 0; links < 40; links += 1) {
    const stat = await host.stat(at);
    if (stat?.kind !== 'symlink') return { path: at, stat };
    at = posix.resolve(posix.dirname(at), await host.readLink(at));
  }
  throw new RefusedError(`${path}: more than 40 levels of symbolic links, probably a loop`, {
    remedy: `see its symbolic links: namei ${path}`,
  });
}
