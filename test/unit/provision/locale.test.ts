import { beforeEach, expect, it } from 'vitest';
import { withBofh } from '../../../src/bofh.ts';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import { defineHost, type HostBuilder, provision } from '../../../src/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { simulate } from '../../../src/simulator/real-host/simulate.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { expectSafePowerCuts } from './power-cut.ts';

let host: SimulatedHost;
const apply = (describe: (h: HostBuilder) => unknown, on = host) =>
  withBofh(simulatedBofh({ host: on }), () => provision.apply(defineHost(describe)));
const textOf = async (path: string): Promise<string> => Buffer.from(await host.readFile(path)).toString();
const all = (h: HostBuilder): void => {
  h.timezone('Europe/Berlin');
  h.locale('de_DE.UTF-8', 'en_GB.UTF-8');
};

beforeEach(() => {
  host = simulatedHost();
  const directories = [
    ...['/usr/share/zoneinfo', '/usr/share/zoneinfo/Europe', '/usr/share/zoneinfo/Etc', '/usr/share/i18n'],
    ...['/usr/lib/locale', '/etc/default'],
  ];
  for (const path of directories) host.admin.mkdir(path);
  for (const name of ['Europe/Berlin', 'Etc/UTC'])
    host.admin.writeFile(`/usr/share/zoneinfo/${name}`, `TZif2${name}`);
  host.admin.writeFile('/usr/share/zoneinfo/tzdata.zi', '# version 2026b\n');
  host.admin.symlink('/etc/localtime', '/usr/share/zoneinfo/Etc/UTC');
  host.admin.writeFile('/etc/timezone', 'Etc/UTC\n');
  host.admin.writeFile(
    '/usr/share/i18n/SUPPORTED',
    'de_DE.UTF-8 UTF-8\nde_DE@euro ISO-8859-15\nen_GB.UTF-8 UTF-8\n',
  );
  host.admin.writeFile('/etc/locale.gen', '# a list\n\n# de_DE.UTF-8 UTF-8\n# de_DE.UTF-8 UTF-8 x\n');
  host.admin.writeFile('/usr/lib/locale/locale-archive', 'an archive');
  host.admin.writeFile('/etc/default/locale', '# mine\nLANG="C.UTF-8"\nLC_TIME=C\n');
});

it('sets the time zone and the locale, and has nothing to do the second time', async () => {
  const planned = await apply(all, await simulate(host));
  expect(host.changes).toEqual([]);
  const changes = await apply(all);
  expect(changes).toEqual(planned);
  expect(changes.map(({ kind, name, details }) => [kind, name, ...details])).toEqual([
    [
      'timezone',
      'Europe/Berlin',
      '/etc/localtime Etc/UTC → Europe/Berlin',
      '/etc/timezone Etc/UTC → Europe/Berlin',
    ],
    [
      'locale',
      'de_DE.UTF-8',
      'adds de_DE.UTF-8 UTF-8 to /etc/locale.gen',
      'adds en_GB.UTF-8 UTF-8 to /etc/locale.gen',
      'runs locale-gen',
      'LANG C.UTF-8 → de_DE.UTF-8 in /etc/default/locale',
    ],
  ]);
  expect(await host.readLink('/etc/localtime')).toBe('../usr/share/zoneinfo/Europe/Berlin');
  expect(await textOf('/etc/timezone')).toBe('Europe/Berlin\n');
  expect(await textOf('/etc/locale.gen')).toBe(
    '# a list\n\nde_DE.UTF-8 UTF-8\n# de_DE.UTF-8 UTF-8 x\nen_GB.UTF-8 UTF-8\n',
  );
  expect(await textOf('/etc/default/locale')).toBe('# mine\nLANG=de_DE.UTF-8\nLC_TIME=C\n');
  const [after, count] = [host.snapshot(), host.changes.length];
  expect(await apply(all)).toEqual([]);
  expect([host.snapshot(), host.changes.length]).toEqual([after, count]);
});

it('accepts another spelling of the same locale', async () => {
  host.admin.removeFile('/etc/timezone');
  host.admin.removeFile('/etc/default/locale');
  host.admin.writeFile('/etc/default/locale', "LANG='de_DE.UTF-8'\n");
  host.admin.removeFile('/etc/locale.gen');
  host.admin.writeFile('/etc/locale.gen', 'de_DE.UTF-8\tUTF-8 \n');
  host.admin.script('locale-gen', true);
  const changes = await apply((h) => {
    h.timezone('Etc/UTC');
    h.locale('de_DE.UTF-8');
  });
  expect(changes).toEqual([]);
});

it('C.UTF-8 needs no package', async () => {
  for (const path of ['/usr/share/i18n/SUPPORTED', '/etc/locale.gen', '/etc/default/locale'])
    host.admin.removeFile(path);
  await apply((h) => h.locale('C.UTF-8'));
  expect(await textOf('/etc/default/locale')).toBe('LANG=C.UTF-8\n');
});

it.each([
  ['a link', () => host.admin.symlink('/etc/default/locale', '../locale.conf')],
  [
    'made a link by each boot',
    () => {
      host.admin.mkdir('/usr/lib/tmpfiles.d');
      host.admin.writeFile(
        '/usr/lib/tmpfiles.d/debian.conf',
        'L+ /etc/default/locale - - - - ../locale.conf\n',
      );
    },
  ],
])('where /etc/default/locale is %s, LANG is in /etc/locale.conf', async (_, arrange) => {
  host.admin.removeFile('/etc/default/locale');
  arrange();
  await apply((h) => h.locale('C.UTF-8'));
  expect(await textOf('/etc/locale.conf')).toBe('LANG=C.UTF-8\n');
});

it('is undone with the rest', async () => {
  const before = host.snapshot();
  await rejectionOf(
    apply((h) => {
      all(h);
      h.ensure.mount.mount({ device: '/dev/none', path: '/mnt', mode: 'rw' });
    }),
  );
  expect(host.points.some(({ tool }) => tool === 'sh')).toBe(true);
  expect(host.snapshot()).toBe(before);
});

it('a power cut at any change leaves the host as before or as described', async () => {
  // The model of locale-gen writes no archive.
  host.admin.removeFile('/usr/lib/locale/locale-archive');
  await expectSafePowerCuts(host, (on) => apply(all, on), ['file', 'sh', 'ln']);
});

it.each<readonly [string, (h: HostBuilder) => unknown, string, string]>([
  ['no zone', (h) => h.timezone('US/Eastern'), 'this host has no time zone US/Eastern', 'not-found'],
  ['a directory', (h) => h.timezone('Europe'), 'Europe is not a time zone', 'refused'],
  [
    'another locale',
    (h) => h.locale('fr_FR.UTF-8'),
    'there is no locale fr_FR.UTF-8 in /usr/share/i18n/SUPPORTED',
    'refused',
  ],
])('refuses %s', async (_, describe, message, code) => {
  const error = await rejectionOf(apply(describe));
  expect(error).toBeInstanceOf(RefusedError);
  expect(String(error)).toMatch(/locale\.test\.ts:\d+: /);
  expect(String(error)).toContain(message);
  expect((error as RefusedError).code).toBe(code);
  expect(host.changes).toEqual([]);
});

it('refuses LC_ALL beside LANG, and locales without their package', async () => {
  host.admin.removeFile('/usr/share/i18n/SUPPORTED');
  const error = await rejectionOf(apply((h) => h.locale('de_DE.UTF-8')));
  expect([String(error), (error as RefusedError).remedy]).toEqual([
    expect.stringContaining('no locale can be generated here'),
    'install it: apt-get install locales',
  ]);
  host.admin.removeFile('/etc/default/locale');
  host.admin.writeFile('/etc/default/locale', 'export LC_ALL=C\n');
  const second = await rejectionOf(apply((h) => h.locale('C.UTF-8')));
  expect(String(second)).toContain('/etc/default/locale sets LC_ALL');
  expect(host.changes).toEqual([]);
});

it.each<readonly [string, (h: HostBuilder) => unknown, string]>([
  ...['', '/Europe/Berlin', '../Berlin', 'Europe//Berlin', 'tzdata.zi', 'localtime', 'Etc/UTC/'].map(
    (name) =>
      [
        `the time zone ${name}`,
        (h: HostBuilder) => h.timezone(name),
        'must be the name of a time zone',
      ] as const,
  ),
  ...['', 'de_DE.UTF-8 UTF-8', 'de_DE.*', '../x', 'de_DE.UTF-8\n'].map(
    (name) =>
      [
        `the locale ${name}`,
        (h: HostBuilder) => h.locale('C', name),
        'must be the name of a locale',
      ] as const,
  ),
  ['two time zones', (h) => [h.timezone('Etc/UTC'), h.timezone('Europe/Berlin')], 'contradicts itself'],
  ['two locales', (h) => [h.locale('C'), h.locale('C.UTF-8')], 'contradicts itself'],
  [
    'its file too',
    (h) => [h.timezone('Etc/UTC'), h.link('/etc/localtime', { to: '../usr/share/zoneinfo/Etc/UTC' })],
    'contradicts itself',
  ],
])('refuses %s', async (_, describe, message) => {
  const error = await rejectionOf(apply(describe));
  expect(error).toBeInstanceOf(UsageError);
  expect(String(error)).toContain(message);
  expect(host.changes).toEqual([]);
});
