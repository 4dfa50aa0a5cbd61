import { posix } from 'node:path';
import { inShell } from './command.ts';
import { RefusedError } from '../core/errors.ts';
import type { FileStat, ReadHost } from './host.ts';

/** A part of a path through which a user other than root can redirect the path. */
export interface ExposedPart {
  readonly at: string;
  /** The end of a sentence that begins with `at`. */
  readonly why: string;
  /** A shell command that removes the exposure. */
  readonly repair: string;
}

/**
 * The requirement for the last name of a path. `new`: it is created, so only the directories above
 * it matter. `there`: no other user can replace the file. `content`: no other user can write to it
 * either.
 */
export type LastName = 'new' | 'there' | 'content';

/** What the walk asks about each name: lstat, and the target of a symbolic link. */
export interface AtName {
  readonly stat: Pick<FileStat, 'kind' | 'uid' | 'mode'> | undefined;
  readonly target?: string;
}

/** Largest number of symbolic links in a path (path_resolution(7)). */
const mostLinks = 40;

/**
 * Walks a path from the root down, through symbolic links, and returns the first part that a user
 * other than root, or `owner`, controls. Undefined: there is none; the path may end early at a
 * missing name. A sticky directory such as /tmp is safe for files of root: no other user can rename
 * or remove them. But a file of another user in such a directory can be replaced at any time.
 */
export function* exposedPart(
  path: string,
  { last, owner }: { readonly last: LastName; readonly owner: number },
): Generator<string, ExposedPart | undefined, AtName> {
  let left = path.split('/').filter((name) => name !== '' && name !== '.');
  let at = '/';
  let parentShared = false;
  for (let links = 0; ; ) {
    const { stat, target } = yield at;
    const isLast = left.length === 0;
    if (stat === undefined || (isLast && last === 'new')) return undefined;
    const foreign = stat.uid !== 0 && stat.uid !== owner;
    // If the directory belongs to root, the owner of a file can write to the file, but cannot
    // redirect its name.
    const replaceable = parentShared || stat.kind === 'directory' || last === 'content';
    if (foreign && replaceable && !(isLast && last === 'there' && !parentShared))
      return { at, why: `belongs to user ${stat.uid}`, repair: `chown root ${inShell(at)}` };
    if (stat.kind === 'symlink') {
      links += 1;
      if (target === undefined || links > mostLinks)
        return { at: path, why: 'leads through too many symbolic links', repair: `namei ${path}` };
      left = [...target.split('/').filter((name) => name !== '' && name !== '.'), ...left];
      at = target.startsWith('/') ? '/' : posix.dirname(at);
      parentShared = false;
      continue;
    }
    // No chmod as a remedy for a device such as /dev/null, which everyone may write.
    if (isLast && last === 'content' && stat.kind !== 'file' && stat.kind !== 'directory')
      return { at, why: 'is not a regular file', repair: `name a regular file, not ${at}` };
    const shared = (stat.mode & 0o022) !== 0;
    const sticky = stat.kind === 'directory' && (stat.mode & 0o1000) !== 0;
    if (shared && !sticky && (!isLast || last === 'content'))
      return {
        at,
        why: `can be written by others (mode ${stat.mode.toString(8)})`,
        repair: `chmod go-w ${inShell(at)}`,
      };
    const [name, ...rest] = left;
    if (name === undefined) return undefined;
    left = rest;
    parentShared = name !== '..' && shared;
    at = posix.join(at, name);
  }
}

/**
 * `exposedPart` on a host. On this host the user who runs bofh is trusted like root (default: the
 * user of this process).
 */
export async function exposedOn(
  host: Pick<ReadHost, 'name' | 'stat' | 'readLink'>,
  path: string,
  last: LastName,
  user: number = process.getuid?.() ?? 0,
): Promise<ExposedPart | undefined> {
  const owner = host.name === '' ? user : 0;
  const walk = exposedPart(path, { last, owner });
  let step = walk.next();
  while (step.done !== true) {
    const stat = await host.stat(step.value);
    const target = stat?.kind === 'symlink' ? { target: await host.readLink(step.value) } : {};
    step = walk.next({ stat, ...target });
  }
  return step.value;
}

/**
 * RefusedError if another user could replace the file before it is opened. This applies to every
 * path that a program, or bofh itself, opens as root.
 */
export async function refuseExposed(
  host: Pick<ReadHost, 'name' | 'stat' | 'readLink'>,
  path: string,
  last: LastName,
): Promise<void> {
  const found = await exposedOn(host, path, last);
  if (found === undefined) return;
  throw new RefusedError(
    `${path} is refused, because another user could replace it: ${found.at} ${found.why}`,
    {
      // For one exposed file, the remedy does not take a home directory from its user.
      remedy:
        last === 'content'
          ? `use a directory that only root can write, or: ${found.repair}`
          : 'use a directory that only root can write, such as /root',
    },
  );
}
