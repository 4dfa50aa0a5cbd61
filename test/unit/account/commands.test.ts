import { describe, expect, it } from 'vitest';
import { endKeys, putKeys, readKeys } from '../../../src/account/as-user.ts';
import * as account from '../../../src/account/commands.ts';
import { type Answer, type Command, Secret } from '../../../src/command/index.ts';
import { ParseError } from '../../../src/core/errors.ts';

const user = { name: 'web', uid: 1001, gid: 4, home: '/srv/web', shell: '/bin/sh', comment: 'Web' };
const asUser = '--reuid=1001 --regid=4 --init-groups --no-new-privs perl -';
const hash = '$y$j9T$geheim';
const key = 'command="geheim" ssh-ed25519 AAAA';

const inWords = ({ tool, argv }: Pick<Command<unknown>, 'tool' | 'argv'>): string =>
  [tool, ...argv].map((word) => (word === '' ? "''" : word)).join(' ');
const fields = '--uid 1001 --gid 4 --home-dir /srv/web --shell /bin/sh --comment Web';

it.each<readonly [Pick<Command<unknown>, 'tool' | 'argv' | 'access'>, string, string]>([
  [
    account.useradd(user, { createHome: true, system: false }),
    `useradd ${fields} --create-home -- web`,
    'change',
  ],
  [
    account.useradd(user, { createHome: false, system: true }),
    `useradd --system ${fields} --no-create-home -- web`,
    'change',
  ],
  [account.usermod('web', { shell: '/bin/sh', gid: 4 }), 'usermod --shell /bin/sh --gid 4 -- web', 'change'],
  [
    account.usermod('web', { home: '/srv', comment: '' }),
    "usermod --home /srv --comment '' -- web",
    'change',
  ],
  [account.userdel('web'), 'userdel -- web', 'destroy'],
  [account.expire('web', { lock: 'lock', on: '1' }), 'usermod --lock --expiredate 1 -- web', 'change'],
  [account.expire('web', { lock: 'unlock', on: '' }), "usermod --unlock --expiredate '' -- web", 'change'],
  [account.expire('web', { on: '30000' }), 'usermod --expiredate 30000 -- web', 'change'],
  [account.chpasswd('web', hash), 'chpasswd --encrypted', 'change'],
  [account.chage('web', '20001'), 'chage --lastday 20001 -- web', 'change'],
  [account.chage('web', ''), 'chage --lastday -1 -- web', 'change'],
  [account.groupadd('web', 999, { system: true }), 'groupadd --system --gid 999 -- web', 'change'],
  [account.groupadd('web', 1001, { system: false }), 'groupadd --gid 1001 -- web', 'change'],
  [account.groupdel('web'), 'groupdel -- web', 'destroy'],
  [account.gpasswd('add', 'web', 'adm'), 'gpasswd --add web -- adm', 'change'],
  [account.gpasswd('delete', 'web', 'adm'), 'gpasswd --delete web -- adm', 'change'],
  [account.getent('passwd', 'web'), 'getent passwd web', 'read'],
  [
    account.processesOf(1001),
    'find /proc -mindepth 1 -maxdepth 1 -name [0-9]* -uid 1001 -printf %f\\n',
    'read',
  ],
  [readKeys(user), `setpriv ${asUser} read /srv/web authorized_keys`, 'read'],
  [putKeys(user, 'm1', key), `setpriv ${asUser} put /srv/web m1`, 'change'],
  [endKeys(user, 'm1', { verb: 'back', made: true }), `setpriv ${asUser} back /srv/web m1 made`, 'change'],
  [endKeys(user, 'm1', { verb: 'end', made: false }), `setpriv ${asUser} end /srv/web m1`, 'change'],
])('%#: the arguments of a command', (command, words, access) => {
  expect(inWords(command)).toBe(words);
  expect(command.access).toBe(access);
});

it('a hash reaches chpasswd as a secret by its standard input, and no message shows output', () => {
  const { stdin, shownOf } = account.chpasswd('web', hash);
  expect(stdin).toBeInstanceOf(Secret);
  expect(shownOf?.(`chpasswd: ${hash}`)).toBe('');
});

it('an error shows of the key script its own message only', () => {
  const { shownOf, stdin } = putKeys(user, 'm1', key);
  expect(Buffer.from(stdin as Uint8Array).toString('latin1')).toMatch(
    /__END__\ncommand="geheim" ssh-ed25519 AAAA$/,
  );
  expect(shownOf?.(`${key}\n/srv/web/.ssh: Permission denied\n`)).toBe('/srv/web/.ssh: Permission denied');
  expect(shownOf?.(key)).toBe('');
});

const answer = (stdout: string, exitCode = 0, stderr = ''): Answer => ({ exitCode, stdout, stderr });

describe('parsing', () => {
  const line = 'web:x:1001:4:Web:/srv/web:/bin/sh';
  it.each<readonly [string, Pick<Command<unknown>, 'parse'>, Answer, unknown]>([
    ['the line of an account', account.getent('passwd', 'web'), answer(`${line}\n`), line],
    ['no account', account.getent('passwd', 'web'), answer('', 2), undefined],
    ['processes', account.processesOf(1001), answer('12\n345\n'), [12, 345]],
    ['no process', account.processesOf(1001), answer(''), []],
    [
      'a process that ended meanwhile',
      account.processesOf(1001),
      answer('12\n', 1, 'find: ‘/proc/13’: No such file or directory'),
      [12],
    ],
    ['keys', readKeys(user), answer('4\nabc\n'), 'abc\n'],
    ['an empty file of keys', readKeys(user), answer('0\n'), ''],
    ['no file of keys', readKeys(user), answer('-\n'), undefined],
  ])('%s', (_, { parse }, given, parsed) => {
    expect(parse(given)).toEqual(parsed);
  });

  it.each<readonly [string, Pick<Command<unknown>, 'parse'>, Answer]>([
    ['no line, but success', account.getent('passwd', 'web'), answer('')],
    ['another account', account.getent('passwd', 'web'), answer('web10:x:1:1:::\n')],
    ['a line, but failure', account.getent('passwd', 'web'), answer(`${line}\n`, 2)],
    ['a word among the processes', account.processesOf(1001), answer('12\nself\n')],
    ['another failure of find', account.processesOf(1001), answer('12\n', 1, 'find: Permission denied')],
    ['keys without their length', readKeys(user), answer('abc\n')],
    ['keys that were cut off', readKeys(user), answer('4\nabc')],
    ['nothing instead of keys', readKeys(user), answer('')],
    ['too many keys', readKeys(user), answer(`1048577\n${'a'.repeat(1_048_577)}`)],
  ])('refuses %s', (_, { parse }, given) => {
    expect(() => parse(given)).toThrow(ParseError);
  });
});
