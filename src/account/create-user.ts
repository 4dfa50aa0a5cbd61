import * as z from 'zod/mini';
import { type Look, operation } from '../atomic/operation.ts';
import { type ChangeHost, inShell, kindInWords, type ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { absolutePath, ownerNumber, realParent } from '../file/path.ts';
import { useradd, userdel, usermod } from './commands.ts';
import {
  accountName,
  existingGroup,
  field,
  freeNumber,
  groupNamed,
  groupsOf,
  newName,
  refuseElsewhere,
  refuseLocked,
  refuseRunning,
  syncDatabases,
  type User,
  userNamed,
  usersOf,
} from './database.ts';
import { entriesOfNew, removeNewHome, syncHome } from './home.ts';

const args = z.strictObject({
  /** Name of the new user. RefusedError `exists` if there is one of this name. */
  name: newName,
  /** Primary group: name or gid (default: the group of the same name). */
  group: z.exactOptional(z.union([accountName, ownerNumber], 'must be the name or the number of a group')),
  /**
   * Its uid (default: the gid of its own group, otherwise a free one of the range in
   * /etc/login.defs).
   */
  uid: z.exactOptional(ownerNumber),
  /** A user for a service: a uid of the system range, no home and no login (default: false). */
  system: z.exactOptional(z.boolean()),
  /** Absolute path of its home (default: /home/NAME; for a system user /nonexistent). */
  home: z.exactOptional(absolutePath),
  /**
   * Whether to create the home, as a copy of /etc/skel (default: true; for a system user false).
   */
  createHome: z.exactOptional(z.boolean()),
  /** Its login shell (default: /bin/bash; for a system user /usr/sbin/nologin). */
  shell: z.exactOptional(absolutePath),
  /** Its full name or purpose. */
  comment: z.exactOptional(field),
});

const undo = z.strictObject({
  name: newName,
  /** The uid, chosen before the act, proves the step, together with the other fields. */
  uid: ownerNumber,
  gid: ownerNumber,
  home: absolutePath,
  shell: absolutePath,
  comment: field,
  createHome: z.boolean(),
  system: z.boolean(),
});

type Undo = z.infer<typeof undo>;

/**
 * What usermod(8) sets before userdel: another group, so that userdel does not also remove the group of the same
 * name; and another home, because usermod would change the group of the files in the real one.
 */
const beforeUserdel = { home: '/nonexistent', gid: 65534 };

/**
 * `tx.account.createUser`: creates a user in /etc/passwd, without a password, and its home. Undo
 * removes the user if its line is unchanged and none of its processes runs, and the home if it
 * contains only copies from /etc/skel. Any other home stays.
 */
export const createUser = operation({
  kind: 'account.user.create',
  version: 1,
  args,
  undo,
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  keepsContent: true,
  prepare: async ({ args: asked, host, chosen }): Promise<Undo> => {
    const { name, system = false, comment = '' } = asked;
    await refuseLocked(host);
    if ((await userNamed(host, name)) !== undefined)
      throw new RefusedError(`there is a user ${name} already`, {
        code: 'exists',
        remedy: `see it: getent passwd ${name}`,
      });
    await refuseElsewhere(host, 'passwd', name);
    const group = await existingGroup(host, asked.group ?? name);
    if (group.name === name && !(await groupsOf(host)).some(({ gid }) => gid === beforeUserdel.gid))
      throw new RefusedError(
        `bofh needs the group 65534 for an undo of the user ${name}, but it is not in /etc/group`,
        {
          code: 'not-found',
          remedy: `create it: groupadd --gid ${String(beforeUserdel.gid)} nogroup; then run the command again`,
        },
      );
    const like = group.name === name ? { like: group.gid } : {};
    const uid = asked.uid ?? chosen?.uid ?? (await freeNumber(host, { kind: 'uid', system, ...like }));
    const rival = (await usersOf(host)).find((each) => each.uid === uid);
    if (rival !== undefined)
      throw new RefusedError(`the user ${rival.name} has the uid ${String(uid)}`, {
        code: 'exists',
        remedy: asked.uid === undefined ? 'run the command again' : 'choose another number',
      });
    const shell = asked.shell ?? (system ? '/usr/sbin/nologin' : '/bin/bash');
    await refuseMissingShell(host, shell);
    const home = asked.home ?? (system ? beforeUserdel.home : `/home/${name}`);
    const createHome = (asked.createHome ?? !system) && !(await isHome(host, { name, uid, home }));
    return { name, uid, gid: group.gid, home, shell, comment, createHome, system };
  },
  claims: ({ undo: { name, uid, gid, home, createHome } }) => ({
    makes: [`user:${name}`, `uid:${String(uid)}`, ...(createHome ? [`file:${home}`] : [])],
    needs: [`gid:${String(gid)}`],
  }),
  run: async ({ undo: of, host }) => {
    await refuseLocked(host);
    await host.run(useradd(of, of));
    return null;
  },
  value: ({ undo: { name, uid, gid, home } }) => ({ name, uid, gid, home }),
  look: ({ undo: of, host }) => look(host, of),
  revert: async ({ undo: of, host }) => {
    const found = await userNamed(host, of.name);
    if (found !== undefined) {
      await refuseLocked(host);
      await refuseRunning(host, of);
      await removeUserOnly(host, found);
    }
    if (of.createHome) await removeNewHome(host, of);
  },
  sync: async ({ undo: of, host }) => {
    await syncDatabases(host);
    if (of.createHome) await syncHome(host, of);
  },
  describe: ({ undo: { name, uid, home, createHome } }) => ({
    what: `the user ${name} (uid ${String(uid)})${createHome ? ` with the home ${home}` : ''}`,
    look: [['getent', 'passwd', name], ...(createHome ? [['ls', '-lan', home]] : [])],
    clear: [['userdel', name]],
  }),
});

async function look(host: ReadHost, of: Undo): Promise<Look> {
  const there = await userNamed(host, of.name);
  const stays = of.createHome && (await host.stat(of.home)) !== undefined;
  const isNew = stays && (await entriesOfNew(host, of)) !== undefined;
  if (there === undefined) return { state: isNew ? 'ours' : 'gone' };
  const isReadyForUserdel = there.gid === beforeUserdel.gid && there.home === beforeUserdel.home;
  const isSame = (['gid', 'home', 'shell', 'comment'] as const).every((key) => there[key] === of[key]);
  if (there.uid !== of.uid || !(isSame || isReadyForUserdel))
    return {
      state: 'not-ours',
      found: `the user ${of.name} was changed since: see getent passwd ${of.name}`,
    };
  return { state: 'ours' };
}

/** Removes a user but not its group: the group has a step of its own, or existed before. */
async function removeUserOnly(host: ChangeHost, { name, gid }: User): Promise<void> {
  if ((await groupNamed(host, name))?.gid === gid) await host.run(usermod(name, beforeUserdel));
  await host.run(userdel(name));
}

/** RefusedError for a login shell that does not exist. */
export async function refuseMissingShell(host: ReadHost, shell: string): Promise<void> {
  if ((await host.stat(shell)) !== undefined) return;
  throw new RefusedError(`there is no login shell ${shell}`, {
    code: 'not-found',
    remedy: 'install the package that contains it, or choose another one of /etc/shells',
  });
}

/** Whether the home exists and belongs to this uid. RefusedError if it belongs to another one. */
async function isHome(
  host: ReadHost,
  { name, uid, home }: Pick<User, 'name' | 'uid' | 'home'>,
): Promise<boolean> {
  await realParent(host, home);
  const stat = await host.stat(home);
  if (stat === undefined) return false;
  if (stat.kind === 'directory' && stat.uid === uid) return true;
  throw new RefusedError(
    `${home} is ${kindInWords(stat)} of uid ${String(stat.uid)}, but ${name} has the uid ${String(uid)}`,
    {
      code: 'exists',
      remedy: `move it away, or make the user its owner: chown --recursive ${String(uid)} ${inShell(home)}`,
    },
  );
}
