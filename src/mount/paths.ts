import { posix } from 'node:path';
import {
  type ChangeHost,
  commandLine,
  type FileStat,
  inShell,
  kindInWords,
  type ReadHost,
  refuseExposed,
} from '../command/index.ts';
import { CommandError, RefusedError, UsageError } from '../core/errors.ts';
import { checkText } from '../core/checks.ts';

/** Directory for temporary mounts of bofh: mode 0700, on a filesystem that a reboot empties. */
export const privateMounts = '/run/bofh/mnt';

/** Whether a path is a private directory: its name is the tag of the step that created it. */
export function isPrivate(path: string): boolean {
  return posix.dirname(path) === privateMounts && /^bofh\.[0-9a-f]{12}\.\d+$/.test(posix.basename(path));
}

/**
 * Returns the canonical path, as in the kernel's mount table. CommandError `not-found` if a part of
 * it is missing, UsageError if it is not absolute. `ifMissing`: the remedy (default: create the directory).
 */
export async function realPath(host: ReadHost, path: string, ifMissing?: string): Promise<string> {
  checkText('the path', path);
  if (!path.startsWith('/')) throw new UsageError(`"${path}" is not an absolute path`);
  if (path.includes('\0')) throw new UsageError(`"${path}" must not contain NUL`);
  refuseOddBytes(path);
  let left = path.split('/');
  let done = '/';
  for (let links = 0; ; ) {
    const [name, ...rest] = left;
    if (name === undefined) return done;
    left = rest;
    const next = posix.join(done, name);
    const stat = await host.stat(next);
    if (stat === undefined) throw notThere(next, ifMissing ?? creating(path));
    if (stat.kind !== 'symlink') {
      done = next;
      continue;
    }
    links += 1;
    if (links > 40)
      throw new RefusedError(`${path}: more than 40 levels of symbolic links, probably a loop`, {
        remedy: `see its symbolic links: namei ${path}`,
      });
    const target = await host.readLink(next);
    refuseOddBytes(target);
    left = [...target.split('/'), ...rest];
    if (target.startsWith('/')) done = '/';
  }
}

/**
 * Returns a directory in a tree of another system: every part of the path must be a real directory,
 * because a symbolic link in the tree would lead out of it, into this host. RefusedError for
 * anything else.
 */
export async function directoryBeneath(host: ReadHost, root: string, path: string): Promise<string> {
  let at = root;
  for (const part of path.split('/').filter((word) => word !== '')) {
    at = posix.join(at, part);
    const kind = (await host.stat(at))?.kind;
    if (kind !== 'directory' || part === '..')
      throw new RefusedError(
        `${path} cannot be a mount point in ${root}: ${at} is ${kind === undefined ? 'missing' : `a ${kind}`}`,
        {
          remedy: `create this directory: mkdir --parents ${posix.join(root, path)}; its path must have no symbolic link`,
        },
      );
  }
  return at;
}

/**
 * UsageError for a path with bytes that are not UTF-8: Node replaces them by U+FFFD, so that the
 * path leads nowhere, or to another file.
 */
function refuseOddBytes(path: string): void {
  if (!path.includes('\ufffd')) return;
  throw new UsageError(`"${path}" has bytes that are not UTF-8: bofh cannot use such a path`, {
    remedy: 'rename it; or mount it at a path in UTF-8: mount --bind PATH /mnt',
  });
}

/**
 * Returns the canonical path of an existing directory. RefusedError for anything else, and if
 * another user could replace it.
 */
export async function ownDirectory(host: ReadHost, path: string): Promise<string> {
  const real = await realPath(host, path);
  const stat = await host.stat(real);
  if (stat?.kind !== 'directory')
    throw new RefusedError(`${path} is not a directory but ${kindInWords(stat)}`, {
      remedy: `see what it is: ls -ld ${inShell(path)}; then name a directory`,
    });
  await refuseExposed(host, real, 'there');
  return real;
}

/** Like `ownDirectory`; RefusedError for a directory that is not empty. */
export async function emptyDirectory(host: ReadHost, path: string): Promise<string> {
  const real = await ownDirectory(host, path);
  const names = await host.readDir(real);
  if (names.length === 0) return real;
  throw new RefusedError(
    `${path} is not empty (${names.slice(0, 3).join(', ')}): a mount would hide its content`,
    { code: 'has-data', remedy: `see its content: ls -la ${path}; then name an empty directory` },
  );
}

/** Creates /run/bofh and, in it, the directory for private mounts. */
export async function makePrivateMounts(host: ChangeHost): Promise<void> {
  await ensureDirectory(host, posix.dirname(privateMounts), 0o711);
  await ensureDirectory(host, privateMounts, 0o700);
}

async function ensureDirectory(host: ChangeHost, path: string, mode: number): Promise<void> {
  if ((await host.stat(path)) === undefined) {
    try {
      await host.makeDir(path, { mode });
    } catch (error) {
      // Another bofh process created it first.
      if (!(error instanceof CommandError && error.reason === 'exists')) throw error;
    }
  }
  const stat: FileStat | undefined = await host.stat(path);
  if (stat?.kind !== 'directory')
    throw new RefusedError(`${path} is not a directory but ${kindInWords(stat)}`, {
      remedy: `move it away: mv ${inShell(path)} ${inShell(`${path}.old`)}; then run the command again`,
    });
}

function notThere(path: string, remedy: string): CommandError {
  const what = 'there is no such directory';
  return new CommandError({ tool: 'file', argv: ['stat', path], reason: 'not-found', what, remedy });
}

function creating(path: string): string {
  return `name one that exists, or create it: ${commandLine({ tool: 'mkdir', argv: ['--parents', path] })}`;
}
