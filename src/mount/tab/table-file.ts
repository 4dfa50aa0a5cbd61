import { posix } from 'node:path';
import { inShell, kindInWords, orMissing, type ReadHost } from '../../command/index.ts';
import { RefusedError, UsageError } from '../../core/errors.ts';
import { findNames, otherNames, sha256 } from '../../file/path.ts';
import { realPath } from '../paths.ts';
import { checkText } from '../../core/checks.ts';

/** A table, one character per byte. Undefined content: the file does not exist. */
export interface TableFile {
  readonly file: string;
  readonly content: string | undefined;
}

/**
 * Reads the file that a path leads to. RefusedError for a dangling link, a directory, or a file
 * with a second hard link.
 */
export async function readTable(host: ReadHost, path: string): Promise<TableFile> {
  const file = await fileBehind(host, path);
  const stat = await host.stat(file);
  if (stat === undefined) return { file, content: undefined };
  if (stat.kind !== 'file')
    throw new RefusedError(`${path} is not a file but ${kindInWords(stat)}`, {
      remedy: `see what it is: ls -ld ${inShell(file)}`,
    });
  if ((await otherNames(host, file, stat)) > 0)
    throw new RefusedError(`${file} has another hard link: bofh would change only one of the two`, {
      remedy: findNames(file),
    });
  return { file, content: await contentOf(host, file) };
}

async function fileBehind(host: ReadHost, path: string): Promise<string> {
  checkText('the path', path);
  if (!path.startsWith('/')) throw new UsageError(`"${path}" is not an absolute path`);
  const parent = await realPath(host, posix.dirname(path));
  const file = posix.join(parent, posix.basename(path));
  if ((await host.stat(file))?.kind !== 'symlink') return file;
  const behind = await orMissing(realPath(host, file));
  if (behind !== undefined) return behind;
  throw new RefusedError(`${file} is a symbolic link to a file that does not exist`, {
    remedy: `see where it leads: readlink ${inShell(file)}; then create that file; or remove the link: rm ${inShell(file)}`,
  });
}

/** Reads a file, one character per byte. */
export async function contentOf(host: ReadHost, file: string): Promise<string> {
  return Buffer.from(await host.readFile(file)).toString('latin1');
}

/** Returns the hash of the bytes, not of the text that represents them. */
export function hashOf(content: string): string {
  return sha256(Buffer.from(content, 'latin1'));
}
