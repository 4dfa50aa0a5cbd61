import { posix } from 'node:path';
import type { ChangeHost, ReadHost } from '../command/index.ts';
import { CommandError, RefusedError } from '../core/errors.ts';
import { besideWith, realParent } from '../file/path.ts';

/** A new file with the private second name that it bears until the commit. */
interface NewFile {
  readonly file: string;
  readonly private: string;
}

/** The private name beside a file that is to be made. RefusedError when either name is taken, or there is no directory. */
export async function freeNames(host: ReadHost, file: string, mark: string): Promise<string> {
  await realParent(host, file);
  const own = besideWith(file, mark);
  for (const path of [file, own]) if ((await host.stat(path)) !== undefined) throw taken(path);
  return own;
}

/** Gives what is under the private name its own name, durably, and never in the place of another file. */
export async function linkNew(host: ChangeHost, { file, private: own }: NewFile): Promise<void> {
  try {
    await host.link(own, file);
  } catch (error) {
    if (!(error instanceof CommandError && error.reason === 'exists')) throw error;
    throw taken(file, error);
  }
  await host.sync(posix.dirname(file));
}

/** Takes the file away, where it is ours, and then its private name. */
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

/** Makes the names of the directory durable that a file lies in. */
export async function syncDirectoryOf(host: ChangeHost, file: string): Promise<void> {
  const directory = posix.dirname(file);
  if ((await host.stat(directory))?.kind === 'directory') await host.sync(directory);
}

function taken(path: string, cause?: unknown): RefusedError {
  return new RefusedError(`${path} exists already: a header never replaces a file`, {
    cause,
    remedy: 'move it away, or choose another name',
  });
}
