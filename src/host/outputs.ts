import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileError, hasCode } from './files.ts';
import type { OutputFiles } from './setting.ts';
import { outputLimit } from './start.ts';

/**
 * Returns the function that opens the output files of a change: `out.N` and `err.N` (0600), for a
 * pipeline also `err.N-2`… and `status.N`; the shell creates `session.N`. The creator of `out.N`
 * owns N: several processes (a recovery) may use one directory.
 */
export function outputOpener(): (directory: string, stages: number) => OutputFiles {
  let last = 0;
  return (directory, stages) => {
    for (;;) {
      last += 1;
      const files = names(last, stages);
      const opened = openAll(directory, files);
      if (opened === undefined) continue;
      const [out, ...rest] = opened;
      const session = join(directory, `session.${last}`);
      return {
        session,
        out,
        errs: rest.slice(0, stages),
        status: rest[stages],
        remove: () => files.forEach((name) => unlinkSync(join(directory, name))),
        close: () => {
          for (const file of opened) closeSync(file);
          rmSync(session, { force: true });
        },
      };
    }
  };
}

/**
 * The end of a file, at most `limit` bytes. Reads by position, so the position of the program does not
 * change.
 */
export function tail(file: number, limit: number): Uint8Array {
  const { size } = fstatSync(file);
  return readAt(file, Math.max(0, size - limit), Math.min(size, limit));
}

/** The complete file, or undefined if it is longer than an answer may be. */
export function whole(file: number): Uint8Array | undefined {
  const { size } = fstatSync(file);
  return size > outputLimit ? undefined : readAt(file, 0, size);
}

/** Whether no byte can be written to an empty output file because its disk is full. */
export function isFull(file: number): boolean {
  try {
    writeSync(file, new Uint8Array(4096), 0, 4096, 0);
  } catch (error) {
    return hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT');
  } finally {
    ftruncateSync(file, 0);
  }
  return false;
}

function names(n: number, stages: number): readonly [string, ...string[]] {
  const errs = Array.from({ length: stages }, (_, i) => (i === 0 ? `err.${n}` : `err.${n}-${i + 1}`));
  return [`out.${n}`, ...errs, ...(stages > 1 ? [`status.${n}`] : [])];
}

/** Creates all files. Undefined if one of the names is taken; then none of the files remains. */
function openAll(
  directory: string,
  files: readonly [string, ...string[]],
): readonly [number, ...number[]] | undefined {
  const made: { readonly path: string; readonly file: number }[] = [];
  const open = (name: string): number => {
    const path = join(directory, name);
    try {
      // Also readable, so that bofh can follow the file without its name.
      const file = openSync(path, 'wx+', 0o600);
      made.push({ path, file });
      return file;
    } catch (error) {
      throw hasCode(error, 'EEXIST') ? error : fileError('create', path, error);
    }
  };
  try {
    const [first, ...others] = files;
    return [open(first), ...others.map(open)];
  } catch (error) {
    for (const { path, file } of made) {
      closeSync(file);
      unlinkSync(path);
    }
    if (hasCode(error, 'EEXIST')) return undefined;
    throw error;
  }
}

function readAt(file: number, from: number, length: number): Uint8Array {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const got = readSync(file, buffer, filled, length - filled, from + filled);
    if (got === 0) break;
    filled += got;
  }
  return buffer.subarray(0, filled);
}
