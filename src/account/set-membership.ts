import * as z from 'zod/mini';
import { operation } from '../atomic/operation.ts';
import { RefusedError } from '../core/errors.ts';
import { ownerNumber } from '../file/path.ts';
import { gpasswd } from './commands.ts';
import {
  accountName,
  existingGroup,
  existingUser,
  groupNamed,
  refuseLocked,
  syncDatabases,
  userNamed,
} from './database.ts';

const args = z.strictObject({
  /** Name of an existing user. */
  user: accountName,
  /** Name of an existing group. */
  group: accountName,
  /** True: the user joins the group. False: the user leaves it. */
  member: z.boolean(),
});

/**
 * `tx.account.setMembership`: adds a user to a group in /etc/group, or removes the user; other
 * members stay. Undo does the opposite, for the same user and group. A running process keeps its
 * groups.
 */
export const setMembership = operation({
  kind: 'account.membership',
  version: 1,
  args,
  undo: z.strictObject({ ...args.shape, uid: ownerNumber, gid: ownerNumber }),
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  keepsContent: true,
  prepare: async ({ args: asked, host }) => {
    await refuseLocked(host);
    const [{ uid }, { gid, members }] = [
      await existingUser(host, asked.user),
      await existingGroup(host, asked.group),
    ];
    if (members.includes(asked.user) === asked.member)
      throw new RefusedError(
        `${asked.user} is ${asked.member ? 'already a member' : 'not a member'} of ${asked.group}`,
        { remedy: `see its members: getent group ${asked.group}` },
      );
    return { ...asked, uid, gid };
  },
  claims: ({ undo: { user, group } }) => ({
    changes: [`member:${user}@${group}`],
    needs: [`user:${user}`, `group:${group}`],
  }),
  run: async ({ undo: { user, group, member }, host }) => {
    await refuseLocked(host);
    await host.run(gpasswd(member ? 'add' : 'delete', user, group));
    return null;
  },
  value: () => undefined,
  look: async ({ undo: { user, group, member, uid, gid }, host }) => {
    const [there, of] = [await userNamed(host, user), await groupNamed(host, group)];
    // Without the user or the group there is nothing to undo.
    if (there?.uid !== uid || of?.gid !== gid) return { state: 'gone' };
    return { state: of.members.includes(user) === member ? 'ours' : 'gone' };
  },
  revert: async ({ undo: { user, group, member }, host }) => {
    await refuseLocked(host);
    await host.run(gpasswd(member ? 'delete' : 'add', user, group));
  },
  sync: ({ host }) => syncDatabases(host),
  describe: ({ undo: { user, group, member } }) => ({
    what: `the user ${user}, who ${member ? 'joined' : 'left'} the group ${group}`,
    look: [['getent', 'group', group]],
    clear: [['gpasswd', member ? '--delete' : '--add', user, group]],
  }),
});
