import { posix } from 'node:path';
import {
  type ChangeHost,
  type Command,
  errnoReason,
  type FileStat,
  inShell,
  kindInWords,
  moveAway,
  nothing,
  type ReadHost,
} from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { formatSize } from '../core/units.ts';
import { removeInherited } from './attributes.ts';
import { birthOf, realParent } from './path.ts';

/** Larger files are not kept. */
const largest = 16 * 1024 ** 2;

/**
 * `cp`: copies a file, a symbolic link or an empty directory with owner, mode, times and extended
 * attributes (including ACLs and capabilities). Fails if it cannot copy one of them.
 */
export function copyWhole(from: string, to: string): Command<void, 'change'> {
  const preserve = '--preserve=mode,ownership,timestamps,xattr';
  return {
    tool: 'cp',
    argv: ['--recursive', '--no-dereference', preserve, '--no-target-directory', '--', from, to],
    access: 'change',
    parse: nothing,
    classify: errnoReason,
  };
}

/**
 * Copies the object at `from`, which the commit removes, to a directory of bofh. If it must not be
 * kept, returns the reason in words: something that its owner wanted to delete, such as a key, must
 * not come back.
 */
export async function keepAt(
  host: ChangeHost,
  { path, from, to, secret }: { path: string; from: string; to: string; secret?: true | undefined },
): Promise<string | undefined> {
  const stat = await host.stat(from);
  if (stat === undefined) return `${from} is gone`;
  const why = secret === true ? 'its content is secret' : await whyNotKept(host, { path, from, stat });
  if (why !== undefined) return `${path} is not kept: ${why}`;
  const folder = posix.dirname(to);
  await host.makeDir(folder, { mode: 0o700, parents: true });
  for (const each of [posix.dirname(folder), posix.dirname(posix.dirname(folder))]) await host.sync(each);
  const own = `${to}.new`;
  await removeAny(host, own);
  await copyDurably(host, from, own);
  await removeAny(host, to);
  await host.rename(own, to);
  await host.sync(folder);
  return undefined;
}

async function whyNotKept(
  host: ReadHost,
  { path, from, stat }: { readonly path: string; readonly from: string; readonly stat: FileStat },
): Promise<string | undefined> {
  if (stat.kind !== 'file') return undefined;
  if (stat.size > largest) return `it is larger than ${formatSize(largest)}`;
  if (/^\/etc\/g?shadow-?$/.test(path)) return 'it has passwords';
  if (/\/\.ssh\/|authorized_keys/.test(path)) return 'it may have keys that were revoked';
  // The file may be a secret that an earlier description wrote.
  if ((stat.mode & 0o077) === 0) return 'only its owner may read it, so it may be a secret';
  const content = Buffer.from(await host.readFile(from)).toString('latin1');
  return /-----BEGIN [A-Z0-9 ]*PRIVATE KEY/.test(content) ? 'it has a private key' : undefined;
}

/** Creates the kept object again, at `to`. Returns its identity. */
export async function bringBackTo(
  host: ChangeHost,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<{ readonly inode: string; readonly birth?: string }> {
  await removeAny(host, to);
  const { inode, ...made } = await copyDurably(host, from, to);
  await host.sync(posix.dirname(to));
  return { inode, ...birthOf({ inode, ...made }) };
}

async function copyDurably(host: ChangeHost, from: string, to: string): Promise<FileStat> {
  await host.run(copyWhole(from, to));
  if ((await host.stat(from))?.kind !== 'symlink') await removeInherited(host, from, to);
  const [source, made] = [await host.stat(from), await host.stat(to)];
  const isSame = (['kind', 'size', 'mode', 'uid', 'gid'] as const).every(
    (each) => made?.[each] === source?.[each] || (each === 'size' && made?.kind === 'directory'),
  );
  if (made === undefined || !isSame)
    throw new RefusedError(`cp reported success, but ${to} differs from ${from}`, {
      remedy: `compare them: stat ${inShell(from)} ${inShell(to)}`,
    });
  if (made.kind !== 'symlink') await host.sync(to);
  return made;
}

/** Removes whatever is at a path that only bofh uses. */
async function removeAny(host: ChangeHost, path: string): Promise<void> {
  const { kind } = (await host.stat(path)) ?? {};
  if (kind === 'directory') await host.removeDir(path);
  else if (kind !== undefined) await host.removeFile(path);
}

export function editedSince(path: string): RefusedError {
  return new RefusedError(`${path} was edited since, and stays as it is`, {
    remedy: `see it: stat ${inShell(path)}`,
  });
}

/** RefusedError if the path of a removed object is in use, so that the object cannot come back. */
export async function refuseTaken(host: ReadHost, path: string): Promise<void> {
  await realParent(host, path);
  const there = await host.stat(path);
  if (there !== undefined)
    throw new RefusedError(`there is ${kindInWords(there)} at ${path} again`, {
      code: 'exists',
      remedy: moveAway(path),
    });
}

export function damaged(path: string, from: string): RefusedError {
  return new RefusedError(`the kept copy of ${path} has changed: ${from}`, {
    remedy: `see it: stat ${inShell(from)}; then write ${path} yourself`,
  });
}
