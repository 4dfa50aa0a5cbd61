import { CommandError } from '../core/errors.ts';
import type { ReadHost } from './host.ts';

/** Returns the result, or undefined if the object that was read does not exist. */
export async function orMissing<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof CommandError && error.reason === 'not-found') return undefined;
    throw error;
  }
}

/** Returns the text of a file; undefined if it does not exist. */
export async function textOf(host: Pick<ReadHost, 'readFile'>, path: string): Promise<string | undefined> {
  const bytes = await orMissing(host.readFile(path));
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

/** Returns the names in a directory; none if it does not exist. */
export async function namesIn(
  host: Pick<ReadHost, 'readDir'>,
  directory: string,
): Promise<readonly string[]> {
  return (await orMissing(host.readDir(directory))) ?? [];
}
