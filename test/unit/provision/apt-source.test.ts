import { beforeEach, expect, it } from 'vitest';
import { withBofh } from '../../../src/bofh.ts';
import { UsageError } from '../../../src/core/errors.ts';
import { type AptSourceRequest, defineHost, type HostBuilder, provision } from '../../../src/index.ts';
import { parsedSources, prefixOf } from '../../../src/packages/sources.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { simulate } from '../../../src/simulator/real-host/simulate.ts';
import { rejectionOf } from '../../support/rejection.ts';

let host: SimulatedHost;
const key = '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc=\n-----END PGP PUBLIC KEY BLOCK-----\n';
const uris = 'https://example.org/debian';
const site: AptSourceRequest = { uris, suites: 'stable', components: ['main', 'extra'], key };
const apply = (describe: (h: HostBuilder) => unknown) =>
  withBofh(simulatedBofh({ host }), () => provision.apply(defineHost(describe)));
const plan = async (describe: (h: HostBuilder) => unknown) =>
  withBofh(simulatedBofh({ host: await simulate(host), planning: true }), () =>
    provision.apply(defineHost(describe)),
  );
const textOf = async (path: string): Promise<string> => Buffer.from(await host.readFile(path)).toString();

beforeEach(() => {
  host = simulatedHost();
  for (const path of ['/etc/apt/keyrings', '/etc/apt/sources.list.d', '/var/lib/apt/lists'])
    host.admin.mkdir(path);
  host.admin.install([{ name: 'dpkg', version: '1.21.22' }]);
  host.admin.repository(uris, { key, packages: [{ name: 'tiny', version: '1.0' }] });
});

it('adds a repository and installs from it in one run, and has nothing to do the second time', async () => {
  const describe = (h: HostBuilder): void => {
    h.package('tiny');
    h.aptSource('site', site);
  };
  const planned = await plan(describe);
  expect(host.changes).toEqual([]);
  expect(planned.map(({ kind, name, details }) => [kind, name, ...details])).toEqual([
    [
      ...['apt-source', 'site', `${uris} stable main extra`, 'creates /etc/apt/keyrings/site.asc'],
      ...['creates /etc/apt/sources.list.d/site.sources', 'reads its lists'],
    ],
    ['packages', 'tiny', 'if the repository has it'],
  ]);
  expect((await apply(describe)).map(({ kind, details }) => [kind, details[0]])).toEqual([
    ['apt-source', `${uris} stable main extra`],
    ['packages', 'tiny 1.0'],
  ]);
  expect(await textOf('/etc/apt/sources.list.d/site.sources')).toBe(
    `Types: deb\nURIs: ${uris}\nSuites: stable\nComponents: main extra\nSigned-By: /etc/apt/keyrings/site.asc\n`,
  );
  expect(await textOf('/etc/apt/keyrings/site.asc')).toBe(key);
  const count = host.changes.length;
  expect(await apply(describe)).toEqual([]);
  expect(host.changes).toHaveLength(count);
});

it('reads the lists again if others removed them', async () => {
  await apply((h) => h.aptSource('site', site));
  host.admin.removeFile('/var/lib/apt/lists/example.org_debian_dists_stable_InRelease');
  host.admin.removeFile('/var/lib/apt/lists/example.org_debian_dists_stable_main_binary-amd64_Packages');
  expect((await apply((h) => h.aptSource('site', site))).map(({ details }) => details)).toEqual([
    [`${uris} stable main extra`, 'reads its lists'],
  ]);
});

it('a plan says that a known package may come from the new repository', async () => {
  host.admin.publish([{ name: 'tiny', version: '0.9' }]);
  const planned = await plan((h) => {
    h.aptSource('site', site);
    h.package('tiny');
  });
  expect(planned.at(-1)?.details).toEqual(['tiny 0.9', 'download 800 B', 'or as the new repository has it']);
});

it.each<readonly [string, AptSourceRequest, string]>([
  ['is signed by another key', { ...site, key: key.replace('abc', 'xyz') }, 'is not signed'],
  ['cannot be reached', { ...site, uris: 'https://example.org/none' }, 'Could not connect'],
])('a repository that %s fails, and everything is undone', async (_, request, message) => {
  host.admin.writeFile('/var/lib/apt/lists/example.org_debian_dists_stable_InRelease', 'old');
  const before = host.snapshot();
  const error = await rejectionOf(apply((h) => h.aptSource('site', request)));
  expect(String((error as Error).cause ?? error)).toContain(message);
  expect(host.snapshot()).toBe(before);
});

it('a missing package in the repository undoes it too', async () => {
  const before = host.snapshot();
  const describe = (h: HostBuilder): void => {
    h.aptSource('site', site);
    h.package('other');
  };
  expect((await plan(describe)).at(-1)?.details).toEqual(['if the repository has it']);
  expect(String(await rejectionOf(apply(describe)))).toContain('Unable to locate package other');
  expect(host.snapshot()).toBe(before);
});

it.each<readonly [string, unknown, string]>([
  ['a password', { ...site, uris: 'https://me:secret@example.org/debian' }, 'without a password'],
  ['a key that is none', { ...site, key: 'a\nb\n' }, 'is not an ASCII-armored public key'],
  [
    'a private key',
    { ...site, key: key.replaceAll('PUBLIC', 'PRIVATE') },
    'is not an ASCII-armored public key',
  ],
  ['no key', { uris, suites: 'stable', components: 'main' }, 'needs either key or signedBy'],
  ['no component', { uris, suites: 'stable', key }, 'needs components'],
  ['a component of a flat repository', { ...site, suites: './' }, 'needs components, unless'],
])('refuses %s', async (_, request, message) => {
  const error = await rejectionOf(apply((h) => h.aptSource('site', request as AptSourceRequest)));
  expect(error).toBeInstanceOf(UsageError);
  expect(String(error)).toContain(message);
  expect(host.changes).toEqual([]);
});

it.each([
  ['http://127.0.0.1:81/r/~x_y/', 'stable', '127.0.0.1:81_r_%7ex%5fy_dists_stable_'],
  ['file:/srv/r', 'stable', '_srv_r_dists_stable_'],
  ['file:///srv/r/', './', '_srv_r_._'],
  ['https://me:geheim@example.org/r', 'stable', 'example.org_r_dists_stable_'],
  ['tor+http://example.org/r', 'stable', 'example.org_r_dists_stable_'],
  ['https://example.org/debian', 'bookworm/updates', 'example.org_debian_dists_bookworm_updates_'],
])('%s %s has the lists %s', (uri, suite, prefix) => expect(prefixOf(uri, suite)).toBe(prefix));

it.each(['no', 'False', 'off'])('a file has no archive that it disables: Enabled: %s', (word) => {
  const text = `URIs: http://a/\nSuites: x\nEnabled: ${word}\n\nURIs: http://b/\nSuites: y\nEnabled: yes\n`;
  expect(parsedSources(text).map(({ uris }) => uris)).toEqual([['http://b/']]);
});
