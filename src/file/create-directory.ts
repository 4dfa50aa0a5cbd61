import * as z from 'zod/mini';
import { type Look, operation } from '../atomic/operation.ts';
import { type FileStat, inShell, kindInWords, type ReadHost, syncDirectoryOf } from '../command/index.ts';
import { CommandError, RefusedError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { aclEntries, defaultAclEntries, refuseNoAcl } from './acl.ts';
import { setNewAttributes } from './attributes.ts';
import { refuseNoXattrs, xattrValues } from './xattr.ts';
import { moveNew } from './move-new.ts';
import { editedSince } from './kept.ts';
import {
  absolutePath,
  besideWith,
  birth,
  birthOf,
  askedMode,
  inodeNumber,
  ownerNumber,
  realParent,
} from './path.ts';
import { refuseContent } from './remove-directory.ts';

const args = z.strictObject({
  /** Absolute path of the new directory. RefusedError `exists` if the path is taken. */
  path: absolutePath,
  /** Permission bits (default: `0o755`). */
  mode: z.exactOptional(askedMode),
  /** uid of the owner (default: the user who runs bofh). */
  uid: z.exactOptional(ownerNumber),
  /** gid of the group (default: that of the user who runs bofh). */
  gid: z.exactOptional(ownerNumber),
  /**
   * All entries of the ACL for named users and groups, and its mask: `['user:33:r-x']` (default:
   * none, or as the default ACL of the directory above says). The group bits of the mode are then
   * those of the owning group.
   */
  acl: z.exactOptional(aclEntries),
  /**
   * Entries of the ACL that new files in it get: `['user:33:rwx']`; entries of owner, group and
   * others are by default those of the directory, and `[]` is none (default: as for `acl`).
   */
  defaultAcl: z.exactOptional(defaultAclEntries),
  /** Extended attributes, with values in base64: `{ 'user.note': btoa('x') }` (default: none). */
  xattrs: z.exactOptional(xattrValues),
});

const undo = z.strictObject({
  path: absolutePath,
  /** Path of the directory until it is complete. */
  private: absolutePath,
  /** A file that records, until the commit, which directory the step created. */
  note: absolutePath,
});

const result = z.strictObject({ inode: inodeNumber, birth });

type Undo = z.infer<typeof undo>;

/**
 * `tx.file.createDirectory`: creates an empty directory, for example as a mount point. Its parent
 * directory must exist. Undo removes it, unless others put something into it or replaced it.
 *
 * A directory cannot have a second name. Therefore it is created with a private name, and a note
 * beside it records its inode number and birth time before the directory gets its own name. `mv`
 * renames it without replacing another one (renameat2 with RENAME_NOREPLACE).
 */
export const createDirectory = operation({
  kind: 'file.directory.create',
  version: 1,
  args,
  undo,
  result,
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { path, ...rest }, mark, host }) => {
    await realParent(host, path);
    const [own, note] = [besideWith(path, mark), besideWith(path, `note-${mark}`)];
    for (const name of [path, own, note]) {
      const there = await host.stat(name);
      if (there !== undefined) throw taken(name, `there is ${kindInWords(there)} of that name`);
    }
    await refuseNoAcl(host, path, rest);
    await refuseNoXattrs(host, path, rest);
    return { path, private: own, note };
  },
  // While something is mounted on the directory, its undo has to wait.
  claims: ({ undo: { path } }) => ({ makes: [`file:${path}`], needs: [`mnt:${path}`] }),
  run: async ({ args: { mode = 0o755, uid, gid, acl, defaultAcl, xattrs }, undo: of, host }) => {
    await host.makeDir(of.private, { mode });
    await setNewAttributes(host, of.private, { ...present({ uid, gid, acl, defaultAcl, xattrs }), mode });
    await syncDirectoryOf(host, of.path);
    const made = await host.stat(of.private);
    if (made === undefined) throw changed(of.private);
    await host.writeNew(of.note, identityOf(made), { mode: 0o600 });
    await syncDirectoryOf(host, of.path);
    await host.run(moveNew(of.private, of.path));
    await syncDirectoryOf(host, of.path);
    if ((await host.stat(of.private)) !== undefined) throw taken(of.path, 'it appeared meanwhile');
    if ((await survey(host, of)).atPath !== 'ours') throw changed(of.path);
    return { inode: made.inode, ...birthOf(made) };
  },
  value: ({ undo: { path } }) => ({ path }),
  look: async ({ undo: of, host }): Promise<Look> => {
    const { own, note, atPath, content } = await survey(host, of);
    for (const [path, there, kind] of [
      [of.private, own, 'directory'],
      [of.note, note, 'file'],
    ] as const)
      if (there !== undefined && there.kind !== kind)
        return { state: 'not-ours', found: `${path} is ${kindInWords(there)}` };
    if (own !== undefined) return { state: 'ours' };
    if (note === undefined) return { state: 'gone' };
    if (atPath === 'another') return { state: 'ours', found: `${of.path} is another object now and stays` };
    if (content.length === 0) return { state: 'ours' };
    return { state: 'ours', found: `${of.path} is not empty (${content.slice(0, 3).join(', ')}) and stays` };
  },
  revert: async ({ undo: of, host }) => {
    const { own, note, atPath, content } = await survey(host, of);
    if (own !== undefined) await host.removeDir(of.private);
    else if (atPath === 'ours' && content.length === 0) await removeEmpty(() => host.removeDir(of.path));
    await syncDirectoryOf(host, of.path);
    if (note?.kind === 'file') await host.removeFile(of.note);
  },
  sync: ({ undo: { path }, host }) => syncDirectoryOf(host, path),
  afterCommit: async ({ undo: of, host }) => {
    if ((await host.stat(of.note))?.kind === 'file') await host.removeFile(of.note);
  },
  later: {
    refuse: async ({ undo: { path }, result: made, host }) => {
      await realParent(host, path);
      const there = await host.stat(path);
      if (there?.kind !== 'directory' || made === undefined || !isSame(there, made)) throw editedSince(path);
      refuseContent(path, await host.readDir(path));
    },
    bringBack: async ({ undo: of, result: made, host }) => {
      if ((await host.stat(of.note))?.kind === 'file') await host.removeFile(of.note);
      const there = await host.stat(of.path);
      if (there?.kind !== 'directory' || made === undefined || !isSame(there, made)) return {};
      await host.writeNew(of.note, identityOf(there), { mode: 0o600 });
      await syncDirectoryOf(host, of.path);
      return {};
    },
  },
  describe: ({ undo: of, result: made, way }) => ({
    what: `the directory ${of.path}, whose inode number is in ${of.note}`,
    look: [
      ['ls', '-lid', of.path, of.private],
      ['cat', of.note],
    ],
    clear: [...(way === 'back' ? [removal(of, made)] : []), ['rm', of.note]],
  }),
});

/**
 * Commands that remove the directory, but never another one that replaced it. An unfinished
 * directory still has its private name.
 */
function removal(of: Undo, made: z.infer<typeof result> | undefined): readonly string[] {
  if (made === undefined) return ['rmdir', of.private];
  return ['find', of.path, '-maxdepth', '0', '-inum', made.inode, '-empty', '-delete'];
}

interface Survey {
  readonly own: FileStat | undefined;
  readonly note: FileStat | undefined;
  readonly atPath: 'absent' | 'ours' | 'another';
  /** Names in the directory, if the directory of the step is at its path. */
  readonly content: readonly string[];
}

async function survey(host: ReadHost, of: Undo): Promise<Survey> {
  const [own, note, there] = [
    await host.stat(of.private),
    await host.stat(of.note),
    await host.stat(of.path),
  ];
  if (there === undefined) return { own, note, atPath: 'absent', content: [] };
  const isOurs =
    there.kind === 'directory' &&
    note?.kind === 'file' &&
    Buffer.from(await host.readFile(of.note)).toString() === identityOf(there);
  return isOurs
    ? { own, note, atPath: 'ours', content: await host.readDir(of.path) }
    : { own, note, atPath: 'another', content: [] };
}

/** Inode number and birth time, because device numbers change with a reboot. */
function identityOf(stat: FileStat): string {
  return `${JSON.stringify({ inode: stat.inode, ...birthOf(stat) })}\n`;
}

function isSame(stat: FileStat, { inode, birth: born }: z.infer<typeof result>): boolean {
  return stat.inode === inode && (born === undefined || stat.birth === born);
}

/** Runs `remove`; a directory into which others have put something stays. */
async function removeEmpty(remove: () => Promise<void>): Promise<void> {
  try {
    await remove();
  } catch (error) {
    if (!(error instanceof CommandError && error.reason === 'exists')) throw error;
  }
}

function taken(path: string, how: string): RefusedError {
  return new RefusedError(`${path} exists already: ${how}`, {
    code: 'exists',
    remedy: `see what it is: ls -ld ${inShell(path)}; then use it, or choose another name`,
  });
}

function changed(path: string): RefusedError {
  return new RefusedError(`${path} was changed concurrently`, {
    remedy: `look at it: ls -ld ${inShell(path)}; then run the command again`,
  });
}
