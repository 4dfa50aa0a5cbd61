import { posix } from 'node:path';
import * as z from 'zod/mini';
import { type Look, operation } from '../atomic/operation.ts';
import {
  type ChangeHost,
  type FileStat,
  inShell,
  moveAway,
  type ReadHost,
  syncDirectoryOf,
} from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { aclEntries, refuseNoAcl } from './acl.ts';
import { writeLike } from './attributes.ts';
import { refuseNoXattrs, xattrValues } from './xattr.ts';
import {
  absolutePath,
  besideWith,
  birth,
  birthOf,
  bytesOf,
  askedMode,
  inodeNumber,
  isFile,
  findNames,
  otherNames,
  ownerNumber,
  sameFile,
  sha256,
  sha256Hex,
} from './path.ts';
import { checkRemovable, refuseAttached, refuseMountPoint } from './remove.ts';
import { bringBackTo, damaged, editedSince, keepAt } from './kept.ts';
import { refuseChange } from './refuse-change.ts';
import { unlink } from './unlink.ts';

const args = z.strictObject({
  /** Absolute path of the existing file. */
  path: absolutePath,
  /** The complete new content. */
  content: z.string(),
  /** `latin1`: each character of `content` is a byte, for files that are not UTF-8 (default: utf8). */
  encoding: z.exactOptional(z.enum(['utf8', 'latin1'])),
  /** SHA-256 of the content that the caller has seen. Refused if the content differs now. */
  sha256: z.exactOptional(sha256Hex),
  /** New uid (default: unchanged). */
  uid: z.exactOptional(ownerNumber),
  /** New gid (default: unchanged). */
  gid: z.exactOptional(ownerNumber),
  /** New permission bits (default: unchanged). */
  mode: z.exactOptional(askedMode),
  /**
   * All entries of the ACL for named users and groups, and its mask: `['user:33:r--']` (default:
   * unchanged). The group bits of the mode are then those of the owning group.
   */
  acl: z.exactOptional(aclEntries),
  /**
   * Extended attributes to set or, with null, to remove: `{ 'user.note': btoa('x') }`. Values are in
   * base64. Others stay (default: unchanged).
   */
  xattrs: z.exactOptional(xattrValues),
  /** Do not keep the old content for `bofh undo` (default: kept, unless it is a key). */
  secret: z.exactOptional(z.literal(true)),
});

const undo = z.strictObject({
  path: absolutePath,
  /** Path of the new file until it replaces the old one. */
  private: absolutePath,
  /** A second name of the old file until the commit. */
  back: absolutePath,
  before: sha256Hex,
  after: sha256Hex,
  /** Inode number of the old file, as in `file.remove`. */
  inode: inodeNumber,
  birth,
  secret: z.exactOptional(z.literal(true)),
});

type Undo = z.infer<typeof undo>;

/**
 * Replaces the content of a regular file. Mode and owner stay unless they are given; extended
 * attributes stay. At each moment the path has the old file or the new one, complete. Until the
 * commit the old file is beside it as `.bofh-gone-MARK`, and the undo renames this file back, the
 * same inode. A file that others edit after the step stays as it is.
 */
export const change = operation({
  kind: 'file.change',
  version: 1,
  args,
  undo,
  // A config file may contain a password, and the journal outlives the file.
  journalled: ({ content, ...rest }) => ({ ...rest, bytes: bytesOf({ content, ...rest }).length }),
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { path, sha256: expected, ...rest }, mark, host }): Promise<Undo> => {
    const stat = await checkRemovable(host, path);
    await refuseAttached(host, path, stat);
    await refuseMountPoint(host, path);
    await refuseNoAcl(host, path, rest);
    await refuseNoXattrs(host, path, rest);
    if ((await otherNames(host, path, stat)) > 0)
      throw new RefusedError(`${path} has another hard link, which would keep the old content`, {
        remedy: findNames(path),
      });
    const before = sha256(await host.readFile(path));
    if (expected !== undefined && before !== expected) throw edited(path);
    const names = { private: besideWith(path, mark), back: besideWith(path, `gone-${mark}`) };
    for (const name of Object.values(names))
      if ((await host.stat(name)) !== undefined)
        throw new RefusedError(`${name} exists already`, {
          code: 'exists',
          remedy: moveAway(name),
        });
    const { secret } = rest;
    return {
      ...{ path, ...names, before, after: sha256(bytesOf(rest)), inode: stat.inode },
      ...{ ...birthOf(stat), ...present({ secret }) },
    };
  },
  claims: ({ undo: { path } }) => ({ changes: [`file:${path}`] }),
  run: async ({ args: asked, undo: of, host }) => {
    await expectOld(host, of, of.path);
    const { uid, gid, mode, acl, xattrs } = asked;
    const set = present({ uid, gid, mode, acl, xattrs });
    await writeLike(host, { like: of.path, path: of.private, content: bytesOf(asked), set });
    await host.link(of.path, of.back);
    await expectOld(host, of, of.back);
    await expectOld(host, of, of.path);
    await host.rename(of.private, of.path);
    await host.sync(posix.dirname(of.path));
    return null;
  },
  value: ({ undo: { path } }) => ({ path }),
  look: ({ undo: of, host }) => look(host, of),
  revert: async ({ undo: of, host }) => {
    const { own, back, atPath } = await survey(host, of);
    // The rename also removes the second name.
    if (back !== undefined && atPath === 'new') await host.rename(of.back, of.path);
    else if (back !== undefined) await unlink(host, of.back);
    if (own !== undefined) await unlink(host, of.private);
    await host.sync(posix.dirname(of.path));
  },
  sync: async ({ undo: of, host }) => {
    if ((await host.stat(of.path))?.kind === 'file') await host.sync(of.path);
    await syncDirectoryOf(host, of.path);
  },
  afterCommit: async ({ undo: of, host }) => {
    if (!isFile(await host.stat(of.back), of)) return;
    if (sha256(await host.readFile(of.back)) !== of.before)
      throw new RefusedError(
        `${of.path} was replaced, but another process has written to the old file since`,
        {
          remedy: `the old file is at ${of.back}: copy what you need, remove the old file; then: bofh recover`,
        },
      );
    await unlink(host, of.back);
  },
  later: {
    keep: ({ undo: { path, back, secret }, host, to }) => keepAt(host, { path, from: back, to, secret }),
    refuse: async ({ undo: { path, after }, host }) => {
      await checkRemovable(host, path);
      await refuseChange(host, path);
      if (sha256(await host.readFile(path)) !== after) throw editedSince(path);
    },
    bringBack: async ({ undo: of, host, from }) => {
      const made = await bringBackTo(host, { from, to: of.back });
      if (sha256(await host.readFile(of.back)) !== of.before) throw damaged(of.path, from);
      return made;
    },
  },
  describe: ({ undo: { path, private: own, back, before }, way }) => ({
    what: `the file ${path}, whose old content (sha256 ${before}) is at ${back} until the change is finished`,
    look: [
      ['ls', '-li', path, own, back],
      ['sha256sum', path, back],
    ],
    clear: [...(way === 'back' ? [['mv', back, path]] : [['rm', back]]), ['rm', '--force', own]],
  }),
});

interface Survey {
  readonly own: FileStat | undefined;
  readonly back: FileStat | undefined;
  readonly atPath: 'absent' | 'old' | 'new' | 'edited';
}

async function survey(host: ReadHost, of: Undo): Promise<Survey> {
  const [own, back, there] = [
    await host.stat(of.private),
    await host.stat(of.back),
    await host.stat(of.path),
  ];
  if (there === undefined) return { own, back, atPath: 'absent' };
  if (isFile(there, of) && (back === undefined || sameFile(back, there))) return { own, back, atPath: 'old' };
  const isNew = there.kind === 'file' && sha256(await host.readFile(of.path)) === of.after;
  return { own, back, atPath: isNew ? 'new' : 'edited' };
}

/** Both private names contain the tag of the step. Without them nothing is left of it. */
async function look(host: ReadHost, of: Undo): Promise<Look> {
  const { own, back, atPath } = await survey(host, of);
  if (own === undefined && back === undefined) return { state: 'gone' };
  if (back !== undefined && !isFile(back, of))
    return { state: 'not-ours', found: `${of.back} is another file than the one that was replaced` };
  if (back === undefined || atPath === 'old' || atPath === 'new') return { state: 'ours' };
  return {
    state: 'ours',
    found: atPath === 'absent' ? `${of.path} was removed since` : `${of.path} was edited since and stays`,
  };
}

async function expectOld(host: ChangeHost, of: Undo, path: string): Promise<void> {
  if (isFile(await host.stat(path), of) && sha256(await host.readFile(path)) === of.before) return;
  throw edited(of.path);
}

function edited(path: string): RefusedError {
  return new RefusedError(`${path} was edited concurrently and is left untouched`, {
    remedy: `see it: stat ${inShell(path)}; then run the command again`,
  });
}
