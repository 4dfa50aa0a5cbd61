import { expect, it } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import type { ReadHost } from '../../../src/command/index.ts';
import { ParseError, RefusedError } from '../../../src/core/errors.ts';
import { loadedModules, modprobe, moduleName, neededModules, rmmod } from '../../../src/kernel/module.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';

const running = (host: SimulatedHost, body: (tx: Tx) => Promise<unknown>) =>
  withBofh(simulatedBofh({ host }), () => atomic('test', body));
const modules = (host: SimulatedHost): readonly string[] =>
  [...host.snapshot().matchAll(/^module (\S+)$/gm)].map(([, name = '']) => name);
const withProc = (text: string): SimulatedHost => {
  const host = simulatedHost();
  return {
    ...host,
    readFile: async (path) => (path === '/proc/modules' ? Buffer.from(text) : host.readFile(path)),
  };
};

it('reads /proc/modules', async () => {
  const lines = [
    'stp 12288 1 bridge, Live 0xffffffffc0635000',
    'xen_gntdev 32768 1 - Live 0xffffffffc060d000 (OE)',
    'kept 1 2 a,[permanent], Loading 0x0',
  ];
  expect([...(await loadedModules(withProc(`${lines.join('\n')}\n`)))]).toEqual([
    ['stp', { uses: 1, users: ['bridge'] }],
    ['xen_gntdev', { uses: 1, users: [] }],
    ['kept', { uses: 2, users: ['a', '[permanent]'] }],
  ]);
});

it.each(['stp 12288 - bridge, Live 0xc0', 'stp 12288 1 bridge, Live', 'stp'])(
  'the line "%s" is an error',
  async (line) => {
    expect(await rejectionOf(loadedModules(withProc(`${line}\n`)))).toBeInstanceOf(ParseError);
  },
);

it('modprobe and rmmod', () => {
  expect(modprobe('dummy', { numdummies: 2, x: 'y' }).argv).toEqual(['--', 'dummy', 'numdummies=2', 'x=y']);
  expect(rmmod('dummy').argv).toEqual(['--', 'dummy']);
  const reasons = [
    'modprobe: FATAL: Module nonesuch not found in directory /lib/modules/6.12.118+deb13-amd64',
    'rmmod: ERROR: Module ext4 is in use',
    "modprobe: ERROR: could not insert 'dummy': Operation not permitted",
    "modprobe: ERROR: could not insert 'dummy': Unknown symbol in module, or unknown parameter (see dmesg)",
  ].map((stderr) => rmmod('dummy').classify?.({ exitCode: 1, stdout: '', stderr }));
  expect(reasons).toEqual(['not-found', 'busy', 'denied', 'unknown']);
});

it.each(['', '-r', 'a b', '../x', 'a.ko', 'a/b'])('the name %j is invalid', (name) =>
  expect(moduleName.safeParse(name).success).toBe(false),
);

it('a failed sequence unloads modules that it loaded', async () => {
  const host = simulatedHost();
  host.admin.module('llc');
  const before = host.snapshot();
  let during: readonly string[] = [];
  await rejectionOf(
    running(host, async (tx) => {
      await tx.kernel.loadModule({ name: 'br-netfilter' });
      during = modules(host);
      throw new Error('on purpose');
    }),
  );
  expect(during).toEqual(['br_netfilter', 'bridge', 'llc', 'stp', 'xen_netback']);
  expect(host.snapshot()).toBe(before);
});

it.each([
  ['itself', 'br_netfilter', ['br_netfilter', 'bridge', 'llc', 'stp']],
  ['one that it needs', 'stp', ['llc', 'stp']],
])('the undo keeps a module in use: %s', async (_, name, left) => {
  const host = simulatedHost();
  const error = await rejectionOf(
    running(host, async (tx) => {
      await tx.kernel.loadModule({ name: 'br_netfilter' });
      host.admin.module(name, 1);
      throw new Error('on purpose');
    }),
  );
  expect(modules(host)).toEqual([...left, 'xen_netback']);
  expect(String(error)).toContain('on purpose');
});

it('the undo keeps modules if a new network interface would go with them', async () => {
  const host = simulatedHost();
  const error = await rejectionOf(
    running(host, async (tx) => {
      await tx.kernel.loadModule({ name: 'br_netfilter' });
      host.admin.bridge('br7');
      throw new Error('on purpose');
    }),
  );
  expect(await host.readDir('/sys/class/net')).toContain('br7');
  expect(modules(host)).toEqual(['br_netfilter', 'bridge', 'llc', 'stp', 'xen_netback']);
  expect(String(error)).toContain('on purpose');
});

it.each([
  ['xen_netback', 'xen_netback is loaded already'],
  ['loop', 'loop is built in'],
  ['none', 'the running kernel has no module none'],
])('%s is refused before anything changes', async (name, message) => {
  const host = simulatedHost();
  const error = await rejectionOf(running(host, (tx) => tx.kernel.loadModule({ name })));
  expect(error).toBeInstanceOf(RefusedError);
  expect(String(error)).toContain(message);
  expect(host.changes).toEqual([]);
});

it('refuses a module whose loading a command of modprobe.d(5) replaces', async () => {
  const answer = { exitCode: 0, stdout: 'install /bin/false \n', stderr: '' };
  const host: ReadHost = { ...simulatedHost(), run: async (command) => command.parse(answer) };
  const error = await rejectionOf(neededModules(host, 'usb_storage'));
  expect(error).toBeInstanceOf(RefusedError);
  expect(String(error)).toContain('but run a command instead: install /bin/false');
});
