import { describe, expect, it, vi } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import type { ReadHost } from '../../../src/command/index.ts';
import { RefusedError, RolledBackError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { change, inWords } from '../../../src/packages/change.ts';
import { plannedPackages } from '../../../src/packages/plan.ts';
import { debOf, refuseForeignFiles } from '../../../src/packages/store.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';

type Request = Parameters<Tx['packages']['change']>[0];

const run = (host: SimulatedHost, ...requests: readonly Request[]) =>
  withBofh(simulatedBofh({ host }), () =>
    atomic('test', async (tx) => {
      const values = [];
      for (const request of requests) values.push(await tx.packages.change(request));
      return values;
    }),
  );
const failed = async <E extends Error>(
  promise: Promise<unknown>,
  type: new (...args: never[]) => E,
): Promise<E> => {
  const error = await rejectionOf(promise);
  if (!(error instanceof type)) throw error;
  return error;
};
const refused = (host: SimulatedHost, request: Request) => failed(run(host, request), RefusedError);
const packages = (host: SimulatedHost): readonly string[] =>
  host
    .snapshot()
    .split('\n')
    .filter((line) => line.startsWith('package '))
    .map((line) => line.slice('package '.length));

function before(): SimulatedHost {
  const host = simulatedHost();
  host.admin.install([
    { name: 'dpkg', version: '1.21.22' },
    { name: 'lamp', version: '1.0', files: ['/etc/lamp.conf', '/usr/bin/lamp'] },
    { name: 'cron', version: '3.0', auto: true },
  ]);
  host.admin.publish([
    { name: 'lamp', version: '1.0', files: ['/etc/lamp.conf', '/usr/bin/lamp'] },
    { name: 'lamp', version: '2.0', depends: ['lib'], files: ['/etc/lamp.conf', '/usr/bin/lamp'] },
    { name: 'lib', version: '1:1.0', files: ['/usr/lib/lib.so'] },
    { name: 'dark', version: '1.0', conflicts: ['lamp'], files: ['/usr/bin/dark'] },
    { name: 'cron', version: '3.0' },
  ]);
  return host;
}

const plain = ['cron 3.0 install ok installed, auto', 'dpkg 1.21.22 install ok installed'];

describe('tx.packages.change', () => {
  it('upgrades with a dependency, which is automatic, and sets marks', async () => {
    const host = before();

    const [value] = await run(host, { upgrade: ['lamp'], install: ['cron'], hold: ['lamp'] });

    expect(packages(host)).toEqual([
      'cron 3.0 install ok installed',
      plain[1],
      'lamp 2.0 hold ok installed',
      'lib 1:1.0 install ok installed, auto',
    ]);
    expect(value?.packages.map(({ name, follows }) => [name, follows])).toEqual([
      ['lib', true],
      ['lamp', undefined],
      ['cron', undefined],
    ]);
  });

  it('undo restores versions, marks, and packages that were removed for another one', async () => {
    const host = before();
    const old = host.snapshot();

    await failed(run(host, { install: ['dark', 'cron'] }, { install: ['nowhere'] }), RolledBackError);

    expect(host.snapshot()).toBe(old);
  });

  it('purges after the commit', async () => {
    const host = before();

    await run(host, { purge: ['lamp'] });
    expect(packages(host)).toEqual(plain);

    const other = before();
    await run(other, { remove: ['lamp'] });
    expect(packages(other)).toEqual([...plain, 'lamp 1.0 deinstall ok config-files']);
  });

  it('is undone if apt-mark reports success and does nothing', async () => {
    const host = before();
    const state = packages(host);
    host.fault({ tool: 'apt-mark', argvIncludes: 'hold', mode: 'no effect, exit 0' });
    const error = await failed(run(host, { upgrade: ['lamp'], hold: ['lamp'] }), RolledBackError);
    expect(error.message).toContain('are not as apt reported: lamp');
    expect(packages(host)).toEqual(state);
  });

  it('makes the old version from the installed files if no archive has it, or is refused', async () => {
    const host = before();
    host.admin.install([{ name: 'lamp', version: '0.9' }]);
    const { message, remedy } = await refused(host, { upgrade: ['lamp'] });
    expect([message, remedy]).toEqual([
      'no archive has the installed version of lamp (0.9): undo could not restore it',
      expect.stringContaining('apt-get install dpkg-repack'),
    ]);

    host.admin.writeFile('/usr/bin/dpkg-repack', 'program');
    const old = host.snapshot();
    await failed(run(host, { upgrade: ['lamp'] }, { install: ['nowhere'] }), RolledBackError);
    expect(host.snapshot()).toBe(old);
  });

  it.each([
    [{ install: ['nowhere'] }, 'apt cannot do this: Unable to locate package nowhere'],
    [{ install: ['lamp=7'] }, "apt cannot do this: Version '7' for 'lamp' was not found"],
    [{ install: ['lamp'] }, 'the packages are already as requested'],
    [{ remove: ['nowhere'] }, 'the packages are already as requested'],
    [{ hold: ['lib'] }, 'lib is not installed: it cannot be held'],
  ])('refuses %j', async (request, message) => {
    const host = before();
    const old = host.snapshot();

    expect((await refused(host, request)).message).toBe(message);
    expect(host.snapshot()).toBe(old);
  });

  it.each([
    [[{ act: 'install', name: 'mawk', version: '1' }], 'apt would install mawk'],
    [[], 'an installed package provides it'],
  ])('refuses the name of a virtual package: %j', async (acts, why) => {
    const host = before();
    const asked: typeof host.run = host.run.bind(host);
    vi.spyOn(host, 'run').mockImplementation((command) =>
      command.argv[0] === '--simulate' ? (Promise.resolve(acts) as ReturnType<typeof asked>) : asked(command),
    );
    const planned = plannedPackages(host, { install: ['awk'] }, { sizes: false });
    expect((await failed(planned, RefusedError)).message).toBe(`awk is not the name of a package: ${why}`);
  });

  it('refuses to change a held package that is not named', async () => {
    const host = before();
    await run(host, { hold: ['lamp'] });

    expect((await refused(host, { install: ['dark'] })).message).toBe(
      'lamp is held, and the requested change would change it',
    );
  });

  it('refuses while another program has the lock, and names it', async () => {
    const host = before();
    host.admin.writeFile('/var/lib/dpkg/lock-frontend', '');
    const { inode } = (await host.stat('/var/lib/dpkg/lock-frontend')) ?? {};
    const line = `1: POSIX  ADVISORY  WRITE 77 fe:00:${inode ?? ''} 0 EOF\n`;
    const locked: SimulatedHost = {
      ...host,
      readFile: async (path) => {
        if (path === '/proc/locks') return Buffer.from(line);
        return path === '/proc/77/comm' ? Buffer.from('unattended-upgr\n') : host.readFile(path);
      },
    };

    const { message, code } = await refused(locked, { upgrade: ['lamp'] });

    expect([code, message]).toEqual([
      'busy',
      'another program changes the packages: unattended-upgr (process 77)',
    ]);
  });

  it('keeps a file of no package in its place', async () => {
    const host = before();
    host.admin.writeFile('/usr/bin/dark', 'mine');
    const old = host.snapshot();

    const { message } = await failed(run(host, { install: ['dark'] }), RolledBackError);

    expect(message).toContain('/usr/bin/dark belongs to no package, and dark would overwrite it');
    expect(host.snapshot()).toBe(old);
  });

  it('leaves alone a package that others upgraded since, and says so', async () => {
    const host = before();
    const bofh = simulatedBofh({ host });
    const error = await failed(
      withBofh(bofh, () =>
        atomic('test', async (tx) => {
          await tx.packages.change({ upgrade: ['lamp'] });
          host.admin.install([{ name: 'lamp', version: '3.0' }]);
          throw new Error('on purpose');
        }),
      ),
      RolledBackError,
    );

    expect(error.leftUntouched).toEqual([expect.stringContaining('lamp was changed since: 3.0')]);
    expect(packages(host)).toContain('lamp 3.0 install ok installed');
  });
});

describe('the undo of new packages', () => {
  it('keeps one that a package of others needs, and names that', async () => {
    const host = before();
    const stuck = withBofh(simulatedBofh({ host }), () =>
      atomic('test', async (tx) => {
        await tx.packages.change({ install: ['lib'] });
        host.admin.install([{ name: 'theirs', version: '1.0', depends: ['lib'] }]);
        throw new Error('no');
      }),
    );

    await expect(stuck).rejects.toThrow(/apt-get would also change theirs/);
    expect(packages(host)).toContain('theirs 1.0 install ok installed');
    expect(packages(host)).toContain('lib 1:1.0 install ok installed');
  });

  it('does not purge one whose configuration files were edited', async () => {
    const made = before();
    const answer = { exitCode: 0, stdout: '??5?????? c /etc/lib.conf\n', stderr: '' };
    const read: SimulatedHost['run'] = async (command) =>
      command.argv.includes('--verify') ? command.parse(answer) : made.run(command);
    const during: SimulatedHost['during'] = (step) => {
      const change = made.during(step);
      return {
        ...change,
        run: async (command) =>
          command.argv.includes('--verify') ? command.parse(answer) : change.run(command),
      };
    };
    const bofh = simulatedBofh({ host: { ...made, run: read, during } });
    const stuck = withBofh(bofh, () =>
      atomic('test', async (tx) => {
        await tx.packages.change({ install: ['lib'] });
        throw new Error('no');
      }),
    );

    await expect(stuck).rejects.toThrow(/others have edited \/etc\/lib.conf/);
    expect(packages(made)).toContain('lib 1:1.0 install ok installed');
  });
});

it('asks for the owners of many files with several commands, because one line cannot hold them', async () => {
  const names = Array.from({ length: 5000 }, (_, at) => `a-rather-long-name-of-a-header-${String(at)}.h`);
  const paths = names.map((name) => `/usr/include/boost/${name}`);
  const lengths: number[] = [];
  const host = {
    ...simulatedHost(),
    readDir: async (path: string) => (path.endsWith('/new') ? ['big_2_all.deb'] : names),
    run: async ({ tool, argv }: { readonly tool: string; readonly argv: readonly string[] }) => {
      if (tool === 'dpkg-deb') return paths;
      lengths.push(argv.join(' ').length);
      return argv.slice(2).filter((path) => path.startsWith('/usr/') && path !== paths.at(-1));
    },
  } as unknown as ReadHost;
  const after = { version: '2', auto: false, hold: false };
  const error = await failed(refuseForeignFiles(host, '/store', [{ name: 'big', after }]), RefusedError);
  expect(error.message).toBe(`${paths.at(-1) ?? ''} belongs to no package, and big would overwrite it`);
  expect(Math.max(...lengths)).toBeLessThan(128 * 1024);
});

it('finds the .deb of each architecture of a package', () => {
  const files = ['/s/lib-a_1%3a2.0_all.deb', '/s/libc6_2.36_amd64.deb', '/s/libc6_2.36_i386.deb'];
  const all = ['lib-a', 'libc6', 'libc6:i386'].map((name) => ({ name }));

  for (const each of [files, files.toReversed()])
    expect(all.map(({ name }) => debOf(each, name, all))).toEqual(files);
  expect(debOf(files.slice(0, 2), 'libc6:i386', all)).toBeUndefined();
});

it.each([
  [{ auto: true }, {}, 'lamp marked as manually installed'],
  [{}, { hold: true }, 'lamp held'],
  [{ hold: true }, {}, 'lamp not held'],
  [{ hold: true }, { auto: true }, 'lamp not held, marked as automatically installed'],
])('names only the marks that change: %o, then %o', (before, after, words) => {
  const marks = { version: '1.0', auto: false, hold: false };
  const was = { ...marks, ...before, status: 'installed' } as const;
  expect(inWords({ name: 'lamp', before: was, after: { ...marks, ...after } })).toBe(words);
});

it('the manual recovery installs the old packages from the store', () => {
  const kept = { version: '1.0', auto: false, hold: false };
  const packages = [
    {
      name: 'lamp',
      before: { ...kept, status: 'installed' },
      after: { ...kept, version: '2.0' },
      old: 'repack',
    },
    { name: 'lib', after: kept },
  ];
  const of = { undo: { store: '/var/lib/bofh/packages-T.1', packages }, way: 'back' };
  expect(change.describe?.(of as never).clear).toContainEqual([
    ...['find', '/var/lib/bofh/packages-T.1/old', '-name', '*.deb', '-exec'],
    ...['apt-get', 'install', '--allow-downgrades', 'lib-', '{}', '+'],
  ]);
});

it.each<readonly [string, Request]>([
  ['needs another one that is removed', { install: ['lamp'], remove: ['lib'] }],
  ['conflicts with a new one', { install: ['lamp', 'dark'] }],
])('refuses to remove a package that is asked for, because it %s', async (_, request) => {
  const host = before();
  await run(host, { upgrade: ['lamp'] });
  const old = host.snapshot();

  expect(String(await refused(host, request))).toContain('apt would remove lamp, which must be installed');
  expect(host.snapshot()).toBe(old);
});
