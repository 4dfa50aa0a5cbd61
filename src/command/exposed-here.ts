import { lstatSync, readlinkSync } from 'node:fs';
import { type AtName, type ExposedPart, exposedPart, type LastName } from './exposed-path.ts';

/**
 * `exposedOn` for the machine that bofh runs on, synchronous: for a loader and a journal, which
 * cannot wait.
 */
export function exposedHere(path: string, last: LastName): ExposedPart | undefined {
  const walk = exposedPart(path, { last, owner: process.geteuid?.() ?? 0 });
  let step = walk.next();
  while (step.done !== true) step = walk.next(atName(step.value));
  return step.value;
}

function atName(path: string): AtName {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return { stat: undefined };
  const kind = found.isSymbolicLink()
    ? 'symlink'
    : found.isDirectory()
      ? 'directory'
      : found.isFile()
        ? 'file'
        : 'other';
  const stat = { kind, uid: found.uid, mode: found.mode & 0o7777 } as const;
  return kind === 'symlink' ? { stat, target: readlinkSync(path) } : { stat };
}
