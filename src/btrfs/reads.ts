import { posix } from 'node:path';
import { describeMount, mountsElsewhere } from '../blockdevice/index.ts';
import { inShell, type ReadHost } from '../command/index.ts';
import { CommandError, type Holder, ParseError, RefusedError } from '../core/errors.ts';
import { getDefault, isNoSubvolume, rootId } from './commands.ts';
import { anyRoot, mountsOf, subvolumeOf } from './place.ts';
import { type RawRow, subvolumeList, subvolumeShow } from './read-commands.ts';
import { type Subvolume, type SubvolumeRow, topLevelId } from './schema.ts';
import { digits, printedPath, uuidOr } from './text.ts';

/**
 * Returns every subvolume of the filesystem of a path except its top level, with paths from the top
 * level. Reads the list in two forms and accepts only what is in both, because a name may contain a
 * newline followed by a fake line.
 */
export async function subvolumes(host: ReadHost, path: string): Promise<readonly SubvolumeRow[]> {
  const own = await host.run(rootId(path));
  return (await rawSubvolumes(host, path)).map((row) => toRow(row, own));
}

/** Like `subvolumes`, with the paths as printed: one character per byte. */
export async function rawSubvolumes(host: ReadHost, path: string): Promise<readonly RawRow[]> {
  // The two forms are read one after the other: reads them again if a subvolume was created or
  // removed in between.
  for (let tries = 3; ; tries -= 1) {
    const plain = await host.run(subvolumeList(path, 'plain'));
    const withCgen = await host.run(subvolumeList(path, 'with cgen'));
    const both = inBoth(plain, withCgen);
    if (both !== undefined) return both;
    if (tries === 1)
      throw new ParseError('btrfs: two lists of the subvolumes, read one after the other, differ');
  }
}

/** Returns the rows that both lists contain; undefined if the lists disagree. */
function inBoth(plain: readonly RawRow[], withCgen: readonly RawRow[]): readonly RawRow[] | undefined {
  const [one, other] = [genuine(plain, withCgen), genuine(withCgen, plain)];
  const agree =
    one.length === other.length &&
    one.every(({ id, path }, index) => other[index]?.id === id && other[index].path === path);
  return agree && isAscending(other) ? other : undefined;
}

/**
 * Returns the genuine records. A record that the other form lacks is the end of the name before it.
 */
function genuine(all: readonly RawRow[], among: readonly RawRow[]): readonly RawRow[] {
  const ids = new Set(among.map(({ id }) => id));
  const kept: RawRow[] = [];
  for (const row of all) {
    const last = kept.at(-1);
    if (ids.has(row.id)) kept.push({ ...row });
    else if (last !== undefined) last.path += `\n${row.text}`;
  }
  return kept;
}

function isAscending(rows: readonly RawRow[]): boolean {
  return rows.every(({ id }, index) => index === 0 || id > (rows[index - 1]?.id ?? id));
}

function toRow({ id, fields, path }: RawRow, own: number): SubvolumeRow {
  const prefix = '<FS_TREE>/';
  const isElsewhere = Number(fields.top) !== own;
  if (isElsewhere && !path.startsWith(prefix))
    throw new ParseError(`btrfs: the path of the subvolume ${id} does not begin with ${prefix}`);
  return {
    id,
    generation: digits(fields.generation, 'a generation'),
    madeIn: digits(fields.madeIn, 'the first generation'),
    parentId: digits(fields.parent, 'the id of a parent'),
    parentUuid: uuidOr(fields.parentUuid),
    receivedUuid: uuidOr(fields.receivedUuid),
    uuid: uuidOr(fields.uuid),
    ...printedPath(isElsewhere ? path.slice(prefix.length) : path),
  };
}

/**
 * Returns the subvolume at a path; undefined if the path is missing, or something else. The kernel
 * supplies its id.
 */
export async function subvolumeAt(host: ReadHost, path: string): Promise<Subvolume | undefined> {
  if ((await host.stat(path))?.kind !== 'directory') return undefined;
  const found = await orUndefined(host.run(subvolumeShow(path)), isNoSubvolume);
  if (found === undefined) return undefined;
  const id = await host.run(rootId(path));
  if (id === found.id) return found;
  throw new ParseError(
    `btrfs shows the subvolume ${found.id} at ${path}, but the kernel says that it is ${id}`,
  );
}

/**
 * Returns the subvolume with an id, wherever it is now; undefined if it was deleted. Ids are never
 * reused.
 */
export async function subvolumeById(
  host: ReadHost,
  { fs, id }: { readonly fs: string; readonly id: number },
): Promise<Subvolume | undefined> {
  const root = await anyRoot(host, fs);
  const found = await orUndefined(host.run(subvolumeShow(root, { id })), ({ stderr }) =>
    stderr.includes('Subvolume not found'),
  );
  if (found === undefined || found.id === id) return found;
  throw new ParseError(`btrfs shows the subvolume ${found.id} when it is asked for ${id}`);
}

async function orUndefined<T>(
  asking: Promise<T>,
  isNone: (answer: { readonly stderr: string }) => boolean,
): Promise<T | undefined> {
  try {
    return await asking;
  } catch (error) {
    if (error instanceof CommandError && error.exitCode === 1 && isNone(error)) return undefined;
    throw error;
  }
}

/** Returns the id of the default subvolume of a filesystem. */
export async function defaultOf(host: ReadHost, fs: string): Promise<number> {
  return host.run(getDefault(await anyRoot(host, fs)));
}

/** Returns the name of a subvolume for messages. */
export function called({ shown, id, uuid }: Pick<Subvolume, 'shown' | 'id' | 'uuid'>): string {
  return `the subvolume ${shown} (id ${id}, uuid ${uuid ?? 'none'})`;
}

/** Returns the subvolumes inside of one, at any depth. */
export async function nestedIn(
  host: ReadHost,
  { fs, subvolume }: { readonly fs: string; readonly subvolume: Subvolume },
): Promise<readonly SubvolumeRow[]> {
  const all = await subvolumes(host, await anyRoot(host, fs));
  const inner = new Set([subvolume.id]);
  // A subvolume can only be created in an existing one, but can be moved into one newer than
  // itself.
  for (let before = 0; before !== inner.size; ) {
    before = inner.size;
    for (const { id, parentId } of all) if (inner.has(parentId)) inner.add(id);
  }
  return all.filter(({ id }) => inner.has(id) && id !== subvolume.id);
}

/**
 * Returns holders that a removal of the subvolume would harm: subvolumes in it, and its mounts in
 * bofh's mount namespace.
 */
export async function holdersOf(
  host: ReadHost,
  { fs, subvolume }: { readonly fs: string; readonly subvolume: Subvolume },
): Promise<readonly Holder[]> {
  const mounts = (await mountsOf(host, fs)).filter((mount) => subvolumeOf(mount)?.id === subvolume.id);
  const nested = await nestedIn(host, { fs, subvolume });
  return [
    ...mounts.map((mount) => describeMount(mount)),
    ...nested.map(
      ({ shown, id }): Holder => ({
        kind: 'btrfs',
        filesystem: fs,
        words: `the subvolume ${shown} (id ${id}) is in it`,
      }),
    ),
  ];
}

/**
 * Like `holdersOf`, with mounts in other mount namespaces: the kernel deletes a mounted subvolume
 * without a warning, and everything open in it is lost (6.18).
 */
export async function everyHolderOf(
  host: ReadHost,
  of: { readonly fs: string; readonly subvolume: Subvolume },
): Promise<readonly Holder[]> {
  const here = await holdersOf(host, of);
  const numbers = new Set((await mountsOf(host, of.fs)).map(({ device }) => device));
  const { namespaces, unseen } = await mountsElsewhere(host);
  const there = namespaces.flatMap(({ pid, command, mounts }) =>
    mounts
      .filter((mount) => numbers.has(mount.device) && subvolumeOf(mount)?.id === of.subvolume.id)
      .map(
        (mount): Holder => ({
          ...describeMount(mount),
          words: `mounted on ${mount.path} in the mount namespace of ${command} (process ${pid})`,
          free: ['nsenter', '-t', String(pid), '-m', 'umount', mount.path],
          namespaceOf: { pid, command },
        }),
      ),
  );
  // Mounts that another namespace shares with bofh's are listed twice.
  const shared = new Set(here.map(({ words }) => words));
  return [...here, ...there.filter(({ words }) => !shared.has(words)), ...unseen];
}

/** RefusedError for the top level, which cannot be deleted or moved. */
export function refuseTopLevel({ id }: Subvolume, path: string): void {
  if (id !== topLevelId) return;
  throw new RefusedError(`${path} is the top level of its filesystem`, {
    remedy: `name a subvolume in it: bofh btrfs list ${inShell(path)}`,
  });
}

/**
 * Returns a private name of bofh beside another one. It begins with a dot and ends in a number, so
 * no pattern like `*.x` matches it.
 */
export function beside(inside: string, word: string): string {
  return posix.join(posix.dirname(inside), `.bofh-${word}`);
}
