import { expect, it } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import type { ReadHost } from '../../../src/command/index.ts';
import { CommandError, RefusedError, RolledBackError } from '../../../src/core/errors.ts';
import {
  canonicalKey,
  movedBy,
  parameterKey,
  parameterPath,
  settable,
  setValue,
} from '../../../src/kernel/parameter.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';

const running = (host: SimulatedHost, body: (tx: Tx) => Promise<unknown>) =>
  withBofh(simulatedBofh({ host }), () => atomic('test', body));

it.each([
  ['net.ipv4.ip_forward', '/proc/sys/net/ipv4/ip_forward', 'net.ipv4.ip_forward'],
  ['net/ipv4/ip_forward', '/proc/sys/net/ipv4/ip_forward', 'net.ipv4.ip_forward'],
  [
    'net.ipv4.conf.eth0/100.forwarding',
    '/proc/sys/net/ipv4/conf/eth0.100/forwarding',
    'net.ipv4.conf.eth0/100.forwarding',
  ],
  [
    'net/ipv4/conf/eth0.100/forwarding',
    '/proc/sys/net/ipv4/conf/eth0.100/forwarding',
    'net.ipv4.conf.eth0/100.forwarding',
  ],
])('%s is the file %s', (key, path, canonical) => {
  expect([parameterPath(key), canonicalKey(key)]).toEqual([path, canonical]);
});

it.each(['', 'net..x', 'net/../x', 'net.//.x', '.net', 'net.*.x', 'net x', '-net=1'])(
  'the key %j is invalid',
  (key) => expect(parameterKey.safeParse(key).success).toBe(false),
);

it.each([
  ['sysctl: cannot stat /proc/sys/a/b: No such file or directory', 'not-found'],
  ["sysctl: permission denied on key 'net.ipv4.ip_forward'", 'denied'],
  ['sysctl: setting key "net.ipv4.ip_forward": Read-only file system', 'denied'],
  ['sysctl: setting key "net.ipv4.ip_forward": Invalid argument', 'unknown'],
])('%s', (stderr, reason) => {
  const command = setValue('net.ipv4.ip_forward', '1');
  expect(command.argv).toEqual(['--quiet', '--write', 'net.ipv4.ip_forward=1']);
  expect(command.classify?.({ exitCode: 1, stdout: '', stderr })).toBe(reason);
});

it('sets a value, and a failed sequence also restores what the kernel changed with it', async () => {
  const host = simulatedHost();
  host.admin.sysctl('net/ipv4/conf/eth0/forwarding', '1');
  host.admin.sysctl('net/ipv4/conf/all/accept_redirects', '0');
  const before = host.snapshot();
  let during = '';
  await rejectionOf(
    running(host, async (tx) => {
      await tx.kernel.setParameter({ key: 'net/ipv4/ip_forward', value: '1' });
      during = host.snapshot();
      throw new Error('on purpose');
    }),
  );
  expect(during).toContain('parameter net.ipv4.conf.eth0/100.forwarding 1');
  expect(host.snapshot()).toBe(before);
});

it('the undo of vm.dirty_bytes sets vm.dirty_ratio, because the kernel accepts no 0 bytes', async () => {
  const host = simulatedHost();
  const before = host.snapshot();
  const error = await rejectionOf(
    running(host, async (tx) => {
      await tx.kernel.setParameter({ key: 'vm.dirty_bytes', value: '67108864' });
      throw new Error('on purpose');
    }),
  );
  expect(error).toBeInstanceOf(RolledBackError);
  expect(host.snapshot()).toBe(before);
});

it('the undo keeps a third value, which others set', async () => {
  const host = simulatedHost();
  const error = await rejectionOf(
    running(host, async (tx) => {
      await tx.kernel.setParameter({ key: 'vm.swappiness', value: '10' });
      host.admin.sysctl('vm/swappiness', '30');
      throw new Error('on purpose');
    }),
  );
  expect(String(error)).toContain('on purpose');
  expect(host.snapshot()).toContain('parameter vm.swappiness 30');
});

it.each([
  ['vm.swappiness', '0x10', 'the kernel changed the value 0x10 for vm.swappiness to 16'],
  ['vm.swappiness', 'much', 'Invalid argument'],
])('%s = %s is undone', async (key, value, message) => {
  const host = simulatedHost();
  const before = host.snapshot();
  const error = await rejectionOf(running(host, (tx) => tx.kernel.setParameter({ key, value })));
  expect(String((error as Error).cause ?? error)).toContain(message);
  expect(host.snapshot()).toBe(before);
});

it.each([
  ['vm.none', '1', 'this kernel has no parameter vm.none: there is no file /proc/sys/vm/none'],
  ['net.ipv4.conf', '1', 'this kernel has no parameter net.ipv4.conf'],
  [
    'kernel.ngroups_max',
    '1',
    'kernel.ngroups_max is read-only here: no write permission on /proc/sys/kernel/ngroups_max',
  ],
  ['net.ipv4.route.flush', '1', 'writing net.ipv4.route.flush starts an action'],
  ['net.ipv6.conf.all.disable_ipv6', '1', 'an undo could not restore net.ipv6.conf.all.disable_ipv6 after 1'],
  ['vm.swappiness', '60', 'vm.swappiness is 60 already'],
])('%s = %s is refused before anything changes', async (key, value, message) => {
  const host = simulatedHost();
  const error = await rejectionOf(running(host, (tx) => tx.kernel.setParameter({ key, value })));
  expect(error).toBeInstanceOf(RefusedError);
  expect(error).not.toBeInstanceOf(CommandError);
  expect(String(error)).toContain(message);
  expect(host.changes).toEqual([]);
});

const ipv6 = '/proc/sys/net/ipv6/conf';

it('refuses to set disable_ipv6 of all interfaces to 0 too, because the undo would remove addresses', async () => {
  const of = simulatedHost();
  const path = `${ipv6}/all/disable_ipv6`;
  const host: ReadHost = {
    ...of,
    readFile: async (each) => (each === path ? Buffer.from('1\n') : of.readFile(each)),
  };
  const key = 'net.ipv6.conf.all.disable_ipv6';
  expect(String(await rejectionOf(settable(host, key, '0')))).toContain(`could not restore ${key} after 0`);
  expect(await settable(host, key, '1')).toBe('1');
});

it.each(['addr_gen_mode', 'ignore_routes_with_linkdown'])(
  'the kernel sets %s of all on each interface',
  async (name) => {
    const host: ReadHost = {
      ...simulatedHost(),
      readDir: async (path) => (path === ipv6 ? ['all', 'default', 'eth0.100'] : []),
    };
    expect(await movedBy(host, `net.ipv6.conf.all.${name}`)).toEqual([
      `net.ipv6.conf.default.${name}`,
      `net.ipv6.conf.eth0/100.${name}`,
    ]);
  },
);

// As a Linux 6.1 shows them after a router advertisement on v0.
const learned =
  '00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe8000000000000000349ffffe2c4775 00000400 00000001 00000000 00450003       v0\n';
const others = [
  '20010db8000100000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 004c0001       v0\n',
  '00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n',
].join('');

it.each([
  ['the learned default route', learned, 'net.ipv6.conf.all.forwarding', '0', 'refused'],
  ['that of another interface', learned, 'net.ipv6.conf.eth0.forwarding', '1', 'refused'],
  ['a route that accept_ra=2 keeps', learned, 'net.ipv6.conf.all.forwarding', '2', 'set'],
  ['no learned default route', '', 'net.ipv6.conf.all.forwarding', '1', 'set'],
  ['the value for new interfaces', learned, 'net.ipv6.conf.default.forwarding', '1', 'set'],
])('forwarding of IPv6 with %s', async (_, route, key, accept, outcome) => {
  const host = simulatedHost();
  host.admin.sysctl(key.replaceAll('.', '/'), '0');
  host.admin.sysctl('net/ipv6/conf/v0/accept_ra', accept);
  const readFile: ReadHost['readFile'] = async (path, ...more) =>
    path === '/proc/net/ipv6_route' ? Buffer.from(route + others) : host.readFile(path, ...more);
  const set = running(Object.assign(Object.create(host) as SimulatedHost, { readFile }), (tx) =>
    tx.kernel.setParameter({ key, value: '1' }),
  );

  if (outcome === 'set') await set;
  else expect(String(await rejectionOf(set))).toContain('would remove the IPv6 default route of v0');
});
