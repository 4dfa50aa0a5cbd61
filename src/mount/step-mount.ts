import { posix } from 'node:path';
import type { Look } from '../atomic/operation.ts';
import { describeMount, mountEntries, type MountEntry, numberAt } from '../blockdevice/index.ts';
import { type ChangeHost, inShell, namesIn, orMissing, type ReadHost } from '../command/index.ts';
import { CommandError, type Holder, RefusedError } from '../core/errors.ts';
import { emptyDirectory, makePrivateMounts, ownDirectory, privateMounts, realPath } from './paths.ts';
import { describe, markOption, mountsAt, mountsOn, userEntries } from './table.ts';
import { unmount } from './unmount.ts';

/** The mount of a step, as journalled before it was mounted. */
export interface Made {
  /** Canonical path. */
  readonly path: string;
  /** Whether the step also created the directory; its name contains the tag. */
  readonly private: boolean;
  /** The mounted device or directory. */
  readonly device: string;
  /** `major:minor` of the device: meaningless after a reboot, but then the mount is gone too. */
  readonly number: string;
  readonly mark: string;
  /**
   * The mounted directory of the filesystem; undefined: its top, or the default subvolume of btrfs.
   */
  readonly root?: string | undefined;
}

interface Known {
  readonly mountId: number;
}

interface Survey {
  readonly entries: readonly MountEntry[];
  readonly mine: MountEntry | undefined;
}

/**
 * Chooses the mount point: an empty directory of the administrator, or one whose content the mount
 * may hide, or a new private one.
 */
export async function chooseDirectory(
  host: ReadHost,
  path: string | undefined,
  mark: string,
  hides?: true,
): Promise<Pick<Made, 'path' | 'private'>> {
  if (path !== undefined) return { path: await freeDirectory(host, path, hides), private: false };
  const own = posix.join(privateMounts, mark);
  if ((await host.stat(own)) !== undefined)
    throw new RefusedError(`${own} exists already`, {
      code: 'exists',
      remedy: `see what is mounted there: findmnt ${inShell(own)}; if it is not needed: umount ${inShell(own)}; then: rmdir ${inShell(own)}`,
    });
  return { path: own, private: true };
}

/**
 * Creates the private directory, mounts, and returns the resulting mount, because the exit code 0
 * does not prove it.
 */
export async function makeMount(
  host: ChangeHost,
  wanted: Made,
  act: () => Promise<void>,
): Promise<MountEntry> {
  if (wanted.private) {
    await makePrivateMounts(host);
    // When the step mounts again, its directory may still exist.
    if ((await host.stat(wanted.path)) === undefined) await host.makeDir(wanted.path, { mode: 0o700 });
  }
  // Only those there: the new mount may get the number of one that others unmount elsewhere meanwhile.
  const before = new Set(mountsAt(await mountEntries(host), wanted.path).map(({ id }) => id));
  await act();
  return confirm(host, wanted, before);
}

/**
 * Finds the mount of the step among all mounts, also where others have moved it: `mount --move` moves
 * its tag too. RefusedError if it cannot be distinguished from others.
 */
async function survey(host: ReadHost, made: Made, known: Known | undefined): Promise<Survey> {
  const entries = await mountEntries(host);
  for (const path of new Set([made.path, ...(await markedPaths(host, made))])) {
    const mine = await findAt(host, entries, { ...made, path }, known);
    if (mine !== undefined) return { entries, mine };
  }
  return { entries, mine: undefined };
}

/** Finds the mount of the step at its path. */
async function findAt(
  host: ReadHost,
  entries: readonly MountEntry[],
  made: Made,
  known: Known | undefined,
): Promise<MountEntry | undefined> {
  const there = await candidatesOf(host, entries, made);
  // A later step that unmounted it, and was undone, has mounted it again.
  const again = there.some(({ id }) => id === known?.mountId) ? undefined : await mountedAgain(host, made);
  const candidates = there.filter(
    ({ id }) => known === undefined || id === known.mountId || again !== undefined,
  );
  const ids = new Set(candidates.map(({ id }) => id));
  const [mine, ...others] = made.private
    ? // A mount of the same device above the private directory was made later, by another process.
      candidates.filter(({ parent }) => !ids.has(parent))
    : candidates;
  if (mine === undefined || !(made.private || (await isMarked(host, made)))) return undefined;
  if (others.length === 0) return mine;
  throw new RefusedError(
    `${made.device} is mounted on ${made.path} more than once (mounts ${[...ids].join(', ')}): it is unknown which one this sequence created`,
    { remedy: `unmount it yourself: umount ${inShell(made.path)}; then: bofh recover` },
  );
}

async function candidatesOf(
  host: ReadHost,
  entries: readonly MountEntry[],
  { path, root, number }: Made,
): Promise<readonly MountEntry[]> {
  const found: MountEntry[] = [];
  for (const entry of mountsAt(entries, path)) {
    // btrfs mounts its default subvolume, or the one in its options.
    const isRoot = root === undefined ? entry.root === '/' || entry.type === 'btrfs' : entry.root === root;
    if (isRoot && (await isOf(host, entry, number))) found.push(entry);
  }
  return found;
}

/**
 * Whether a mount is of the device with that number. A btrfs has a device number of its own (0:45),
 * and shows one of its devices as the source, not always the given one.
 */
export async function isOf(host: ReadHost, entry: MountEntry, number: string): Promise<boolean> {
  if (entry.device === number) return true;
  if (entry.type !== 'btrfs') return false;
  const source = await numberAt(host, entry.source);
  if (source === undefined || source === number) return source === number;
  const names = [await kernelName(host, source), await kernelName(host, number)];
  const top = '/sys/fs/btrfs';
  for (const uuid of await namesIn(host, top)) {
    // Others may unmount a btrfs meanwhile: then its directory is gone.
    const devices = await namesIn(host, `${top}/${uuid}/devices`);
    if (names.every((name) => name !== undefined && devices.includes(name))) return true;
  }
  return false;
}

async function kernelName(host: ReadHost, number: string): Promise<string | undefined> {
  const link = await orMissing(host.readLink(`/sys/dev/block/${number}`));
  return link === undefined ? undefined : posix.basename(link);
}

async function isMarked(host: ReadHost, made: Made): Promise<boolean> {
  return (await markedPaths(host, made)).includes(made.path);
}

async function markedPaths(host: ReadHost, { mark }: Made): Promise<readonly string[]> {
  const entries = await userEntries(host);
  return entries.filter(({ options }) => options.includes(markOption(mark))).map(({ path }) => path);
}

async function mountedAgain(host: ReadHost, { path, mark }: Made): Promise<true | undefined> {
  const entries = await userEntries(host);
  const found = entries.some(
    (entry) =>
      entry.path === path &&
      entry.options.includes(markOption(mark)) &&
      entry.options.some((option) => option.startsWith('x-bofh.again=')),
  );
  return found ? true : undefined;
}

/** Returns the current state of the step's mount. */
export async function lookForMount(host: ReadHost, made: Made, known: Known | undefined): Promise<Look> {
  const { entries, mine } = await survey(host, made, known);
  if (mine !== undefined) {
    const moved = mine.path === made.path ? {} : { movedTo: `mnt:${mine.path}` };
    return { state: 'ours', holders: mountsOn(entries, mine).map(carried), ...moved };
  }
  const renamed = await underAnotherName(host, entries, made, known);
  if (renamed !== undefined)
    return { state: 'not-ours', found: `a directory above ${made.path} was renamed: ${describe(renamed)}` };
  const there = mountsAt(entries, made.path).at(-1);
  if (there !== undefined)
    return { state: 'not-ours', found: `${describe(there)} is not the mount of this sequence` };
  const left = made.private && (await host.stat(made.path)) !== undefined;
  return { state: left ? 'ours' : 'gone' };
}

/**
 * Returns the mount with the ID of the step's mount at another path. If a directory above a mount is
 * renamed, the tag keeps the old path. It also keeps it after an umount at the new path, and another
 * mount can get the same ID: so this is no proof.
 */
async function underAnotherName(
  host: ReadHost,
  entries: readonly MountEntry[],
  made: Made,
  known: Known | undefined,
): Promise<MountEntry | undefined> {
  const other = entries.find(({ id, path }) => id === known?.mountId && path !== made.path);
  if (other === undefined || !(await isMarked(host, made))) return undefined;
  return (await candidatesOf(host, entries, { ...made, path: other.path })).find(({ id }) => id === other.id);
}

/** Unmounts the step's mount, and removes its directory if the step created it. */
export async function takeAway(host: ChangeHost, made: Made, known: Known | undefined): Promise<void> {
  const { mine } = await survey(host, made, known);
  if (mine !== undefined) await unmount(host, mine);
  // Removed last, because its name is the tag. rmdir fails, as intended, if the directory is not
  // empty.
  if (made.private && (await host.stat(made.path)) !== undefined) await host.removeDir(made.path);
}

function carried(entry: MountEntry): Holder {
  return { ...describeMount(entry), words: describe(entry) };
}

/** Checks that the new mount is in the kernel's table, with the device and the tag. */
async function confirm(host: ChangeHost, wanted: Made, before: ReadonlySet<number>): Promise<MountEntry> {
  const isNew = ({ id }: MountEntry): boolean => !before.has(id);
  const entries = await mountEntries(host);
  const [made, ...others] = mountsAt(entries, wanted.path).filter(isNew);
  const candidates = await candidatesOf(host, entries, wanted);
  const found = made !== undefined && others.length === 0 && candidates.includes(made);
  if (found && (wanted.private || (await isMarked(host, wanted)))) return made;
  // The undo would not recognize it, so it is unmounted here, where it is known to belong to the
  // step.
  if (made !== undefined && others.length === 0) await unmount(host, made);
  const argv = [wanted.device, wanted.path];
  const what = 'reported success, but the mount is not there, or does not have the marker of this step';
  throw new CommandError({ tool: 'mount', argv, reason: 'unknown', what });
}

async function freeDirectory(host: ReadHost, path: string, hides: true | undefined): Promise<string> {
  const real = await realPath(host, path);
  const there = mountsAt(await mountEntries(host), real).at(-1);
  if (there === undefined) return hides === true ? ownDirectory(host, real) : emptyDirectory(host, real);
  throw new RefusedError(`${path} is in use: ${describe(there)}`, {
    code: 'in-use',
    remedy: `unmount it: umount ${inShell(path)}; or choose another mount point`,
  });
}
