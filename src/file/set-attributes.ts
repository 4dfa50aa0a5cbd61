import { posix } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod/mini';
import { type Look, operation } from '../atomic/operation.ts';
import {
  type ChangeHost,
  commandWords,
  type FileStat,
  inShell,
  kindInWords,
  type ReadHost,
  refuseExposed,
  shellWords,
} from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import {
  aclChange,
  aclEntries,
  aclText,
  defaultAclEntries,
  getfacl,
  type ModeAndAcl,
  refuseNoAcl,
  setfacl,
  textOf,
} from './acl.ts';
import { chmod, chown, expectAttributes, setModeAndAcl } from './attributes.ts';
import { refuseNoXattrs, setfattr, setXattrs, xattrInWords, xattrsOf, xattrValues } from './xattr.ts';
import {
  findNames,
  absolutePath,
  birth,
  birthOf,
  askedMode,
  fileMode,
  hasAttributes,
  inodeNumber,
  otherNames,
  ownerNumber,
  realParent,
} from './path.ts';

const args = z.strictObject({
  /** Absolute path of an existing file or directory. */
  path: absolutePath,
  /** New uid, only for a directory (default: unchanged). */
  uid: z.exactOptional(ownerNumber),
  /** New gid, only for a directory (default: unchanged). */
  gid: z.exactOptional(ownerNumber),
  /** New permission bits (default: unchanged). */
  mode: z.exactOptional(askedMode),
  /**
   * All entries of the ACL for named users and groups, and its mask: `['user:33:r-x']` (default:
   * unchanged). The group bits of the mode are then those of the owning group; without `acl` they
   * are the mask, as for chmod(1).
   */
  acl: z.exactOptional(aclEntries),
  /**
   * Only for a directory: entries of the ACL that new files in it get: `['user:33:rwx']`; entries of
   * owner, group and others are by default those of the directory, and `[]` is none (default:
   * unchanged).
   */
  defaultAcl: z.exactOptional(defaultAclEntries),
  /**
   * Extended attributes to set or, with null, to remove: `{ 'user.note': btoa('x') }`. Values are in
   * base64. Others stay (default: unchanged).
   */
  xattrs: z.exactOptional(xattrValues),
});

const all = z.strictObject({
  uid: ownerNumber,
  gid: ownerNumber,
  mode: fileMode,
  /** All entries of the ACL, if the step concerns it. */
  acl: z.exactOptional(aclText),
  /** The same of the default ACL of a directory; empty if there is none. */
  defaultAcl: z.exactOptional(aclText),
  /** The extended attributes that the step concerns, as in its arguments. */
  xattrs: z.exactOptional(xattrValues),
});

type All = z.infer<typeof all>;

const undo = z.strictObject({
  path: absolutePath,
  kind: z.enum(['file', 'directory']),
  inode: inodeNumber,
  birth,
  before: all,
  after: all,
});

type Undo = z.infer<typeof undo>;

/**
 * `tx.file.setAttributes`: changes mode, ACL and extended attributes of a file, or also the owner of a
 * directory. Undo restores them, unless others changed them meanwhile or replaced the file.
 *
 * It does not change the owner of a file, because the kernel then removes its capabilities, and
 * nothing restores them exactly. `tx.file.change` with the current content does, because its undo
 * still has the old inode.
 */
export const setAttributes = operation({
  kind: 'file.attributes',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  keepsContent: true,
  prepare: async ({ args: { path, uid, gid, mode, acl, defaultAcl, xattrs }, host }): Promise<Undo> => {
    await realParent(host, path);
    const stat = await host.stat(path);
    if (stat === undefined)
      throw new RefusedError(`there is no file or directory ${path}`, {
        code: 'not-found',
        remedy: `look for it: ls -l ${inShell(posix.dirname(path))}`,
      });
    if (stat.kind !== 'file' && stat.kind !== 'directory')
      throw new RefusedError(`${path} is not a file or directory but ${kindInWords(stat)}`, {
        remedy: `see what it is: ls -ld ${inShell(path)}`,
      });
    await refuseExposed(host, path, 'there');
    const asked = present({ uid, gid, mode });
    const lists = present({ acl, defaultAcl });
    await refuseNoAcl(host, path, lists);
    await refuseNoXattrs(host, path, present({ xattrs }));
    const change = await aclChange(host, path, { stat, mode, ...lists });
    const now = xattrs === undefined ? {} : { xattrs: await xattrsOf(host, path, Object.keys(xattrs)) };
    const before = { uid: stat.uid, gid: stat.gid, mode: stat.mode, ...change?.before, ...now };
    const after = { ...before, ...asked, ...change?.after, ...present({ xattrs }) };
    if (isDeepStrictEqual(before, after))
      throw new RefusedError(`${path} has this ${which(before)} already`, {
        remedy: `see it: ${looks(path, before).map(shellWords).join('; ')}`,
      });
    if (stat.kind === 'file' && !hasAttributes(stat, present({ uid, gid })))
      throw new RefusedError(`the owner of the file ${path} cannot be changed in place`, {
        remedy: 'use tx.file.change with its current content and the new owner',
      });
    if (stat.kind === 'file' && (await otherNames(host, path, stat)) > 0)
      throw new RefusedError(`${path} has another hard link, whose mode would change too`, {
        remedy: findNames(path),
      });
    const { kind, inode } = stat;
    return { path, kind, inode, ...birthOf(stat), before, after };
  },
  claims: ({ undo: { path } }) => ({ changes: [`file:${path}`] }),
  run: async ({ undo: of, host }) => {
    const stat = await host.stat(of.path);
    if (!isObject(stat, of) || !isDeepStrictEqual(await attributesOf(host, stat, of), of.before))
      throw new RefusedError(`${of.path} was changed concurrently, and stays as it is`, {
        remedy: `see it: stat ${inShell(of.path)}; then run the command again`,
      });
    if (of.after.uid !== of.before.uid || of.after.gid !== of.before.gid)
      await host.run(chown(of.path, of.after.uid, of.after.gid));
    await setXattrs(host, of.path, of.after.xattrs);
    await setMode(host, of, of.after);
    await expectAttributes(host, of.path, of.after);
    return null;
  },
  value: ({ undo: { path } }) => ({ path }),
  look: async ({ undo: of, host }) => look(host, of),
  revert: async ({ undo: of, host }) => {
    const stat = await host.stat(of.path);
    if (stat === undefined) return;
    if (!hasAttributes(stat, { uid: of.before.uid, gid: of.before.gid }))
      await host.run(chown(of.path, of.before.uid, of.before.gid));
    await setXattrs(host, of.path, of.before.xattrs);
    await setMode(host, of, of.before);
    await expectAttributes(host, of.path, of.before);
  },
  sync: async ({ undo: of, host }) => {
    if (isObject(await host.stat(of.path), of)) await host.sync(of.path);
  },
  later: {
    refuse: async ({ undo: of, host }) => {
      const { state, found } = await look(host, of);
      if (state === 'not-ours')
        throw new RefusedError(found ?? `${of.path} is another object now`, {
          remedy: `see it: stat ${inShell(of.path)}`,
        });
    },
    // The undo of a newer step may just have created the file again, with another inode.
    bringBack: async ({ undo: { path, kind }, restored, host }) => {
      const stat = restored === true ? await host.stat(path) : undefined;
      return stat?.kind === kind ? { inode: stat.inode, ...birthOf(stat) } : {};
    },
  },
  describe: ({ undo: { path, inode, before } }) => ({
    what: `${which(before)} of ${path} (inode ${inode}), which were ${inWords(before)}`,
    look: looks(path, before),
    clear: [
      [...only(path, inode), 'chown', `${String(before.uid)}:${String(before.gid)}`, '{}', ';'],
      ...(isListed(before) ? [[...only(path, inode), ...commandWords(setfacl('{}', before)), ';']] : []),
      [...only(path, inode), 'chmod', `0${before.mode.toString(8).padStart(4, '0')}`, '{}', ';'],
      ...Object.entries(before.xattrs ?? {}).map(([name, value]) => [
        ...[...only(path, inode), ...commandWords(setfattr('{}', name, value)), ';'],
      ]),
    ],
  }),
});

/** What the step concerns, in words. */
function which({ acl, xattrs }: All): string {
  const all = ['owner', 'mode', ...(acl === undefined ? [] : ['ACL'])];
  if (xattrs !== undefined) all.push('extended attributes');
  return `${all.slice(0, -1).join(', ')} and ${all.at(-1) ?? ''}`;
}

/** Commands that show what the step concerns. */
function looks(path: string, { acl, xattrs }: All): readonly (readonly string[])[] {
  return [
    ['stat', path],
    ...(acl === undefined ? [] : [['getfacl', path]]),
    ...(xattrs === undefined ? [] : [['getfattr', '--dump', '--match=^(user|trusted)', path]]),
  ];
}

/** Sets the mode, and the ACLs if the step concerns them. */
async function setMode(host: ChangeHost, { path }: Undo, wanted: All): Promise<void> {
  if (isListed(wanted)) await setModeAndAcl(host, path, wanted);
  else if ((await host.stat(path))?.mode !== wanted.mode) await host.run(chmod(path, wanted.mode));
}

function isListed(one: All): one is All & ModeAndAcl {
  return one.acl !== undefined;
}

/**
 * Returns the start of a find(1) command that acts only on this inode, not on a file that replaced
 * it.
 */
function only(path: string, inode: string): readonly string[] {
  return ['find', path, '-maxdepth', '0', '-inum', inode, '-exec'];
}

async function look(host: ReadHost, of: Undo): Promise<Look> {
  const stat = await host.stat(of.path);
  if (stat === undefined) return { state: 'gone' };
  if (!isObject(stat, of)) return { state: 'not-ours', found: `${of.path} is another object now` };
  const now = await attributesOf(host, stat, of);
  if (isDeepStrictEqual(now, of.before)) return { state: 'gone' };
  // setfacl and chmod set different bits of the mode, one after the other.
  const parts = (one: All): readonly unknown[] => [
    ...[one.uid, one.gid, one.acl, one.defaultAcl],
    ...(one.acl === undefined ? [one.mode] : [one.mode & 0o7000, one.mode & 0o777]),
    // In the order of the step's own.
    ...Object.keys(of.before.xattrs ?? {}).map((name) => one.xattrs?.[name]),
  ];
  const [before, after] = [parts(of.before), parts(of.after)];
  if (parts(now).every((each, index) => each === before[index] || each === after[index]))
    return { state: 'ours' };
  return { state: 'not-ours', found: `${of.path} has ${inWords(now)} now` };
}

function isObject(
  stat: FileStat | undefined,
  { kind, inode, birth: born }: Pick<Undo, 'kind' | 'inode' | 'birth'>,
): stat is FileStat {
  return stat?.kind === kind && stat.inode === inode && (born === undefined || stat.birth === born);
}

/** Returns the attributes that the step concerns, as they are now. */
async function attributesOf(host: ReadHost, stat: FileStat, { path, before }: Undo): Promise<All> {
  const lists = isListed(before) ? await host.run(getfacl(path)) : undefined;
  const names = before.xattrs === undefined ? undefined : Object.keys(before.xattrs);
  return {
    ...{ uid: stat.uid, gid: stat.gid, mode: stat.mode },
    ...(lists === undefined ? {} : { acl: textOf(lists.access) }),
    ...(lists === undefined || before.defaultAcl === undefined ? {} : { defaultAcl: textOf(lists.default) }),
    ...(names === undefined ? {} : { xattrs: await xattrsOf(host, path, names) }),
  };
}

function inWords({ uid, gid, mode, acl, defaultAcl, xattrs = {} }: All): string {
  const all = [`owner ${String(uid)}:${String(gid)} and mode 0${mode.toString(8)}`];
  if (acl !== undefined)
    all.push(`ACL ${acl}${(defaultAcl ?? '') === '' ? '' : ` and default ACL ${defaultAcl ?? ''}`}`);
  for (const [name, value] of Object.entries(xattrs))
    all.push(value === null ? `no ${name}` : `${name} ${xattrInWords(value)}`);
  return all.join(', ');
}
