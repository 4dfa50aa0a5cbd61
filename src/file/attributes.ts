import { type ChangeHost, type Command, nothing } from '../command/index.ts';
import { CommandError } from '../core/errors.ts';
import { type Attributes, hasAttributes } from './path.ts';

/**
 * `cp --attributes-only`: copies mode, extended attributes (including ACLs, capabilities and
 * SELinux labels) and, with `owner`, the owner to a file, but not its content or times.
 */
export function copyAttributes(
  from: string,
  to: string,
  owner: 'owner' | 'no owner' = 'owner',
): Command<void, 'change'> {
  const preserve = owner === 'owner' ? 'mode,ownership,xattr' : 'mode,xattr';
  return {
    tool: 'cp',
    argv: ['--attributes-only', `--preserve=${preserve}`, '--no-target-directory', '--', from, to],
    access: 'change',
    parse: nothing,
    classify,
  };
}

/** chown(1), by uid and gid. The kernel then removes setuid, setgid and capabilities of a file. */
export function chown(path: string, uid: number, gid: number): Command<void, 'change'> {
  const argv = ['--no-dereference', `${String(uid)}:${String(gid)}`, path];
  return { tool: 'chown', argv, access: 'change', parse: nothing, classify };
}

/** chmod(1). With fewer than five digits it keeps setuid and setgid of a directory. */
export function chmod(path: string, mode: number): Command<void, 'change'> {
  const argv = [`0${mode.toString(8).padStart(4, '0')}`, path];
  return { tool: 'chmod', argv, access: 'change', parse: nothing, classify };
}

function classify({ stderr }: { readonly stderr: string }) {
  if (/No such file/.test(stderr)) return 'not-found';
  return /Operation not permitted|Permission denied|Read-only file system/.test(stderr)
    ? 'denied'
    : 'unknown';
}

/** Sets the owner of a new file or directory, and then its mode, because chown changes the mode. */
export async function setNew(
  host: ChangeHost,
  path: string,
  { uid, gid, mode }: Attributes & { readonly mode: number },
): Promise<void> {
  if (uid === undefined && gid === undefined) return;
  const made = await host.stat(path);
  await host.run(chown(path, uid ?? made?.uid ?? 0, gid ?? made?.gid ?? 0));
  await host.run(chmod(path, mode));
  await expectAttributes(host, path, {
    mode,
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  });
}

/**
 * Writes a file beside another one, with the same mode, owner and extended attributes, and makes it
 * durable. `set` has the attributes that differ.
 */
export async function writeLike(
  host: ChangeHost,
  {
    like,
    path,
    content,
    set = {},
  }: {
    readonly like: string;
    readonly path: string;
    readonly content: Uint8Array;
    readonly set?: Attributes;
  },
): Promise<void> {
  await host.writeNew(path, content, { mode: 0o600 });
  const old = await host.stat(like);
  const wanted = { uid: old?.uid ?? 0, gid: old?.gid ?? 0, mode: old?.mode ?? 0, ...set };
  if (wanted.uid === old?.uid && wanted.gid === old.gid) await host.run(copyAttributes(like, path));
  else {
    // Before the attributes: a change of the owner removes capabilities.
    await host.run(chown(path, wanted.uid, wanted.gid));
    await host.run(copyAttributes(like, path, 'no owner'));
  }
  if (set.mode !== undefined && set.mode !== old?.mode) await host.run(chmod(path, set.mode));
  await expectAttributes(host, path, wanted);
  await host.sync(path);
}

/** Checks the attributes, because the exit code 0 of the programs does not prove them. */
export async function expectAttributes(host: ChangeHost, path: string, wanted: Attributes): Promise<void> {
  const made = await host.stat(path);
  if (made !== undefined && hasAttributes(made, wanted)) return;
  const what = 'reported success, but mode and owner are not those that were asked for';
  throw new CommandError({ tool: 'chown', argv: [path], reason: 'unknown', what });
}
