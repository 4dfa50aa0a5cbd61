import { posix } from 'node:path';
import type { FileStat, ReadHost } from '../command/index.ts';
import { UsageError } from '../errors.ts';

/** What a path leads to, with every symbolic link followed; undefined when there is nothing. */
export async function follow(
  host: ReadHost,
  file: string,
): Promise<{ readonly path: string; readonly stat: FileStat } | undefined> {
  let path = file;
  for (let links = 0; links < 40; links += 1) {
    const stat = await host.stat(path);
    if (stat === undefined) return undefined;
    if (stat.kind !== 'symlink') return { path, stat };
    path = posix.resolve(posix.dirname(path), await host.readLink(path));
  }
  throw new UsageError(`${file}: more than 40 symbolic links, they lead in a circle`);
}
