import { beforeEach, describe, expect, it } from 'vitest';
import { atomic, DiffersError, ensure, vm, withBofh } from '../../../src/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';

const web1 = {
  name: 'web1',
  source: 'tar:/srv/root.tar',
  vg: 'vg0',
  size: '64m',
  swap: '16m',
  memory: '128m',
  kernel: '/boot/vmlinuz',
  ramdisk: '/boot/initrd',
  bridge: 'xenbr0',
  disks: { data: { size: '20m', mount: '/srv' } },
} as const;

let host: SimulatedHost;
const run = <T>(body: () => Promise<T>): Promise<T> => withBofh(simulatedBofh({ host }), body);

beforeEach(() => {
  host = simulatedHost();
  host.addTar('/srv/root.tar', [{ path: 'etc', type: 'directory' }]);
  for (const path of ['/boot/vmlinuz', '/boot/initrd']) host.admin.writeFile(path, 'x');
});

describe('ensure.vm.create', () => {
  it('creates the guest, and the second time changes nothing', async () => {
    const first = await run(() => ensure.vm.create(web1));
    const before = host.snapshot();
    const second = await run(() => ensure.vm.create(web1));

    expect([first.changed, second.changed]).toEqual([true, false]);
    expect(second.value).toEqual({ ...first.value, hostKey: undefined, source: undefined });
    expect(host.snapshot()).toBe(before);
  });

  it.each([
    ['memory', { memory: '256m' }, { property: 'memory', asked: 256 * 1024 ** 2, found: 128 * 1024 ** 2 }],
    ['the size of its root', { size: '80m' }, { property: 'web1-root size', asked: 80 * 1024 ** 2 }],
    ['a data disk', { disks: { data: { size: '32m' } } }, { property: 'web1-data size' }],
    [
      'another disk',
      { disks: { ...web1.disks, more: { size: '8m' } } },
      { property: 'web1-more size', found: null },
    ],
    ['the number of processors', { vcpus: 2 }, { property: 'vcpus', asked: 2, found: 1 }],
    ['its MAC address', { mac: '00:16:3e:00:00:01' }, { property: 'vif' }],
    ['that it starts at boot', { autostart: true }, { property: 'autostart', asked: true, found: false }],
    ['that it runs', { start: true }, { property: 'state', asked: 'running', found: 'off' }],
  ])('of a guest that differs in %s changes nothing, and names it', async (_what, other, difference) => {
    await run(() => vm.create(web1));
    const before = host.snapshot();
    const error: unknown = await run(() => ensure.vm.create({ ...web1, ...other })).catch(
      (thrown: unknown) => thrown,
    );

    expect(error).toBeInstanceOf(DiffersError);
    expect((error as DiffersError).differences).toContainEqual(expect.objectContaining(difference));
    expect(host.snapshot()).toBe(before);
  });

  it('of a paused guest differs from a running one', async () => {
    await run(() => ensure.vm.create({ ...web1, start: true }));
    expect((await run(() => ensure.vm.create({ ...web1, start: true }))).changed).toBe(false);
    await run(() => vm.pause('web1'));

    await expect(run(() => ensure.vm.create({ ...web1, start: true }))).rejects.toMatchObject({
      differences: [{ property: 'state', asked: 'running', found: 'paused' }],
    });
  });

  it('is undone with its sequence, and leaves an existing guest', async () => {
    await run(() => vm.create(web1));
    const before = host.snapshot();
    const failed = run(() =>
      atomic('two', async (tx) => {
        const [one, two] = [
          await tx.ensure.vm.create(web1),
          await tx.ensure.vm.create({ ...web1, name: 'web2' }),
        ];
        expect([one.changed, two.changed]).toEqual([false, true]);
        throw new Error('later');
      }),
    );

    await expect(failed).rejects.toMatchObject({ code: 'rolled-back' });
    expect(host.snapshot()).toBe(before);
  });

  it('does not treat a volume with the name of one of its disks as the guest', async () => {
    host.admin.lvcreate({ vg: 'vg0', name: 'web1-root', extents: 4 });
    await expect(run(() => ensure.vm.create(web1))).rejects.toMatchObject({ code: 'exists' });
  });

  it('of replicated disks is refused', async () => {
    await expect(run(() => ensure.vm.create({ ...web1, drbd: 'peer' }))).rejects.toThrow(
      'ensure cannot compare drbd',
    );
  });
});
