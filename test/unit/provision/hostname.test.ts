import { beforeEach, expect, it } from 'vitest';
import { withBofh } from '../../../src/bofh.ts';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import { defineHost, type HostBuilder, provision } from '../../../src/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { simulate } from '../../../src/simulator/real-host/simulate.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { expectSafePowerCuts } from './power-cut.ts';
import { withoutSystemd } from './without-systemd.ts';

let host: SimulatedHost;
const apply = (describe: (h: HostBuilder) => unknown, on = host) =>
  withBofh(simulatedBofh({ host: on }), () => provision.apply(defineHost(describe)));
const textOf = async (path: string): Promise<string> => Buffer.from(await host.readFile(path)).toString();

beforeEach(() => {
  host = simulatedHost({ hostname: 'old' });
  host.admin.writeFile('/etc/hosts', '127.0.0.1\tlocalhost old\n127.0.1.1\told.example.org old # mine\n');
});

it('changes the running kernel, /etc/hostname and /etc/hosts, and has nothing to do the second time', async () => {
  const describe = (h: HostBuilder): unknown => h.hostname('web1');
  const planned = await apply(describe, await simulate(host));
  expect(host.changes).toEqual([]);
  const changes = await apply(describe);
  expect(changes).toEqual(planned);
  expect(changes.map(({ kind, name, details }) => [kind, name, ...details])).toEqual([
    ['hostname', 'web1', 'now old → web1', '/etc/hostname old → web1', '127.0.1.1 in /etc/hosts'],
  ]);
  expect((await host.facts()).hostname).toBe('web1');
  expect(await textOf('/etc/hostname')).toBe('web1\n');
  expect(await textOf('/etc/hosts')).toBe(
    '127.0.0.1\tlocalhost old\n127.0.1.1\tweb1.example.org web1 # mine\n',
  );
  const [after, count] = [host.snapshot(), host.changes.length];
  expect(after).toContain('parameter kernel.hostname web1');
  expect(await apply(describe)).toEqual([]);
  expect([host.snapshot(), host.changes.length]).toEqual([after, count]);
});

it.each([
  ['old', '127.0.1.1 old', 'web1', '127.0.1.1 web1'],
  ['old', '127.0.1.1 old', 'web1.example.net', '127.0.1.1 web1.example.net web1'],
  ['old', '127.0.1.1 old.example.org old', 'web1.example.net', '127.0.1.1 web1.example.net web1'],
  ['old.example.org', '127.0.1.1 old.example.org old', 'web1', '127.0.1.1 web1.example.org web1'],
  ['old.example.org', '127.0.1.1 old.example.org', 'web1', '127.0.1.1 web1 web1.example.org'],
  ['old', '127.0.1.1 older old-1', 'web1', '127.0.1.1 older old-1'],
  ['old', '#127.0.1.1 old', 'web1', '#127.0.1.1 old'],
  ['old', '127.0.1.1 other # old', 'web1', '127.0.1.1 other # old'],
])('%s with "%s" becomes %s with "%s"', async (from, before, to, after) => {
  host = simulatedHost({ hostname: from });
  host.admin.writeFile('/etc/hosts', before);
  await apply((h) => h.hostname(to));
  expect(await textOf('/etc/hosts')).toBe(after);
});

it('leaves /etc/hosts to another resource that describes it', async () => {
  const describe = (h: HostBuilder): void => {
    h.file('/etc/hosts', { content: '127.0.1.1 old\n' });
    h.hostname('web1');
  };
  expect(await apply(describe)).toHaveLength(2);
  expect(await textOf('/etc/hosts')).toBe('127.0.1.1 old\n');
  expect(await apply(describe)).toEqual([]);
});

it('without systemd, as in a stopped guest, it only writes the files', async () => {
  expect(
    (await apply((h) => h.hostname('web1'), withoutSystemd(host))).map(({ details }) => details),
  ).toEqual([['/etc/hostname old → web1', '127.0.1.1 in /etc/hosts']]);
  expect((await host.facts()).hostname).toBe('old');
});

it('a power cut at any change leaves the host as before or as described', async () => {
  const describe = (h: HostBuilder): unknown => h.hostname('web1');
  await expectSafePowerCuts(host, (on) => apply(describe, on), ['store', 'file', 'sysctl']);
});

it.each([
  '',
  '-web',
  'web-',
  'web..org',
  'web1.',
  'web_1',
  'wéb',
  '10.0.0.1',
  '7',
  'a'.repeat(64),
  `${'a.'.repeat(32)}a`,
])('refuses the name %j', async (name) => {
  const error = await rejectionOf(apply((h) => h.hostname(name)));
  expect(error).toBeInstanceOf(UsageError);
  expect(String(error)).toMatch(/hostname\.test\.ts:\d+: h\.hostname/);
  expect(host.changes).toEqual([]);
});

it.each(['web1', 'WEB-1', '3com', '1.a', 'a'.repeat(63), `${'a.'.repeat(31)}ab`])(
  'accepts the name %s',
  async (name) => {
    expect(await apply((h) => h.hostname(name))).toHaveLength(1);
    expect(await textOf('/etc/hostname')).toBe(`${name}\n`);
  },
);

it.each<readonly [string, (h: HostBuilder) => unknown, string]>([
  ['two names', (h) => [h.hostname('web1'), h.hostname('web2')], 'hostname /etc/hostname at'],
  [
    'the kernel parameter too',
    (h) => [h.hostname('web1'), h.sysctl('kernel.hostname', 'web1')],
    'the description contradicts itself',
  ],
  [
    'the file too',
    (h) => [h.hostname('web1'), h.file('/etc/hostname', { content: 'web1\n' })],
    'the description contradicts itself',
  ],
])('refuses %s', async (_, describe, message) => {
  const error = await rejectionOf(apply(describe));
  expect(error).toBeInstanceOf(UsageError);
  expect(String(error)).toContain(message);
});

it('refuses /etc/hostname as a link', async () => {
  host.admin.removeFile('/etc/hostname');
  host.admin.symlink('/etc/hostname', '/srv/name');
  const error = await rejectionOf(apply((h) => h.hostname('web1')));
  expect(error).toBeInstanceOf(RefusedError);
  expect(String(error)).toContain('/etc/hostname is a symbolic link');
  expect(host.changes).toEqual([]);
});

it('refuses to rename a host whose old name is in DRBD resources', async () => {
  const drbd = '/etc/drbd.conf';
  host.admin.writeFile(drbd, 'include "drbd.d/*.res";\n');
  host.admin.mkdir('/etc/drbd.d');
  const on = (name: string): string =>
    `  on ${name} {
    volume 0 {
      device minor 0;
      disk /dev/vg0/web;
      meta-disk internal;
    }
    address ipv4 10.0.0.1:7788;
  }
`;
  host.admin.writeFile('/etc/drbd.d/web.res', `resource web {\n${on('old')}${on('peer')}}\n`);
  const error = await rejectionOf(apply((h) => h.hostname('web1')));
  expect(error).toBeInstanceOf(RefusedError);
  expect(String(error)).toContain('the DRBD resource web (/etc/drbd.d/web.res) names this host old');
  expect(host.changes).toEqual([]);
});
