import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { isUp, showUnit } from '../../../src/service/unit.ts';
import { RolledBackError } from '../../../src/core/errors.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { runVerb } from '../cli/support/run-verb.ts';

const work = mkdtempSync(join(tmpdir(), 'bofh-prune-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));
const file = join(work, 'web.ts');

let host: SimulatedHost;
let bofh: ReturnType<typeof simulatedBofh>;
beforeEach(() => {
  host = simulatedHost();
  bofh = simulatedBofh({ host });
  host.admin.mkdir('/srv');
  host.admin.mkdir('/etc/cron.d');
});

async function ran(words: readonly string[], options = {}) {
  const { runtime, stdout, stderr } = testRuntime(bofh, { yes: true, ...options });
  return { exitCode: await runVerb(runtime, words), stdout: stdout(), stderr: stderr() };
}

const install = (name: string): void => {
  host.admin.install([{ name, version: '1.0' }]);
};
const describing = (body: string, path = file): void =>
  writeFileSync(
    path,
    `import { defineHost, Secret } from 'bofh';\nexport default defineHost((h) => {\n${body}\n});\n`,
  );

async function applying(body: string, ...options: readonly string[]): Promise<string> {
  describing(body);
  return (await ran(['host', 'apply', file, '--confirm', 'off', ...options])).stdout;
}

const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIkOoA4/8W1/TbHMJSKuMFfKyUmCn6bxWWIjhlZ8H8fM root@example';

const all = `h.directory('/srv/web'); h.file('/srv/web/page', { content: 'one' }); h.link('/etc/web', { to: '/srv/web' });
  h.file('/etc/web.key', { content: new Secret('geheim') }); h.edit('/etc/app.json', { json: { port: 1 } });
  h.cron('web', { schedule: '@daily', user: 'root', command: 'true' });`;

describe('objects that are no longer in a description', () => {
  it('are shown, and removed with --prune, from the inside out', async () => {
    const before = host.snapshot();
    await applying(all);

    const left = ['file /etc/app.json', 'file /etc/cron.d/web', 'link /etc/web', 'file /etc/web.key'].concat([
      ...['directory /srv/web', 'file /srv/web/page'],
    ]);
    expect((await applying('')).split('\n')).toEqual([
      'the host is as described',
      ...left.map((name) => `no longer described: ${name} (--prune removes it)`),
      '',
    ]);
    const planned = await ran(['host', 'plan', file, '--prune'], { json: true });
    const { changes } = answers.hostPlan.parse(JSON.parse(planned.stdout));
    expect(changes.map(({ action }) => action)).toEqual(Array.from({ length: 6 }, () => 'remove'));

    await applying('', '--prune');
    expect(host.snapshot()).toEqual(before);
    expect(await applying('')).toBe('the host is as described\n');
  });

  it.each([
    ['it had before', `h.file('/etc/motd', { content: 'new' });`],
    ['it still needs', `h.file('/srv/web/page', { content: 'two' });`],
  ])('exclude objects that %s', async (_, body) => {
    host.admin.writeFile('/etc/motd', 'old');
    await applying(`h.directory('/srv/web'); ${body}`);
    const { stdout } = await ran(['host', 'plan', file]);
    expect(stdout).toBe('the host is as described\n');
    expect(await applying(body, '--prune')).not.toContain('/srv/web (');
    host.admin.mkdir('/srv/other');
    expect(await applying('', '--prune')).not.toContain('/etc/motd');
  });

  it('stay if others edited or filled them, but not after a change by bofh', async () => {
    await applying(all);
    host.admin.writeFile('/etc/cron.d/web', 'mine');
    host.admin.writeFile('/srv/web/mine', '');
    await applying(all.replace("content: 'one'", "content: 'two'").replace(/h\.cron.*/, ''));

    const { stdout } = await ran(['host', 'plan', file, '--prune']);
    expect(stdout).toContain('no longer described: file /etc/cron.d/web (it stays: it was edited since)');
    describing('');
    const said = (await ran(['host', 'apply', file, '--prune'])).stdout;
    expect(said).toContain('remove file /srv/web/page');
    expect(said).toContain('no longer described: directory /srv/web (it stays: it also has mine)');
    expect(host.admin.readFile('/etc/cron.d/web')).toBe('mine');
  });

  it.each([
    [
      'a kernel parameter',
      `h.file('/etc/sysctl.d/80-bofh.conf', { content: 'vm.swappiness = 10\\n' });`,
      `h.sysctl('vm.swappiness', 10);`,
      '/etc/sysctl.d/80-bofh.conf',
    ],
    [
      'a kernel module',
      `h.file('/etc/modprobe.d/dummy.conf', { content: 'options dummy numdummies=2\\n' });`,
      `h.kernelModule('dummy', { parameters: { numdummies: 2 } });`,
      '/etc/modprobe.d/dummy.conf',
    ],
    [
      'the keys of a user',
      `h.file('/root/.ssh/authorized_keys', { content: '${key}\\n' });`,
      `h.user('root', { authorizedKeys: ['${key}'] });`,
      '/root/.ssh/authorized_keys',
    ],
    ['the home of a user', `h.directory('/srv/home');`, `h.user('bob', { home: '/srv/home' });`, '/srv/home'],
  ])('exclude the path of %s', async (_, before, body, path) => {
    for (const each of ['/root/.ssh', '/etc/sysctl.d', '/etc/modprobe.d', '/etc/modules-load.d'])
      if ((await host.stat(each)) === undefined) host.admin.mkdir(each);
    const passwd = host.admin.readFile('/etc/passwd');
    host.admin.writeFile('/etc/passwd', `${passwd}bob:x:1001:0::/srv/home:/bin/sh\n`);
    await applying(before);
    expect(await applying(body, '--prune')).not.toContain(`remove`);
    expect(await applying(body)).toBe('the host is as described\n');
    expect(await host.stat(path)).toBeDefined();
  });

  it.each([
    ['user', `h.user('web', { system: true });`, `h.directory('/srv/web', { owner: 'web' });`],
    ['user by its uid', `h.user('web', { uid: 1234 });`, `h.directory('/srv/web', { owner: 1234 });`],
    ['group', `h.group('web');`, `h.directory('/srv/web', { group: 'web' });`],
    [
      'unit file',
      `h.file('/etc/systemd/system/web.service', { content: '[Service]\\nExecStart=/bin/x\\n[Install]\\nWantedBy=multi-user.target\\n' });`,
      `h.service('web', { enabled: true, running: true });`,
    ],
  ])('exclude a %s that the description still uses', async (_, before, body) => {
    host.admin.mkdir('/etc/systemd/system/multi-user.target.wants');
    host.admin.mkdir('/etc/skel');
    await applying(before + body);
    const there = host.snapshot();
    expect(await applying(body, '--prune')).toMatch(
      new RegExp(`web\\S* \\(it stays: the description still uses it: ${file}:3\\)`),
    );
    expect(host.snapshot()).toBe(there);
  });

  it('exclude the group of a user who stays', async () => {
    host.admin.mkdir('/etc/skel');
    await applying(`h.group('team'); h.user('web', { system: true, groups: ['team'] });`);
    const there = host.snapshot();
    expect(
      await applying(
        `h.directory('/srv', { owner: 0 }); h.cron('web', { schedule: '@daily', user: 'web', command: 'true' });`,
        '--prune',
      ),
    ).toContain('no longer described: group team (it stays: it has the members web)');
    host.admin.removeFile('/etc/cron.d/web');
    expect(host.snapshot()).toBe(there);
  });

  it('include the file of a repository that bofh changed', async () => {
    for (const path of ['/etc/apt/keyrings', '/etc/apt/sources.list.d', '/var/lib/apt/lists'])
      host.admin.mkdir(path);
    install('dpkg');
    const pgp = '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc=\n-----END PGP PUBLIC KEY BLOCK-----\n';
    host.admin.repository('https://example.org/debian', { key: pgp, packages: [] });
    const source = (components: string): string =>
      `h.aptSource('site', { uris: 'https://example.org/debian', suites: 'stable', components: ${components}, key: ${JSON.stringify(pgp)} });`;
    await applying(source(`['main', 'extra']`));
    await applying(source(`['main']`));
    const path = '/etc/apt/sources.list.d/site.sources';
    const text = host.admin.readFile(path);
    host.admin.writeFile(path, `# mine\n${text}`);
    expect(await applying('', '--prune')).toContain(
      `file /etc/apt/keyrings/site.asc (it stays: ${path} names it)`,
    );
    host.admin.writeFile(path, text);
    expect(await applying('', '--prune')).toBe(
      'remove file /etc/apt/sources.list.d/site.sources\nremove file /etc/apt/keyrings/site.asc\n',
    );
  });

  it('belong to their own description', async () => {
    await applying(all);
    const other = join(work, 'other.ts');
    describing('', other);
    expect((await ran(['host', 'plan', other, '--prune'])).stdout).toBe('the host is as described\n');
  });

  it.each([
    ['of an administrator', ''],
    ['of the description', `h.package('shop');`],
  ])('exclude a package that another one %s needs', async (_, body) => {
    install('dpkg');
    host.admin.publish([
      { name: 'lamp', version: '1.0' },
      { name: 'oil', version: '1.0' },
      { name: 'shop', version: '1.0', depends: ['lamp'] },
    ]);
    await applying(`h.package('lamp'); h.package('oil');`);
    host.admin.install([{ name: 'shop', version: '1.0', depends: ['lamp'] }]);

    const said = await applying(body, '--prune');
    expect(said).toContain('no longer described: package lamp (it stays: apt would also remove shop)');
    expect(host.snapshot()).toMatch(/^package lamp 1\.0 install ok installed\npackage shop 1\.0/m);
    expect(host.snapshot()).not.toContain('package oil');
  });

  it.each([
    ['member', 'team:x:1000:bob\n', 4],
    ['user, whose primary group it is,', 'team:x:1000:\n', 1000],
  ])('exclude a group with another %s', async (_, line, gid) => {
    await applying(`h.group('team', { gid: 1000 });`);
    const group = host.admin.readFile('/etc/group').replace(/^team:.*\n/m, line);
    host.admin.writeFile('/etc/group', group);
    host.admin.writeFile(
      '/etc/passwd',
      `${host.admin.readFile('/etc/passwd')}bob:x:1001:${String(gid)}::/:/bin/sh\n`,
    );

    expect(await applying('', '--prune')).toContain('group team (it stays: it has the members bob)');
    expect(host.admin.readFile('/etc/group')).toBe(group);
  });

  it('may be a user, a group and a package', async () => {
    host.admin.install([{ name: 'dpkg', version: '1.21.22' }]);
    host.admin.publish([
      { name: 'lamp', version: '1.0', depends: ['lib'] },
      { name: 'lib', version: '1.0' },
    ]);
    host.admin.mkdir('/etc/skel');
    await applying(`h.group('team'); h.user('alice', { groups: ['team'] }); h.package('lamp');`);
    const left = ['user alice', 'package lamp', 'group team'];
    expect((await applying('')).split('\n').slice(1, -1)).toEqual(
      left.map((name) => `no longer described: ${name} (--prune removes it)`),
    );
    expect(await applying('', '--prune')).toMatch(/packages lamp.*\n.*user alice.*\n.*group team/);
    host.admin.install([{ name: 'lamp', version: '1.0' }]);
    expect(await applying('')).toBe('the host is as described\n');
  });

  it('a path unit is stopped before the service that it starts', async () => {
    host.admin.mkdir('/etc/systemd/system');
    await applying(`h.file('/etc/systemd/system/web.path', { content: '[Path]\\nPathExists=/srv/web\\n' });
      h.file('/etc/systemd/system/web.service', { content: '[Service]\\nExecStart=/bin/x\\n' });
      h.service('web.path', { running: true }); h.service('web', { running: true });`);
    expect(await applying('', '--prune')).toMatch(/^stop web\.path\nstop web\.service\n/);
  });

  it.each([
    ['--prune', '', '--prune'],
    [
      'a description of it as absent',
      `h.absent('/etc/systemd/system/web.service'); h.service('web', { enabled: false, running: false });`,
      '--yes',
    ],
  ])('a service is stopped and disabled before its unit file is removed, by %s', async (_, gone, option) => {
    host.admin.mkdir('/etc/systemd/system/multi-user.target.wants');
    const state = (): string =>
      host
        .snapshot()
        .split('\n')
        .filter((fact) => !fact.includes('/bofh/notes/'))
        .join('\n');
    const before = state();
    await applying(`const unit = h.file('/etc/systemd/system/web.service', { content: '[Service]\\nExecStart=/bin/x\\n[Install]\\nWantedBy=multi-user.target\\n' });
      h.service('web', { enabled: true, running: true, restartOn: [unit] });`);
    expect(await applying(gone, option)).toMatch(
      /^disable, stop web\.service\nremove file \/etc\/systemd\/system\/web\.service\n/,
    );
    expect(state()).toBe(before);
    expect(await applying(gone, option)).toBe('the host is as described\n');
  });

  it.each([
    [
      'of its service, which stops before,',
      'web.service',
      /^disable, stop web\.service\n[^]*remove user web/,
    ],
    ['of a login', 'session-3.scope', /the user web has running processes/],
  ])('a user with a process %s', async (_, unit, expected) => {
    host.admin.mkdir('/etc/systemd/system/multi-user.target.wants');
    host.admin.mkdir('/etc/skel');
    await applying(`h.user('web', { system: true });
      h.file('/etc/systemd/system/web.service', { content: '[Service]\\nUser=web\\nExecStart=/bin/x\\n[Install]\\nWantedBy=multi-user.target\\n' });
      h.service('web', { enabled: true, running: true });`);
    const [run, read, stat] = [host.run.bind(host), host.readFile.bind(host), host.stat.bind(host)];
    // The dry run asks for the state of a path before it reads it.
    vi.spyOn(host, 'stat').mockImplementation((path) =>
      stat(
        path.startsWith('/proc/12')
          ? path.replace(/.*\/12$/, '/etc').replace(/.*cgroup$/, '/etc/passwd')
          : path,
      ),
    );
    vi.spyOn(host, 'run').mockImplementation(async (command) => {
      if (command.tool !== 'find' || !command.argv.includes('-uid')) return await run(command);
      const stdout = isUp(await run(showUnit('web.service'))) ? '12\n' : '';
      return command.parse({ exitCode: 0, stdout, stderr: '' });
    });
    vi.spyOn(host, 'readFile').mockImplementation((path) =>
      path === '/proc/12/cgroup' ? Promise.resolve(Buffer.from(`0::/system.slice/${unit}\n`)) : read(path),
    );
    describing('');
    for (const words of [['plan'], ['apply', '--confirm', 'off']]) {
      const said = await ran(['host', ...words, file, '--prune']).then(
        ({ stdout }) => stdout,
        (error: unknown) => String(error),
      );
      expect(said).toMatch(expected);
    }
  });

  it('stay if others created them again', async () => {
    await applying(`h.directory('/srv/d'); h.link('/etc/l', { to: 'x' }); h.group('team');`);
    host.admin.rename('/srv/d', '/srv/old');
    host.admin.mkdir('/srv/d');
    host.admin.removeFile('/etc/l');
    host.admin.symlink('/etc/l', 'theirs');
    host.admin.writeFile(
      '/etc/group',
      host.admin.readFile('/etc/group').replace(/^team:x:\d+:/m, 'team:x:4711:'),
    );
    const before = host.snapshot();
    expect((await applying('', '--prune')).split('\n').slice(1, -1)).toEqual(
      [
        'link /etc/l (it stays: it is another link now)',
        'directory /srv/d (it stays: it is another directory now)',
      ]
        .concat('group team (it stays: it is another group now)')
        .map((text) => `no longer described: ${text}`),
    );
    expect(host.snapshot()).toBe(before);
  });

  it.each([
    ['a package', `h.package('lamp');`, `h.package('lamp', { absent: true });`, () => install('lamp')],
    [
      'a file',
      `h.file('/etc/web', { content: 'x' });`,
      `h.absent('/etc/web');`,
      () => host.admin.writeFile('/etc/web', 'x'),
    ],
    [
      'a group that userdel removed',
      `h.group('alice', { gid: 1234 }); h.user('alice', { group: 'alice' });`,
      `h.user('alice', { absent: true }); h.group('alice', { absent: true });`,
      () => host.admin.writeFile('/etc/group', `${host.admin.readFile('/etc/group')}alice:x:1234:\n`),
    ],
  ])(
    '%s stays if it was described as absent, and others created it again',
    async (_, described, absent, create) => {
      install('dpkg');
      host.admin.publish([{ name: 'lamp', version: '1.0' }]);
      host.admin.mkdir('/etc/skel');
      await applying(described);
      if (absent.includes('h.absent')) host.admin.removeFile('/etc/web');
      const other = `h.directory('/srv/other');`;
      await applying(absent + other);
      create();
      const before = host.snapshot();
      expect(await applying(other, '--prune')).toBe('the host is as described\n');
      expect(host.snapshot()).toBe(before);
    },
  );

  it('stay if others removed them, an apply had nothing to do, and others created them again', async () => {
    const other = `h.directory('/srv/other');`;
    await applying(`${other} h.file('/etc/web', { content: 'x' });`);
    host.admin.removeFile('/etc/web');
    expect(await applying(`${other} h.absent('/etc/web');`)).toBe('the host is as described\n');
    host.admin.writeFile('/etc/web', 'x');

    expect(await applying(other, '--prune')).toBe('the host is as described\n');

    expect(host.admin.readFile('/etc/web')).toBe('x');
  });

  it('are not shown if gone, or created by a failed apply', async () => {
    await applying(`h.file('/etc/web', { content: '' });`);
    host.admin.removeFile('/etc/web');
    host.fault({ tool: 'ln', mode: 'fails before' });
    await expect(applying(`h.directory('/srv/d'); h.link('/etc/l', { to: 'x' });`)).rejects.toBeInstanceOf(
      RolledBackError,
    );
    host.admin.mkdir('/srv/d');
    expect(await applying('')).toBe('the host is as described\n');
  });

  it('an invalid record is refused, and named', async () => {
    await applying(all);
    const { store } = bofh.engine;
    const [name = ''] = store.names('.').filter((each) => each.startsWith('created'));
    store.remove(name);
    store.create(name).write(Buffer.from('{'), 0);
    describing('');
    await expect(ran(['host', 'plan', file])).rejects.toThrow(
      /^\/var\/lib\/bofh\/journal\/created-\w+\.json is not as bofh writes it$/,
    );
  });
});
