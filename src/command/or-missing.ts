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

/** Returns the names in a directory; none if it does not exist. */
export async function namesIn(
  host: Pick<ReadHost, 'readDir'>,
  directory: string,
): Promise<readonly string[]> {
  return (await orMissing(host.readDir(directory))) ?? [];
}
