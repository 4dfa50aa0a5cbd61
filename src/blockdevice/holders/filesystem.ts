import type { ReadHost } from '../../command/index.ts';
import { CommandError, type Holder } from '../../core/errors.ts';
import { type MountEntry, mountOver } from '../mountinfo.ts';
import { kernelText } from '../node.ts';
import type { Facts } from './facts.ts';
import { describeMount } from './mounts.ts';
import { usersOf } from './processes.ts';
import type { Scan, Use } from './scan.ts';
import { exportTable } from './served.ts';
import { isWithin } from '../path.ts';

interface OnFilesystem {
  readonly numbers: ReadonlySet<string>;
  readonly mounts: readonly MountEntry[];
  /** Number of the device itself, for processes that have it open. */
  readonly node?: string;
  /** Limits the search to what is reached through this mount. */
  readonly only?: Through | undefined;
}

/** One mount of a filesystem that has other mounts too. */
export interface Through {
  readonly path: string;
  /** IDs of the mount, and of its copies in other mount namespaces. */
  readonly ids: ReadonlySet<number>;
  /** Mount namespaces without a copy of it: there, the same path leads to something else. */
  readonly unrelated: ReadonlySet<number>;
}

/**
 * Returns the users of the files of a filesystem, or of the open device: processes, swap files,
 * targets, NFS exports, overlays and mounts in it.
 */
export async function onFilesystem(
  { facts, scan }: { readonly facts: Facts; readonly scan: Scan },
  of: OnFilesystem,
): Promise<readonly Holder[]> {
  const { numbers, mounts, node, only } = of;
  const uses = scan.uses.filter(
    (use) => (use.how !== 'ns/mnt' && numbers.has(use.device)) || (node !== undefined && use.node === node),
  );
  const sockets = socketsBelow(await facts.sockets(), scan, mounts);
  const processes = await usersOf(
    facts.host,
    await reached(facts.host, [...uses, ...sockets], { scan, only }),
  );
  const all = await facts.mounts();
  const stacked = mounts.flatMap((mount) => mountsWithin(all, mount)).map(stackedMount);
  return [
    ...processes,
    ...(await swapFiles(facts, numbers, only?.path)),
    ...(await servedFiles(facts, numbers, only?.path)),
    ...(await exported(facts, mounts)),
    ...overlays(all, mounts),
    ...stacked,
  ];
}

async function reached(
  host: ReadHost,
  uses: readonly Use[],
  { scan, only }: { readonly scan: Scan; readonly only: Through | undefined },
): Promise<readonly Use[]> {
  if (only === undefined) return uses;
  const namespaces = new Map(
    scan.uses.flatMap(({ how, pid, inode }) => (how === 'ns/mnt' ? [[pid, inode]] : [])),
  );
  const found: Use[] = [];
  for (const use of uses) {
    if (only.unrelated.has(namespaces.get(use.pid) ?? -1)) continue;
    // Mapped files and sockets were already searched by their path.
    const isFound = use.how === 'map' || use.kind === 'socket' || (await isThrough(host, use, only));
    if (isFound) found.push(use);
  }
  return found;
}

/**
 * Whether a use is through this mount. The kernel shows the mount of a descriptor (proc(5),
 * fdinfo); for a working directory it shows only the path.
 */
async function isThrough(host: ReadHost, use: Use, { path, ids }: Through): Promise<boolean> {
  const link = await linkOf(host, use);
  if (link === undefined || !isWithin(link, path)) return false;
  const descriptor = /^fd (?<number>\d+)$/.exec(use.how)?.groups?.number;
  if (descriptor === undefined) return true;
  const id = await mountIdOf(host, `/proc/${use.pid}/fdinfo/${descriptor}`);
  return id === undefined || ids.has(id);
}

/** Returns the mount ID; undefined: unknown, or closed meanwhile. */
async function mountIdOf(host: ReadHost, path: string): Promise<number | undefined> {
  try {
    const id = /^mnt_id:\t(?<id>\d+)$/m.exec((await kernelText(host, path)) ?? '')?.groups?.id;
    return id === undefined ? undefined : Number(id);
  } catch (error) {
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}

async function linkOf(host: ReadHost, { pid, how }: Use): Promise<string | undefined> {
  try {
    return await host.readLink(`/proc/${pid}/${how.replace(' ', '/')}`);
  } catch (error) {
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}

/**
 * Returns sockets below a path. A bound socket keeps the filesystem of its name in use, but /proc
 * shows another one.
 */
function socketsBelow(
  sockets: Awaited<ReturnType<Facts['sockets']>>,
  { uses }: Scan,
  mounts: readonly MountEntry[],
): readonly Use[] {
  const below = new Map(
    sockets.flatMap(({ inode, path }) =>
      mounts.some((mount) => isWithin(path, mount.path)) ? [[inode, path] as const] : [],
    ),
  );
  return uses.flatMap((use) => {
    const path = use.kind === 'socket' ? below.get(use.inode) : undefined;
    return path === undefined ? [] : [{ ...use, how: `socket ${path}` }];
  });
}

/** Describes a mount in another one, with its source, because it is from another filesystem. */
function stackedMount(entry: MountEntry): Holder {
  const holder = describeMount(entry);
  return { ...holder, words: `${entry.source} ${holder.words}` };
}

/** Returns the mounts in a mount, and those in them, the newest first. */
function mountsWithin(all: readonly MountEntry[], below: MountEntry): readonly MountEntry[] {
  const direct = all.filter(({ parent, id }) => parent === below.id && id !== below.id);
  return direct.toReversed().flatMap((entry) => [...mountsWithin(all, entry), entry]);
}

async function swapFiles(
  facts: Facts,
  numbers: ReadonlySet<string>,
  only: string | undefined,
): Promise<readonly Holder[]> {
  return (await facts.swaps())
    .filter(({ type, stat }) => type === 'file' && stat !== undefined && numbers.has(stat.device))
    .filter(({ path }) => only === undefined || isWithin(path, only))
    .map(({ path }) => ({
      kind: 'swap',
      path,
      words: `its file ${path} is in use as swap`,
      free: ['swapoff', path],
    }));
}

async function servedFiles(
  facts: Facts,
  numbers: ReadonlySet<string>,
  only: string | undefined,
): Promise<readonly Holder[]> {
  return (await facts.served())
    .filter(({ file }) => file?.device !== undefined && numbers.has(file.device))
    .filter(({ file }) => only === undefined || isWithin(file?.path ?? '', only))
    .map(({ holder, file }) => ({ ...holder, words: `its file ${file?.path ?? ''} is ${holder.words}` }));
}

/** Returns the overlays that have a layer below one of these mounts. */
function overlays(all: readonly MountEntry[], mounts: readonly MountEntry[]): readonly Holder[] {
  const found = all.filter(({ type, superOptions }) => {
    if (type !== 'overlay') return false;
    const layers = [
      ...superOptions.matchAll(/(?:^|,)(?:lowerdir\+?|upperdir|workdir|datadir\+)=(?<dirs>[^,]+)/g),
    ];
    const paths = layers.flatMap(({ groups }) => groups?.dirs?.split(':') ?? []);
    return mounts.some((mount) => paths.some((path) => isWithin(path, mount.path)));
  });
  return found.map((entry) => {
    const holder = describeMount(entry);
    return { ...holder, words: `a layer of the overlay on ${entry.path} (mount ${entry.id})` };
  });
}

/**
 * Returns the exports that keep one of these mounts in use. An export of a directory may include
 * the mounts below (crossmnt): then that of the directory must end.
 */
async function exported(
  { host, exports: all, mounts }: Facts,
  of: readonly MountEntry[],
): Promise<readonly Holder[]> {
  const used = await all();
  if (used.length === 0) return [];
  const table = await mounts();
  const known = await exportTable(host);
  return used.flatMap(({ path, clients }) => {
    const at = mountOver(table, path);
    if (at === undefined || !of.some(({ id }) => id === at.id)) return [];
    const own = known.filter((each) => clients.split(',').includes(each.clients));
    const exact = own.filter((each) => each.path === path);
    const above = own.filter((each) => isWithin(path, each.path));
    const words = `exported by NFS: ${path} to ${clients === '' ? 'unknown clients' : clients}`;
    // The server forgets an export that exportfs does not know, until a client uses it again.
    const ends = (exact.length > 0 ? exact : above).map((each) => [
      'exportfs',
      '-u',
      `${each.clients}:${each.path}`,
    ]);
    return (ends.length === 0 ? [['exportfs', '-f']] : ends).map(
      (free): Holder => ({ kind: 'export', path, words, free }),
    );
  });
}
