import { posix } from 'node:path';
import * as z from 'zod/mini';
import { type ChangeHost, type FileStat, kindInWords, type ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { symlink } from '../file/link.ts';

/** A path inside a root: `etc/hostname`. */
export const insidePath = z
  .string()
  .check(
    z.refine(
      (path) =>
        path !== '' &&
        path.split('/').every((part) => !['', '.', '..'].includes(part)) &&
        !path.includes('\0'),
      'must be a path inside the root, such as etc/hostname, without "..", ".", a leading, double or trailing slash, or a NUL byte',
    ),
  );

/** A file, a symbolic link or a directory to write into a root. */
export const insideFile = z.union(
  [
    z.strictObject({
      /** Path inside the root, without a slash at its start: `etc/hostname`. */
      path: insidePath,
      /** The content of the file. */
      content: z.string(),
      /** `latin1`: each character of `content` is a byte, for files that are not UTF-8 (default: utf8). */
      encoding: z.exactOptional(z.enum(['utf8', 'latin1'])),
      /** Permission bits: `0o644`. */
      mode: z.int().check(z.minimum(0), z.maximum(0o7777)),
    }),
    /** The target is not checked, because it is valid in the system that boots from the root. */
    z.strictObject({
      /** Path of the link inside the root, without a slash at its start: `etc/localtime`. */
      path: insidePath,
      /** Target of the link, as in ln(1). */
      link: z.string().check(z.minLength(1)),
    }),
    z.strictObject({
      /** Path of the directory inside the root. An existing one stays as it is. */
      path: insidePath,
      /** Makes the entry a directory. */
      directory: z.literal(true),
      /** Permission bits of a created directory: `0o755`. */
      mode: z.int().check(z.minimum(0), z.maximum(0o7777)),
    }),
  ],
  'must have path, and one of these: content and mode; link; directory and mode',
);

/** A file, a symbolic link or a directory to write into a root. */
export type UnpackedFile = z.infer<typeof insideFile>;

function bytesOf({
  content,
  encoding = 'utf8',
}: Extract<UnpackedFile, { readonly content: string }>): Uint8Array {
  return Buffer.from(content, encoding);
}

/** Returns the journal entry of a file, without its content. */
export function journalledFile(file: UnpackedFile) {
  if (!('content' in file)) return file;
  return { path: file.path, mode: file.mode, bytes: bytesOf(file).length };
}

/**
 * Writes files into a root and never outside of it: each directory on the way must be a real one or
 * is created, and a link in the place of a file is replaced, not followed. `mark` gives the private
 * name for the content before the rename. RefusedError if a link, or anything else that is not a
 * directory, is on the way.
 */
export async function writeInside(
  host: ChangeHost,
  options: { readonly root: string; readonly files: readonly UnpackedFile[]; readonly mark: string },
): Promise<void> {
  for (const file of options.files) await writeOne(host, { ...options, file });
}

async function writeOne(
  host: ChangeHost,
  { root, file, mark }: { readonly root: string; readonly file: UnpackedFile; readonly mark: string },
): Promise<void> {
  const parts = file.path.split('/');
  let directory = root;
  for (const part of parts.slice(0, -1)) {
    directory = posix.join(directory, part);
    const secret = 'content' in file && (file.mode & 0o077) === 0;
    await realDirectory(host, directory, { root, wanted: file.path, mode: secret ? 0o700 : 0o755 });
  }
  const path = posix.join(root, file.path);
  if ('directory' in file) return realDirectory(host, path, { root, wanted: file.path, mode: file.mode });
  if ((await host.stat(path))?.kind === 'directory')
    throw new RefusedError(`${file.path} cannot be written: the source has a directory of that name`, {
      remedy: 'remove that directory from the source',
    });
  const own = posix.join(directory, `.bofh-${mark}`);
  if ('link' in file) await host.run(symlink(file.link, own));
  else await host.writeNew(own, bytesOf(file), { mode: file.mode });
  await host.rename(own, path);
}

/**
 * Removes files from a root, never outside of it. Leaves directories, and skips a file that is
 * missing or only reached through a link.
 */
export async function removeInside(
  host: ChangeHost,
  { root, paths }: { readonly root: string; readonly paths: readonly string[] },
): Promise<void> {
  for (const path of paths) {
    let directory = root;
    let real = true;
    for (const part of path.split('/').slice(0, -1)) {
      directory = posix.join(directory, part);
      real &&= (await host.stat(directory))?.kind === 'directory';
    }
    const stat = real ? await host.stat(posix.join(root, path)) : undefined;
    if (stat !== undefined && stat.kind !== 'directory') await host.removeFile(posix.join(root, path));
  }
}

/**
 * Returns the state of a path in a root, and which directories above it are missing. Follows no
 * symbolic link.
 */
export async function statInside(
  host: ReadHost,
  { root, path }: { readonly root: string; readonly path: string },
): Promise<{ readonly stat: FileStat | undefined; readonly missing: readonly string[] }> {
  const parts = path.split('/');
  for (const [at] of parts.slice(1).entries()) {
    const above = parts.slice(0, at + 1).join('/');
    const kind = (await host.stat(posix.join(root, above)))?.kind;
    if (kind === undefined) {
      const missing = parts.slice(at + 1).map((_, more) => parts.slice(0, at + 1 + more).join('/'));
      return { stat: undefined, missing };
    }
    if (kind !== 'directory') return { stat: undefined, missing: [] };
  }
  return { stat: await host.stat(posix.join(root, path)), missing: [] };
}

async function realDirectory(
  host: ChangeHost,
  path: string,
  { root, wanted, mode }: { readonly root: string; readonly wanted: string; readonly mode: number },
): Promise<void> {
  const stat = await host.stat(path);
  if (stat === undefined) return host.makeDir(path, { mode });
  if (stat.kind === 'directory') return;
  throw new RefusedError(
    `${wanted} cannot be written into the new root: ${path} is not a directory but ${kindInWords(stat)}`,
    { remedy: `make it a directory in the source: /${posix.relative(root, path)}` },
  );
}
