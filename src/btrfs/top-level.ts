import { posix } from 'node:path';
import type { Changed } from '../atomic/operation.ts';
import { inWords, mountHolders, remedyFor } from '../blockdevice/index.ts';
import { type ChangeHost, inShell, isOdd, type ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { directoryChanged, directoryWitness } from '../filesystem/index.ts';
import { moveNew } from '../file/move-new.ts';
import { emptyDirectory } from '../file/empty-directory.ts';
import { classify } from './commands.ts';
import { anyRoot, mountsOf, reach } from './place.ts';
import { called, everyHolderOf, subvolumeById, subvolumes } from './reads.ts';
import { type Subvolume, topLevelId } from './schema.ts';

/**
 * The private directory, by path from the top level, with the previous content of the top level.
 * Its name contains the random tag of the step.
 */
export interface Aside {
  readonly fs: string;
  readonly gone: string;
}

/** Returns the top level, with its uuid, which is the parent uuid of its snapshots. */
export async function topLevelOf(
  host: ReadHost,
  fs: string,
): Promise<Subvolume & { readonly uuid: string; readonly at: string }> {
  const at = await reach(host, { fs, inside: '/' });
  const found = await subvolumeById(host, { fs, id: topLevelId });
  if (found?.uuid !== undefined) return { ...found, uuid: found.uuid, at };
  throw new RefusedError(
    `the top level of ${fs} has no uuid, because btrfs-progs older than 4.16 created it`,
    {
      remedy: `create a new filesystem, and copy the files`,
    },
  );
}

/**
 * Lists the names in the top level except subvolumes and bofh's own. RefusedError for a name that
 * is not UTF-8, because bofh could not pass it to a program.
 */
export async function contentOf(host: ReadHost, fs: string): Promise<readonly string[]> {
  const top = await reach(host, { fs, inside: '/' });
  const rows = await subvolumes(host, await anyRoot(host, fs));
  const own = new Set(rows.map(({ path }) => path));
  const names = (await host.readDir(top)).filter((name) => !isOurs(name) && !own.has(name));
  const odd = names.find((name) => isOdd(name));
  if (odd !== undefined)
    throw new RefusedError(`${posix.join(top, odd)} has a name that is not UTF-8; nothing was moved`, {
      remedy: 'rename it, then run the command again',
    });
  return names;
}

/**
 * RefusedError if the content of the top level cannot move: it is in use, in this or another
 * mount namespace; it is mounted twice; something is mounted below it; or it contains a deeper subvolume,
 * which a snapshot would not include.
 */
export async function refuseUsed(host: ReadHost, fs: string): Promise<void> {
  const top = await topLevelOf(host, fs);
  const deeper = (await subvolumes(host, await anyRoot(host, fs))).find(
    ({ parentId, path }) => parentId === topLevelId && path?.includes('/') !== false,
  );
  if (deeper !== undefined)
    throw new RefusedError(`${called(deeper)} is in a directory of the top level: no snapshot includes it`, {
      remedy: `move it into ${top.at} itself: mv ${inShell(posix.join(top.at, deeper.path ?? 'PATH'))} ${inShell(top.at)}; or remove it: bofh btrfs remove ${inShell(posix.join(top.at, deeper.path ?? 'PATH'))}`,
    });
  const shown = (await mountsOf(host, fs)).findLast(({ path }) => path === top.at);
  if (shown?.root !== '/')
    throw new RefusedError(`the top level (subvolid=5) of ${fs} is not mounted`, {
      remedy: `mount -o subvolid=${topLevelId} UUID=${fs} /mnt`,
    });
  // This mount of the top level, and its copies in the mount namespaces of services, will show the new content, as
  // intended. Programs that use another mount of it, for example in a container, do not expect that.
  const others = (await everyHolderOf(host, { fs, subvolume: top })).filter(
    (holder) => holder.kind !== 'btrfs' && !(holder.kind === 'mount' && holder.path === shown.path),
  );
  const users = await mountHolders(host, shown);
  const who = [...users, ...others.filter(({ words }) => !users.some((user) => user.words === words))];
  if (who.length > 0)
    throw new RefusedError(`the content of the top level ${top.at} is in use: ${inWords(who)}`, {
      remedy:
        remedyFor(who) ??
        'make sure that root can examine every process of this host, then run the command again',
      holders: who,
    });
}

/**
 * Renames all content of the top level into the private directory, so that nothing finds it by its
 * name.
 */
export async function setAside(host: ChangeHost, of: Aside): Promise<void> {
  const [top, gone] = await pathsOf(host, of);
  await host.makeDir(gone, { mode: 0o700 });
  // The directory is new and was created by this sequence: nothing in it can be replaced.
  for (const name of await contentOf(host, of.fs))
    await host.rename(posix.join(top, name), posix.join(gone, name));
}

/**
 * In the snapshot of the top level, moves everything back to its old path and removes bofh's own
 * objects. The snapshot is still private.
 */
export async function straighten(host: ChangeHost, copy: string, { gone }: Aside): Promise<void> {
  const inner = posix.join(copy, posix.basename(gone));
  for (const name of await host.readDir(copy)) {
    const at = posix.join(copy, name);
    if (at === inner) continue;
    // A subvolume in the top level is an empty directory in its snapshot.
    if ((await host.stat(at))?.kind === 'directory') await host.removeDir(at);
    else await host.removeFile(at);
  }
  for (const name of await host.readDir(inner))
    await host.rename(posix.join(inner, name), posix.join(copy, name));
  await host.removeDir(inner);
}

/**
 * Moves everything back to its old path, unless the name is in use. Removes the directory last,
 * because it proves the step.
 */
export async function bringBack(host: ChangeHost, of: Aside): Promise<void> {
  const [top, gone] = await pathsOf(host, of);
  if ((await host.stat(gone)) === undefined) return;
  for (const name of await host.readDir(gone)) {
    const [from, to] = [posix.join(gone, name), posix.join(top, name)];
    if ((await host.stat(to)) === undefined) await host.run(moveNew(from, to));
    if ((await host.stat(from)) !== undefined)
      throw new RefusedError(`${from} cannot be renamed back to ${to}: that name is in use now`, {
        remedy: `look at both: ls -ld ${inShell(from)} ${inShell(to)}; move one of them away; then: bofh recover`,
      });
  }
  await host.removeDir(gone);
}

/** Removes the directory and its content for good. */
export async function discard(host: ChangeHost, of: Aside): Promise<void> {
  const [, gone] = await pathsOf(host, of);
  if ((await host.stat(gone)) === undefined) return;
  await host.run({ ...emptyDirectory(gone), classify });
  await host.removeDir(gone);
}

/** Returns whether the private directory exists; a description if it is something else. */
export async function lookAside(
  host: ReadHost,
  of: Aside,
): Promise<'there' | 'absent' | { readonly found: string }> {
  const [, gone] = await pathsOf(host, of);
  const kind = (await host.stat(gone))?.kind;
  if (kind === undefined) return 'absent';
  return kind === 'directory' ? 'there' : { found: `${gone} is a ${kind}` };
}

/** Returns a witness of the files in the private directory; undefined if it does not exist. */
export async function asideWitness(host: ReadHost, of: Aside): Promise<string | undefined> {
  const [, gone] = await pathsOf(host, of);
  return (await lookAside(host, of)) === 'there' ? directoryWitness(host, gone) : undefined;
}

/** Returns what others have changed in the private directory since its witness. */
export async function asideChanged(host: ReadHost, of: Aside, witness: string): Promise<Changed | undefined> {
  const [, gone] = await pathsOf(host, of);
  if ((await lookAside(host, of)) !== 'there') return undefined;
  const found = await directoryChanged(host, gone, witness);
  return found === undefined ? undefined : { found: `in ${gone}: ${found}` };
}

async function pathsOf(host: ReadHost, { fs, gone }: Aside): Promise<readonly [top: string, gone: string]> {
  const top = await reach(host, { fs, inside: '/' });
  return [top, posix.join(top, posix.basename(gone))];
}

function isOurs(name: string): boolean {
  return name.startsWith('.bofh-');
}
