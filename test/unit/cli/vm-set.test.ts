import { beforeEach, describe, expect, test } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import * as vm from '../../../src/api/vm.ts';
import { withBofh } from '../../../src/bofh.ts';
import { BofhError, RefusedError, RolledBackError, UsageError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

const config = '/etc/xen/web1.cfg';
const text = `# the shop
name = "web1"
uuid = "5e1f0000-0000-4000-8000-00000000000a"
kernel = "/vmlinuz"
memory = 128   # MiB
maxmem = 512
vcpus = 1
maxvcpus = 4
`;

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.writeFile(config, text);
});

const running = () => typed('vm start web1');
const file = () => Buffer.from(host.admin.readFile(config)).toString();
const guest = () => host.world.domains.find(({ name }) => name === 'web1');

async function typed(line: string) {
  const { runtime, stdout, stderr } = testRuntime(simulatedBofh({ host }), { json: true });
  const exitCode = await runVerb(runtime, line);
  return { exitCode, answer: JSON.parse(stdout()) as unknown, stderr: stderr() };
}

async function set(settings: string) {
  const { answer, ...rest } = await typed(`vm set web1 ${settings}`);
  return { ...rest, answer: answers.vmSet.parse(answer) };
}

describe('vm set', () => {
  test('changes the file, keeps its comments, and changes the running guest', async () => {
    await running();

    const { answer, stderr } = await set('memory=256m vcpus=2 cpu-weight=512');

    expect(file()).toBe(
      `${text.replace('memory = 128 ', 'memory = 256 ').replace('\nvcpus = 1', '\nvcpus = 2')}cpu_weight = 512\n`,
    );
    expect(guest()).toMatchObject({ memoryMiB: 256, vcpus: 2, weight: 512 });
    expect(answer).toEqual({
      name: 'web1',
      config,
      changed: true,
      settings: [
        { setting: 'memory', from: 128, to: 256, effective: 'now' },
        { setting: 'vcpus', from: 1, to: 2, effective: 'now' },
        { setting: 'cpu-weight', from: null, to: 512, effective: 'now' },
      ],
    });
    expect(stderr).toBe('');
  });

  test('of a stopped guest changes the file alone, and a second time there is nothing to do', async () => {
    await set('memory=256m cpus=2-3');
    expect(file()).toContain('cpus = "2-3"');
    const changes = host.changes.length;

    expect((await set('memory=256m cpus=2-3')).answer).toMatchObject({ changed: false, settings: [] });

    expect(host.changes.length).toBe(changes);
  });

  test('shows, before any change, what a running guest gets only at its next start', async () => {
    await running();
    let said = '';
    const { runtime, stderr } = testRuntime(simulatedBofh({ host }));
    host.faults.watch(({ access }) => {
      if (access === 'change' && said === '') said = stderr();
    });

    await runVerb(runtime, 'vm set web1 memory=1g maxmem=1g cpus=0');

    expect(said).toContain(
      'memory takes effect at the next start of web1 (bofh vm restart web1): it was started with maxmem 512 MiB',
    );
    expect(said).toContain('maxmem takes effect at the next start');
    expect(said).toContain('cpus takes effect at the next start');
    expect(file()).toContain('memory = 1024 ');
    expect(guest()?.memoryMiB).toBe(128);
    // A second time the guest has still not got it.
    expect((await set('memory=1g')).answer).toMatchObject({
      changed: false,
      settings: [{ setting: 'memory', effective: 'next start' }],
    });
  });

  test('leaves file, links and guest unchanged if a step fails', async () => {
    await running();
    const before = host.snapshot();
    host.fault({ tool: 'xl', argvIncludes: 'vcpu-set', mode: 'fails before' });

    await expect(set('memory=256m vcpus=2 autostart=yes')).rejects.toBeInstanceOf(RolledBackError);

    expect(host.snapshot()).toBe(before);
  });

  test('links the configuration in /etc/xen/auto once, and removes every link to it', async () => {
    await set('autostart=yes');
    expect(await host.readLink('/etc/xen/auto/web1.cfg')).toBe(config);
    expect((await set('autostart=yes')).answer.changed).toBe(false);
    host.admin.symlink('/etc/xen/auto/00web1', '../web1.cfg');
    host.admin.symlink('/etc/xen/auto/other.cfg', '../other.cfg');

    expect((await set('autostart=no')).answer.settings).toEqual([
      { setting: 'autostart', from: true, to: false, effective: 'now' },
    ]);

    expect(await host.readDir('/etc/xen/auto')).toEqual(['other.cfg']);
  });

  test.each([
    ['memory=1g', /memory 1024 MiB is more than maxmem, 512 MiB/, 'memory=1024m maxmem=1024m'],
    ['vcpus=5', /vcpus 5 is more than maxvcpus, 4/, 'vcpus=5 maxvcpus=5'],
    ['maxmem=64m', /memory 128 MiB is more than maxmem/, 'memory=128m maxmem=128m'],
    ['memory=1500k', /must be whole MiB/, undefined],
    ['memory=512', /has no unit/, undefined],
    ['vcpus=0', /vcpus/, undefined],
    ['cpus=a', /must be all, or numbers such as 0-3/, undefined],
    ['autostart=maybe', /must be yes or no/, undefined],
    ['constructor=1', /must be KEY=VALUE, with one of the keys memory, maxmem/, undefined],
    ['colour=red', /must be KEY=VALUE, with one of the keys memory, maxmem/, undefined],
    ['memory=1g memory=2g', /given twice/, undefined],
  ])('%s is refused, and nothing changes', async (settings, message, remedy) => {
    const before = host.snapshot();
    const error = await rejectionOf(set(settings));

    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toMatch(message);
    if (remedy !== undefined) expect((error as BofhError).remedy).toContain(remedy);
    expect(host.snapshot()).toBe(before);
  });

  test('is refused for an unknown guest, another domain of its name, and missing memory', async () => {
    expect(await rejectionOf(typed('vm set web9 memory=1g'))).toBeInstanceOf(RefusedError);
    const { domid } = host.admin.startDomain({ name: 'web1' });
    expect(((await rejectionOf(set('memory=64m'))) as Error).message).toContain(`id ${domid}) has the uuid`);
    host.admin.destroyDomain('web1');
    host.admin.writeFile(config, text.replace('512', '99999'));
    await running();
    const error = await rejectionOf(set('memory=99999m'));
    expect([error instanceof BofhError && error.code, file()]).toEqual([
      'no-space',
      text.replace('512', '99999'),
    ]);
  });

  test('is vm.set of the library', async () => {
    await running();
    const made = await withBofh(simulatedBofh({ host }), () =>
      vm.set('web1', { memory: '256m', autostart: true }),
    );
    expect(made).toMatchObject({ changed: true, rows: [{ setting: 'memory' }, { setting: 'autostart' }] });
    expect(guest()?.memoryMiB).toBe(256);
  });
});

describe('vm pause and vm resume', () => {
  test('stop a running guest and continue it; a second time there is nothing to do', async () => {
    await running();

    expect((await typed('vm pause web1')).answer).toEqual({ name: 'web1', changed: true });
    expect((await typed('vm pause web1')).answer).toEqual({ name: 'web1', changed: false });
    expect(guest()?.state).toBe('paused');
    expect((await typed('vm resume web1')).answer).toEqual({ name: 'web1', changed: true });
    expect((await typed('vm resume web1')).answer).toEqual({ name: 'web1', changed: false });
    expect(guest()?.state).toBe('blocked');
  });

  test('a stopped or crashed guest is refused, with what to do', async () => {
    const off = await rejectionOf(typed('vm pause web1'));
    expect((off as RefusedError).remedy).toBe('bofh vm start web1');
    await running();
    host.admin.setDomain('web1', 'crashed');
    expect(((await rejectionOf(typed('vm resume web1'))) as RefusedError).remedy).toMatch(/xl destroy \d+/);
  });
});

describe('vm wait', () => {
  test('returns at once if the guest has the state, and else waits', async () => {
    await running();
    const domid = guest()?.domid;
    expect((await typed('vm wait web1 --for running')).answer).toEqual({ name: 'web1', domid });

    const waiting = typed('vm wait web1 --for stopped');
    setImmediate(() => host.admin.destroyDomain('web1'));

    expect((await waiting).answer).toEqual({ name: 'web1', domid: null });
  });

  test('ends at its time limit, and prints the state of the guest', async () => {
    await running();
    await typed('vm pause web1');
    const error = await rejectionOf(typed('vm wait web1 --for running --time 1s'));

    expect(error).toBeInstanceOf(RefusedError);
    expect((error as RefusedError).message).toMatch(
      /^web1 is not running after 1 s: it is domain \d+, paused$/,
    );
  });
});

describe('vm console', () => {
  test.each([
    ['there is no terminal', {}, [], /needs a terminal, but there is none/],
    ['the guest is off', {}, ['a terminal'], /web1 is off/],
    ['it is on another host', { host: 'host2' }, ['a terminal'], /needs a terminal on the host/],
  ])('is refused if %s', async (_, options, answered, message) => {
    const { runtime } = testRuntime(simulatedBofh({ host }), options, answered);
    expect(((await rejectionOf(runVerb(runtime, 'vm console web1'))) as Error).message).toMatch(message);
  });
});
