import * as z from 'zod/mini';
import { deferred } from '../atomic/operation.ts';
import type { ReadHost } from '../command/index.ts';
import { type ManualRecovery, RefusedError } from '../core/errors.ts';
import { ownerNumber } from '../file/path.ts';
import { groupdel } from './commands.ts';
import {
  accountName,
  existingGroup,
  type Group,
  groupNamed,
  refuseLocked,
  syncDatabases,
  usersOf,
} from './database.ts';

/**
 * `tx.account.removeGroup`: removes a group by groupdel(8), after the commit; files of the group
 * keep its gid. RefusedError for the primary group of a user.
 */
export const removeGroup = deferred({
  kind: 'account.group.remove',
  version: 1,
  args: z.strictObject({
    /** Name of an existing group. */
    name: accountName,
  }),
  undo: z.strictObject({ name: accountName, gid: ownerNumber }),
  prepare: async ({ args: { name }, host }) => {
    await refuseLocked(host);
    const group = await existingGroup(host, name);
    await refusePrimary(host, group);
    return { name, gid: group.gid };
  },
  claims: ({ undo: { name, gid } }) => ({ changes: [`group:${name}`, `gid:${String(gid)}`] }),
  look: async ({ undo: { name, gid }, host }) => ({
    state: (await groupNamed(host, name))?.gid === gid ? 'ours' : 'gone',
  }),
  afterCommit: async ({ undo: { name }, host }) => {
    await refuseLocked(host);
    await host.run(groupdel(name));
  },
  sync: ({ host }) => syncDatabases(host),
  describe: ({ undo }) => groupRecovery(undo),
});

/** Manual recovery for a group that still exists. */
export function groupRecovery({ name, gid }: Pick<Group, 'name' | 'gid'>): ManualRecovery {
  return {
    what: `the group ${name} (gid ${String(gid)})`,
    look: [['getent', 'group', name]],
    clear: [['groupdel', name]],
  };
}

/** RefusedError for the primary group of a user. */
export async function refusePrimary(host: ReadHost, { name, gid }: Group): Promise<void> {
  const user = (await usersOf(host)).find((each) => each.gid === gid);
  if (user === undefined) return;
  throw new RefusedError(`the group ${name} is the primary group of ${user.name}`, {
    code: 'in-use',
    remedy: `first give the user another primary group: usermod --gid GROUP ${user.name}`,
  });
}
