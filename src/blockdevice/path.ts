import { posix } from 'node:path';
import * as z from 'zod/mini';

/** An absolute path in normal form: no `.`, `..`, double or trailing slash, no NUL. */
export const absolutePath = z.string().check(
  z.refine(
    (path) => path.startsWith('/') && path !== '/' && posix.normalize(path) === path && !path.endsWith('/'),
    'must be an absolute path below /, without "..", ".", or a double or trailing slash',
  ),
  z.refine((path) => !path.includes('\0'), 'must not contain NUL'),
);

/** Whether a path is this directory, or inside it. */
export function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`);
}
