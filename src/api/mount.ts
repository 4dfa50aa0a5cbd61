import type { MountEntry } from '../blockdevice/index.ts';
import { currentBofh, once } from '../bofh.ts';
import * as driver from '../mount/index.ts';
import type { Tx } from '../operations.ts';
import { mountedFor } from './mounted-for.ts';

export type { MountEntry } from '../blockdevice/index.ts';
export type { CrypttabLine, FstabLine, Table, UnreadLine } from '../mount/index.ts';

/** Every mount of this host. */
export async function mounts(): Promise<readonly MountEntry[]> {
  return driver.mounts(currentBofh().host);
}

/** Is something mounted on this directory? */
export async function isMountpoint(path: string): Promise<boolean> {
  return driver.isMountpoint(currentBofh().host, path);
}

/** Mounts a filesystem, to stay: a sequence of one. */
export const mount = once('mount', 'mount');

/** Shows a directory at another place too, to stay: a sequence of one. */
export const bind = once('mount', 'bind');

/** Takes a mount away that nobody uses, never lazily: a sequence of one. */
export const unmount = once('mount', 'unmount');

/** The lines of /etc/fstab, or of the one of another system. */
export async function fstab(path?: string): Promise<driver.Table<driver.FstabLine>> {
  return driver.fstab(currentBofh().host, path);
}

/** The lines of /etc/crypttab, or of the one of another system; none when it is not there. */
export async function crypttab(path?: string): Promise<driver.Table<driver.CrypttabLine>> {
  return driver.crypttab(currentBofh().host, path);
}

/** Adds a line to /etc/fstab: a sequence of one. */
export const addFstab = once('mount', 'addFstab');

/** Changes the line of a place in /etc/fstab: a sequence of one. */
export const changeFstab = once('mount', 'changeFstab');

/** Takes the line of a place out of /etc/fstab: a sequence of one. */
export const removeFstab = once('mount', 'removeFstab');

/** Adds a line to /etc/crypttab: a sequence of one. */
export const addCrypttab = once('mount', 'addCrypttab');

/** Changes the line of a mapping in /etc/crypttab: a sequence of one. */
export const changeCrypttab = once('mount', 'changeCrypttab');

/** Takes the line of a mapping out of /etc/crypttab: a sequence of one. */
export const removeCrypttab = once('mount', 'removeCrypttab');

/** What is mounted for a while: a filesystem, or a directory that is shown at another place; for writing unless said otherwise. */
export type MountedRequest =
  | (Omit<Parameters<Tx['mount']['mount']>[0], 'mode'> & { readonly mode?: 'ro' | 'rw' })
  | {
      readonly bind: string;
      readonly path?: string;
      readonly mode?: 'ro' | 'rw';
      readonly options?: driver.MountOptions;
    };

/**
 * One mount, for a while: `await new Mounted('/dev/sda1').with(async (path) => …)`, or `await using m = await new
 * Mounted({ device, path }).mount()`. It is a sequence of its own, so that a crash in between is recovered; what is done
 * with it meanwhile is not part of it.
 */
export class Mounted {
  readonly #request: MountedRequest;

  /** A device by itself is mounted read-write on a private directory. */
  constructor(request: string | MountedRequest) {
    this.#request = typeof request === 'string' ? { device: request } : request;
  }

  /** Mounts it for as long as the body runs, and unmounts it at its end, whatever that is. */
  async with<T>(body: (path: string) => Promise<T>): Promise<T> {
    const request = this.#request;
    const what = 'bind' in request ? request.bind : request.device;
    return mountedFor(`mount ${what}`, (tx) => openOne(tx, request), body);
  }

  /** The same, until `release()`. */
  async mount(): Promise<driver.HeldMount> {
    return driver.untilReleased((body) => this.with(body));
  }
}

/**
 * A tree of mounts, for a while: a list of devices and places, or a root whose fstab says what belongs to it. What is
 * less deep is mounted first. When one fails, those before it are taken away again and its error is thrown: the body never
 * sees half a tree.
 */
export class NestedMounted {
  readonly #tree: readonly driver.TreeMount[] | driver.RootTree;

  /** UsageError for an empty list, or two mounts at one place. */
  constructor(tree: readonly driver.TreeMount[] | driver.RootTree) {
    this.#tree = isList(tree) ? driver.inOrder(tree) : tree;
  }

  /** Mounts all of it for as long as the body runs, which gets the path of the first: the root. */
  async with<T>(body: (root: string) => Promise<T>): Promise<T> {
    const tree = this.#tree;
    const what = isList(tree) ? (tree[0]?.path ?? '') : tree.device;
    return mountedFor(`mount the tree of ${what}`, (tx) => openTree(tx, tree), body);
  }

  /** The same, until `release()`. */
  async mount(): Promise<driver.HeldMount> {
    return driver.untilReleased((body) => this.with(body));
  }
}

/**
 * Directories to mount on, each handed out to one user at a time. Every mount is a sequence of its own, so that a
 * crash in between is recovered; what the body does is not part of it.
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
  const where = {
    mode,
    ...(path === undefined ? {} : { path }),
    ...(options === undefined ? {} : { options }),
  };
  if ('bind' in request) return (await tx.temporary.mount.bind({ source: request.bind, ...where })).path;
  const { device, type } = request;
  const mounted = await tx.temporary.mount.mount({
    device,
    ...where,
    ...(type === undefined ? {} : { type }),
  });
  return mounted.path;
}

async function openTree(tx: Tx, tree: readonly driver.TreeMount[] | driver.RootTree): Promise<string> {
  if (isList(tree)) return openList(tx, tree);
  const { device, path, mode = 'rw' } = tree;
  const root = await openOne(tx, { device, mode, ...(path === undefined ? {} : { path }) });
  const { host } = currentBofh();
  for (const each of await driver.mountsOfRoot(host, tree, root))
    await openOne(tx, { mode, ...each, path: await driver.directoryBeneath(host, root, each.path) });
  return root;
}

/** What lies within a mount of the same tree is looked for there, where a symbolic link may not lead out of it. */
async function openList(tx: Tx, tree: readonly driver.TreeMount[]): Promise<string> {
  const { host } = currentBofh();
  const opened = new Map<string, string>();
  for (const each of tree) {
    const over = [...opened.keys()].findLast((path) => driver.isWithin(each.path, path));
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
