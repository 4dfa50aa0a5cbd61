import * as z from 'zod/mini';
import { operation } from '../atomic/operation.ts';
import { RefusedError } from '../core/errors.ts';
import { ownerNumber } from '../file/path.ts';
import { expire, userdel } from './commands.ts';
import {
  accountName,
  existingUser,
  refuseLocked,
  refuseRunning,
  syncDatabases,
  userNamed,
} from './database.ts';
import { shadowOf } from './shadow.ts';

/** Expires the account: a day in 1970 that differs from the old one, so that it proves the step. */
const expiredOn = (before: string): string => (before === '1' ? '2' : '1');

/**
 * `tx.account.removeUser`: locks the user and expires the account. After the commit userdel(8)
 * removes the user and its own group, and leaves the home. Undo unlocks the user. RefusedError
 * while processes of the user run.
 */
export const removeUser = operation({
  kind: 'account.user.remove',
  version: 1,
  args: z.strictObject({
    /** Name of an existing user. */
    name: accountName,
  }),
  undo: z.strictObject({
    name: accountName,
    uid: ownerNumber,
    /** Whether the user was locked before. */
    locked: z.boolean(),
    /** Day on which the account expired before; empty: never. */
    expires: z.string().check(z.regex(/^-?\d*$/)),
  }),
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  keepsContent: true,
  prepare: async ({ args: { name }, host }) => {
    await refuseLocked(host);
    const user = await existingUser(host, name);
    if (user.uid === 0)
      throw new RefusedError(`${name} has the uid 0: this host needs this user`, {
        remedy: 'name another user',
      });
    await refuseRunning(host, user);
    const { hash, expires } = await shadowOf(host, name);
    if (hash === '')
      throw new RefusedError(`the user ${name} has an empty password, which an undo could not restore`, {
        remedy: `passwd --lock ${name}`,
      });
    return { name, uid: user.uid, locked: hash.startsWith('!'), expires };
  },
  claims: ({ undo: { name } }) => ({ changes: [`user:${name}`] }),
  run: async ({ undo: { name, expires }, host }) => {
    await refuseLocked(host);
    await host.run(expire(name, { lock: 'lock', on: expiredOn(expires) }));
    return null;
  },
  value: () => undefined,
  look: async ({ undo: { name, uid, locked, expires }, host }) => {
    if ((await userNamed(host, name))?.uid !== uid) return { state: 'gone' };
    const now = await shadowOf(host, name);
    if (now.expires === expiredOn(expires)) return { state: 'ours' };
    if (now.expires === expires) return { state: 'gone' };
    const left = !locked && now.hash.startsWith('!') ? ', and its password is still locked' : '';
    return { state: 'not-ours', found: `others changed the day on which ${name} expires${left}` };
  },
  revert: async ({ undo: { name, locked, expires }, host }) => {
    await refuseLocked(host);
    await host.run(expire(name, { ...(locked ? {} : { lock: 'unlock' as const }), on: expires }));
  },
  afterCommit: async ({ undo: { name, uid }, host }) => {
    if ((await userNamed(host, name))?.uid !== uid) return;
    await refuseLocked(host);
    await refuseRunning(host, { name, uid });
    await host.run(userdel(name));
  },
  sync: ({ host }) => syncDatabases(host),
  describe: ({ undo: { name, uid, locked, expires }, way }) => ({
    what: `the user ${name} (uid ${String(uid)}), which is locked and will be removed`,
    look: [['getent', 'passwd', name]],
    clear: [
      way === 'back'
        ? ['usermod', ...(locked ? [] : ['--unlock']), '--expiredate', expires, name]
        : ['userdel', name],
    ],
  }),
});
