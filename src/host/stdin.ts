import { closeSync, constants, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '../command/index.ts';
import { fileError } from './files.ts';

/**
 * A readable descriptor from which a program gets all of `content`: it is completely written before
 * the program starts, because luksFormat accepts a truncated key. Its file is in /run (memory), or,
 * without root, in the temporary directory. Its name is removed before the first byte is written,
 * so that no crash leaves a key behind. The caller closes it.
 */
export function filledDescriptor(content: Secret | Uint8Array | string): number {
  const file = nameless();
  try {
    writeFileSync(file, content instanceof Secret ? content.reveal() : content);
    // Node cannot rewind a descriptor: a second one begins at the start.
    return openSync(`/proc/self/fd/${file}`, 'r');
  } catch (error) {
    throw fileError('write', 'standard input for a program', error);
  } finally {
    closeSync(file);
  }
}

function nameless(): number {
  const name = `.bofh-stdin-${randomBytes(12).toString('hex')}`;
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_RDWR;
  let denied: unknown;
  for (const path of [join('/run', name), join(tmpdir(), name)]) {
    try {
      const file = openSync(path, flags, 0o600);
      unlinkSync(path);
      return file;
    } catch (error) {
      // Uses the temporary directory, which may be on a disk, only without write permission on /run.
      if (!isDenied(error)) throw fileError('create', path, error);
      denied = fileError('create', path, error);
    }
  }
  throw denied;
}

function isDenied(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EROFS');
}
