import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { removeUser, setKeys, setPassword } from '../../../src/account/operations.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RolledBackError, StuckError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { take } from '../file/support.ts';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
});

const sequence = (body: (tx: Tx) => Promise<unknown>) =>
  withBofh(simulatedBofh({ host }), () => atomic('test', body));
const passwd = (line: string): void =>
  host.admin.writeFile('/etc/passwd', `root:x:0:0:root:/root:/bin/bash\n${line}\n`);

describe('a free number', () => {
  it.each<readonly [string, () => void, number]>([
    ['above the users', () => passwd('a:x:1005:4::/:/bin/sh'), 1006],
    ['above those of a backup', () => host.admin.writeFile('/etc/passwd-', 'a:x:1007:4::/:/bin/sh\n'), 1008],
    ['above the groups', () => host.admin.writeFile('/etc/group', 'adm:x:4:\nb:x:1009:\n'), 1010],
    ['within /etc/login.defs', () => host.admin.writeFile('/etc/login.defs', 'UID_MIN\t2000\n'), 2000],
    ['outside of subordinate ones', () => host.admin.writeFile('/etc/subuid', 'a:1000:10\n'), 1010],
  ])('%s', async (_, stage, uid) => {
    stage();
    const made = await sequence((tx) => tx.account.createUser({ name: 'web', group: 'adm' }));
    expect(made).toMatchObject({ uid });
  });
});

it('ignores the lock of a program that has ended', async () => {
  host.admin.writeFile('/etc/group.lock', '99999\0');
  await sequence((tx) => tx.account.createGroup({ name: 'web' }));
  expect(host.admin.readFile('/etc/group')).toContain('web:');
});

describe('the undo leaves what others changed', () => {
  const passwdFile = '/etc/passwd';
  const groupFile = '/etc/group';
  it.each<readonly [string, (tx: Tx) => Promise<unknown>, string, string]>([
    [
      'a user with another shell',
      (tx) => tx.account.createUser({ name: 'web', group: 'adm' }),
      passwdFile,
      'root:x:0:0:root:/root:/bin/bash\nweb:x:1000:4::/home/web:/bin/sh\n',
    ],
    [
      'a user with another uid',
      (tx) => tx.account.createUser({ name: 'web', group: 'adm' }),
      passwdFile,
      'root:x:0:0:root:/root:/bin/bash\nweb:x:1001:4::/home/web:/bin/bash\n',
    ],
    [
      'a group with another gid',
      (tx) => tx.account.createGroup({ name: 'photos' }),
      groupFile,
      'root:x:0:\nadm:x:4:\nphotos:x:1001:\n',
    ],
    [
      'a member of a group with another gid',
      (tx) => tx.account.setMembership({ user: 'root', group: 'adm', member: true }),
      groupFile,
      'root:x:0:\nadm:x:5:root\n',
    ],
    [
      'a user with the uid of another, who is a member',
      (tx) => tx.account.setMembership({ user: 'root', group: 'adm', member: true }),
      passwdFile,
      'root:x:77:0:root:/root:/bin/bash\n',
    ],
    [
      'another user of that name, with the same shell',
      (tx) => tx.account.setUser({ name: 'root', shell: '/bin/sh' }),
      passwdFile,
      'root:x:78:0:root:/root:/bin/sh\n',
    ],
  ])('%s', async (_, act, path, text) => {
    await rejectionOf(
      sequence(async (tx) => {
        await act(tx);
        host.admin.writeFile(path, text);
        throw new Error('a later step fails');
      }),
    );
    expect(host.admin.readFile(path)).toBe(text);
    if (path === passwdFile && text.includes(':77:'))
      expect(host.admin.readFile(groupFile)).toContain('adm:x:4:root');
  });

  it('a home with other files', async () => {
    await rejectionOf(
      sequence(async (tx) => {
        await tx.account.createUser({ name: 'web', group: 'adm' });
        host.admin.writeFile('/home/web/mine', 'x');
        throw new Error('a later step fails');
      }),
    );
    expect(host.admin.readFile('/etc/passwd')).not.toContain('web');
    expect(host.admin.readFile('/home/web/mine')).toBe('x');
  });

  it('a group with members', async () => {
    const stuck = await rejectionOf(
      sequence(async (tx) => {
        await tx.account.createGroup({ name: 'photos' });
        host.admin.writeFile('/etc/group', 'root:x:0:\nphotos:x:1000:root\n');
        throw new Error('a later step fails');
      }),
    );
    expect(String(stuck)).toContain('the group photos has the members root');
    expect(host.admin.readFile('/etc/group')).toContain('photos:x:1000:root');
  });
});

it('removes a new user that newer steps of the sequence changed', async () => {
  const before = host.snapshot();
  const failed = await rejectionOf(
    sequence(async (tx) => {
      await tx.account.createGroup({ name: 'web' });
      await tx.account.createUser({ name: 'web' });
      await tx.account.setUser({ name: 'web', shell: '/bin/sh', comment: 'Web' });
      await tx.account.setMembership({ user: 'web', group: 'adm', member: true });
      await tx.account.setKeys({ user: 'web', keys: ['ssh-ed25519 AAAA'] });
      await tx.account.setPassword({ user: 'web', password: '$y$j9T$new' });
      throw new Error('a later step fails');
    }),
  );
  expect(failed).toBeInstanceOf(RolledBackError);
  expect(host.snapshot()).toBe(before);
});

it.each([
  ['names only files', 'passwd: files\ngroup:\t\tfiles # no others\n', 0],
  ['names another source', 'passwd: files ldap\ngroup: files ldap\n', 1],
  ['names files with an action', 'passwd: files\ngroup: files [NOTFOUND=return] sss\n', 1],
  ['names a database twice', 'group: files\ngroup: ldap\n', 1],
  ['does not name the database', 'passwd: files\nshadow: files\n', 1],
  ['is missing', undefined, 1],
] as const)('asks getent unless accounts are in /etc alone: nsswitch.conf %s', async (_, text, asked) => {
  if (text !== undefined) host.admin.writeFile('/etc/nsswitch.conf', text);
  const run = vi.spyOn(host, 'run');
  await sequence((tx) => tx.account.createGroup({ name: 'photos' }));
  const questions = new Set(run.mock.calls.flatMap(([{ tool, argv }]) => (tool === 'getent' ? argv : [])));
  expect(questions.size).toBe(asked * 2);
});

describe('an account of LDAP that is not in /etc', () => {
  it.each<readonly [string, (tx: Tx) => Promise<unknown>]>([
    ['createUser', (tx) => tx.account.createUser({ name: 'ldap', group: 'adm' })],
    ['createGroup', (tx) => tx.account.createGroup({ name: 'ldap' })],
    ['setUser', (tx) => tx.account.setUser({ name: 'ldap', comment: 'x' })],
    ['setMembership', (tx) => tx.account.setMembership({ user: 'ldap', group: 'adm', member: true })],
    ['setKeys', (tx) => tx.account.setKeys({ user: 'ldap', keys: [] })],
    ['setPassword', (tx) => tx.account.setPassword({ user: 'ldap', password: 'locked' })],
    ['removeUser', (tx) => tx.account.removeUser({ name: 'ldap' })],
    ['removeGroup', (tx) => tx.account.removeGroup({ name: 'ldap' })],
  ])('%s is refused', async (_, act) => {
    const run = host.run.bind(host);
    vi.spyOn(host, 'run').mockImplementation((command) =>
      command.tool === 'getent' && command.argv[1] === 'ldap'
        ? Promise.resolve(command.parse({ exitCode: 0, stdout: 'ldap:x:5000:5000:\n', stderr: '' }))
        : run(command),
    );
    const before = host.snapshot();
    const refused = await rejectionOf(sequence(act));
    expect(String(refused)).toMatch(/ldap is not in \/etc\/(passwd|group), but comes from another source/);
    expect(host.snapshot()).toBe(before);
  });
});

it('leaves another user alone that has the name of a removed one', async () => {
  const others = 'root:*:20000:0:99999:7:::\nweb:!$y$j9T$other:20009:0:99999:7::1:\n';
  passwd('web:x:1001:4::/home/web:/bin/sh');
  host.admin.writeFile(
    '/etc/shadow',
    'root:*:20000:0:99999:7:::\nweb:$y$j9T$old:20001:0:99999:7:::\n',
    0o640,
  );
  await rejectionOf(
    sequence(async (tx) => {
      await tx.account.removeUser({ name: 'web' });
      passwd('web:x:1002:4::/home/web:/bin/sh');
      host.admin.writeFile('/etc/shadow', others, 0o640);
      throw new Error('a later step fails');
    }),
  );
  expect(host.admin.readFile('/etc/shadow')).toBe(others);
});

it.each<readonly [string, (tx: Tx) => Promise<unknown>, string, string]>([
  [
    'user',
    (tx) => tx.account.removeUser({ name: 'web' }),
    '/etc/passwd',
    'root:x:0:0:root:/root:/bin/bash\nweb:x:1002:4::/home/web:/bin/sh\n',
  ],
  [
    'group',
    (tx) => tx.account.removeGroup({ name: 'photos' }),
    '/etc/group',
    'root:x:0:\nadm:x:4:\nphotos:x:1001:\n',
  ],
])(
  'leaves another %s alone after the commit that has the name of a removed one',
  async (_, act, path, text) => {
    passwd('web:x:1001:4::/home/web:/bin/sh');
    host.admin.writeFile('/etc/shadow', 'root:*:20000:0:99999:7:::\nweb:!:20001:0:99999:7:::\n', 0o640);
    host.admin.writeFile('/etc/group', 'root:x:0:\nadm:x:4:\nphotos:x:1000:\n');
    host.admin.writeFile('/etc/gshadow', 'root:*::\nadm:*::\nphotos:!::\n', 0o640);
    await sequence(async (tx) => {
      await act(tx);
      host.admin.writeFile(path, text);
    }).catch(() => undefined);
    expect(host.admin.readFile(path)).toBe(text);
  },
);

it('restores the expiry date when a removed user had expired on day 1', async () => {
  passwd('web:x:1001:4::/srv:/bin/sh');
  host.admin.writeFile('/etc/shadow', 'web:$y$j9T$old:20001:0:99999:7::1:\n', 0o640);
  const before = host.snapshot();
  const failed = await rejectionOf(
    sequence(async (tx) => {
      await tx.account.removeUser({ name: 'web' });
      throw new Error('a later step fails');
    }),
  );
  expect(failed).toBeInstanceOf(RolledBackError);
  expect(host.snapshot()).toBe(before);
});

it('refuses to remove a user with a private group on a host where the undo could not create that group', async () => {
  host.admin.writeFile('/etc/group', 'root:x:0:\nweb:x:1000:\n');
  const before = host.snapshot();
  const refused = await rejectionOf(sequence((tx) => tx.account.createUser({ name: 'web' })));
  expect(String(refused)).toContain('needs the group 65534 for an undo of the user');
  expect(host.snapshot()).toBe(before);
});

describe('when the old password, or its user, is gone', () => {
  const shadow = 'web:$y$j9T$old:20001:0:99999:7:::\n';
  const passwords = '/var/lib/bofh/passwords';
  const tear = async (): Promise<void> => {
    for (const name of await host.readDir(passwords)) host.admin.writeFile(`${passwords}/${name}`, '', 0o600);
  };
  const fails = (deed: () => Promise<void>) =>
    rejectionOf(
      sequence(async (tx) => {
        await tx.account.setPassword({ user: 'web', password: '$y$j9T$new' });
        await deed();
        throw new Error('a later step fails');
      }),
    );
  beforeEach(() => {
    passwd('web:x:1001:4::/srv:/bin/sh');
    host.admin.writeFile('/etc/shadow', shadow, 0o640);
  });

  it('the undo keeps the change date while the password is still the old one', async () => {
    const failed = await fails(async () => {
      host.admin.writeFile('/etc/shadow', shadow, 0o640);
      await tear();
    });
    expect(failed).toBeInstanceOf(RolledBackError);
    expect(host.admin.readFile('/etc/shadow')).toBe(shadow);
    expect(await host.readDir(passwords)).toEqual([]);
  });

  it('the undo keeps the new password, and never sets an empty one', async () => {
    const stuck = await fails(tear);
    expect(stuck).toBeInstanceOf(StuckError);
    expect(String(stuck)).toContain('does not have the hash of the old password of web any more');
    expect(host.admin.readFile('/etc/shadow')).toContain('web:$y$j9T$new:');
  });

  it('the undo has nothing to do for a user whom others removed', async () => {
    const failed = await fails(async () => {
      host.admin.writeFile('/etc/passwd', 'root:x:0:0:root:/root:/bin/bash\n');
      host.admin.writeFile('/etc/shadow', '', 0o640);
    });
    expect(failed).toBeInstanceOf(RolledBackError);
    expect(await host.readDir(passwords)).toEqual([]);
  });
});

it.each([
  ['unlocked', 'web:$y$j9T$old:19000:0:99999:7:::\n', ['usermod', '--unlock', '--expiredate', '', 'web']],
  ['locked', 'web:!$y$j9T$old:19000:0:99999:7:::\n', ['usermod', '--expiredate', '', 'web']],
] as const)('the manual recovery of a user that was %s leaves it so', async (_, shadow, clear) => {
  passwd('web:x:1001:4::/srv:/bin/sh');
  host.admin.writeFile('/etc/shadow', shadow, 0o640);
  const step = await take(removeUser, { name: 'web' }, host.during({ outputs: '/nowhere', lock: -1 }));
  expect(removeUser.describe?.({ undo: step.undo as never, way: 'back' } as never).clear).toEqual([clear]);
});

describe('the manual recovery before the commit', () => {
  const clearOf = (of: typeof setKeys | typeof setPassword, undo: object) =>
    of.describe?.({ undo: undo as never, way: 'back' } as never).clear ?? [];
  const home = '/home/web';
  const asUser = ['runuser', '--user', 'web', '--'];
  const keys = { user: 'web', uid: 1000, gid: 1000, home, mark: 'ID.1', after: '0'.repeat(64) };

  it('puts the old keys back', () => {
    expect(clearOf(setKeys, { ...keys, made: false, before: '1'.repeat(64) })).toEqual([
      [
        ...asUser,
        'mv',
        '--no-target-directory',
        `${home}/.ssh/.bofh-gone-ID.1`,
        `${home}/.ssh/authorized_keys`,
      ],
      [...asUser, 'rm', '--force', `${home}/.ssh/.bofh-ID.1`],
    ]);
  });

  it('removes the first keys, and a directory for them', () => {
    expect(clearOf(setKeys, { ...keys, made: true })).toEqual([
      [
        ...asUser,
        'find',
        `${home}/.ssh`,
        '-maxdepth',
        '1',
        '-samefile',
        `${home}/.ssh/.bofh-ID.1`,
        '-delete',
      ],
      [...asUser, 'rm', '--force', `${home}/.ssh/.bofh-ID.1`],
      [...asUser, 'rmdir', '--ignore-fail-on-non-empty', `${home}/.ssh`],
    ]);
  });

  it.each([
    ['complete', '19000:$y$j9T$old', 'web:$y$j9T$old\n'],
    ['empty after a power cut', '', undefined],
  ])('sets the old hash of a password from a file that is %s', (_, text, given) => {
    const directory = mkdtempSync(join(tmpdir(), 'bofh-password-'));
    const [saved, out] = [join(directory, 'saved'), join(directory, 'out')];
    writeFileSync(saved, text);
    writeFileSync(join(directory, 'chpasswd'), `#!/bin/sh\ncat > ${out}\n`, { mode: 0o755 });
    const before = createHash('sha256').update('$y$j9T$old').digest('hex');
    const [set = [], ...more] = clearOf(setPassword, {
      user: 'web',
      uid: 1000,
      saved,
      before,
      after: '0'.repeat(64),
    });
    spawnSync(set[0] ?? '', set.slice(1), { env: { PATH: `${directory}:/usr/bin:/bin` } });
    expect(existsSync(out) ? readFileSync(out, 'utf8') : undefined).toBe(given);
    expect(more).toEqual([['rm', saved]]);
    rmSync(directory, { recursive: true });
  });
});

it('the undo of a removed user names the lock that it leaves after others changed the expiry', async () => {
  passwd('web:x:1001:4::/srv:/bin/sh');
  const shadow = (hash: string, expires: string): void =>
    host.admin.writeFile('/etc/shadow', `web:${hash}:19000:0:99999:7::${expires}:\n`, 0o640);
  shadow('$y$j9T$old', '');
  const step = await take(removeUser, { name: 'web' }, host.during({ outputs: '/nowhere', lock: -1 }));
  await step.run();
  expect(await step.look()).toEqual({ state: 'ours' });

  shadow('!$y$j9T$old', '30000');
  expect(await step.look()).toMatchObject({
    state: 'not-ours',
    found: expect.stringContaining('password is still locked') as string,
  });
});
