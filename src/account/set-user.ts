import * as z from 'zod/mini';
import { operation } from '../atomic/operation.ts';
import { RefusedError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { absolutePath, ownerNumber } from '../file/path.ts';
import { usermod } from './commands.ts';
import { refuseMissingShell } from './create-user.ts';
import {
  accountName,
  existingUser,
  field,
  refuseLocked,
  refuseRunning,
  syncDatabases,
  type User,
  userNamed,
} from './database.ts';

const fields = z.strictObject({
  /** Its login shell (default: unchanged). */
  shell: z.exactOptional(absolutePath),
  /** Path of its home, which is neither created nor moved (default: unchanged). */
  home: z.exactOptional(absolutePath),
  /** Its full name or purpose (default: unchanged). */
  comment: z.exactOptional(field),
});

type Fields = z.infer<typeof fields>;

/**
 * `tx.account.setUser`: changes shell, home path and comment of an existing user. Undo restores the
 * old values, unless others have changed them meanwhile.
 */
export const setUser = operation({
  kind: 'account.user.set',
  version: 1,
  args: z.strictObject({
    /** Name of an existing user. */
    name: accountName,
    ...fields.shape,
  }),
  undo: z.strictObject({
    name: accountName,
    uid: ownerNumber,
    before: z.strictObject({
      shell: z.exactOptional(field),
      home: z.exactOptional(field),
      comment: z.exactOptional(field),
    }),
    after: fields,
  }),
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  keepsContent: true,
  prepare: async ({ args: { name, ...asked }, host }) => {
    await refuseLocked(host);
    const user = await existingUser(host, name);
    const after = Object.fromEntries(
      keysOf(asked).flatMap((key) => (user[key] === asked[key] ? [] : [[key, asked[key]]])),
    ) as Fields;
    if (keysOf(after).length === 0)
      throw new RefusedError(`the user ${name} is already as requested`, {
        remedy: `see it: getent passwd ${name}`,
      });
    if (after.shell !== undefined) await refuseMissingShell(host, after.shell);
    // usermod also refuses to change the home while processes of the user run.
    if (after.home !== undefined) await refuseRunning(host, user);
    const before = Object.fromEntries(keysOf(after).map((key) => [key, user[key]]));
    return { name, uid: user.uid, before, after };
  },
  claims: ({ undo: { name } }) => ({ changes: [`user:${name}`] }),
  run: async ({ undo: { name, after }, host }) => {
    await refuseLocked(host);
    await host.run(usermod(name, present(after)));
    return null;
  },
  value: () => undefined,
  look: async ({ undo: { name, uid, before, after }, host }) => {
    const there = await userNamed(host, name);
    if (there?.uid !== uid || has(there, before)) return { state: 'gone' };
    if (has(there, after)) return { state: 'ours' };
    return { state: 'not-ours', found: `the user ${name} was changed since: see getent passwd ${name}` };
  },
  revert: async ({ undo: { name, before }, host }) => {
    await refuseLocked(host);
    await host.run(usermod(name, present(before)));
  },
  sync: ({ host }) => syncDatabases(host),
  describe: ({ undo: { name, before } }) => ({
    what: `the user ${name}, whose ${keysOf(before).join(', ')} changed`,
    look: [['getent', 'passwd', name]],
    clear: [['usermod', ...usermod(name, present(before)).argv]],
  }),
});

function keysOf(of: Fields): readonly (keyof Fields)[] {
  return (['shell', 'home', 'comment'] as const).filter((key) => of[key] !== undefined);
}

function has(user: User, of: Fields): boolean {
  return keysOf(of).every((key) => user[key] === of[key]);
}
