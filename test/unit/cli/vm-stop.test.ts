import { beforeEach, expect, test } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { CommandError, RolledBackError, RefusedError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { defaultSite } from '../../../src/site.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

let host: SimulatedHost;
beforeEach(async () => {
  host = simulatedHost();
  host.addTar('/srv/root.tar', [{ path: 'etc', type: 'directory' }]);
  for (const path of ['/boot/vmlinuz', '/boot/initrd']) host.admin.writeFile(path, 'x');
  for (const name of ['web1', 'web2'])
    await typed(
      `vm create ${name} --source tar:/srv/root.tar --size 256m --memory 128m --vg vg0 --kernel /boot/vmlinuz --ramdisk /boot/initrd --start`,
    );
});

async function typed(line: string) {
  const { runtime, stdout } = testRuntime(simulatedBofh({ host }), { json: true });
  return { exitCode: await runVerb(runtime, line), answer: JSON.parse(stdout()) as unknown };
}

const running = () => host.world.domains.map(({ name }) => name);

test('vm stop shuts a guest down; a second time there is nothing to do', async () => {
  expect(await typed('vm stop web1')).toEqual({ exitCode: 0, answer: { name: 'web1', changed: true } });
  const changes = host.changes.length;

  expect(await typed('vm stop web1')).toEqual({ exitCode: 0, answer: { name: 'web1', changed: false } });

  expect(running()).toEqual(['web2']);
  expect(host.changes.length).toBe(changes);
});

test('vm start and vm list are those of xen, and a running guest counts as started', async () => {
  const [domain] = host.world.domains;

  expect((await typed('vm start web1')).answer).toEqual({ name: 'web1', domid: domain?.domid });
  expect((await typed('vm list')).answer).toEqual((await typed('xen list')).answer);
});

test.each([
  ['memory = 128', 'memory = 1000000', 'web1 needs 999872 MiB of memory more than it has'],
  ['/boot/vmlinuz', '/boot/none', 'there is no /boot/none'],
  ['vg0/web1-root', 'vg0/none', 'there is no disk /dev/vg0/none'],
  ['disk = [', 'vif = ["bridge=none"]\ndisk = [', 'there is no bridge none'],
])('a guest that could not be started again is not shut down: %s', async (from, to, why) => {
  const file = '/etc/xen/web1.cfg';
  host.admin.writeFile(file, host.admin.readFile(file).replace(from, to));
  const before = host.snapshot();

  for (const line of ['vm restart web1', 'vm rename web1 shop --restart']) {
    const error = (await rejectionOf(typed(line))) as RefusedError;
    expect(error).toBeInstanceOf(RefusedError);
    expect(error.message).toContain(`web1 is not shut down, because it could not be started again: ${why}`);
  }
  expect(host.snapshot()).toBe(before);
});

test('a guest that ignores the request still runs, and the remedy powers it off', async () => {
  host.fault({ tool: 'xl', argvIncludes: 'shutdown', mode: 'hangs' });
  const error = await rejectionOf(typed('vm stop web1 --time 1s'));

  expect(error).toBeInstanceOf(RolledBackError);
  const { cause } = error as RolledBackError;
  expect(cause).toBeInstanceOf(CommandError);
  expect((cause as CommandError).remedy).toContain('bofh vm stop web1 --force-off');
  expect(running()).toContain('web1');
  host.clearFaults();
  await typed('vm stop web1 --force-off');
  expect(running()).toEqual(['web2']);
});

test('vm remove --stop waits for the shutdown as long as --time says', async () => {
  host.fault({ tool: 'xl', argvIncludes: 'shutdown', mode: 'hangs' });
  const { runtime } = testRuntime(simulatedBofh({ host }), { yes: true });

  const error = await rejectionOf(runVerb(runtime, 'vm remove web1 --stop --time 1s'));

  expect((error as RolledBackError).cause).toMatchObject({
    message: expect.stringContaining('web1 did not shut down within 1 s') as string,
  });
  expect(running()).toContain('web1');
});

test('--force powers off only a guest that did not shut down in time', async () => {
  const verbs: string[] = [];
  host.faults.watch(({ tool, access, argv }) => {
    if (tool === 'xl' && access === 'change') verbs.push(argv[0] ?? '');
  });
  await typed('vm stop web1 --force');
  expect(verbs).toEqual(['shutdown']);

  host.fault({ tool: 'xl', argvIncludes: 'shutdown', mode: 'hangs' });
  await typed('vm stop web2 --force --time 1s');

  expect(verbs.slice(1)).toEqual(['shutdown', 'destroy']);
  expect(running()).toEqual([]);
});

test('vm restart gives the guest a new domain, and a failed start brings it back', async () => {
  const before = host.world.domains.find(({ name }) => name === 'web1')?.domid;

  expect((await typed('vm restart web1')).answer).not.toEqual({ name: 'web1', domid: before });

  host.fault({ tool: 'xl', argvIncludes: 'create', mode: 'fails before' });
  await expect(typed('vm restart web1')).rejects.toBeInstanceOf(RolledBackError);
  expect(running()).toContain('web1');
});

test('vm show prints the disks of the guest', async () => {
  const shown = answers.vmShow.parse((await typed('vm show web1')).answer);

  expect(shown).toMatchObject({
    name: 'web1',
    state: 'running',
    memory: 128 * 1024 ** 2,
    config: '/etc/xen/web1.cfg',
  });
  expect(shown.disks).toEqual([{ device: 'xvda', path: '/dev/vg0/web1-root', access: 'rw' }]);
});

test('xen stop-all stops running guests, in the reverse order of start-all', async () => {
  host.admin.writeFile('/etc/xen/db.cfg', "name = 'db'\nmemory = 64\nkernel = '/boot/vmlinuz'\n");

  const { exitCode, answer } = await typed('xen stop-all');

  expect(exitCode).toBe(0);
  expect(answer).toMatchObject([
    { guest: 'web2', was: 'running', now: 'off' },
    { guest: 'web1', was: 'running', now: 'off' },
    { guest: 'db', was: 'off', now: 'off' },
  ]);
  expect(running()).toEqual([]);
});

test('a guest without a configuration is refused, with the command that shuts it down', async () => {
  host.admin.startDomain({ name: 'stray', uuid: '0c0ffee0-0000-4000-8000-00000000000d' });

  const error = await rejectionOf(typed('vm stop stray'));

  expect(error).toBeInstanceOf(RefusedError);
  expect((error as RefusedError).remedy).toMatch(/as domain \d+: xl shutdown -w \d+$/);
});

test('xen stop-all reports a guest of the start order that has no configuration, as start-all does', async () => {
  const { runtime, stdout } = testRuntime(
    simulatedBofh({ host, site: { ...defaultSite, startOrder: ['gone'] } }),
    {
      json: true,
    },
  );

  expect(await runVerb(runtime, 'xen stop-all')).toBe(6);
  expect(JSON.parse(stdout())).toContainEqual(
    expect.objectContaining({
      guest: 'gone',
      error: 'startOrder of the site file names it, but it has no configuration',
    }),
  );
});
