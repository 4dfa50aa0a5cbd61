import { posix } from 'node:path';
import * as z from 'zod/mini';
import { type Look, operation } from '../atomic/operation.ts';
import { inShell, type ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { absolutePath, ownerNumber, sha256, sha256Hex } from '../file/path.ts';
import { endKeys, putKeys, readKeys } from './as-user.ts';
import { accountName, existingUser } from './database.ts';

const args = z.strictObject({
  /** Name of an existing user with a home. */
  user: accountName,
  /** All lines of ~/.ssh/authorized_keys. */
  keys: z.array(z.string().check(z.regex(/^[^\n\r\0]+$/, 'must be one line'))),
});

const undo = z.strictObject({
  user: accountName,
  uid: ownerNumber,
  gid: ownerNumber,
  home: absolutePath,
  /** Part of the private names beside the file, which prove the step until the commit. */
  mark: z.string(),
  /** Whether the step creates ~/.ssh. */
  made: z.boolean(),
  before: z.exactOptional(sha256Hex),
  after: sha256Hex,
});

type Undo = z.infer<typeof undo>;

/**
 * `tx.account.setKeys`: writes ~/.ssh/authorized_keys with exactly these lines. A process of the
 * user itself writes the file, so that a link in the home leads only to files that the user could
 * write anyway. Until the commit the old file is beside it, and the undo renames it back. A file
 * that was edited meanwhile stays.
 */
export const setKeys = operation({
  kind: 'account.keys',
  version: 1,
  args,
  undo,
  // Options of a key can contain secrets.
  journalled: ({ user, keys }) => ({ user, keys: keys.length }),
  result: z.null(),
  lives: 'disk',
  restores: 'state',
  prepare: async ({ args: { user, keys }, mark, host }): Promise<Undo> => {
    const owner = await existingUser(host, user);
    const { uid, gid, home } = owner;
    if ((await host.stat(home))?.kind !== 'directory')
      throw new RefusedError(`${user} has no home for authorized_keys: ${home} is not a directory`, {
        code: 'not-found',
        remedy: `create it: install --directory --owner=${user} --mode=0700 ${home}; or give the user another home: usermod --home DIRECTORY ${user}`,
      });
    const before = await host.run(readKeys(owner));
    const content = contentOf(keys);
    if (content === (before ?? ''))
      throw new RefusedError(`the authorized keys of ${user} are already as requested`, {
        remedy: `see them: cat ${inShell(`${home}/.ssh/authorized_keys`)}`,
      });
    const made = (await host.stat(posix.join(home, '.ssh'))) === undefined;
    return {
      ...{ user, uid, gid, home, mark, made, after: digest(content) },
      ...(before === undefined ? {} : { before: digest(before) }),
    };
  },
  claims: ({ undo: { user, home } }) => ({
    changes: [`keys:${user}`, `file:${home}/.ssh/authorized_keys`],
    needs: [`user:${user}`],
  }),
  run: async ({ args: { keys }, undo: of, host }) => {
    await host.run(putKeys(of, of.mark, contentOf(keys)));
    return null;
  },
  value: () => undefined,
  look: ({ undo: of, host }) => look(host, of),
  revert: async ({ undo: of, host }) => {
    const verb = (await digestNow(host, of)) === of.after ? 'back' : 'end';
    await host.run(endKeys(of, of.mark, { verb, made: of.made }));
  },
  afterCommit: async ({ undo: of, host }) => {
    if (!(await isMarked(host, of))) return;
    const name = `.bofh-gone-${of.mark}`;
    const old = (await host.stat(`${of.home}/.ssh/${name}`)) && (await host.run(readKeys(of, name)));
    if (old !== undefined && digest(old) !== of.before)
      throw new RefusedError(`the old authorized keys of ${of.user} were edited after they were replaced`, {
        remedy: `they are in ${of.home}/.ssh/${name}: copy what you need, remove that file; then: bofh recover`,
      });
    await host.run(endKeys(of, of.mark, { verb: 'end', made: false }));
  },
  describe: ({ undo: { home, mark, ...of }, way }) => ({
    what: `the file ${home}/.ssh/authorized_keys, whose old content is in .bofh-gone-${mark} beside it`,
    look: [['ls', '-la', `${home}/.ssh`]],
    clear:
      way === 'back' ? backWords({ home, mark, ...of }) : [['rm', '--force', ...namesOf({ home, mark })]],
  }),
});

/**
 * Commands that restore the old file, or remove the new one if there was none before. They run as the
 * user, who could replace a directory in the path by a link.
 */
function backWords({ user, home, mark, made, before }: Undo): readonly (readonly string[])[] {
  const as = ['runuser', '--user', user, '--'];
  const dir = `${home}/.ssh`;
  const [own = '', old = ''] = namesOf({ home, mark });
  return [
    before === undefined
      ? [...as, 'find', dir, '-maxdepth', '1', '-samefile', own, '-delete']
      : [...as, 'mv', '--no-target-directory', old, `${dir}/authorized_keys`],
    [...as, 'rm', '--force', own],
    ...(made ? [[...as, 'rmdir', '--ignore-fail-on-non-empty', dir]] : []),
  ];
}

/** Returns the content of a file with these lines, one character for each byte. */
export function contentOf(keys: readonly string[]): string {
  return Buffer.from(keys.map((key) => `${key}\n`).join(''), 'utf8').toString('latin1');
}

async function look(host: ReadHost, of: Undo): Promise<Look> {
  if (await isMarked(host, of)) {
    const now = await digestNow(host, of);
    const isKnown = now === of.after || now === of.before;
    return isKnown
      ? { state: 'ours' }
      : { state: 'ours', found: `${of.home}/.ssh/authorized_keys was edited since, and stays` };
  }
  // An empty directory stays if the step was killed after it created it.
  const dir = posix.join(of.home, '.ssh');
  const isEmpty =
    of.made && (await host.stat(dir))?.kind === 'directory' && (await host.readDir(dir)).length === 0;
  return { state: isEmpty ? 'ours' : 'gone' };
}

async function isMarked(host: ReadHost, of: Undo): Promise<boolean> {
  for (const name of namesOf(of)) if ((await host.stat(name)) !== undefined) return true;
  return false;
}

function namesOf({ home, mark }: Pick<Undo, 'home' | 'mark'>): readonly string[] {
  return [mark, `gone-${mark}`].map((word) => `${home}/.ssh/.bofh-${word}`);
}

async function digestNow(host: ReadHost, of: Undo): Promise<string | undefined> {
  const now = await host.run(readKeys(of));
  return now === undefined ? undefined : digest(now);
}

function digest(content: string): string {
  return sha256(Buffer.from(content, 'latin1'));
}
