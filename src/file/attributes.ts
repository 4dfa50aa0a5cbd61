import { posix } from 'node:path';
import { type ChangeHost, type Command, errnoReason, nothing } from '../command/index.ts';
import { CommandError, ParseError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import {
  aclChange,
  type AclRequest,
  getfacl,
  hasAcl,
  type ModeAndAcl,
  setfacl,
  textOf,
  unsupported,
  wholeAclChange,
} from './acl.ts';
import { type Attributes, hasAttributes } from './path.ts';
import { setXattrs, type XattrRequest } from './xattr.ts';

/**
 * `cp --attributes-only`: copies extended attributes (including capabilities and SELinux labels)
 * and, with `owner`, the owner to a file, but not its content, times, mode or ACL.
 */
export function copyAttributes(
  from: string,
  to: string,
  owner: 'owner' | 'no owner' = 'owner',
): Command<void, 'change'> {
  const preserve = owner === 'owner' ? 'ownership,xattr' : 'xattr';
  return {
    tool: 'cp',
    argv: [
      '--attributes-only',
      '--verbose',
      `--preserve=${preserve}`,
      '--no-target-directory',
      '--',
      from,
      to,
    ],
    access: 'change',
    // Without the package attr no program can read the attributes, so that cp itself must say what it did.
    parse: ({ stdout }) => {
      if (stdout === '')
        throw new ParseError(`cp --verbose printed nothing: it is unknown whether ${to} has the attributes`);
    },
    classify: errnoReason,
  };
}

/** chown(1), by uid and gid. The kernel then removes setuid, setgid and capabilities of a file. */
export function chown(path: string, uid: number, gid: number): Command<void, 'change'> {
  const argv = ['--no-dereference', `${String(uid)}:${String(gid)}`, path];
  return { tool: 'chown', argv, access: 'change', parse: nothing, classify: errnoReason };
}

/** chmod(1). Passes five digits: with fewer it keeps setuid and setgid of a directory. */
export function chmod(path: string, mode: number): Command<void, 'change'> {
  const argv = [`0${mode.toString(8).padStart(4, '0')}`, path];
  return { tool: 'chmod', argv, access: 'change', parse: nothing, classify: errnoReason };
}

/**
 * Sets ACLs and mode. setfacl(1) keeps setuid, setgid and the sticky bit, so chmod(1) sets those,
 * but only after a check that the ACLs are set: otherwise it would change the mask of the old ones.
 */
export async function setModeAndAcl(host: ChangeHost, path: string, wanted: ModeAndAcl): Promise<void> {
  try {
    await host.run(setfacl(path, wanted));
  } catch (error) {
    if (!(error instanceof CommandError && / Operation not supported$/m.test(error.stderr))) throw error;
    // A private name is gone when the error is read.
    const isPrivate = posix.basename(path).startsWith('.bofh-');
    throw unsupported(isPrivate ? posix.dirname(path) : path, error);
  }
  const now = await host.run(getfacl(path));
  const { acl, defaultAcl = '' } = wanted;
  if (textOf(now.access) !== acl || textOf(now.default) !== defaultAcl)
    throw notSet('setfacl', path, 'the ACLs');
  if ((await host.stat(path))?.mode !== wanted.mode) await host.run(chmod(path, wanted.mode));
}

/**
 * Sets the owner of a new file or directory, then its mode and ACLs, because chown changes the mode.
 * A file for which owner or ACL are given is new with mode 0600: before its ACL, the entries that it
 * inherits must not become effective.
 */
export async function setNewAttributes(
  host: ChangeHost,
  path: string,
  {
    uid,
    gid,
    mode,
    acl,
    defaultAcl,
    xattrs,
  }: Attributes & AclRequest & XattrRequest & { readonly mode: number },
): Promise<void> {
  const isOwned = uid !== undefined || gid !== undefined;
  if (isOwned) {
    const made = await host.stat(path);
    const isAsAsked = made !== undefined && hasAttributes(made, present({ uid, gid }));
    if (!isAsAsked) await host.run(chown(path, uid ?? made?.uid ?? 0, gid ?? made?.gid ?? 0));
  }
  await setXattrs(host, path, xattrs);
  const stat = await host.stat(path);
  const asked = { mode, ...present({ acl, defaultAcl }) };
  const acls = stat && (await aclChange(host, path, { ...asked, stat }))?.after;
  if (acls !== undefined) await setModeAndAcl(host, path, acls);
  else if (isOwned) await host.run(chmod(path, mode));
  else return;
  await expectAttributes(host, path, { ...present({ uid, gid }), mode, ...acls });
}

/**
 * Removes the entries that a copy has inherited from the default ACL of its directory. cp(1) of
 * coreutils 9.7 copies an ACL, but if the source has none, the new file keeps its inherited
 * entries.
 */
export async function removeInherited(host: ChangeHost, from: string, to: string): Promise<void> {
  if (!(await host.run(hasAcl(to)))) return;
  const [old, copied] = [await host.run(getfacl(from)), await host.run(getfacl(to))];
  const [acl, defaultAcl] = [textOf(old.access), textOf(old.default)];
  if (acl === textOf(copied.access) && defaultAcl === textOf(copied.default)) return;
  const { mode = 0, kind } = (await host.stat(from)) ?? {};
  await setModeAndAcl(host, to, { mode, acl, ...(kind === 'directory' ? { defaultAcl } : {}) });
}

/**
 * Writes a file beside another one, with the same mode, owner and extended attributes, and makes it
 * durable. `set` has the attributes that differ. Mode and ACL come last and at once: the content may
 * be a secret that the old ones would show.
 */
export async function writeLike(
  host: ChangeHost,
  {
    like,
    path,
    content,
    set: { acl, xattrs, ...set } = {},
  }: {
    readonly like: string;
    readonly path: string;
    readonly content: Uint8Array;
    readonly set?: Attributes & Pick<AclRequest, 'acl'> & XattrRequest;
  },
): Promise<void> {
  const first = 0o600;
  await host.writeNew(path, content, { mode: first });
  const stat = await host.stat(like);
  if (stat === undefined)
    throw new CommandError({
      ...{ tool: 'cp', argv: [like, path], reason: 'not-found' },
      what: `${like} was removed concurrently`,
    });
  const wanted = { uid: stat.uid, gid: stat.gid, mode: stat.mode, ...set };
  if (wanted.uid === stat.uid && wanted.gid === stat.gid) await host.run(copyAttributes(like, path));
  else {
    // Before the attributes: a change of the owner removes capabilities.
    await host.run(chown(path, wanted.uid, wanted.gid));
    await host.run(copyAttributes(like, path, 'no owner'));
  }
  await setXattrs(host, path, xattrs);
  // The new file may have inherited an ACL.
  const isListed = acl !== undefined || (await host.run(hasAcl(like, path)));
  const asked = { stat, mode: set.mode, ...present({ acl }) };
  const acls = isListed ? (await wholeAclChange(host, like, asked)).after : undefined;
  if (acls !== undefined) await setModeAndAcl(host, path, acls);
  else if (wanted.mode !== first) await host.run(chmod(path, wanted.mode));
  await expectAttributes(host, path, { ...wanted, ...acls });
  await host.sync(path);
}

/** Checks the attributes, because the exit code 0 of the programs does not prove them. */
export async function expectAttributes(host: ChangeHost, path: string, wanted: Attributes): Promise<void> {
  const found = await host.stat(path);
  if (found === undefined || !hasAttributes(found, wanted)) throw notSet('chmod', path, 'mode and owner');
}

function notSet(tool: 'chmod' | 'setfacl', path: string, which: string): CommandError {
  const what = `reported success, but ${which} are not those that were asked for`;
  return new CommandError({ tool, argv: [path], reason: 'unknown', what });
}
