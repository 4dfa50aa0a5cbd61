import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import * as z from 'zod/mini';
import { type FileStat, kindInWords, type ReadHost, refuseExposed } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { present } from '../core/present.ts';

export { absolutePath } from '../blockdevice/path.ts';

/** Permission bits of a new file. */
export const fileMode = z.int().check(z.minimum(0), z.maximum(0o7777));

/** Modes in octal that are often written without `0o`. As decimal numbers no file has them. */
const withoutPrefix = new Set([
  ...[550, 555, 600, 640, 644, 660, 664, 666, 700, 710, 711, 750, 755, 770, 775, 777],
  ...[1777, 2750, 2755, 2770, 2775],
]);

/** Permission bits in a request. Refuses 644, which is 0o1204. */
export const askedMode = fileMode.check(
  z.refine((mode) => !withoutPrefix.has(mode), {
    error: ({ input }) => `must be octal: 0o${String(input)}, not ${String(input)}`,
  }),
);

/** A uid or gid. */
export const ownerNumber = z.int().check(z.minimum(0), z.maximum(0xffff_fffe));

/** The attributes to set; missing ones stay unchanged. */
export interface Attributes {
  readonly uid?: number;
  readonly gid?: number;
  readonly mode?: number;
}

/** Whether a file has all requested attributes. */
export function hasAttributes(stat: FileStat, { uid, gid, mode }: Attributes): boolean {
  return [
    [uid, stat.uid],
    [gid, stat.gid],
    [mode, stat.mode],
  ].every(([asked, there]) => asked === undefined || asked === there);
}

/** Returns the bytes of the content in `args`. */
export function bytesOf({
  content,
  encoding,
}: {
  readonly content: string;
  readonly encoding?: 'utf8' | 'latin1';
}): Buffer {
  return Buffer.from(content, encoding ?? 'utf8');
}

/** An inode number, in decimal digits. */
export const inodeNumber = z.string().check(z.regex(/^[0-9]+$/));

/** Creation time of the inode; missing in journals of older versions, and on some filesystems. */
export const birth = z.exactOptional(z.string().check(z.regex(/^[0-9]+$/)));

/** Returns the creation time of a file, for the journal. */
export function birthOf({ birth: born }: FileStat): { readonly birth?: string } {
  return present({ birth: born });
}

/** Whether this is the journalled file, and not another one that reuses its inode number. */
export function isFile(
  stat: FileStat | undefined,
  known: { readonly inode: string; readonly birth?: string },
): boolean {
  const { inode, birth: born } = known;
  return stat?.kind === 'file' && stat.inode === inode && (born === undefined || stat.birth === born);
}

export const sha256Hex = z.string().check(z.regex(/^[0-9a-f]{64}$/));

/** SHA-256 of a content, in hexadecimal. */
export function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}

/**
 * Returns a private name of bofh beside a path. It begins with a dot and ends in a number, so that
 * no pattern such as `*.cfg`, `*.conf` or `*.res` matches it.
 */
export function besideWith(path: string, word: string): string {
  return posix.join(posix.dirname(path), `.bofh-${word}`);
}

/** Whether both are the same inode. */
export function sameFile(one: FileStat | undefined, other: FileStat | undefined): boolean {
  return (
    one !== undefined &&
    other !== undefined &&
    one.inode === other.inode &&
    one.device === other.device &&
    one.birth === other.birth
  );
}

/**
 * Counts the other names of the file at a path, except those that steps of bofh keep beside it
 * until their commit.
 */
export async function otherNames(host: ReadHost, path: string, stat: FileStat): Promise<number> {
  let links = stat.links - 1;
  if (links === 0) return 0;
  const directory = posix.dirname(path);
  for (const name of await host.readDir(directory))
    if (name.startsWith('.bofh-') && sameFile(stat, await host.stat(posix.join(directory, name)))) links--;
  return links;
}

/**
 * Finds the other names of a file. Without -xdev, which would search only the filesystem of `/`, and
 * no subvolume of it.
 */
export function findNames(path: string): string {
  return `find all its names: find / -samefile ${path}`;
}

/**
 * Returns the directory of a path. RefusedError if it is missing or no directory (for example a
 * symbolic link), or if another user could redirect it.
 */
export async function realParent(host: ReadHost, path: string): Promise<string> {
  const parent = posix.dirname(path);
  const stat = await host.stat(parent);
  if (stat === undefined) {
    throw new RefusedError(`there is no directory ${parent} for ${posix.basename(path)}`, {
      code: 'not-found',
      remedy: `create it: mkdir --parents ${parent}; or choose another place`,
    });
  }
  if (stat.kind === 'directory') {
    await refuseExposed(host, path, 'new');
    return parent;
  }
  throw new RefusedError(`${parent} is not a directory but ${kindInWords(stat)}`, {
    remedy: 'name the directory itself',
  });
}
