import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import * as z from 'zod/mini';
import { type FileStat, type ReadHost, refuseExposed } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';

export { absolutePath } from '../blockdevice/path.ts';

/** Permission bits of a new file. */
export const fileMode = z.int().check(z.minimum(0), z.maximum(0o7777));

/** An inode number, in decimal digits. */
export const inodeNumber = z.string().check(z.regex(/^[0-9]+$/));

/** When the inode was made; journals of older versions do not have it, and some filesystems do not keep it. */
export const birth = z.exactOptional(z.string().check(z.regex(/^[0-9]+$/)));

/** For what is journalled of a file. */
export function birthOf({ birth: born }: FileStat): { readonly birth?: string } {
  return born === undefined ? {} : { birth: born };
}

/** Is it the file that was journalled, and no other that has got its inode number since? */
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
 * A name of ours beside a path. It begins with a dot and ends in a number, so that nothing that reads `*.cfg`,
 * `*.conf` or `*.res` of a directory takes it for one of its files.
 */
export function besideWith(path: string, word: string): string {
  return posix.join(posix.dirname(path), `.bofh-${word}`);
}

/** Both are names of one inode. */
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
 * The directory of a path. RefusedError when it is missing or is something else, a symbolic link for example, and when
 * another user could make it lead elsewhere.
 */
export async function realParent(host: ReadHost, path: string): Promise<string> {
  const parent = posix.dirname(path);
  const stat = await host.stat(parent);
  if (stat === undefined) {
    throw new RefusedError(`there is no directory ${parent} for ${posix.basename(path)}`, {
      remedy: `create ${parent}, or choose another place`,
    });
  }
  if (stat.kind === 'directory') {
    await refuseExposed(host, path, 'new');
    return parent;
  }
  throw new RefusedError(`${parent} is not a directory but a ${stat.kind}`, {
    remedy: 'name the directory itself',
  });
}
