import { posix } from 'node:path';
import * as z from 'zod/mini';
import { operation } from '../atomic/operation.ts';
import { type ReadHost, syncWithParent } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { absolutePath, ownerNumber, sha256, sha256Hex } from '../file/path.ts';
import { chage, chpasswd } from './commands.ts';
import { accountName, existingUser, refuseLocked, syncDatabases, userNamed } from './database.ts';
import { isLocked, shadowOf } from './shadow.ts';

/** A hash of crypt(3) with its method: `$y$…`, `$6$…`. Messages never quote it. */
export const passwordHash = z
  .string()
  .check(z.regex(/^\$[0-9a-z]{1,8}\$[!-9;-~]+$/, 'must be a hash of crypt(3): mkpasswd creates one'));

const undo = z.strictObject({
  user: accountName,
  uid: ownerNumber,
  /** File with the old hash until the commit, readable only by root: proves the step. */
  saved: absolutePath,
  before: sha256Hex,
  after: sha256Hex,
});

type Undo = z.infer<typeof undo>;

const directory = '/var/lib/bofh/passwords';

/**
 * `tx.account.setPassword`: sets the hash of a password, or locks the password. Until the commit a
 * file that only root can read contains the old hash; after the commit nothing can restore it. Undo
 * restores the hash, unless others have changed the password meanwhile.
 */
export const setPassword = operation({
  kind: 'account.password',
  version: 1,
  args: z.strictObject({
    /** Name of an existing user. */
    user: accountName,
    /** A hash of crypt(3), or `locked`: no password opens the account, but an ssh key may. */
    password: z.union(
      [z.literal('locked'), passwordHash],
      'must be locked, or a hash of crypt(3): mkpasswd creates one',
    ),
  }),
  undo,
  journalled: ({ user }) => ({ user }),
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { user, password }, mark, host }): Promise<Undo> => {
    await refuseLocked(host);
    const { uid } = await existingUser(host, user);
    const old = await shadowOf(host, user);
    if (password === 'locked' ? isLocked(old) : old.hash === password)
      throw new RefusedError(`the password of ${user} is already as requested`, {
        remedy: `see its state: passwd --status ${user}`,
      });
    const saved = posix.join(directory, mark);
    return { user, uid, saved, before: sha256(old.hash), after: sha256(newHash(password, old.hash)) };
  },
  claims: ({ undo: { user } }) => ({ changes: [`password:${user}`], needs: [`user:${user}`] }),
  run: async ({ args: { user, password }, undo: { saved, before }, host }) => {
    await refuseLocked(host);
    const { hash, lastChange } = await shadowOf(host, user);
    if (sha256(hash) !== before)
      throw new RefusedError(`the password of ${user} was changed concurrently`, {
        remedy: 'run the command again',
      });
    await host.makeDir(directory, { mode: 0o700, parents: true });
    await host.writeNew(saved, `${lastChange}:${hash}`, { mode: 0o600 });
    await syncWithParent(host, directory);
    await host.run(chpasswd(user, newHash(password, hash)));
    if ((await shadowOf(host, user)).hash !== newHash(password, hash))
      throw new RefusedError(`chpasswd reported success, but the password of ${user} is not the new one`, {
        remedy: `see its state: passwd --status ${user}`,
      });
    return null;
  },
  value: () => undefined,
  look: async ({ undo: of, host }) => {
    if ((await host.stat(of.saved)) === undefined) return { state: 'gone' };
    const now = await digestNow(host, of);
    return now === of.after || now === of.before
      ? { state: 'ours' }
      : { state: 'ours', found: `the password of ${of.user} was changed since, and stays` };
  },
  revert: async ({ undo: of, host }) => {
    const { lastChange, hash } = savedIn(await host.readFile(of.saved));
    const now = await digestNow(host, of);
    // The step writes the file completely before it sets the new hash.
    const isWhole = sha256(hash) === of.before;
    if (!isWhole && now === of.after)
      throw new RefusedError(
        `${of.saved} does not have the hash of the old password of ${of.user} any more`,
        {
          remedy: `set another one: passwd ${of.user}; then: bofh recover`,
        },
      );
    await refuseLocked(host);
    if (now === of.after) await host.run(chpasswd(of.user, hash));
    // An interrupted undo may have restored the old hash, but not the old day of its change.
    if (isWhole && (now === of.after || now === of.before)) await host.run(chage(of.user, lastChange));
    await syncDatabases(host);
    await host.removeFile(of.saved);
    await syncWithParent(host, directory);
  },
  afterCommit: async ({ undo: { saved }, host }) => {
    if ((await host.stat(saved)) !== undefined) await host.removeFile(saved);
    await syncWithParent(host, directory);
  },
  sync: async ({ host }) => {
    await syncDatabases(host);
    await syncWithParent(host, directory);
  },
  describe: ({ undo: { user, saved, before }, way }) => ({
    what: `the password of ${user}, whose old hash is in ${saved}`,
    look: [['passwd', '--status', user]],
    clear: [
      ...(way === 'back' ? [['sh', '-e', '-c', setOld, 'sh', user, saved, before]] : []),
      ['rm', saved],
    ],
  }),
});

/** Sets the saved hash of a user again, if the file has it completely. */
const setOld =
  'hash=$(cut -d: -f2- "$2"); [ "$(printf %s "$hash" | sha256sum | cut -c1-64)" = "$3" ]; printf "%s:%s\\n" "$1" "$hash" | chpasswd --encrypted';

function newHash(password: string, old: string): string {
  return password === 'locked' ? `!${old}` : password;
}

function savedIn(bytes: Uint8Array) {
  const [lastChange = '', ...hash] = Buffer.from(bytes).toString('utf8').split(':');
  return { lastChange, hash: hash.join(':') };
}

/** Returns the digest of the present hash; undefined if others have removed the user. */
async function digestNow(host: ReadHost, { user, uid }: Undo): Promise<string | undefined> {
  if ((await userNamed(host, user))?.uid !== uid) return undefined;
  return sha256((await shadowOf(host, user)).hash);
}
