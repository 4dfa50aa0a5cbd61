import * as driver from '../mount/index.ts';
import type { MountEntry } from '../blockdevice/index.ts';
import { currentBofh, inOwnSequence, apart, atomic, outsideSequence, renewWitnesses } from '../bofh.ts';
import type { Tx } from '../operations.ts';
import { present } from '../core/present.ts';
import { naming } from '../core/checks.ts';
import { isWithin } from '../blockdevice/path.ts';
import { InterruptedError, RolledBackError } from '../core/errors.ts';

export type { MountEntry } from '../blockdevice/index.ts';
export type { CrypttabLine, FstabLine, Table, UnreadLine } from '../mount/index.ts';

/** Returns every mount of this host. */
export async function mounts(): Promise<readonly MountEntry[]> {
  return driver.mounts(currentBofh().host);
}

/** Returns whether a directory is a mount point. */
export async function isMountpoint(path: string): Promise<boolean> {
  return naming('mount.isMountpoint', { path }, () => driver.isMountpoint(currentBofh().host, path));
}

/**
 * Mounts a filesystem in a sequence of its own. It stays mounted until it is unmounted or the host
 * reboots.
 */
export const mount = inOwnSequence('mount', 'mount');

/**
 * Bind-mounts a directory in a sequence of its own. It stays mounted until it is unmounted or the
 * host reboots.
 */
export const bind = inOwnSequence('mount', 'bind');

/** Unmounts an unused mount, never lazily, in a sequence of its own. */
export const unmount = inOwnSequence('mount', 'unmount');

/** Returns the lines of /etc/fstab, or of the fstab file at `path`. */
export async function fstab(path?: string): Promise<driver.Table<driver.FstabLine>> {
  return naming('mount.fstab', present({ path }), () => driver.fstab(currentBofh().host, path));
}

/**
 * Returns the lines of /etc/crypttab, or of the crypttab file at `path`; none if the file does not
 * exist.
 */
export async function crypttab(path?: string): Promise<driver.Table<driver.CrypttabLine>> {
  return naming('mount.crypttab', present({ path }), () => driver.crypttab(currentBofh().host, path));
}

/** Adds a line to /etc/fstab in a sequence of its own. */
export const addFstab = inOwnSequence('mount', 'addFstab');

/** Changes the line of a mount point in /etc/fstab in a sequence of its own. */
export const changeFstab = inOwnSequence('mount', 'changeFstab');

/** Removes the line of a mount point from /etc/fstab in a sequence of its own. */
export const removeFstab = inOwnSequence('mount', 'removeFstab');

/** Adds a line to /etc/crypttab in a sequence of its own. */
export const addCrypttab = inOwnSequence('mount', 'addCrypttab');

/** Changes the line of a mapping in /etc/crypttab in a sequence of its own. */
export const changeCrypttab = inOwnSequence('mount', 'changeCrypttab');

/** Removes the line of a mapping from /etc/crypttab in a sequence of its own. */
export const removeCrypttab = inOwnSequence('mount', 'removeCrypttab');

/** A temporary mount: a filesystem, or a bind mount of a directory (default mode: rw). */
export type MountedRequest =
  | (Omit<Parameters<Tx['mount']['mount']>[0], 'mode'> & { readonly mode?: 'ro' | 'rw' })
  | {
      readonly bind: string;
      readonly path?: string;
      readonly mode?: 'ro' | 'rw';
      readonly options?: driver.MountOptions;
    };

/**
 * A scoped mount: `await new Mounted('/dev/sda1').with(async (path) => …)`, or `await using m = await new
 * Mounted({ device, path }).mount()`. The mount is a sequence of its own, so recovery unmounts it after a
 * crash. The work of the body is not part of that sequence.
 */
export class Mounted {
  readonly #request: MountedRequest;

  /** Creates the request; a device without options is mounted read-write on a private directory. */
  constructor(request: string | MountedRequest) {
    this.#request = typeof request === 'string' ? { device: request } : request;
  }

  /**
   * Mounts while the body runs and unmounts when it ends, even if it fails. Returns what the body
   * returns.
   */
  async with<T>(body: (path: string) => Promise<T>): Promise<T> {
    const request = this.#request;
    const what = 'bind' in request ? request.bind : request.device;
    return mountedFor(`mount ${what}`, (tx) => openOne(tx, request), body);
  }

  /** Mounts until `release()` is called, or the `await using` block ends. */
  async mount(): Promise<driver.HeldMount> {
    return driver.untilReleased((body) => this.with(body));
  }
}

/**
 * A tree of scoped mounts: a list of devices and mount points, or a root whose fstab lists them. Parents are
 * mounted first. If one fails, the mounts before it are unmounted and the error is thrown: the body never
 * runs on a partial tree.
 */
export class NestedMounted {
  readonly #tree: readonly driver.TreeMount[] | driver.RootTree;

  /** Creates the request. Throws UsageError for an empty list or two mounts on one path. */
  constructor(tree: readonly driver.TreeMount[] | driver.RootTree) {
    this.#tree = isList(tree) ? driver.inOrder(tree) : tree;
  }

  /** Mounts the tree while the body runs. The body gets the path of the first mount, the root. */
  async with<T>(body: (root: string) => Promise<T>): Promise<T> {
    const tree = this.#tree;
    const what = isList(tree) ? (tree[0]?.path ?? '') : tree.device;
    return mountedFor(`mount the tree of ${what}`, (tx) => openTree(tx, tree), body);
  }

  /** Mounts until `release()` is called, or the `await using` block ends. */
  async mount(): Promise<driver.HeldMount> {
    return driver.untilReleased((body) => this.with(body));
  }
}

/**
 * A pool of mount points, each used by one caller at a time. Every mount is a sequence of its own, so
 * recovery unmounts it after a crash; the work of the body is not part of that sequence.
 */
export class MountPool extends driver.MountPool {
  constructor(paths: readonly string[]) {
    super(paths, {
      isMountpoint,
      run: (request, body) => mountedFor(`mount ${request.device}`, (tx) => openOne(tx, request), body),
    });
  }
}

async function openOne(tx: Tx, request: MountedRequest | driver.PlacedRequest): Promise<string> {
  const { mode = 'rw', path, options } = request;
  const where = { mode, ...present({ path, options }) };
  if ('bind' in request) return (await tx.temporary.mount.bind({ source: request.bind, ...where })).path;
  const { device, type } = request;
  const mounted = await tx.temporary.mount.mount({ device, ...where, ...present({ type }) });
  return mounted.path;
}

async function openTree(tx: Tx, tree: readonly driver.TreeMount[] | driver.RootTree): Promise<string> {
  if (isList(tree)) return openList(tx, tree);
  const { device, path, mode = 'rw' } = tree;
  const root = await openOne(tx, { device, mode, ...present({ path }) });
  const { host } = currentBofh();
  for (const each of await driver.mountsOfRoot(host, tree, root))
    await openOne(tx, { mode, ...each, path: await driver.directoryBeneath(host, root, each.path) });
  return root;
}

/**
 * Mounts the list in its order, and returns the path of the first mount. A path below another mount
 * of the list is resolved inside that mount, so that no symbolic link leads out of it.
 */
async function openList(tx: Tx, tree: readonly driver.TreeMount[]): Promise<string> {
  const { host } = currentBofh();
  const opened = new Map<string, string>();
  for (const each of tree) {
    const over = [...opened.keys()].findLast((path) => isWithin(each.path, path));
    const inside = over === undefined ? undefined : opened.get(over);
    const path =
      over === undefined || inside === undefined
        ? each.path
        : await driver.directoryBeneath(host, inside, each.path.slice(over.length));
    opened.set(each.path, await openOne(tx, { mode: 'rw', ...each, path }));
  }
  return [...opened.values()][0] ?? '';
}

function isList(tree: readonly driver.TreeMount[] | driver.RootTree): tree is readonly driver.TreeMount[] {
  return Array.isArray(tree);
}

/**
 * Mounts while a body runs, in a sequence of temporary steps that is always undone at the end.
 *
 * An error of the body is thrown unchanged if the mount is undone; otherwise the error of the undo is thrown.
 */
async function mountedFor<T>(
  name: string,
  open: (tx: Tx) => Promise<string>,
  body: (path: string) => Promise<T>,
): Promise<T> {
  const outside = outsideSequence();
  let failed: { readonly error: unknown } | undefined;
  const within = async (path: string): Promise<T> => {
    try {
      return await outside(() => body(path));
    } catch (error) {
      failed = { error };
      throw error;
    } finally {
      // What the body wrote belongs to the outer sequence.
      await outside(renewWitnesses);
    }
  };
  try {
    return await apart(() => atomic(name, async (tx) => within(await open(tx))));
  } catch (error) {
    const isUndone =
      error instanceof InterruptedError ||
      (error instanceof RolledBackError && error.leftUntouched.length === 0);
    if (failed !== undefined && isUndone) throw failed.error;
    throw error;
  }
}
