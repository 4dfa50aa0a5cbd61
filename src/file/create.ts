import { posix } from 'node:path';
import * as z from 'zod/mini';
import { type Look, operation, type OperationSpec } from '../atomic/operation.ts';
import {
  type FileStat,
  inShell,
  kindInWords,
  moveAway,
  type ReadHost,
  syncDirectoryOf,
} from '../command/index.ts';
import { CommandError, RefusedError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { aclEntries, refuseNoAcl } from './acl.ts';
import { setNewAttributes } from './attributes.ts';
import { refuseNoXattrs, xattrValues } from './xattr.ts';
import {
  absolutePath,
  besideWith,
  bytesOf,
  askedMode,
  fileMode,
  ownerNumber,
  realParent,
  sameFile,
  sha256,
  sha256Hex,
} from './path.ts';
import { editedSince } from './kept.ts';
import { refuseChange } from './refuse-change.ts';
import { checkRemovable } from './remove.ts';
import { unlink } from './unlink.ts';

const args = z.strictObject({
  /** Absolute path of the new file. RefusedError `exists` if the path is taken. */
  path: absolutePath,
  /** The whole content. */
  content: z.string(),
  /** `latin1`: each character of `content` is a byte, for files that are not UTF-8 (default: utf8). */
  encoding: z.exactOptional(z.enum(['utf8', 'latin1'])),
  /** Permission bits (default: `0o644`). */
  mode: z.exactOptional(askedMode),
  /** uid of the owner (default: the user who runs bofh). */
  uid: z.exactOptional(ownerNumber),
  /** gid of the group (default: that of the user who runs bofh). */
  gid: z.exactOptional(ownerNumber),
  /**
   * All entries of the ACL for named users and groups, and its mask: `['user:33:r--']` (default:
   * none, or as the default ACL of the directory says). The group bits of the mode are then those of
   * the owning group.
   */
  acl: z.exactOptional(aclEntries),
  /** Extended attributes, with values in base64: `{ 'user.note': btoa('x') }` (default: none). */
  xattrs: z.exactOptional(xattrValues),
});

const undo = z.strictObject({
  path: absolutePath,
  /** A hard link to the new file until the commit: proves the step. */
  private: absolutePath,
  sha256: sha256Hex,
  mode: fileMode,
  size: z.int(),
});

type Args = z.infer<typeof args>;
type Undo = z.infer<typeof undo>;

/**
 * Creates a file on the host, as a step or within an operation of a driver. The file appears
 * complete or not at all, and never replaces another one.
 *
 * The file is written under a private name and then linked to its own name. The private name stays
 * until the commit. It proves the step, because it contains the random tag of the step, and
 * prepare found it free. The undo removes the file at the path only while it is the inode of the
 * private name and has the journalled content. A file that an administrator has edited in place, or
 * renamed to the path, stays; then the undo removes only the private name.
 */
export const creation = {
  kind: 'file.create',
  version: 1,
  args,
  undo,
  // A config file may contain a password, and the journal outlives the file.
  journalled: ({ content, ...rest }) => ({ ...rest, bytes: bytesOf({ content, ...rest }).length }),
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { path, mode = 0o644, ...rest }, mark, host }) => {
    await realParent(host, path);
    const own = besideWith(path, mark);
    for (const name of [path, own]) await refuseTaken(host, name);
    await refuseNoAcl(host, path, rest);
    await refuseNoXattrs(host, path, rest);
    const bytes = bytesOf(rest);
    return { path, private: own, sha256: sha256(bytes), mode, size: bytes.length };
  },
  claims: ({ undo: { path } }) => ({ makes: [`file:${path}`] }),
  run: async ({ args: asked, undo: wanted, host }) => {
    const set = present({ uid: asked.uid, gid: asked.gid, acl: asked.acl });
    const mode = Object.keys(set).length === 0 ? wanted.mode : 0o600;
    await host.writeNew(wanted.private, bytesOf(asked), { mode });
    await setNewAttributes(host, wanted.private, {
      ...set,
      ...present({ xattrs: asked.xattrs }),
      mode: wanted.mode,
    });
    try {
      await host.link(wanted.private, wanted.path);
    } catch (error) {
      if (!(error instanceof CommandError && error.reason === 'exists')) throw error;
      throw taken(wanted.path, 'it appeared meanwhile', error);
    }
    await host.sync(posix.dirname(wanted.path));
    const { atPath } = await survey(host, wanted);
    if (atPath !== 'ours')
      throw new RefusedError(`${wanted.path} was changed concurrently`, {
        remedy: `see it: stat ${inShell(wanted.path)}; move it away, then run the command again`,
      });
    return null;
  },
  value: ({ undo: { path } }) => ({ path }),
  look: ({ undo: made, host }) => look(host, made),
  revert: async ({ undo: made, host }) => {
    const { own, atPath } = await survey(host, made);
    if (own?.kind !== 'file') return;
    if (atPath === 'ours') {
      await unlink(host, made.path);
      await host.sync(posix.dirname(made.path));
    }
    await unlink(host, made.private);
  },
  sync: async ({ undo: made, host }) => {
    if ((await host.stat(made.private))?.kind === 'file') await host.sync(made.private);
    await syncDirectoryOf(host, made.path);
  },
  afterCommit: async ({ undo: made, host }) => {
    if ((await host.stat(made.private))?.kind === 'file') await host.removeFile(made.private);
  },
  later: {
    refuse: async ({ undo: { path, sha256: written }, host }) => {
      await checkRemovable(host, path);
      await refuseChange(host, path);
      if (sha256(await host.readFile(path)) !== written) throw editedSince(path);
    },
    bringBack: async ({ undo: made, host }) => {
      if ((await host.stat(made.private)) === undefined && (await host.stat(made.path))?.kind === 'file')
        await host.link(made.path, made.private);
      return {};
    },
  },
  describe: ({ undo: made, way }) => ({
    what: `the file ${made.path} (sha256 ${made.sha256}), whose second name is ${made.private}`,
    look: [
      ['ls', '-li', made.path, made.private],
      ['sha256sum', made.path],
    ],
    // Before the commit, removes both names of the inode, but no other file at that path.
    clear: [
      way === 'back'
        ? ['find', posix.dirname(made.path), '-maxdepth', '1', '-samefile', made.private, '-delete']
        : ['rm', made.private],
    ],
  }),
} as const satisfies OperationSpec<Args, Undo, null, { readonly path: string }>;

/**
 * `tx.file.create`: writes a new file, which appears at its path when it is complete. Refused if
 * the path is taken. Undo removes the file, unless others replaced or changed it.
 */
export const create = operation(creation);

interface Survey {
  /** The file with the private name. */
  readonly own: FileStat | undefined;
  readonly atPath: 'absent' | 'ours' | 'edited' | 'another';
}

async function survey(host: ReadHost, made: Undo): Promise<Survey> {
  const [own, there] = [await host.stat(made.private), await host.stat(made.path)];
  if (there === undefined) return { own, atPath: 'absent' };
  if (!sameFile(own, there)) return { own, atPath: 'another' };
  const unchanged = there.size === made.size && sha256(await host.readFile(made.private)) === made.sha256;
  return { own, atPath: unchanged ? 'ours' : 'edited' };
}

/**
 * Looks for the file of the step. The private name proves the step: without it nothing is left.
 * With `ours`, `found` names a file at the path that no longer belongs to the step and that revert
 * leaves untouched.
 */
async function look(host: ReadHost, made: Undo): Promise<Look> {
  const { own, atPath } = await survey(host, made);
  if (own === undefined) return { state: 'gone' };
  if (own.kind !== 'file') return { state: 'not-ours', found: `${made.private} is ${kindInWords(own)}` };
  if (atPath === 'edited') return { state: 'ours', found: `${made.path} was edited since and stays` };
  if (atPath === 'another') return { state: 'ours', found: `${made.path} is another file now and stays` };
  return { state: 'ours' };
}

async function refuseTaken(host: ReadHost, path: string): Promise<void> {
  const stat = await host.stat(path);
  if (stat !== undefined) throw taken(path, `there is ${kindInWords(stat)} of that name`);
}

function taken(path: string, how: string, cause?: unknown): RefusedError {
  return new RefusedError(`${path} exists already: ${how}`, {
    code: 'exists',
    cause,
    remedy: `${moveAway(path)}; or choose another name`,
  });
}
