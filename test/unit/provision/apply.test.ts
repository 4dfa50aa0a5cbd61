import { describe, expect, it } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { JournalError, RefusedError, RolledBackError, UsageError } from '../../../src/core/errors.ts';
import { defineHost, type Facts, provision as api, type HostBuilder, Secret } from '../../../src/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { lsattr } from '../../../src/file/refuse-change.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { everyVersion, recorded } from '../blockdevice/fixtures.ts';

type Describe = (h: HostBuilder, facts: Facts) => unknown;

const apply = (host: SimulatedHost, describe: Describe) =>
  withBofh(simulatedBofh({ host }), () => api.apply(defineHost(describe)));

const inWords = (changes: Awaited<ReturnType<typeof apply>>): readonly string[] =>
  changes.map(({ action, kind, name, details }) => [action, kind, name, ...details].join(' '));

/** A web server's files, on a host that has some of them in another state. */
const web: Describe = (h, { hostname }) => {
  h.file('/srv/www/index.html', { content: `<h1>${hostname}</h1>\n`, owner: 'www', mode: 0o640 });
  h.directory('/srv/www', { group: 'www', mode: 0o2750 });
  h.file('/etc/motd', { content: 'hello\n' });
  h.link('/etc/current', { to: 'b' });
  h.lines('/etc/ssh.conf', { replace: { 'Port ': 'Port 2222' }, absent: ['X11 yes'] });
  h.absent('/etc/old');
  h.absent('/etc/old.d');
  h.absent('/etc/old-link');
  h.file('/etc/mode', { content: 'x', mode: 0o600 });
  h.file('/etc/owned', { content: 'x', owner: 33 });
};

function before(): SimulatedHost {
  const host = simulatedHost();
  const { admin } = host;
  admin.mkdir('/srv');
  admin.writeFile('/etc/passwd', 'root:x:0:0::/root:/bin/sh\nwww:x:33:34::/:/bin/sh\n');
  admin.writeFile('/etc/group', 'root:x:0:\nwww:x:34:\n');
  admin.writeFile('/etc/motd', 'old\n', 0o604);
  admin.chown('/etc/motd', 7);
  admin.symlink('/etc/current', 'a');
  admin.writeFile('/etc/ssh.conf', 'X11 yes\nPort 22\n');
  admin.writeFile('/etc/old', 'x');
  admin.mkdir('/etc/old.d');
  admin.symlink('/etc/old-link', 'x');
  admin.writeFile('/etc/mode', 'x');
  admin.writeFile('/etc/owned', 'x');
  return host;
}

const journals = (host: SimulatedHost): number => host.points.filter(({ tool }) => tool === 'store').length;

describe('provision.apply', () => {
  it('changes the host as described, and nothing the second time', async () => {
    const host = before();
    expect(inWords(await apply(host, web))).toEqual([
      'create directory /srv/www group 34 mode 02750',
      'create file /srv/www/index.html owner 33 mode 0640',
      'change file /etc/motd',
      'change link /etc/current a → b',
      'change lines /etc/ssh.conf',
      'remove file /etc/old',
      'remove directory /etc/old.d',
      'remove link /etc/old-link',
      'change file /etc/mode mode 0644 → 0600',
      'change file /etc/owned owner 0 → 33',
    ]);
    expect(host.admin.readFile('/etc/ssh.conf')).toBe('Port 2222\n');
    const motd = await host.stat('/etc/motd');
    expect([host.admin.readFile('/etc/motd'), motd?.mode, motd?.uid]).toEqual(['hello\n', 0o604, 7]);
    const page = await host.stat('/srv/www/index.html');
    expect([page?.uid, page?.gid, page?.mode]).toEqual([33, 0, 0o640]);
    expect([(await host.stat('/etc/owned'))?.uid, (await host.stat('/srv/www'))?.mode]).toEqual([33, 0o2750]);
    expect(host.snapshot()).not.toContain('.bofh-');

    const [after, lines, changes] = [host.snapshot(), journals(host), host.changes.length];
    expect(await apply(host, web)).toEqual([]);
    expect([host.snapshot(), journals(host), host.changes.length]).toEqual([after, lines, changes]);
  });

  it('removes a directory with everything described as absent in it, in any order, or nothing', async () => {
    const host = before();
    host.admin.mkdir('/srv/d/in');
    host.admin.writeFile('/srv/d/in/one', '1');
    host.admin.symlink('/srv/d/l', 'in');
    const tree: Describe = (h) => {
      for (const path of ['/srv/d', '/srv/d/in/one', '/srv/d/l', '/srv/d/in']) h.absent(path);
    };
    const start = host.snapshot();
    await expect(
      apply(host, (h, facts) => {
        tree(h, facts);
        h.script('fails', { isDone: 'exit 1', run: 'exit 1', undo: 'true' });
        h.file('/etc/none/x', { content: '' });
      }),
    ).rejects.toThrow('/etc/none');
    expect(host.snapshot()).toBe(start);

    expect(inWords(await apply(host, tree))).toEqual([
      ...['remove file /srv/d/in/one', 'remove link /srv/d/l'],
      ...['remove directory /srv/d/in', 'remove directory /srv/d'],
    ]);
    expect(await host.stat('/srv/d')).toBeUndefined();
    expect(await apply(host, tree)).toEqual([]);
  });

  it('is refused before the first step if another sequence uses one of its files', async () => {
    const host = before();
    const bofh = simulatedBofh({ host });
    let [isChanged, finish] = [(): void => undefined, (): void => undefined];
    const changed = new Promise<void>((resolve) => (isChanged = resolve));
    const end = new Promise<void>((resolve) => (finish = resolve));
    const other = withBofh(bofh, () =>
      atomic('other', async (tx) => {
        await tx.file.change({ path: '/etc/mode', content: 'y' });
        isChanged();
        await end;
      }),
    );
    await changed;
    const error = await rejectionOf(withBofh(bofh, () => api.apply(defineHost(web))));
    finish();
    await other;

    // Not a RolledBackError: no step began.
    expect(error).toBeInstanceOf(JournalError);
    expect(error).toMatchObject({
      code: 'busy',
      message: expect.stringMatching(/\/etc\/mode is in use by sequence \S+ "other"/) as string,
    });
  });

  it.each([
    ...['group:shop', 'gid:2001', 'user:alice', 'member:alice@shop', 'keys:alice'],
    ...['packages:dpkg', 'package:nginx', 'unit:shop.service'],
  ])('is refused before the first step if another sequence has %s', async (key) => {
    const host = simulatedHost();
    host.admin.publish([{ name: 'nginx', version: '1.0' }]);
    const bofh = simulatedBofh({ host });
    const key25519 = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB9IKNenA7C5AkYQQbDkb3aCfufpNDKgUCFlvgiju+oR alice';
    const described = defineHost((h) => {
      h.file('/etc/first', { content: 'x' });
      h.package('nginx');
      h.group('shop', { gid: 2001 });
      h.user('alice', { groups: ['shop'], authorizedKeys: [key25519] });
      h.file('/etc/systemd/system/shop.service', { content: '[Service]\nExecStart=/bin/sleep 9\n' });
      h.service('shop', { running: true });
    });
    await bofh.engine.locks.open().take({ changes: [key] });
    const error = await rejectionOf(withBofh(bofh, () => api.apply(described)));

    expect(error).toBeInstanceOf(JournalError);
    expect(error).toMatchObject({ code: 'busy' });
    expect(await host.stat('/etc/first')).toBeUndefined();
  });

  it.each(['create', 'change'] as const)(
    'keeps the content of a secret file out of the journal and the answer: %s',
    async (how) => {
      const host = before();
      if (how === 'change') host.admin.writeFile('/etc/key', 'an older one\n', 0o600);
      const files: string[] = [];
      host.faults.watch(() => {
        files.push(
          ...[...host.world.live.values()].flatMap(({ tree }) =>
            [...(tree?.inodes.values() ?? [])].map(({ content }) => Buffer.from(content ?? []).toString()),
          ),
        );
      });
      const content = new Secret('Geheim-7f');
      const changes = await apply(host, (h) => h.file('/etc/key', { content }));
      expect(inWords(changes)).toEqual([
        `${how} file /etc/key${how === 'create' ? ' mode 0600' : ''} secret content`,
      ]);
      expect(JSON.stringify(changes)).not.toContain('Geheim');
      expect(files.filter((text) => text.includes('Geheim') && text !== 'Geheim-7f')).toEqual([]);
      expect(files.some((text) => text.includes('"file.'))).toBe(true);
      expect((await host.stat('/etc/key'))?.mode).toBe(0o600);
    },
  );

  it('creates a volume, a filesystem, the mount and a file on it, and undoes them together', async () => {
    const describeAll =
      (last: Describe): Describe =>
      (h, facts) => {
        h.directory('/srv/data');
        const volume = h.ensure.lvm.createLv({ vg: 'vg0', name: 'data', size: '64m' });
        h.ensure.filesystem.create(() => ({ device: volume().path, type: 'ext4' }));
        h.ensure.mount.mount({ device: '/dev/vg0/data', path: '/srv/data', mode: 'rw' });
        h.file('/srv/data/app.conf', { content: 'a=1\n' });
        return last(h, facts);
      };
    const host = before();
    const start = host.snapshot();
    // The last file cannot be made: its directory is missing, which only its turn shows.
    const error = await rejectionOf(
      apply(
        host,
        describeAll((h) => h.file('/srv/data/none/x', { content: '' })),
      ),
    );
    expect(String(error)).toContain('there is no directory /srv/data/none');
    expect(host.snapshot()).toBe(start);

    expect(
      await apply(
        host,
        describeAll(() => undefined),
      ),
    ).toHaveLength(5);
    expect(host.admin.readFile('/srv/data/app.conf')).toBe('a=1\n');
    expect(
      await apply(
        host,
        describeAll(() => undefined),
      ),
    ).toEqual([]);
  });
});

const refusals: readonly (readonly [string, Describe, string])[] = [
  [
    'a file with two contents',
    (h) => {
      h.file('/etc/a', { content: '1' });
      h.file('/etc/a', { content: '2' });
    },
    'contradicts itself: file /etc/a at ',
  ],
  [
    'a directory whose group is absent',
    (h) => {
      h.directory('/srv/r', { group: 'photos' });
      h.group('photos', { absent: true });
    },
    'needs the group photos, which is absent at ',
  ],
  [
    'an ACL for a user that is absent',
    (h) => {
      h.file('/etc/a', { content: '1', acl: ['user:web:r'] });
      h.user('web', { absent: true });
    },
    'needs the user web, which is absent at ',
  ],
  [
    'a file that is absent too',
    (h) => {
      h.file('/etc/a', { content: '1' });
      h.absent('/etc/a');
    },
    'and absent /etc/a at ',
  ],
  [
    'a line that is present and absent',
    (h) => {
      h.lines('/etc/motd', { present: ['a'] });
      h.lines('/etc/motd', { absent: ['a'] });
    },
    'lines /etc/motd at ',
  ],
  [
    'a volume of two sizes',
    (h) => {
      h.ensure.lvm.createLv({ vg: 'vg0', name: 'a', size: '8m' });
      h.ensure.lvm.createLv({ vg: 'vg0', name: 'a', size: '16m' });
    },
    'lvm.createLv vg0 a at ',
  ],
  [
    'a mode without 0o',
    (h) => h.file('/etc/a', { content: '', mode: 644 }),
    'h.file /etc/a: mode: must be octal: 0o644, not 644',
  ],
  [
    'a size without unit',
    (h) => h.ensure.lvm.createLv({ vg: 'vg0', name: 'a', size: '4' }),
    ': lvm.createLv: size: "4" has no unit',
  ],
  ['a relative path', (h) => h.file('etc/a', { content: '' }), 'must be an absolute path'],
  ['an unknown option', (h) => h.file('/etc/a', { content: '', mod: 1 } as never), 'mod'],
  ['a state', (h) => h.file('/etc/a', { absent: true } as never), 'if it must not exist: h.absent("/etc/a")'],
  ['no content', (h) => h.file('/etc/a', { content: undefined as never }), 'content is missing'],
  [
    'a value before its turn',
    (h) => void h.ensure.block.attachLoop({ file: '/srv/a' })(),
    'has no value before its step has run',
  ],
];

describe('a description', () => {
  it.each(refusals)('with %s is refused, with its place', async (_, describe, message) => {
    const host = before();
    const error = await rejectionOf(apply(host, describe));
    expect(error).toBeInstanceOf(UsageError);
    expect(String(error)).toContain(message);
    expect(String(error)).toMatch(/apply\.test\.ts:\d+/);
    expect(host.changes).toEqual([]);
  });

  it('may say the same twice', async () => {
    const host = before();
    const twice: Describe = (h) => {
      for (let n = 0; n < 2; n += 1) {
        h.directory('/etc/new', { mode: 0o700 });
        h.file('/etc/new/a', { content: 'x' });
        h.lines('/etc/motd', { present: ['one'] });
      }
      h.lines('/etc/motd', { present: ['two'] });
    };
    expect(await apply(host, twice)).toHaveLength(4);
    expect(host.admin.readFile('/etc/motd')).toBe('old\none\ntwo\n');
  });
});

const states: readonly (readonly [string, (host: SimulatedHost) => void, Describe, string])[] = [
  [
    'a directory in place of a file',
    ({ admin }) => admin.mkdir('/etc/d'),
    (h) => h.file('/etc/d', { content: '' }),
    '/etc/d is a directory, and the description has a file there',
  ],
  [
    'lines of a file that is missing',
    () => undefined,
    (h) => h.lines('/srv/none', {}),
    'the description has lines for /srv/none, but there is no such file',
  ],
  [
    'an unknown user',
    () => undefined,
    (h) => h.file('/etc/a', { content: '', owner: 'none' }),
    'there is no user none in /etc/passwd',
  ],
];

it.each(states)('%s is refused before the first step', async (_, prepare, describe, message) => {
  const host = before();
  prepare(host);
  const error = await rejectionOf(
    apply(host, (h, facts) => {
      h.file('/etc/first', { content: 'x' });
      return describe(h, facts);
    }),
  );
  expect(error).toBeInstanceOf(RefusedError);
  expect(String(error)).toContain(message);
  expect(host.changes).toEqual([]);
});

it.each(
  everyVersion([
    ['lsattr/immutable', 'ie'],
    ['lsattr/append-only', 'ae'],
    ['lsattr/no-flags', 'e'],
    ['lsattr/missing', ''],
    ['lsattr/no-filesystem-flags', ''],
  ] as const),
)('the flags in %s are "%s"', (name, flags) => {
  const { argv, ...answer } = recorded(name);
  const { parse } = lsattr(argv.at(-1) ?? '');
  expect(parse(answer)).toBe(flags);
  expect(() => parse({ ...answer, stdout: '', stderr: '' })).toThrow('could not be parsed');
});

it('a step that is refused names its place', async () => {
  const error = await rejectionOf(apply(before(), (h) => h.file('/srv/none/a', { content: '' })));
  expect(error).toMatchObject({
    code: 'not-found',
    remedy: expect.stringContaining('mkdir --parents /srv/none') as unknown,
  });
  expect(String(error)).toMatch(/apply\.test\.ts:\d+: there is no directory \/srv\/none for a$/);
});

it('an if on a fact chooses resources', async () => {
  const byFact: Describe = (h, { os }) => {
    if (os?.id === 'debian') h.file('/etc/debian.conf', { content: '' });
    else h.file('/etc/other.conf', { content: '' });
  };
  for (const [id, made] of [
    ['debian', 'create file /etc/debian.conf'],
    ['fedora', 'create file /etc/other.conf'],
  ] as const) {
    const host = before();
    host.admin.writeFile('/etc/os-release', `ID=${id}\n`);
    expect(inWords(await apply(host, byFact))).toEqual([made]);
  }
});

it('a role that is an argument chooses resources', async () => {
  const hostOf =
    (role: 'web' | 'db'): Describe =>
    (h) =>
      h.file(`/etc/${role}.conf`, { content: '' });
  expect(inWords(await apply(before(), hostOf('web')))).toEqual(['create file /etc/web.conf']);
  expect(inWords(await apply(before(), hostOf('db')))).toEqual(['create file /etc/db.conf']);
});

it('a failure at a later step undoes the others', async () => {
  const host = before();
  host.admin.writeFile('/etc/full/x', '');
  const start = host.snapshot();
  const error = await rejectionOf(
    apply(host, (h, facts) => {
      void web(h, facts);
      h.absent('/etc/full');
    }),
  );
  expect(error).toBeInstanceOf(RolledBackError);
  expect(String(error)).toContain('/etc/full is not empty (x)');
  expect(host.snapshot()).toBe(start);
});

describe('h.package', () => {
  const described: Describe = (h) => {
    h.file('/etc/first', { content: 'x' });
    h.package('lamp', { version: 'latest', hold: true });
    h.file('/etc/last', { content: 'x' });
    h.package('dark', { absent: 'purged' });
  };
  const withPackages = (): SimulatedHost => {
    const host = simulatedHost();
    host.admin.install([
      { name: 'lamp', version: '1.0' },
      { name: 'dark', version: '0.9', files: ['/etc/dark.conf'] },
    ]);
    host.admin.publish([
      { name: 'lamp', version: '1.0' },
      { name: 'lamp', version: '2.0', depends: ['lib'] },
      { name: 'lib', version: '1.0' },
      { name: 'dark', version: '0.9' },
    ]);
    return host;
  };

  it('changes all packages in one step, in place of the first, and nothing the second time', async () => {
    const host = withPackages();

    expect(inWords(await apply(host, described))).toEqual([
      'create file /etc/first',
      'change packages dark lamp dark 0.9 → purged lib 1.0 as a dependency lamp 1.0 → 2.0 download 1.6 KiB nothing restores purged configuration files',
      'create file /etc/last',
    ]);
    expect(host.snapshot()).toMatch(/^package lamp 2\.0 hold ok installed$/m);
    expect(host.snapshot()).not.toMatch(/^package dark/m);

    const [before, written] = [host.snapshot(), journals(host)];
    expect(await apply(host, described)).toEqual([]);
    expect([host.snapshot(), journals(host)]).toEqual([before, written]);
  });

  it('is undone if a later step fails', async () => {
    const host = withPackages();
    const before = host.snapshot();

    await rejectionOf(
      apply(host, (h) => {
        h.package('lamp', { version: '2.0' });
        h.file('/nowhere/x', { content: 'x' });
      }),
    );

    expect(host.snapshot()).toBe(before);
  });

  it.each([
    ['Lamp', {}, 'must be the name of a package'],
    ['lamp', { version: '1 0' }, 'must be a version, or latest'],
    ['lamp', { absent: true, hold: true }, 'an absent package has no version and is not held'],
  ] as const)('refuses %s %j', async (name, request, why) => {
    const error = await rejectionOf(apply(simulatedHost(), (h) => h.package(name, request)));

    expect(error).toBeInstanceOf(UsageError);
    expect(String(error)).toContain(why);
  });

  it('names the line of a package that apt cannot install', async () => {
    const error = await rejectionOf(apply(simulatedHost(), (h) => h.package('nowhere')));

    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toMatch(
      /apply\.test\.ts:\d+: apt cannot do this: Unable to locate package nowhere/,
    );
  });
});

describe('an object that is described twice identically', () => {
  it('counts once, and returns the same value both times', async () => {
    const host = simulatedHost();
    const volume = { vg: 'vg0', name: 'photos', size: '16m' } as const;

    const changes = await apply(host, (h) => {
      h.ensure.lvm.createLv(volume);
      const again = h.ensure.lvm.createLv(volume);
      h.ensure.filesystem.create(() => ({ device: again().path, type: 'ext4' }));
    });

    expect(changes.map(({ kind, name }) => [kind, name.split(' ')[0]])).toEqual([
      ['ensure', 'lvm.createLv'],
      ['ensure', 'filesystem.create'],
    ]);
  });
});

it('a directory comes before a file in it whose name starts with two dots', async () => {
  const changes = await apply(simulatedHost(), (h) => {
    h.file('/etc/web/..old', { content: 'x' });
    h.directory('/etc/web');
  });

  expect(changes.map(({ name }) => name)).toEqual(['/etc/web', '/etc/web/..old']);
});
