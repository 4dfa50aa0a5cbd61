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
const [atBoot, options] = ['/etc/modules-load.d/dummy.conf', '/etc/modprobe.d/dummy.conf'];
const describe = (h: HostBuilder): unknown => h.kernelModule('dummy', { parameters: { numdummies: 2 } });

beforeEach(() => {
  host = simulatedHost();
  host.admin.mkdir('/etc/modules-load.d');
  host.admin.mkdir('/etc/modprobe.d');
});

it('loads a module now and at boot, and has nothing to do the second time', async () => {
  const planned = await apply(describe, await simulate(host));
  expect(host.changes).toEqual([]);
  const changes = await apply(describe);
  expect(changes).toEqual(planned);
  expect(changes.map(({ kind, name, details }) => [kind, name, ...details])).toEqual([
    ['kernel-module', 'dummy', 'loads it', `creates ${atBoot}`, `creates ${options}`],
  ]);
  expect([await textOf(atBoot), await textOf(options)]).toEqual(['dummy\n', 'options dummy numdummies=2\n']);
  const [after, count] = [host.snapshot(), host.changes.length];
  expect(after).toContain('module dummy');
  expect(await apply(describe)).toEqual([]);
  expect([host.snapshot(), host.changes.length]).toEqual([after, count]);
});

it('a loaded module gets other parameters at the next boot, and a built-in one needs nothing', async () => {
  host.admin.module('dummy');
  const changes = await apply((h) => [describe(h), h.kernelModule('loop')]);
  expect(changes.map(({ details }) => details)).toEqual([
    [`creates ${atBoot}`, `creates ${options}`, 'loaded already: its parameters count at the next boot'],
  ]);
  expect(host.points.some(({ tool, argv }) => tool === 'modprobe' && !argv.includes('--show-depends'))).toBe(
    false,
  );
});

it('without systemd, as in a stopped guest, it only writes the files', async () => {
  expect(
    (await apply((h) => h.kernelModule('none-here'), withoutSystemd(host))).map(({ details }) => details),
  ).toEqual([['creates /etc/modules-load.d/none_here.conf']]);
});

it('a power cut at any change leaves the host as before or as described', async () => {
  await expectSafePowerCuts(host, (on) => apply(describe, on), ['store', 'file', 'modprobe']);
});

it.each<readonly [string, (h: HostBuilder) => unknown, string]>([
  [
    'a module that the kernel does not have',
    (h) => h.kernelModule('none'),
    'the running kernel has no module none',
  ],
  [
    'parameters of a built-in one',
    (h) => h.kernelModule('loop', { parameters: { max_loop: 9 } }),
    'loop is a built-in module',
  ],
])('refuses %s', async (_, describe, message) => {
  const error = await rejectionOf(apply(describe));
  expect(error).toBeInstanceOf(RefusedError);
  expect(String(error)).toMatch(/kernel-module\.test\.ts:\d+: /);
  expect(String(error)).toContain(message);
  expect(host.changes).toEqual([]);
});

it.each<readonly [string, (h: HostBuilder) => unknown, string]>([
  ['a path', (h) => h.kernelModule('drivers/dummy'), 'must be the name of a kernel module'],
  [
    'a value with a space',
    (h) => h.kernelModule('dummy', { parameters: { a: 'b c' } }),
    'must be a value without spaces',
  ],
  [
    'other parameters at another place',
    (h) => [h.kernelModule('br_netfilter'), h.kernelModule('br-netfilter', { parameters: { a: 1 } })],
    'contradicts itself',
  ],
])('refuses %s', async (_, describe, message) => {
  const error = await rejectionOf(apply(describe));
  expect(error).toBeInstanceOf(UsageError);
  expect(String(error)).toContain(message);
});
