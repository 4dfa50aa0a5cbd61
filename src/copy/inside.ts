import { posix } from 'node:path';
import * as z from 'zod/mini';
import type { ChangeHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';

/** A path inside a root: `etc/hostname`. */
export const insidePath = z
  .string()
  .check(
    z.refine(
      (path) =>
        path !== '' &&
        path.split('/').every((part) => !['', '.', '..'].includes(part)) &&
        !path.includes('\0'),
      'must be a path inside the root, such as etc/hostname, without ".." or a slash too many',
    ),
  );

/** A file to write into a root. */
export interface InsideFile {
  readonly path: string;
  readonly content: string;
  readonly mode: number;
}

/**
 * Writes files into a root and never out of it: each directory on the way is a real one or is
 * created, and a link in the place of the file is replaced, not followed. `mark` gives the private
 * name for the content before the rename. RefusedError if a link, or anything else that is not a
 * directory, is on the way.
 */
export async function writeInside(
  host: ChangeHost,
  options: { readonly root: string; readonly files: readonly InsideFile[]; readonly mark: string },
): Promise<void> {
  for (const file of options.files) await writeOne(host, { ...options, file });
}

async function writeOne(
  host: ChangeHost,
  { root, file, mark }: { readonly root: string; readonly file: InsideFile; readonly mark: string },
): Promise<void> {
  const parts = file.path.split('/');
  let directory = root;
  for (const part of parts.slice(0, -1)) {
    directory = posix.join(directory, part);
    await realDirectory(host, directory, file.path);
  }
  const path = posix.join(root, file.path);
  if ((await host.stat(path))?.kind === 'directory')
    throw new RefusedError(`${file.path} cannot be written: the archive has a directory of that name`, {
      remedy: 'make the archive without that directory',
    });
  const own = posix.join(directory, `.bofh-${mark}`);
  await host.writeNew(own, file.content, { mode: file.mode });
  await host.rename(own, path);
}

async function realDirectory(host: ChangeHost, path: string, wanted: string): Promise<void> {
  const stat = await host.stat(path);
  if (stat === undefined) return host.makeDir(path, { mode: 0o755 });
  if (stat.kind === 'directory') return;
  throw new RefusedError(
    `${wanted} cannot be written into the new root: ${path} is not a directory but a ${stat.kind}`,
    { remedy: `make the archive with a directory at ${path}` },
  );
}
