import { posix } from 'node:path';
import type { Look, Way } from '../atomic/operation.ts';
import { type ChangeHost, kindInWords, moveAway, type ReadHost, syncDirectoryOf } from '../command/index.ts';
import { CommandError, RefusedError } from '../core/errors.ts';
import { besideWith, realParent, sameFile } from './path.ts';

/** A new file and its private name until the commit, which is its tag. */
export interface NewFile {
  readonly file: string;
  readonly private: string;
}

/**
 * Returns the private name for a file to create. RefusedError if either name is taken, or the
 * directory is missing.
 */
export async function freeNames(host: ReadHost, file: string, mark: string): Promise<string> {
  await realParent(host, file);
  const own = besideWith(file, mark);
  for (const path of [file, own]) if ((await host.stat(path)) !== undefined) throw taken(path);
  return own;
}

/** Links the file with the private name to its final name, durably. Never replaces another file. */
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

/**
 * Looks for the file of a step: it exists as long as the private name does. The file at the path
 * belongs to the step while it is the same inode.
 */
export async function lookAtNew(host: ReadHost, { file, private: own }: NewFile): Promise<Look> {
  const stat = await host.stat(own);
  if (stat === undefined) return { state: 'gone' };
  if (stat.kind !== 'file') return { state: 'not-ours', found: `${own} is ${kindInWords(stat)}` };
  const there = await host.stat(file);
  if (there === undefined || sameFile(stat, there)) return { state: 'ours' };
  return { state: 'ours', found: `${file} is another file now and stays` };
}

/** Whether the file has both names. Before it gets the final name, no other program knows it. */
export async function hasBothNames(host: ReadHost, { file, private: own }: NewFile): Promise<boolean> {
  const stat = await host.stat(own);
  return stat?.kind === 'file' && sameFile(stat, await host.stat(file));
}

/** Removes the names that `lookAtNew` reports as the step's own, the private name last. */
export async function removeNew(host: ChangeHost, of: NewFile): Promise<void> {
  if ((await host.stat(of.private))?.kind === 'file')
    await removeNames(host, of, await hasBothNames(host, of));
}

/** Removes the private name, after the commit. */
export async function removePrivateName(host: ChangeHost, { private: own }: NewFile): Promise<void> {
  if ((await host.stat(own))?.kind === 'file') await host.removeFile(own);
}

/** Makes the content of a new file and both names durable. */
export async function syncNew(host: ChangeHost, { file, private: own }: NewFile): Promise<void> {
  if ((await host.stat(own))?.kind === 'file') await host.sync(own);
  await syncDirectoryOf(host, file);
}

/**
 * Commands for manual recovery. Before the commit they remove both names of the inode, but no other
 * file that has the name now.
 */
export function clearNew({ file, private: own }: NewFile, way: Way): readonly string[] {
  return way === 'back'
    ? ['find', posix.dirname(file), '-maxdepth', '1', '-samefile', own, '-delete']
    : ['rm', own];
}

function taken(path: string, cause?: unknown): RefusedError {
  return new RefusedError(`${path} exists already: a new file never replaces another`, {
    code: 'exists',
    cause,
    remedy: `${moveAway(path)}; or choose another name`,
  });
}
