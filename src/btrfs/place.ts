import { posix } from 'node:path';
import { deviceNode, type MountEntry, mountEntries, mountOver } from '../blockdevice/index.ts';
import { inShell, kindInWords, type ReadHost } from '../command/index.ts';
import { ParseError, RefusedError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { realPath } from '../mount/index.ts';

/**
 * A path on a btrfs: the filesystem, the path from its top level, and the current path on this
 * host.
 */
export interface Place {
  /** The UUID of the filesystem. */
  readonly fs: string;
  /** Path from the top level: `/` is the top level itself. */
  readonly inside: string;
  /** The current path on this host. */
  readonly path: string;
  readonly mount: MountEntry;
}

/** Returns the key of a subvolume, existing or new. */
export function subvolumeKey({ fs, inside }: Pick<Place, 'fs' | 'inside'>): string {
  return `subvol:${fs}${inside}`;
}

/** The remedy for a subvolume that is missing: a directory in its place would be none. */
export const nameSubvolume =
  'name one that exists; see them: bofh btrfs list PATH, with the mount point as PATH';

/** Returns the keys of the filesystem and of all subvolumes and directories above a place. */
export function keysAround({ fs, inside }: Pick<Place, 'fs' | 'inside'>): readonly string[] {
  const keys = [`fs:${fs}`];
  for (let at = posix.dirname(inside); at !== '/'; at = posix.dirname(at))
    keys.push(subvolumeKey({ fs, inside: at }));
  return keys;
}

/**
 * Returns the place of an existing path. Follows symbolic links. CommandError `not-found` if it is
 * missing, RefusedError if it is on another kind of filesystem.
 */
export async function placeOf(host: ReadHost, path: string, ifMissing?: string): Promise<Place> {
  const real = await realPath(host, path, ifMissing);
  const mount = theMountOver(await mountEntries(host), real);
  if (mount.type !== 'btrfs')
    throw new RefusedError(`${path} is not on btrfs but on ${mount.type} (${mount.source})`, {
      remedy: 'name a path on a mounted btrfs; see them: findmnt --types btrfs',
    });
  return { fs: await filesystemOf(host, mount), inside: pathFromTopLevel(mount, real), path: real, mount };
}

/** Returns the place of a path that may not exist yet; its parent directory must exist. */
export async function placeFor(host: ReadHost, path: string): Promise<Place> {
  const name = posix.basename(path);
  const directory = await placeOf(host, posix.dirname(path));
  const stat = await host.stat(directory.path);
  if (stat?.kind !== 'directory')
    throw new RefusedError(`${directory.path} is not a directory but ${kindInWords(stat)}`, {
      remedy: 'name the directory itself',
    });
  const real = posix.join(directory.path, name);
  // A mount point at this path hides the entry of btrfs.
  const mount = theMountOver(await mountEntries(host), real);
  if (mount.id !== directory.mount.id)
    throw new RefusedError(`${real} is a mount point (${mount.source})`, {
      remedy: `umount ${inShell(real)}`,
    });
  return { ...directory, inside: posix.join(directory.inside, name), path: real };
}

/** Returns the mounts of a filesystem in bofh's mount namespace. */
export async function mountsOf(host: ReadHost, fs: string): Promise<readonly MountEntry[]> {
  const found: MountEntry[] = [];
  const known = new Map<string, string>();
  for (const entry of await mountEntries(host)) {
    if (entry.type !== 'btrfs') continue;
    const uuid = known.get(entry.device) ?? (await filesystemOf(host, entry));
    known.set(entry.device, uuid);
    if (uuid === fs) found.push(entry);
  }
  return found;
}

/**
 * Returns the current path on this host of a path from the top level; undefined if no mount shows
 * it.
 */
export async function seenAt(
  host: ReadHost,
  { fs, inside }: Pick<Place, 'fs' | 'inside'>,
): Promise<string | undefined> {
  const entries = await mountEntries(host);
  for (const mount of await mountsOf(host, fs)) {
    const { root } = mount;
    if (inside !== root && root !== '/' && !inside.startsWith(`${root}/`)) continue;
    const rest = root === '/' ? inside : inside.slice(root.length);
    const path = rest === '/' ? mount.path : posix.join(mount.path, rest);
    if (mountOver(entries, path)?.id === mount.id) return path;
  }
  return undefined;
}

/**
 * Like `seenAt`, but throws a RefusedError, which names what to mount, if no mount shows the path.
 */
export async function reach(host: ReadHost, place: Pick<Place, 'fs' | 'inside'>): Promise<string> {
  const path = await seenAt(host, place);
  if (path !== undefined) return path;
  throw notMounted(place.fs, place.inside);
}

/**
 * Returns the root of any mounted subvolume of a filesystem: btrfs accepts it for questions about
 * the whole filesystem.
 */
export async function anyRoot(host: ReadHost, fs: string): Promise<string> {
  const entries = await mountEntries(host);
  // For a bind mount of a directory, the root of the mount is not the path of the subvolume.
  const whole = (await mountsOf(host, fs)).find(
    (mount) => subvolumeOf(mount)?.path === mount.root && mountOver(entries, mount.path)?.id === mount.id,
  );
  if (whole === undefined) throw notMounted(fs, '/');
  return whole.path;
}

/**
 * Returns every mounted btrfs by its UUID, with the root of one of its subvolumes; without a root
 * if only a directory is mounted.
 */
export async function mountedFilesystems(host: ReadHost): Promise<ReadonlyMap<string, string | undefined>> {
  const entries = await mountEntries(host);
  const found = new Map<string, string | undefined>();
  for (const mount of entries.filter(({ type }) => type === 'btrfs')) {
    const isWhole =
      subvolumeOf(mount)?.path === mount.root && mountOver(entries, mount.path)?.id === mount.id;
    const fs = await filesystemOf(host, mount);
    found.set(fs, found.get(fs) ?? (isWhole ? mount.path : undefined));
  }
  return found;
}

/** Returns the subvolume that a mount shows, fully or in part (`subvolid=256,subvol=/a b`). */
export function subvolumeOf({
  superOptions,
}: MountEntry): { readonly id: number; readonly path?: string } | undefined {
  const { id, path } =
    /(?:^|,)subvolid=(?<id>\d+)(?:,subvol=(?<path>\/.*))?$/s.exec(superOptions)?.groups ?? {};
  if (id === undefined) return undefined;
  return { id: Number(id), ...present({ path }) };
}

function notMounted(fs: string, inside: string): RefusedError {
  return new RefusedError(`no mount of the btrfs ${fs} shows ${inside}, so bofh cannot read it`, {
    remedy: `mount it, with subvolid=5 for its top level: mount -o subvolid=5 UUID=${fs} /mnt; then run the command again; or, if it was interrupted: bofh recover`,
  });
}

function theMountOver(entries: readonly MountEntry[], path: string): MountEntry {
  const mount = mountOver(entries, path);
  if (mount === undefined) throw new ParseError(`/proc/self/mountinfo has no mount over ${path}`);
  return mount;
}

function pathFromTopLevel({ root, path }: MountEntry, real: string): string {
  const rest = path === '/' ? real : real.slice(path.length);
  return posix.join(root, rest === '' ? '/' : rest).replace(/(?<=.)\/$/, '');
}

const uuidName = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Returns the UUID of a mounted btrfs: the kernel lists its devices in sysfs, and the mounted
 * device is one of them.
 */
async function filesystemOf(host: ReadHost, { source, path }: MountEntry): Promise<string> {
  const { number } = await deviceNode(host, source);
  const name = posix.basename(await host.readLink(`/sys/dev/block/${number}`));
  for (const uuid of await host.readDir('/sys/fs/btrfs')) {
    if (!uuidName.test(uuid)) continue;
    if ((await host.readDir(`/sys/fs/btrfs/${uuid}/devices`)).includes(name)) return uuid;
  }
  throw new ParseError(`the kernel lists no btrfs for ${source}, which is mounted on ${path}`);
}
