import { posix } from 'node:path';
import { deviceNode } from '../blockdevice/index.ts';
import { orMissing, type ReadHost } from '../command/index.ts';
import { RefusedError, UsageError } from '../core/errors.ts';
import { mountOptions, type MountOptions } from './options.ts';
import { directoryBeneath } from './paths.ts';
import { unreadLine } from './tab/fields.ts';
import { type FstabLine, parseFstab } from './tab/fstab.ts';

/** One mount of a tree. */
export interface TreeMount {
  /** A device, a link to one, or `UUID=…`. */
  readonly device: string;
  readonly path: string;
  /** Access mode (default: rw). */
  readonly mode?: 'ro' | 'rw';
  readonly type?: string;
  readonly options?: MountOptions;
}

/** A root filesystem whose own fstab lists its other mounts. */
export interface RootTree {
  readonly device: string;
  /** Mount point of its root (default: a new private directory). */
  readonly path?: string;
  /** Mode of all mounts (default: rw); a line with `ro` is always read-only. */
  readonly mode?: 'ro' | 'rw';
  /** Path of the fstab in the tree (default: /etc/fstab). */
  readonly fstab?: string;
  /** Names on this host for devices in the fstab: `{ '/dev/xvda2': '/dev/vg0/web1-home' }`. */
  readonly devices?: Readonly<Record<string, string>>;
}

/**
 * Sorts mounts, deeper ones later. UsageError for two mounts at one path, for none, and for a path
 * that is not absolute.
 */
export function inOrder(mounts: readonly TreeMount[]): readonly TreeMount[] {
  if (mounts.length === 0) throw new UsageError('a tree of mounts needs at least one');
  const whole = mounts.map((mount) => ({ ...mount, path: normal(mount.path) }));
  const twice = whole.find(({ path }, at) => whole.findIndex((other) => other.path === path) !== at);
  if (twice !== undefined) throw new UsageError(`two mounts of the tree have the mount point ${twice.path}`);
  return whole.toSorted((one, other) => depth(one.path) - depth(other.path));
}

/**
 * Returns the mounts in the fstab of a mounted root, in order: filesystems on devices. Leaves out
 * `noauto` ones, shares, kernel filesystems, and missing ones with `nofail`.
 */
export async function mountsOfRoot(
  host: ReadHost,
  tree: RootTree,
  root: string,
): Promise<readonly TreeMount[]> {
  const name = tree.fstab ?? '/etc/fstab';
  const file = posix.join(await directoryBeneath(host, root, posix.dirname(name)), posix.basename(name));
  const kind = (await host.stat(file))?.kind;
  if (kind !== 'file')
    throw new RefusedError(
      `${file} is ${kind === undefined ? 'missing' : `a ${kind}`}: the other mounts of this root are unknown`,
      {
        remedy: 'name the fstab of the tree, or pass a list of the mounts instead of the device of the root',
      },
    );
  const { devices = {}, mode } = tree;
  return mountsInFstab(Buffer.from(await host.readFile(file)).toString('latin1'), {
    ...{ file, mode: mode ?? 'rw' },
    deviceOf: async ({ source, options }) => {
      const { [source]: named } = devices;
      if (named === undefined && options.includes('nofail') && !(await isThere(host, source)))
        return undefined;
      return named ?? source;
    },
  });
}

/**
 * Returns the same mounts from the text of an fstab, one character per byte. `deviceOf` returns the
 * device of a line on this host; undefined: it is not mounted.
 */
export async function mountsInFstab(
  content: string,
  {
    file,
    mode,
    deviceOf,
  }: {
    readonly file: string;
    readonly mode: 'ro' | 'rw';
    readonly deviceOf: (line: FstabLine) => Promise<string | undefined> | string | undefined;
  },
): Promise<readonly TreeMount[]> {
  const found: TreeMount[] = [];
  const { lines, unread } = parseFstab(content);
  // An ignored line would mean a missing mount.
  if (unread[0] !== undefined) throw unreadLine(file, unread[0]);
  for (const line of lines) {
    if (!isOfTree(line)) continue;
    const device = await deviceOf(line);
    if (device === undefined) continue;
    refuseOdd(line, file);
    found.push({
      device,
      path: normal(line.target),
      mode: mode === 'ro' || line.options.includes('ro') ? 'ro' : 'rw',
      ...(line.type === 'auto' ? {} : { type: line.type }),
      options: line.options.filter(isForKernel),
    });
  }
  return found.length === 0 ? [] : inOrder(found);
}

const reference = /^(?:\/dev\/|UUID=|LABEL=|PARTUUID=|PARTLABEL=|ID=)/;

/**
 * Whether a line is one of the mounts. Not the root: the caller, who knows its name on this host,
 * has already mounted it.
 */
function isOfTree({ source, target, type, options }: FstabLine): boolean {
  return (
    target.startsWith('/') &&
    normal(target) !== '/' &&
    type !== 'swap' &&
    reference.test(source) &&
    !options.includes('noauto')
  );
}

/**
 * Whether the device of a line exists. Resolves the source as the mount itself will do it: an
 * unknown device is not the same as a missing one.
 */
async function isThere(host: ReadHost, source: string): Promise<boolean> {
  return (await orMissing(deviceNode(host, source))) !== undefined;
}

// Options for libmount, systemd and mount(8) itself; read-only is separate.
const forUserSpace =
  /^(?:defaults|auto|noauto|nofail|user|nouser|users|owner|group|_netdev|rw|ro|comment=.*|[xX]-.*)$/;

function isForKernel(option: string): boolean {
  if (forUserSpace.test(option)) return false;
  const { success } = mountOptions.safeParse([option]);
  if (!success)
    throw new RefusedError(
      `the fstab of the tree has the mount option ${option}, which bofh does not allow`,
      {
        remedy: 'pass a list of the mounts instead of the device of the root',
      },
    );
  return true;
}

function refuseOdd({ odd, number }: FstabLine, file: string): void {
  if (odd)
    throw new RefusedError(
      `${file}: line ${String(number)} has bytes that are not UTF-8: bofh cannot use such a path`,
      { remedy: 'pass a list of the mounts instead of the device of the root' },
    );
}

function normal(path: string): string {
  if (!path.startsWith('/')) throw new UsageError(`"${path}" is not an absolute path`);
  const short = posix.normalize(path).replace(/\/$/, '');
  return short === '' ? '/' : short;
}

function depth(path: string): number {
  return path.split('/').filter((part) => part !== '').length;
}
