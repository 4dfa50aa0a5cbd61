import { beforeEach, expect, it } from 'vitest';
import { withBofh } from '../../../src/bofh.ts';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import { defineHost, type HostBuilder, provision } from '../../../src/index.ts';
import { canLockOut } from '../../../src/provision/lockout.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { simulate } from '../../../src/simulator/real-host/simulate.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { expectSafePowerCuts } from './power-cut.ts';
import { withoutSystemd } from './without-systemd.ts';

let host: SimulatedHost;
const own = '/etc/sysctl.d/80-bofh.conf';
const apply = (describe: (h: HostBuilder) => unknown, on = host) =>
  withBofh(simulatedBofh({ host: on }), () => provision.apply(defineHost(describe)));
const textOf = async (path: string): Promise<string> => Buffer.from(await host.readFile(path)).toString();

beforeEach(() => {
  host = simulatedHost();
  host.admin.mkdir('/etc/sysctl.d');
});

it('sets parameters now and at boot, and has nothing to do the second time', async () => {
  const describe = (h: HostBuilder): void => {
    h.sysctl('net/ipv4/ip_forward', 1);
    h.sysctl('net.ipv4.tcp_rmem', '4096 131072 33554432');
    h.sysctl('vm.swappiness', '60');
  };
  const planned = await apply(describe, await simulate(host));
  expect(host.changes).toEqual([]);
  const changes = await apply(describe);
  expect(changes).toEqual(planned);
  expect(changes.map(({ name, details }) => [name, ...details])).toEqual([
    ['net.ipv4.ip_forward', 'now 0 → 1', `at boot 1 in ${own}`],
    [
      'net.ipv4.tcp_rmem',
      'now 4096 131072 6291456 → 4096 131072 33554432',
      `at boot 4096 131072 33554432 in ${own}`,
    ],
    ['vm.swappiness', `at boot 60 in ${own}`],
  ]);
  expect(changes.map(canLockOut)).toEqual([true, true, false]);
  expect(await textOf(own)).toBe(
    'net.ipv4.ip_forward = 1\nnet.ipv4.tcp_rmem = 4096 131072 33554432\nvm.swappiness = 60\n',
  );
  expect(host.snapshot()).toContain('parameter net.ipv4.ip_forward 1');
  const [after, count] = [host.snapshot(), host.changes.length];
  expect(await apply(describe)).toEqual([]);
  expect([host.snapshot(), host.changes.length]).toEqual([after, count]);
});

it('replaces the line of the parameter, however it is spelled, and leaves all others', async () => {
  host.admin.writeFile('/etc/sysctl.d/a.conf', '; mine\n-net/ipv4/ip_forward=0\nvm.swappiness = 1');
  await apply((h) => {
    h.sysctl('net.ipv4.ip_forward', 1, { file: '/etc/sysctl.d/a.conf' });
    h.sysctl('vm.dirty_ratio', 5, { file: '/etc/sysctl.d/a.conf' });
  });
  expect(await textOf('/etc/sysctl.d/a.conf')).toBe(
    '; mine\nnet.ipv4.ip_forward = 1\nvm.swappiness = 1\nvm.dirty_ratio = 5\n',
  );
});

it('without systemd, as in a stopped guest, it only writes the file', async () => {
  expect(
    (await apply((h) => h.sysctl('net.ipv4.none', 1), withoutSystemd(host))).map(({ details }) => details),
  ).toEqual([[`at boot 1 in ${own}`]]);
  expect(host.points.some(({ tool }) => tool === 'sysctl')).toBe(false);
});

it('is undone with the rest', async () => {
  host.admin.sysctl('net/ipv4/conf/eth0/forwarding', '1');
  const before = host.snapshot();
  await rejectionOf(
    apply((h) => {
      h.sysctl('net.ipv4.ip_forward', 1);
      h.ensure.mount.mount({ device: '/dev/none', path: '/mnt', mode: 'rw' });
    }),
  );
  expect(host.points.some(({ tool }) => tool === 'sysctl')).toBe(true);
  expect(host.snapshot()).toBe(before);
});

it('a power cut at any change leaves the host as before or as described', async () => {
  const describe = (h: HostBuilder): unknown => h.sysctl('vm.swappiness', 10);
  await expectSafePowerCuts(host, (on) => apply(describe, on), ['store', 'file', 'sysctl']);
});

it.each([
  ['a later file', '/etc/sysctl.d/99-site.conf', '# x\nnet/ipv4/ip_forward=0\n'],
  ['a later file of a package', '/usr/lib/sysctl.d/99-site.conf', 'net.ipv4.ip_forward = 0\n'],
])('refuses %s that sets another value at boot', async (_, path, content) => {
  host.admin.mkdir('/usr/lib/sysctl.d');
  host.admin.writeFile(path, content);
  const error = await rejectionOf(apply((h) => h.sysctl('net.ipv4.ip_forward', 1)));
  expect(error).toBeInstanceOf(RefusedError);
  expect(String(error)).toContain(`at boot ${path} sets net.ipv4.ip_forward to 0`);
  expect(host.changes).toEqual([]);
});

it.each([
  ['an earlier one', '/etc/sysctl.d/10-site.conf', 'net.ipv4.ip_forward=0\n'],
  ['one with the same value', '/etc/sysctl.d/99-site.conf', 'net.ipv4.ip_forward=1\n'],
  ['one with a pattern', '/etc/sysctl.d/99-site.conf', 'net.ipv4.* = 0\n-net.ipv4.ip_forward\n'],
  ['one that no boot reads', '/etc/sysctl.d/99-site', 'net.ipv4.ip_forward=0\n'],
])('accepts %s', async (_, path, content) => {
  host.admin.writeFile(path, content);
  expect(await apply((h) => h.sysctl('net.ipv4.ip_forward', 1))).toHaveLength(1);
});

it('accepts a later masked file', async () => {
  host.admin.mkdir('/usr/lib/sysctl.d');
  host.admin.writeFile('/usr/lib/sysctl.d/99-site.conf', 'net.ipv4.ip_forward=0\n');
  host.admin.symlink('/etc/sysctl.d/99-site.conf', '/dev/null');
  expect(await apply((h) => h.sysctl('net.ipv4.ip_forward', 1))).toHaveLength(1);
});

it.each<readonly [string, (h: HostBuilder) => unknown, string]>([
  ['a pattern', (h) => h.sysctl('net.ipv4.conf.*.rp_filter', 1), 'must be a kernel parameter'],
  ['two lines', (h) => h.sysctl('vm.swappiness', '1\n2'), 'must be one line'],
  [
    'a file that no boot reads',
    (h) => h.sysctl('vm.swappiness', 1, { file: '/etc/sysctl.d/a' }),
    'must be a file /etc/sysctl.d/NAME.conf',
  ],
  [
    'two values',
    (h) => {
      h.sysctl('vm.swappiness', 1);
      h.sysctl('vm/swappiness', 2);
    },
    'contradicts itself',
  ],
  [
    'a file that is described as a whole',
    (h) => {
      h.sysctl('vm.swappiness', 1);
      h.file(own, { content: '' });
    },
    'contradicts itself',
  ],
])('refuses %s', async (_, describe, message) => {
  const error = await rejectionOf(apply(describe));
  expect(error).toBeInstanceOf(UsageError);
  expect(String(error)).toContain(message);
  expect(host.changes).toEqual([]);
});

it('refuses a missing parameter before an earlier step', async () => {
  const error = await rejectionOf(
    apply((h) => {
      h.file('/etc/a', { content: '' });
      h.sysctl('net.bridge.none', 1);
    }),
  );
  expect(String(error)).toContain('this kernel has no parameter net.bridge.none');
  expect(host.changes).toEqual([]);
});
