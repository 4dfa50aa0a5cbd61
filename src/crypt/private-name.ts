import { posix } from 'node:path';
import type { ChangeHost, ReadHost } from '../command/index.ts';
import { CommandError, RefusedError } from '../core/errors.ts';
import { besideWith, realParent } from '../file/path.ts';

/** A new file with the private second name that it has until the commit. */
interface NewFile {
  readonly file: string;
  readonly private: string;
}

/**
 * The private name for a file that will be created. RefusedError if either name is taken, or the
 * directory is missing.
 */
export async function freeNames(host: ReadHost, file: string, mark: string): Promise<string> {
  await realParent(host, file);
  const own = besideWith(file, mark);
  for (const path of [file, own]) if ((await host.stat(path)) !== undefined) throw taken(path);
  return own;
}

/**
 * Links the file with the private name to its final name, durably, and never replaces another file.
 */
export async function linkNew(host: ChangeHost, { file, private: own }: NewFile): Promise<void> {
  try {
    await host.link(own, file);
  } catch (error) {
    if (!(error instanceof CommandError && error.reason === 'exists')) throw error;
    throw taken(file, error);
  }
  await host.sync(posix.dirname(file));
}

/** Removes the file, if this sequence created it, and then its private name. */
export async function removeNames(
  host: ChangeHost,
  { file, private: own }: NewFile,
  isOurs: boolean,
): Promise<void> {
  if (isOurs) {
    await host.removeFile(file);
    await host.sync(posix.dirname(file));
  }
  await host.removeFile(own);
}

/** Makes the names in the directory of a file durable. */
export async function syncDirectoryOf(host: ChangeHost, file: string): Promise<void> {
  const directory = posix.dirname(file);
  if ((await host.stat(directory))?.kind === 'directory') await host.sync(directory);
}

function taken(path: string, cause?: unknown): RefusedError {
  return new RefusedError(`${path} exists already: a header never replaces a file`, {
    code: 'exists',
    cause,
    remedy: 'move it away, or choose another name',
  });
}
