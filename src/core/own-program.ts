import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Returns the path of this installation's `bofh`, also in a program that imports the library. */
export function ownProgram(): string {
  const own = fileURLToPath(import.meta.url);
  const built = own.endsWith('.ts') ? '../../dist/bofh.cjs' : './bofh.cjs';
  return posix.resolve(posix.dirname(own), built);
}
