import * as z from 'zod/mini';
import { operation } from '../atomic/operation.ts';
import { RefusedError } from '../core/errors.ts';
import { ownerNumber } from '../file/path.ts';
import { groupadd, groupdel } from './commands.ts';
import { groupRecovery, refusePrimary } from './remove-group.ts';
import {
  freeNumber,
  type Group,
  groupNamed,
  groupsOf,
  newName,
  refuseElsewhere,
  refuseLocked,
  syncDatabases,
} from './database.ts';

const args = z.strictObject({
  /** Name of the new group. RefusedError `exists` if there is one of this name. */
  name: newName,
  /** Its gid (default: a free one of the range in /etc/login.defs). */
  gid: z.exactOptional(ownerNumber),
  /** A group for a service, with a gid of the system range (default: false). */
  system: z.exactOptional(z.boolean()),
});

/**
 * `tx.account.createGroup`: creates a group in /etc/group. Undo removes it, if it has this gid, no
 * members, and is not the primary group of a user.
 */
export const createGroup = operation({
  kind: 'account.group.create',
  version: 1,
  args,
  // The gid, chosen before the act, proves the step.
  undo: z.strictObject({ name: newName, gid: ownerNumber, system: z.boolean() }),
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  keepsContent: true,
  prepare: async ({ args: { name, gid: asked, system = false }, host, chosen }) => {
    await refuseLocked(host);
    if ((await groupNamed(host, name)) !== undefined)
      throw new RefusedError(`there is a group ${name} already`, {
        code: 'exists',
        remedy: `see it: getent group ${name}`,
      });
    await refuseElsewhere(host, 'group', name);
    const gid = asked ?? chosen?.gid ?? (await freeNumber(host, { kind: 'gid', system }));
    const rival = (await groupsOf(host)).find((each) => each.gid === gid);
    if (rival !== undefined)
      throw new RefusedError(`the group ${rival.name} has the gid ${String(gid)}`, {
        code: 'exists',
        remedy: asked === undefined ? 'run the command again' : 'choose another number',
      });
    return { name, gid, system };
  },
  claims: ({ undo: { name, gid } }) => ({ makes: [`group:${name}`, `gid:${String(gid)}`] }),
  run: async ({ undo: { name, gid, system }, host }) => {
    await refuseLocked(host);
    await host.run(groupadd(name, gid, { system }));
    return null;
  },
  value: ({ undo: { name, gid } }) => ({ name, gid }),
  look: async ({ undo: { name, gid }, host }) => {
    const found = await groupNamed(host, name);
    if (found === undefined) return { state: 'gone' };
    if (found.gid === gid) return { state: 'ours' };
    return { state: 'not-ours', found: `the group ${name} has the gid ${String(found.gid)} now` };
  },
  revert: async ({ undo: { name }, host }) => {
    const found = await groupNamed(host, name);
    if (found === undefined) return;
    await refuseLocked(host);
    await refusePrimary(host, found);
    if (found.members.length > 0) throw withMembers(found);
    await host.run(groupdel(name));
  },
  sync: ({ host }) => syncDatabases(host),
  describe: ({ undo }) => groupRecovery(undo),
});

function withMembers({ name, members }: Group): RefusedError {
  return new RefusedError(`the group ${name} has the members ${members.join(', ')}`, {
    code: 'in-use',
    remedy: `remove them first: gpasswd --delete ${members[0] ?? ''} ${name}`,
  });
}
