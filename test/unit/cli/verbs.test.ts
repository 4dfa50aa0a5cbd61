import { beforeEach, describe, expect, it } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { RefusedError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { testRuntime } from './support/runtime.ts';
import { runVerb } from './support/run-verb.ts';

/** `vm create NAME` with all that the host needs. */
const create = (name: string): string =>
  [
    `vm create ${name} --source tar:/srv/root.tar --size 256m --swap 64m --memory 128m --vg vg0`,
    '--kernel /boot/vmlinuz --ramdisk /boot/initrd',
  ].join(' ');

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.addTar('/srv/root.tar', [
    { path: 'etc', type: 'directory' },
    { path: 'etc/motd', type: 'file', content: 'hello\n' },
  ]);
  for (const path of ['/boot/vmlinuz', '/boot/initrd']) host.admin.writeFile(path, 'x');
});

const at = (said: Parameters<typeof testRuntime>[1] = {}, typed: readonly string[] = []) =>
  testRuntime(simulatedBofh({ host }), said, typed);

async function make(name: string): Promise<void> {
  await runVerb(at().runtime, create(name));
}

describe('bofh vm create', () => {
  it('creates the guest and answers with its parts', async () => {
    const { runtime, stdout } = at({ json: true });

    expect(await runVerb(runtime, `${create('web1')} --start`)).toBe(0);

    expect(answers.vmCreate.parse(JSON.parse(stdout()))).toMatchObject({
      name: 'web1',
      config: '/etc/xen/web1.cfg',
      root: '/dev/vg0/web1-root',
      swap: '/dev/vg0/web1-swap',
      domid: 1,
    });
  });

  it('says how to start the guest if it was not started', async () => {
    const { runtime, stdout } = at();

    await runVerb(runtime, create('web1'));

    expect(stdout()).toContain('web1 is created: root /dev/vg0/web1-root (256 MiB)');
    expect(stdout()).toContain('start it with: bofh vm start web1');
  });

  it('refuses with all reasons at once, and changes nothing', async () => {
    await make('web1');
    const before = host.snapshot();

    const again = runVerb(at().runtime, `${create('web1')} --size 1t`);

    await expect(again).rejects.toThrow(/web1-root.*web1\.cfg/s);
    await expect(again).rejects.toBeInstanceOf(RefusedError);
    expect(host.snapshot()).toBe(before);
  });
});

describe('bofh vm remove', () => {
  it('removes the guest after confirmation', async () => {
    await make('web1');
    const { runtime, stdout, stderr } = at({ json: true }, ['y']);

    expect(await runVerb(runtime, 'vm remove web1')).toBe(0);

    expect(stderr()).toContain('the logical volume vg0/web1-root and all data on it');
    const answer = answers.vmRemove.parse(JSON.parse(stdout()));
    expect([...answer.volumes].sort()).toEqual(['vg0/web1-root', 'vg0/web1-swap']);
  });

  it.each([
    ['the answer is no', {}, ['n']],
    ['there is no terminal', {}, []],
  ])('does nothing when %s', async (_when, said, typed) => {
    await make('web1');
    const before = host.snapshot();

    await expect(runVerb(at(said, typed).runtime, 'vm remove web1')).rejects.toBeInstanceOf(RefusedError);

    expect(host.snapshot()).toBe(before);
  });

  it('does not ask with --yes', async () => {
    await make('web1');

    expect(await runVerb(at({ yes: true }).runtime, 'vm remove web1')).toBe(0);
  });
});

describe('bofh xen', () => {
  it('lists the guests, running or not, by the documented type', async () => {
    await make('web1');
    const { runtime, stdout } = at({ json: true });

    expect(await runVerb(runtime, 'xen list')).toBe(0);

    const guests = answers.xenList.parse(JSON.parse(stdout()));
    expect(guests.find(({ name }) => name === 'web1')).toMatchObject({
      state: 'off',
      domid: null,
      memory: 128 * 1024 ** 2,
      disks: [
        { device: 'xvda', path: '/dev/vg0/web1-root', access: 'rw' },
        { device: 'xvdb', path: '/dev/vg0/web1-swap', access: 'rw' },
      ],
    });
  });

  it('starts one, and then all others; a second time it changes nothing', async () => {
    for (const name of ['web1', 'web2']) await make(name);
    const [one, all, again] = [at({ json: true }), at({ json: true }), at({ json: true })];

    expect(await runVerb(one.runtime, 'xen start web2')).toBe(0);
    expect(await runVerb(all.runtime, 'xen start-all')).toBe(0);
    const changes = host.changes.length;
    expect(await runVerb(again.runtime, 'xen start-all')).toBe(0);

    expect(answers.xenStart.parse(JSON.parse(one.stdout()))).toMatchObject({ name: 'web2' });
    expect(answers.xenStartAll.parse(JSON.parse(all.stdout()))).toMatchObject([
      { guest: 'web1', was: 'off', now: 'running' },
      { guest: 'web2', was: 'running', now: 'running' },
    ]);
    expect(host.changes.length).toBe(changes);
  });

  it('exits 6 when one of them failed, and starts the others', async () => {
    for (const name of ['web1', 'web2']) await make(name);
    host.fault({ tool: 'xl', argvIncludes: 'web1.cfg', mode: 'fails before' });
    const { runtime, stdout } = at({ json: true });

    expect(await runVerb(runtime, 'xen start-all')).toBe(6);

    const rows = answers.xenStartAll.parse(JSON.parse(stdout()));
    expect(rows.map(({ guest, now, error }) => [guest, now, error !== undefined])).toEqual([
      ['web1', 'off', true],
      ['web2', 'running', false],
    ]);
  });
});

it('bofh lvm list gives sizes in bytes, by the documented type', async () => {
  await make('web1');
  const { runtime, stdout } = at({ json: true });

  expect(await runVerb(runtime, 'lvm list')).toBe(0);

  expect(answers.lvmList.parse(JSON.parse(stdout()))).toMatchObject([
    { volume: 'vg0/web1-root', size: 256 * 1024 ** 2, path: '/dev/vg0/web1-root', active: true },
    { volume: 'vg0/web1-swap', size: 64 * 1024 ** 2 },
  ]);
});
