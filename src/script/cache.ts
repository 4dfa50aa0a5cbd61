import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

/** Transpiled scripts and compiled code, found by a hash of all their inputs. */
export interface ScriptCache {
  get(key: string): Buffer | undefined;
  set(key: string, code: string | Buffer): void;
}

/**
 * Directory with compiled scripts. Root executes its content, so only root may write to it. While a
 * description is applied in a guest, bofh sets $BOFH_CACHE_DIR, so that nothing of the cache stays in
 * the root filesystem of the guest.
 */
export const cacheDirectory = process.env['BOFH_CACHE_DIR'] ?? '/var/cache/bofh';

/** This many scripts take little space, and are more than an administrator edits at a time. */
const kept = 200;

/**
 * Opens the cache in a directory that only this user can access (0700), and creates it if it is
 * missing. Returns undefined, with a warning, if another user owns it or has any access to it: it is
 * then neither read nor written. Without a warning if it is missing, and cannot or must not be created.
 */
export function openCache(
  directory: string,
  warn: (message: string, facts: object) => void,
  access: 'read-write' | 'read-only' = 'read-write',
): ScriptCache | undefined {
  try {
    // A dry run may read the cache, and creates nothing.
    if (!existsSync(directory)) {
      if (access === 'read-only') return undefined;
      mkdirSync(directory, { mode: 0o700 });
    }
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') return undefined;
  }
  const fault = faultOf(directory);
  if (fault !== undefined) {
    warn('the cache of scripts is not used', { directory, because: fault });
    return undefined;
  }
  return {
    get: (key) => read(join(directory, nameOf(key))),
    set: (key, code) => {
      if (access === 'read-only') return;
      try {
        write(directory, nameOf(key), code);
      } catch (error) {
        // Without a cache the next run only takes longer.
        warn('the cache of scripts cannot be written', { directory, because: String(error) });
      }
    },
  };
}

/** Returns why other users can access a directory; undefined if they cannot. */
function faultOf(directory: string): string | undefined {
  const stat = lstatSync(directory);
  if (!stat.isDirectory()) return 'it is not a directory';
  if (stat.uid !== process.geteuid?.()) return `it belongs to user ${String(stat.uid)}`;
  if ((stat.mode & 0o077) !== 0) return `others may use it (mode ${(stat.mode & 0o7777).toString(8)})`;
  return undefined;
}

/** Returns the code if this user owns the file and its first line is the checksum of the rest. */
function read(path: string): Buffer | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    if (fstatSync(fd).uid !== process.geteuid?.()) return undefined;
    const text = readFileSync(fd);
    const end = text.indexOf('\n');
    const code = text.subarray(end + 1);
    return text.toString('latin1', 0, end) === String(crc32(code)) ? code : undefined;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function write(directory: string, name: string, code: string | Buffer): void {
  const path = join(directory, name);
  const fresh = `${path}.${String(process.pid)}`;
  writeFileSync(fresh, Buffer.concat([Buffer.from(`${String(crc32(code))}\n`), Buffer.from(code)]), {
    mode: 0o600,
    flag: 'wx',
  });
  renameSync(fresh, path);
  prune(directory);
}

/** Removes the oldest entries. */
function prune(directory: string): void {
  const names = readdirSync(directory);
  if (names.length <= kept) return;
  // Another bofh may have removed one meanwhile.
  const aged = names.map((name) => ({
    name,
    at: statSync(join(directory, name), { throwIfNoEntry: false })?.mtimeMs ?? 0,
  }));
  for (const { name } of aged.toSorted((a, b) => b.at - a.at).slice(kept))
    rmSync(join(directory, name), { force: true });
}

function nameOf(key: string): string {
  return `${createHash('sha256').update(key).digest('hex')}.js`;
}

/** Only errors of system calls have a code. */
function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
