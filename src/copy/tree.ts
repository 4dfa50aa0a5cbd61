import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { mountEntries } from '../blockdevice/index.ts';
import { type Answer, inShell, type ReadCommand, type ReadHost, refuseExposed } from '../command/index.ts';
import { ParseError, type Reason, RefusedError, UsageError } from '../core/errors.ts';
import { matching } from './read-root.ts';
import type { Bytes } from '../core/units.ts';
import { realPath } from '../mount/index.ts';
import { statInside } from './inside.ts';
import type { RootContent } from './read-root.ts';
import type { TarSummary } from './source.ts';
import { isWithin } from '../blockdevice/path.ts';

/** A file in a tree, as find(1) reports it. */
interface TreeEntry {
  /** Path relative to the top, one character per byte. */
  readonly path: string;
  /** Type as in find(1): `f` is a file, `d` a directory. */
  readonly type: string;
  readonly size: Bytes;
  /** Space on its disk: less than its size for a sparse file. */
  readonly allocated: Bytes;
  /** Number of its filesystem, and its inode number there. */
  readonly device: string;
  readonly inode: string;
  /** The attributes that a copy must have too. */
  readonly attributes: string;
  /** Time of the last change of content, name or attributes. */
  readonly changed: string;
}

const format = String.raw`%y %m %U %G %n %s %b %D %i %T@ %C@ %P\0%l\0`;
const entry =
  /(?<type>[bcdflps]) (?<mode>[0-7]+) (?<owner>\d+ \d+) (?<links>\d+) (?<size>\d+) (?<blocks>\d+) (?<device>\d+) (?<inode>\d+) (?<seconds>-?\d+)\.\d+ (?<changed>-?\d+\.\d+) (?<path>[^\0]+)\0(?<target>[^\0]*)\0/y;

/**
 * Lists every file below a directory, except `lost+found` and sockets, which an archive cannot
 * contain; and except what is mounted there, unless it is `included`.
 */
export function listTree(directory: string, mounts?: 'included'): ReadCommand<readonly TreeEntry[]> {
  return {
    tool: 'find',
    argv: [directory, ...(mounts === undefined ? ['-xdev'] : []), '-mindepth', '1', '-printf', format],
    access: 'read',
    timeoutMs: 30 * 60_000,
    encoding: 'latin1',
    parse: ({ stdout }) => parseTree(stdout),
    classify: ({ stderr }: Answer): Reason =>
      /No such file or directory/.test(stderr) ? 'not-found' : 'unknown',
  };
}

function parseTree(stdout: string): readonly TreeEntry[] {
  const entries: TreeEntry[] = [];
  entry.lastIndex = 0;
  while (entry.lastIndex < stdout.length) {
    const from = entry.lastIndex;
    const found = entry.exec(stdout)?.groups;
    if (found === undefined)
      throw new ParseError(
        `find: its output could not be parsed at ${JSON.stringify(stdout.slice(from, from + 100))}`,
      );
    const {
      type = '',
      mode,
      owner,
      links,
      size,
      blocks,
      device = '',
      inode = '',
      seconds,
      changed = '',
    } = found;
    const { path = '', target = '' } = found;
    if (type === 's' || path.split('/')[0] === 'lost+found') continue;
    const attributes =
      type === 'd' ? [mode, owner, seconds] : [mode, owner, seconds, links, type === 'f' ? size : '', target];
    entries.push({
      ...{ path, type, size: Number(size), allocated: Number(blocks) * 512, device, inode, changed },
      attributes: attributes.join(' '),
    });
  }
  return entries;
}

/** A directory as the source of a new root. */
export interface Tree {
  /** The path, with symbolic links resolved. */
  readonly path: string;
  readonly summary: TarSummary;
  /** SHA-256 over the results of `listTree`, without the device numbers. */
  readonly digest: string;
  readonly entries: readonly TreeEntry[];
}

/**
 * Reads a directory whose content will be copied into a new root. Refused: the root of this host, a
 * directory with mounts below it, which the copy would lack unless they are `included`, and a
 * directory in which new roots are mounted.
 */
export async function readTree(host: ReadHost, source: string, mounts?: 'included'): Promise<Tree> {
  const path = await realPath(host, source);
  if ((await host.stat(path))?.kind !== 'directory') throw new UsageError(`${source} is not a directory`);
  if (path === '/')
    throw new UsageError('the root of this host cannot be the source: it changes while it is copied', {
      remedy: 'name a directory that has the files of the guest, such as dir:/srv/root',
    });
  await refuseExposed(host, path, 'there');
  const [mounted] = (await mountEntries(host)).filter((each) => each.path.startsWith(`${path}/`));
  if (mounted !== undefined && mounts === undefined)
    throw new RefusedError(`${mounted.path} is mounted in ${path}, and would not be copied`, {
      code: 'in-use',
      remedy: `umount ${inShell(mounted.path)}; or copy the whole tree to another directory, and name that one`,
    });
  if (isWithin('/run/bofh/mnt', path))
    throw new RefusedError(`${path} contains /run/bofh/mnt, where the new root is mounted`, {
      remedy: 'name a directory that contains only the files of the guest',
    });
  const entries = await host.run(listTree(path, mounts));
  if (entries.length === 0) throw new UsageError(`${source} is an empty directory`);
  // A file with several names is copied once; holes are not written.
  const files = new Map(
    entries.flatMap((each) => (each.type === 'f' ? [[`${each.device} ${each.inode}`, each] as const] : [])),
  );
  const bytes = [...files.values()].reduce((sum, { size, allocated }) => sum + Math.min(size, allocated), 0);
  // Without the device number of the filesystem, which can change at a boot.
  const lines = entries.map(({ device: _, ...each }) => Object.values(each).join(' ')).toSorted();
  const digest = createHash('sha256').update(lines.join('\0'), 'latin1').digest('hex');
  const summary = { members: entries.length, bytes, archiveBytes: bytes + entries.length * 1024 };
  return { path, summary, digest, entries };
}

/**
 * Returns the content of a tree in the form of `readTar`: every path, and the content of those
 * `files` that are regular.
 */
export async function contentOfTree(
  host: ReadHost,
  { tree, files }: { readonly tree: Tree; readonly files: readonly string[] },
): Promise<RootContent & { readonly summary: TarSummary }> {
  const texts = new Map<string, string>();
  const paths = new Set(tree.entries.map(({ path }) => path));
  for (const path of matching(files, paths))
    if ((await statInside(host, { root: tree.path, path })).stat?.kind === 'file')
      texts.set(path, Buffer.from(await host.readFile(posix.join(tree.path, path))).toString('latin1'));
  return { summary: tree.summary, paths, texts };
}

/**
 * RefusedError for a source that changed during the copy, and for a copy that differs from its
 * source.
 */
export async function expectSame(
  host: ReadHost,
  {
    source,
    mounts,
    digest,
    root,
  }: {
    readonly source: string;
    readonly mounts: 'included' | undefined;
    readonly digest: string;
    readonly root: string;
  },
): Promise<void> {
  const now = await readTree(host, source, mounts);
  if (now.digest !== digest) throw changedTree(source, now.entries);
  const copied = new Map((await host.run(listTree(root))).map((each) => [each.path, each] as const));
  const lost = now.entries.find(({ path, type, attributes }) => {
    const copy = copied.get(path);
    return copy?.type !== type || copy.attributes !== attributes;
  });
  if (lost === undefined && copied.size === now.entries.length) return;
  throw new RefusedError(
    `tar reported success, but ${lost === undefined ? `${root} has more files than ${source}` : `${named(lost.path)} in ${root} is not as in ${source}`}`,
    { remedy: 'see the kernel log: dmesg; then run the command again' },
  );
}

/**
 * The error for a tree that changed. It names the file that was changed last; others may have
 * changed too.
 */
export function changedTree(source: string, entries: readonly TreeEntry[]): RefusedError {
  const newest = entries.reduce<TreeEntry | undefined>(
    (one, other) => (one === undefined || Number(other.changed) > Number(one.changed) ? other : one),
    undefined,
  );
  const last = newest === undefined ? '' : `; its newest file is ${named(newest.path)}`;
  return new RefusedError(`${source} changed while it was copied${last}`, {
    code: 'differs',
    remedy: 'end what writes to it, then run the command again; or copy a snapshot of it',
  });
}

const named = (path: string): string => JSON.stringify(Buffer.from(path, 'latin1').toString('utf8'));
