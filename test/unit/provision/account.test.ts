import { beforeEach, describe, expect, it, vi } from 'vitest';
import { withBofh } from '../../../src/bofh.ts';
import { RefusedError, RolledBackError, UsageError } from '../../../src/core/errors.ts';
import { defineHost, type HostBuilder, provision, Secret } from '../../../src/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';

const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0NUNRi3yPPq0GJGZDr7F9Tz4sIxS4mCmkbWv0kSxXv alice@desk';
const other = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICg7nZRdYzRqYqWc0rjPXzIAz3Nl7Yp1m5hZ0N2c2m7F bob@desk';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
});

const apply = (body: (h: HostBuilder) => unknown) =>
  withBofh(simulatedBofh({ host }), () => provision.apply(defineHost(body)));
const inWords = (changes: Awaited<ReturnType<typeof apply>>): readonly string[] =>
  changes.map(({ action, kind, name, details }) => `${action} ${kind} ${name}: ${details.join(', ')}`);
const table = (name: string): string => host.admin.readFile(`/etc/${name}`);

describe('users and groups of a description', () => {
  it('are created before resources that name them, and exist the second time', async () => {
    const describeAll = (h: HostBuilder): void => {
      h.file('/srv/site.conf', { content: 'x\n', owner: 'web', group: 'photos', mode: 0o640 });
      h.user('web', { groups: ['photos', 'adm'], comment: 'Web', authorizedKeys: [key] });
      h.group('photos', { system: true });
    };
    expect(inWords(await apply(describeAll))).toEqual([
      'create group photos: gid 999',
      'create user web: uid 1000, with a group of that name, comment Web, joins photos, joins adm, adds the key ed25519 SHA256:1LJxL08Ik1hAo46lmE+H4MK9JruVl9j/IrSpAbZGJ8w alice@desk',
      'create file /srv/site.conf: owner 1000, group 999, mode 0640',
    ]);
    expect(table('passwd')).toContain('\nweb:x:1000:1000:Web:/home/web:/bin/bash\n');
    expect(table('group')).toBe(
      'root:x:0:\nadm:x:4:web\nwww-data:x:33:\nnogroup:x:65534:\nphotos:x:999:web\nweb:x:1000:\n',
    );
    expect(host.admin.readFile('/home/web/.ssh/authorized_keys')).toBe(`${key}\n`);
    expect((await host.stat('/home/web/.ssh/authorized_keys'))?.uid).toBe(1000);
    const run = vi.spyOn(host, 'run');
    expect(await apply(describeAll)).toEqual([]);
    // The check of all and the search for differences are one look, while nothing changes.
    expect(run.mock.calls.map(([{ tool }]) => tool)).toEqual(['ip', 'setpriv']);
  });

  it('a new home is refused before the first step while processes of the user run', async () => {
    await apply((h) => h.user('web'));
    const before = host.snapshot();
    const run: typeof host.run = host.run.bind(host);
    const changes = host.changes.length;
    vi.spyOn(host, 'run').mockImplementation((command) =>
      command.tool === 'find' && command.argv.includes('-uid')
        ? (Promise.resolve([12]) as ReturnType<typeof run>)
        : run(command),
    );
    const error = await rejectionOf(
      apply((h) => {
        h.file('/srv/first', { content: '' });
        h.user('web', { home: '/srv/web' });
      }),
    );
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toContain('the user web has running processes');
    expect([host.snapshot(), host.changes.length]).toEqual([before, changes]);
  });

  it('change only where they differ', async () => {
    await apply((h) => h.user('web', { groups: ['adm'], authorizedKeys: [key] }));
    expect(
      inWords(
        await apply((h) =>
          h.user('web', { groups: ['www-data'], shell: '/bin/sh', authorizedKeys: [`# mine\n${other}`] }),
        ),
      ),
    ).toEqual([
      expect.stringMatching(
        /^change user web: shell \/bin\/bash → \/bin\/sh, joins www-data, adds the key ed25519 SHA256:\S+ bob@desk, removes the key ed25519 SHA256:\S+ alice@desk$/,
      ),
    ]);
    expect(table('group')).toContain('adm:x:4:web\n');
    expect(host.admin.readFile('/home/web/.ssh/authorized_keys')).toBe(`${other}\n`);
    expect(host.snapshot()).not.toContain('.bofh-');
  });

  it('lock and set passwords, which are in no answer and are not restored', async () => {
    const password = new Secret('$y$j9T$abc$Geheim');
    expect(inWords(await apply((h) => h.user('web', { password })))).toEqual([
      'create user web: uid 1000, with a group of that name, sets the password',
    ]);
    expect(table('shadow')).toContain('\nweb:$y$j9T$abc$Geheim:');
    expect(await apply((h) => h.user('web', { password }))).toEqual([]);
    const before = host.snapshot();
    const failed = apply((h) => {
      h.user('web', { password: 'locked' });
      h.ensure.lvm.createLv({ vg: 'none', name: 'x', size: '1m' });
    });
    expect(await rejectionOf(failed)).toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);
    await apply((h) => h.user('web', { password: 'locked' }));
    expect(table('shadow')).toContain('\nweb:!$y$j9T$abc$Geheim:');
    expect(host.snapshot()).not.toContain('passwords/');
  });

  it('are removed, with the private group, and the home stays', async () => {
    await apply((h) => h.user('web', { groups: ['adm'] }));
    await apply((h) => h.group('photos'));
    const gone = (h: HostBuilder): void => {
      h.user('web', { absent: true });
      h.group('web', { absent: true });
      h.group('photos', { absent: true });
    };
    expect(inWords(await apply(gone))).toEqual(['remove user web: /home/web stays', 'remove group photos: ']);
    expect(table('passwd')).toBe('root:x:0:0:root:/root:/bin/bash\n');
    expect(table('group')).toBe('root:x:0:\nadm:x:4:\nwww-data:x:33:\nnogroup:x:65534:\n');
    expect((await host.stat('/home/web'))?.uid).toBe(1000);
    expect(await apply(gone)).toEqual([]);
    // The number of a home that stays is not used again.
    expect(inWords(await apply((h) => h.user('next')))[0]).toContain('uid 1001');
  });

  it('are restored when a later step fails', async () => {
    await apply((h) => h.user('there', { authorizedKeys: [key] }));
    const before = host.snapshot();
    const failed = apply((h) => {
      h.user('web', { groups: ['adm'], authorizedKeys: [key] });
      h.user('there', { shell: '/bin/sh', groups: ['adm'], authorizedKeys: [other] });
      h.ensure.lvm.createLv({ vg: 'none', name: 'x', size: '1m' });
    });
    expect(await rejectionOf(failed)).toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);
  });

  it.each<readonly [string, (h: HostBuilder) => unknown, RegExp]>([
    ['another number', (h) => h.group('adm', { gid: 7 }), /adm has the gid 4, but the description says 7/],
    ['another uid', (h) => h.user('root', { uid: 7 }), /root has the uid 0/],
    ['another group', (h) => h.user('root', { group: 'adm' }), /another primary group/],
    ['a missing group', (h) => h.user('root', { groups: ['none'] }), /there is no group none/],
    ['a missing shell', (h) => h.user('web', { shell: '/bin/zsh' }), /there is no login shell \/bin\/zsh/],
    ['root is never removed', (h) => h.user('root', { absent: true }), /uid 0/],
    ['a taken uid', (h) => h.user('web', { uid: 0, group: 'adm' }), /the user root has the uid 0/],
  ])('%s is refused, and nothing changed', async (_, body, message) => {
    const before = host.snapshot();
    const error = await rejectionOf(apply(body));
    expect(String(error)).toMatch(message);
    expect(error).toBeInstanceOf(RefusedError);
    expect(host.snapshot()).toBe(before);
  });

  it.each<readonly [string, (h: HostBuilder) => unknown, RegExp]>([
    [
      'a private key',
      (h) => h.user('web', { authorizedKeys: ['-----BEGIN OPENSSH PRIVATE KEY-----'] }),
      /is a private key/,
    ],
    ['no key', (h) => h.user('web', { authorizedKeys: ['ssh-ed25519 AAAA'] }), /is not a public key/],
    ['no name', (h) => h.user('-r'), /is not a valid account name/],
    ['a uid', (h) => h.user('1000'), /is not a valid account name/],
    ['no hash', (h) => h.user('web', { password: new Secret('Geheim') }), /hash of crypt\(3\)/],
    ['more of what is absent', (h) => h.user('web', { absent: true, uid: 7 }), /has nothing else/],
    ['no field', (h) => h.user('web', { comment: 'a:b' }), /without ":"/],
  ])('%s is a usage error', async (_, body, message) => {
    const error = await rejectionOf(apply(body));
    expect(String(error)).toMatch(message);
    expect(error).toBeInstanceOf(UsageError);
  });
});
