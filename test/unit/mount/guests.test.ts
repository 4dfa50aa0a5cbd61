import { beforeEach, expect, test } from 'vitest';
import { recover } from '../../../src/api/recover.ts';
import type { SequenceEvent } from '../../../src/atomic/events.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import type { BofhError } from '../../../src/core/errors.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { filledVolume, neighbourhood } from '../../support/undo/stage.ts';

const uuid = '5e1f0000-0000-4000-8000-000000000002';
const config = '/etc/xen/shop.cfg';
let host: SimulatedHost;

beforeEach(() => {
  host = neighbourhood();
  host.admin.mkdir('/srv/look');
});

function run<T>(body: () => Promise<T>): Promise<T> {
  return withBofh({ ...simulatedBofh({ host }), signals: {} }, body);
}

/** A guest with a volume as its disk. */
function guest(mode: 'ro' | 'rw' = 'rw', vdev = 'xvda'): string {
  const device = filledVolume(host, 'shop-root', '5e1f0000-0000-4000-8000-000000000003');
  const lv = host.world.lvm[0]?.lvs.find(({ name }) => name === 'shop-root');
  const number = `${host.world.dmMajor}:${host.world.active.get(lv?.uuid ?? '') ?? 0}`;
  host.admin.writeFile(
    config,
    `name = "shop"\nuuid = "${uuid}"\nmemory = 64\nkernel = "/vmlinuz"\ndisk = ["phy:${device},${vdev},${mode === 'rw' ? 'w' : 'r'}"]\n`,
  );
  host.admin.startDomain({
    ...{ name: 'shop', uuid, memory: '64m' },
    disks: [{ vdev, path: device, number, mode }],
  });
  return device;
}

const mount = (device: string, mode: 'ro' | 'rw', how = {}) =>
  run(() => atomic('look', (tx) => tx.mount.mount({ device, path: '/srv/look', mode }), how));

test.each(['ro', 'rw'] as const)('a disk that a guest may write to is not mounted %s', async (mode) => {
  const device = guest();
  const before = host.snapshot();

  const error = (await rejectionOf(mount(device, mode))) as BofhError;

  expect([error.code, error.message]).toEqual([
    'in-use',
    expect.stringMatching(/^\/dev\/vg0\/shop-root is in use: .*guest shop/),
  ]);
  expect(error.remedy).toContain('xl shutdown');
  expect(host.snapshot()).toBe(before);
});

test('a disk that a guest only reads is mounted read-only, and not read-write', async () => {
  const device = guest('ro');

  await expect(mount(device, 'rw')).rejects.toMatchObject({ code: 'in-use' });
  await expect(mount(device, 'ro')).resolves.toEqual({ path: '/srv/look' });
});

test('sees a guest that another sequence started while this one waited', async () => {
  const device = guest();
  let stopped: () => void = () => undefined;
  const isStopped = new Promise<void>((resolve) => (stopped = resolve));
  let waits: () => void = () => undefined;
  const isWaiting = new Promise<void>((resolve) => (waits = resolve));
  const stopping = run(() =>
    atomic('stop', async (tx) => {
      await tx.xen.shutdown({ name: 'shop', uuid, config, how: 'shutdown', timeoutMs: 2000 });
      stopped();
      await isWaiting;
      throw new Error('on purpose');
    }),
  );
  await isStopped;

  const onEvent = ({ type }: SequenceEvent): void => {
    if (type === 'waiting') waits();
  };
  const mounting = rejectionOf(mount(device, 'rw', { wait: 5000, onEvent }));

  await expect(stopping).rejects.toThrow('on purpose');
  expect(await mounting).toMatchObject({ code: 'in-use' });
  expect(host.world.domains.map(({ name }) => name)).toContain('shop');
});

test('an undo does not mount the disk of a running guest, and finishes when that has ended', async () => {
  const device = filledVolume(host, 'shop-root', '5e1f0000-0000-4000-8000-000000000003');
  host.admin.mount(device, '/srv/look');
  const lv = host.world.lvm[0]?.lvs.find(({ name }) => name === 'shop-root');
  const number = `${host.world.dmMajor}:${host.world.active.get(lv?.uuid ?? '') ?? 0}`;

  const stuck = await rejectionOf(
    run(() =>
      atomic('unmount', async (tx) => {
        await tx.mount.unmount({ path: '/srv/look' });
        host.admin.startDomain({ name: 'shop', uuid, disks: [{ vdev: 'xvda', path: device, number }] });
        throw new Error('on purpose');
      }),
    ),
  );

  expect(stuck).toMatchObject({ code: 'stuck' });
  expect(String(stuck)).toContain('the guest shop');
  expect(host.world.mounts.some(({ path }) => path === '/srv/look')).toBe(false);
  host.admin.destroyDomain('shop');
  await run(() => recover());
  expect(host.world.mounts.some(({ path }) => path === '/srv/look')).toBe(true);
});
