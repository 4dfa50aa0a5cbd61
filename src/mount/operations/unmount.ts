import * as z from 'zod/mini';
import { type Look, operation } from '../../atomic/operation.ts';
import {
  identityOf,
  inWords,
  locate,
  mountEntries,
  type MountEntry,
  mountHolders,
  numberAt,
  refuseGuests,
  remedyFor,
} from '../../blockdevice/index.ts';
import { type ChangeHost, inShell, orMissing, type ReadHost, textOf } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { bindMount, mount as mountCommand } from '../commands.ts';
import { isOf } from '../step-mount.ts';
import { isPrivate, realPath } from '../paths.ts';
import { againOption, describe, mountOver, mountsAt, userEntries } from '../table.ts';
import { unmount as unmountIt } from '../unmount.ts';
import { posix } from 'node:path';
import { isWithin } from '../../blockdevice/path.ts';

const args = z.strictObject({
  /** The mount point; if it has several mounts, the topmost one. */
  path: z.string(),
  /** ID of the mount, as in /proc/self/mountinfo. Refused if the mount is another one. */
  mountId: z.exactOptional(z.int()),
});

const undo = z.strictObject({
  path: z.string(),
  mountId: z.int(),
  /** The boot: mounts and their IDs mean nothing in another one. */
  boot: z.string(),
  mark: z.string(),
  /** `major:minor` of the filesystem, and its mounted directory. */
  number: z.string(),
  root: z.string(),
  /** The parent mount. */
  parent: z.int(),
  type: z.string(),
  source: z.string(),
  mode: z.enum(['ro', 'rw']),
  /** The options with which mount(8) mounts it again in the same way. */
  options: z.readonly(z.array(z.string())),
  /** The mounted device; undefined: another mount of the filesystem shows it. */
  device: z.exactOptional(z.strictObject({ path: z.string(), identity: z.string() })),
  /** The path in that other mount. */
  shown: z.exactOptional(z.string()),
});

type Undo = z.infer<typeof undo>;

/**
 * `tx.mount.unmount`: unmounts one mount, never lazily, and only if it can be mounted again: a
 * filesystem on a device, or a directory of one that is also mounted elsewhere.
 *
 * The state itself proves the step: the mount with that ID is gone and nothing is in its place.
 * Undo mounts the same source, root and options there. The mount ID is new, so a mount of bofh gets
 * the option `x-bofh.again`, by which an older step recognizes it. A private directory of bofh is
 * removed after the commit, if it is empty.
 */
export const unmount = operation({
  kind: 'mount.unmount',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'boot',
  restores: 'state',
  prepare: async ({ args: { path, mountId }, mark, host }) => {
    const entries = await mountEntries(host);
    const entry = await topmost(host, entries, path);
    if (mountId !== undefined && mountId !== entry.id)
      throw new RefusedError(`${path} has another mount now: ${describe(entry)}, not mount ${mountId}`, {
        remedy: `see what is mounted there: findmnt ${inShell(path)}`,
      });
    await refuseHeld(host, entry);
    const { boot } = await host.facts();
    return { mark, boot, ...(await neededToRemount(host, entries, entry)) };
  },
  claims: async ({ undo: { path, device }, on }) => {
    if (device === undefined) return { changes: [`mnt:${path}`] };
    const { key, beneath } = await on(device.path);
    return { changes: [`mnt:${path}`, key], needs: beneath };
  },
  run: async ({ undo: of, host }) => {
    const entry = (await mountEntries(host)).find((each) => isIt(each, of));
    if (entry === undefined)
      throw new RefusedError(`${of.source} is not mounted on ${of.path} any more; nothing was done`, {
        remedy: 'see what is mounted: bofh mount list; then run the command again',
      });
    await unmountIt(host, entry);
    return null;
  },
  value: ({ undo: { path, source } }) => ({ path, source }),
  look: ({ undo: of, host }) => look(host, of),
  revert: ({ undo: of, host }) => mountAgain(host, of),
  defers: () => false,
  after: ({ undo: { path } }) => isPrivate(path),
  afterCommit: async ({ undo: of, host }) => {
    if ((await look(host, of)).state === 'ours') await host.removeDir(of.path);
  },
  describe: ({ undo: of, way }) => ({
    what: `the mount of ${of.source} on ${of.path} (it was mount ${of.mountId}), which is unmounted`,
    look: [
      ['findmnt', '--output', 'ID,TARGET,SOURCE,OPTIONS', '--mountpoint', of.path],
      ['findmnt', '--source', of.source],
    ],
    clear: [way === 'forward' ? ['rmdir', of.path] : manualRecovery(of)],
  }),
});

async function topmost(host: ReadHost, entries: readonly MountEntry[], path: string): Promise<MountEntry> {
  const real = await orMissing(realPath(host, path));
  if (real === undefined) throw nothingOn(`${path}: there is no such directory`, { code: 'not-found' });
  // Before any other check, because in a chroot nothing is mounted on the root.
  refuseSystem(real);
  const there = mountsAt(entries, real);
  const over = mountOver(entries, real);
  const entry = there.find(({ id }) => id === over?.id);
  if (entry !== undefined) return entry;
  const node = (await host.stat(real))?.node;
  const last = node === undefined ? undefined : await lastOf(host, entries, node);
  if (last !== undefined)
    throw new RefusedError(`${path} is a device, and mounted on ${last.path}`, {
      remedy: `name the mount point: bofh mount remove ${inShell(last.path)}`,
    });
  if (there.length === 0) throw nothingOn(path);
  throw new RefusedError(`the mount on ${path} is hidden by another one`, { remedy: listed });
}

/** Returns the newest mount of a device, given by its number. */
async function lastOf(
  host: ReadHost,
  entries: readonly MountEntry[],
  number: string,
): Promise<MountEntry | undefined> {
  for (const entry of entries.toReversed()) if (await isOf(host, entry, number)) return entry;
  return undefined;
}

const listed = 'see every mount: bofh mount list';

function nothingOn(path: string, more: { readonly code?: 'not-found' } = {}): RefusedError {
  return new RefusedError(`nothing is mounted on ${path}`, { remedy: listed, ...more });
}

/** Refuses to unmount a filesystem that every program of this host uses. */
function refuseSystem(path: string): void {
  if (!['/', '/usr', '/proc', '/sys', '/dev', '/run'].includes(path)) return;
  const what = path === '/' ? 'the root of this host' : `${path} of this host`;
  throw new RefusedError(`${what} cannot be unmounted`, { remedy: 'see the other mounts: bofh mount list' });
}

/**
 * RefusedError that names the holders, before anything changes. What could not be checked is left
 * to umount(2) itself.
 */
async function refuseHeld(host: ReadHost, entry: MountEntry): Promise<void> {
  const held = (await mountHolders(host, entry)).filter(({ kind }) => kind !== 'unknown');
  if (held.length > 0)
    throw new RefusedError(`${describe(entry)} is in use: ${inWords(held)}`, {
      holders: held,
      remedy: remedyFor(held),
    });
}

/** Returns everything needed to mount it again. RefusedError if that is impossible. */
async function neededToRemount(
  host: ReadHost,
  entries: readonly MountEntry[],
  entry: MountEntry,
): Promise<Omit<Undo, 'mark' | 'boot'>> {
  const { id, path, parent, device: number, root, type, source } = entry;
  const mode = modeOf(entry);
  const isReadOnly = mode === 'ro';
  const known = { path, mountId: id, number, root, parent, type, source, mode };
  const own = (await userEntries(host)).findLast((each) => each.path === path)?.options ?? [];
  const user = own.filter((option) => !option.startsWith('x-bofh.again='));
  const device = await deviceBehind(host, entry);
  const flags = entry.options.split(',').filter((word) => word !== 'ro' && word !== 'rw');
  if (device !== undefined && isReadOnly === entry.superOptions.split(',').includes('ro')) {
    await refuseLeaving(host, entry);
    const { identity } = await identityOf(host, device);
    // SELinux shows this option and does not accept it.
    const ofFilesystem = entry.superOptions
      .split(',')
      .filter((word) => !['ro', 'rw', 'seclabel'].includes(word) && !flags.includes(word));
    return { ...known, options: [...flags, ...ofFilesystem, ...user], device: { path: device, identity } };
  }
  const others = entries.filter((each) => each.id !== id);
  const shown = shownBy(others, { number, root });
  if (shown === undefined)
    throw new RefusedError(
      `an undo could not mount ${describe(entry)} (${type}) again: it can mount only filesystems on devices, and bind mounts of directories whose filesystem is also mounted elsewhere`,
      { remedy: `if no undo is needed: umount ${inShell(path)}` },
    );
  return { ...known, options: [...flags, ...user], shown };
}

/** RefusedError for a loop device that mount(8) created, because it is removed with its mount. */
async function refuseLeaving(host: ReadHost, { device, source, path }: MountEntry): Promise<void> {
  if ((await textOf(host, `/sys/dev/block/${device}/loop/autoclear`))?.trim() !== '1') return;
  throw new RefusedError(
    `the kernel detaches the loop device ${source} when ${path} is unmounted, so an undo could not mount it again`,
    { remedy: `if no undo is needed: umount ${inShell(path)}` },
  );
}

function isIt({ id, path, device, root }: MountEntry, of: Undo): boolean {
  return id === of.mountId && path === of.path && device === of.number && root === of.root;
}

/**
 * Returns what is mounted there: the mount itself, or the same again, whoever mounted it; something
 * else; or nothing, because the step ran.
 */
async function look(host: ReadHost, of: Undo): Promise<Look> {
  if ((await host.facts()).boot !== of.boot) return { state: 'gone' };
  const entries = await mountEntries(host);
  const there = entries.find((entry) => isIt(entry, of)) ?? mountsAt(entries, of.path).at(-1);
  // If it was the second mount at its path, its parent was there before.
  if (there === undefined || there.id === of.parent)
    return isPrivate(of.path) ? lookAtPrivate(host, of.path) : { state: 'ours' };
  if (!isIt(there, of) && !(await isSameAgain(host, there, of)))
    return { state: 'not-ours', found: `${describe(there)} is mounted there now` };
  if (modeOf(there) === of.mode) return { state: 'gone' };
  return { state: 'not-ours', found: `${describe(there)} is there again, but ${modeOf(there)}` };
}

/** Returns the state of a private directory on which nothing is mounted. */
async function lookAtPrivate(host: ReadHost, path: string): Promise<Look> {
  if ((await host.stat(path)) === undefined) return { state: 'gone' };
  const names = await host.readDir(path);
  return names.length === 0 ? { state: 'ours' } : { state: 'not-ours', found: `${path} is not empty` };
}

async function isSameAgain(host: ReadHost, there: MountEntry, of: Undo): Promise<boolean> {
  if (there.root !== of.root) return false;
  if (there.device === of.number) return true;
  // A btrfs gets another device number each time.
  const device = of.device === undefined ? undefined : await locate(host, of.device);
  const number = device === undefined ? undefined : await numberAt(host, device);
  return number !== undefined && isOf(host, there, number);
}

async function mountAgain(host: ChangeHost, of: Undo): Promise<void> {
  if ((await look(host, of)).state !== 'ours') return;
  const { path, mode, type } = of;
  // mount(8) follows a symbolic link.
  const real = await realPath(host, path);
  if (real !== path)
    throw new RefusedError(`${path} leads to ${real} now, so ${of.source} was not mounted again`, {
      remedy: `see its symbolic links: namei ${inShell(path)}; move the link away, and create the directory: mkdir --parents ${inShell(path)}; then: bofh recover`,
    });
  // The mount ID, by which an older step would recognize it, has changed.
  const isOurs = of.options.some((option) => option.startsWith('x-bofh.mark='));
  const options = [...of.options, ...(isOurs ? [againOption(of.mark)] : [])];
  if (of.device !== undefined) {
    const device = await locate(host, of.device);
    if (device === undefined)
      throw new RefusedError(`${of.device.path}, which was mounted on ${path}, is gone`, {
        remedy: 'there is nothing to mount; close the journal: bofh recover --abandon ID --because "…"',
      });
    await refuseGuests(host, device, mode);
    await host.run(mountCommand({ device, path, mode, type, options }));
    return;
  }
  const shown = shownBy(await mountEntries(host), { number: of.number, root: of.root });
  if (shown === undefined)
    throw new RefusedError(
      `${of.source} is mounted nowhere any more, so it cannot be bind-mounted on ${path}`,
      {
        remedy: `mount ${of.source}; then: bofh recover`,
      },
    );
  await host.run(bindMount({ source: shown, path, mode, options }));
}

function manualRecovery({ path, mode, type, options, device, shown }: Undo): readonly string[] {
  const words = [mode, ...(device === undefined ? ['bind'] : []), ...options].join(',');
  const types = device === undefined ? [] : ['--types', type];
  return ['mount', ...types, '--options', words, '--source', device?.path ?? shown ?? '', '--target', path];
}

function modeOf({ options }: MountEntry): 'ro' | 'rw' {
  return options.split(',').includes('ro') ? 'ro' : 'rw';
}

/**
 * Returns the device from which exactly this mount could be mounted again; undefined if there is
 * none: a directory of a filesystem, or one without a device (tmpfs, NFS, FUSE).
 */
async function deviceBehind(host: ReadHost, entry: MountEntry): Promise<string | undefined> {
  if (entry.type.startsWith('fuse') || entry.root !== rootOfDevice(entry)) return undefined;
  const named = entry.source.startsWith('/') ? await numberAt(host, entry.source) : undefined;
  if (named !== undefined && (await isOf(host, entry, named))) return entry.source;
  // The source is free text: the kernel calls the first root /dev/root, which is not a device node.
  const link = await orMissing(host.readLink(`/sys/dev/block/${entry.device}`));
  if (link === undefined) return undefined;
  const node = `/dev/${posix.basename(link)}`;
  return (await numberAt(host, node)) === entry.device ? node : undefined;
}

/**
 * Returns which root a mount of the device shows: the subvolume that btrfs names in the options,
 * otherwise the top.
 */
function rootOfDevice({ type, superOptions }: MountEntry): string {
  if (type !== 'btrfs') return '/';
  return /(?:^|,)subvol=(?<path>[^,]+)/.exec(superOptions)?.groups?.path ?? '/';
}

/** Returns the directory through which a visible mount shows this directory of a filesystem. */
function shownBy(
  entries: readonly MountEntry[],
  { number, root }: { readonly number: string; readonly root: string },
): string | undefined {
  const places = entries
    .filter((entry) => entry.device === number && isWithin(root, entry.root))
    .map((entry) => ({ id: entry.id, path: posix.join(entry.path, posix.relative(entry.root, root)) }));
  return places.find(({ id, path }) => mountOver(entries, path)?.id === id)?.path;
}
