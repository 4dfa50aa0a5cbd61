import { expect, test } from 'vitest';
import { UsageError } from '../../../src/core/errors.ts';
import { checkCreate } from '../../../src/vm/create-request.ts';
import { bofhOn, hostWithSource } from '../simulator/support.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';

const request = (...extra: readonly string[]) =>
  checkCreate({ name: 'web1', source: 'tar:/x', size: '1g', memory: '64m', extra: [...extra] });

test('vm create --extra adds lines to the configuration as they are', async () => {
  const host = hostWithSource();
  const line = 'vfb = ["type=vnc,vnclisten=127.0.0.1"] # seen from outside';
  const { runtime } = testRuntime(bofhOn(host));
  const create = 'vm create web1 --source tar:/srv/debian.tar --size 64m'.split(' ');
  await runVerb(runtime, [...create, '--extra', line, '--extra', 'maxmem = 512']);

  expect(host.admin.readFile('/etc/xen/web1.cfg')).toMatch(
    new RegExp(`\\n${line.replaceAll(/[[\].]/g, '\\$&')}\\nmaxmem = 512\\n$`),
  );
});

test.each([
  ['vcpus = 2', /sets vcpus, and bofh writes/],
  ['disk += ["phy:/dev/sda,xvdz,w"]', /sets disk, and bofh writes/],
  ['bootloader = "/tmp/x"', /sets bootloader/],
  ['a = 1; name = "x"', /sets name/],
  ['# nothing', /sets nothing/],
  ['vnc = yes', /extra 1:1: expected/],
  ['vnc = 1\nname = "x"', /must be one line/],
  ['vncpasswd = "secret"', /has a password/],
])('--extra %j is refused', (line, why) => {
  const wrong = () => request(line);
  expect(wrong).toThrow(UsageError);
  expect(wrong).toThrow(why);
  expect(wrong).not.toThrow(/secret/);
});

test('a repeated setting is refused', () => {
  expect(() => request('pci = ["01:00.0"]', 'pci = ["02:00.0"]')).toThrow(/sets pci again/);
});

test('vm create --autostart links the configuration for the start at boot', async () => {
  const host = hostWithSource();
  const { runtime } = testRuntime(bofhOn(host));
  await runVerb(runtime, 'vm create web1 --source tar:/srv/debian.tar --size 64m --autostart');

  expect(await host.readLink('/etc/xen/auto/web1.cfg')).toBe('/etc/xen/web1.cfg');
});

test('vm create --autostart is refused where another guest has the link', async () => {
  const host = hostWithSource();
  host.admin.symlink('/etc/xen/auto/web1.cfg', '../old.cfg');
  const before = host.snapshot();
  const { runtime } = testRuntime(bofhOn(host));
  const create = runVerb(runtime, 'vm create web1 --source tar:/srv/debian.tar --size 64m --autostart');

  await expect(create).rejects.toThrow(/auto\/web1.cfg exists already/);
  expect(host.snapshot()).toBe(before);
});
