import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { openJournals } from '../../../src/atomic/recovery/recover.ts';
import { recover } from '../../../src/atomic/recovery/recover.ts';
import {
  type BofhError,
  RefusedError,
  type RolledBackError,
  StuckError,
  UsageError,
} from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';

const uuid = '5e1f0000-0000-4000-8000-00000000000a';
const more = '/dev/vg0/more';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  for (const name of ['root', 'more']) host.admin.lvcreate({ vg: 'vg0', name, extents: 2 });
  const disks = [{ vdev: 'xvda', path: '/dev/vg0/root', number: `${host.world.dmMajor}:0` }];
  host.admin.startDomain({ name: 'web1', uuid, memory: '128m', disks });
});

const guest = () => host.world.domains.find(({ name }) => name === 'web1');
const given = (): readonly string[] => guest()?.disks.map(({ vdev, path }) => `${vdev} ${path}`) ?? [];
const sequence = (body: (tx: Tx) => Promise<unknown>) =>
  withBofh(simulatedBofh({ host }), () => atomic('test', body));
const plug = (device: string | null, vdev = 'xvdb') =>
  sequence((tx) => tx.xen.setDisk({ name: 'web1', uuid, vdev, device }));
/** What the guest did to a disk that it has. */
const wrote = (
  vdev: string,
  writes: number,
  more: { readonly path?: string; readonly kept?: true } = {},
): void => {
  const domain = guest();
  if (domain === undefined) throw new TypeError('the guest is gone');
  domain.disks = domain.disks.map((each) => (each.vdev === vdev ? { ...each, writes, ...more } : each));
  host.world.revision += 1;
};

test.each([
  ['gets a disk', more, 'xvdb', ['xvda /dev/vg0/root', 'xvdb /dev/vg0/more']],
  ['loses a disk', null, 'xvda', []],
])('a running guest %s, and has what it had after the undo', async (_, device, vdev, after) => {
  await rejectionOf(
    sequence(async (tx) => {
      await tx.xen.setDisk({ name: 'web1', uuid, vdev, device });
      expect(given()).toEqual(after);
      throw new Error('fails later');
    }),
  );
  expect(given()).toEqual(['xvda /dev/vg0/root']);

  await plug(device, vdev);

  expect(given()).toEqual(after);
});

test('a disk to which the guest wrote is not taken away by the undo, and then by a recovery when it no longer has it', async () => {
  const error = await rejectionOf(
    sequence(async (tx) => {
      await tx.xen.setDisk({ name: 'web1', uuid, vdev: 'xvdb', device: more });
      wrote('xvdb', 3);
      throw new Error('fails later');
    }),
  );

  expect(error).toBeInstanceOf(StuckError);
  expect((error as StuckError).message).toMatch(/web1/);
  expect(given()).toContain('xvdb /dev/vg0/more');

  const domain = guest();
  if (domain !== undefined) domain.disks = domain.disks.filter((each) => each.vdev !== 'xvdb');
  const { engine } = simulatedBofh({ host });
  const { end } = await recover((error as StuckError).id ?? '', { engine, yes: true });

  expect(end).toBe('rolled-back');
});

test('a disk that others gave it under that name stays', async () => {
  await rejectionOf(
    sequence(async (tx) => {
      await tx.xen.setDisk({ name: 'web1', uuid, vdev: 'xvdb', device: more });
      const domain = guest();
      if (domain !== undefined)
        domain.disks = [{ vdev: 'xvdb', path: '/dev/vdy', number: '252:48', mode: 'rw' }];
      throw new Error('fails later');
    }),
  );

  expect(given()).toEqual(['xvdb /dev/vdy']);
});

test.each<readonly [string, () => void, RegExp]>([
  [
    'removed',
    () => {
      host.admin.lvremove('vg0', 'root');
      host.admin.lvcreate({ vg: 'vg0', name: 'root', extents: 2 });
    },
    /the volume that was \/dev\/vg0\/root has been removed/,
  ],
  [
    'renamed',
    () => {
      host.admin.lvrename('vg0', 'root', 'old');
      host.admin.lvcreate({ vg: 'vg0', name: 'root', extents: 2 });
    },
    /the device that was \/dev\/vg0\/root is \/dev\/dm-\d+ now/,
  ],
])(
  'the undo does not give the guest another volume with the path of its disk, which was %s',
  async (_, before, found) => {
    const error = await rejectionOf(
      sequence(async (tx) => {
        await tx.xen.setDisk({ name: 'web1', uuid, vdev: 'xvda', device: null });
        before();
        throw new Error('fails later');
      }),
    );

    expect(given()).toEqual([]);
    expect(JSON.stringify((error as RolledBackError).leftUntouched)).toMatch(found);
  },
);

test('the undo does not give the guest a disk that was opened on the host meanwhile', async () => {
  host.admin.luksFormat({ device: '/dev/vg0/root', uuid, key: 'geheim' });
  const failed = sequence(async (tx) => {
    await tx.xen.setDisk({ name: 'web1', uuid, vdev: 'xvda', device: null });
    host.admin.luksOpen('/dev/vg0/root', 'rescue');
    throw new Error('fails later');
  });

  expect(await rejectionOf(failed)).toMatchObject({
    blocked: [{ kind: 'xen.disk.set' }],
    message: expect.stringContaining('rescue') as unknown,
  });
  expect(given()).toEqual([]);

  host.admin.luksClose('rescue');
  const { engine } = simulatedBofh({ host });
  const [journal] = await openJournals(engine);
  expect((await recover(journal?.id ?? '', { engine, yes: true })).end).toBe('rolled-back');
  expect(given()).toEqual(['xvda /dev/vg0/root']);
});

test('the undo of a shutdown does not start a guest whose disk was opened on the host meanwhile', async () => {
  const config = '/etc/xen/web1.cfg';
  host.admin.writeFile(
    config,
    `name = 'web1'\nmemory = 128\nuuid = '${uuid}'\nkernel = '/vmlinuz'\ndisk = ['phy:/dev/vg0/root,xvda,w']\n`,
  );
  host.admin.writeFile('/vmlinuz', '');
  host.admin.luksFormat({ device: '/dev/vg0/root', uuid, key: 'geheim' });
  const failed = sequence(async (tx) => {
    await tx.xen.shutdown({ name: 'web1', uuid, config, how: 'destroy' });
    host.admin.luksOpen('/dev/vg0/root', 'rescue');
    throw new Error('fails later');
  });

  expect(await rejectionOf(failed)).toMatchObject({
    blocked: [{ kind: 'xen.domain.shutdown' }],
    message: expect.stringContaining('rescue') as unknown,
  });
  expect(guest()).toBeUndefined();

  host.admin.luksClose('rescue');
  const { engine } = simulatedBofh({ host });
  const [journal] = await openJournals(engine);
  expect((await recover(journal?.id ?? '', { engine, yes: true })).end).toBe('rolled-back');
  expect(given()).toEqual(['xvda /dev/vg0/root']);
});

test('a disk to which the guest wrote is not taken away either after its volume was renamed', async () => {
  const failed = sequence(async (tx) => {
    await tx.xen.setDisk({ name: 'web1', uuid, vdev: 'xvdb', device: more });
    wrote('xvdb', 3);
    host.admin.lvrename('vg0', 'more', 'data');
    throw new Error('fails later');
  });

  expect(await rejectionOf(failed)).toBeInstanceOf(StuckError);
  expect(given()).toContain('xvdb /dev/vg0/more');
});

test('a disk that the guest does not let go of stays, and the error says what to do', async () => {
  wrote('xvda', 0, { kept: true });

  const error = (await rejectionOf(plug(null, 'xvda'))) as BofhError;

  expect(error.message).toContain('web1 did not release its disk xvda within 10 s, and may do so later');
  expect(error.remedy).toContain('unmount it in the guest');
  expect(given()).toEqual(['xvda /dev/vg0/root']);
});

describe('nothing is changed', () => {
  test.each<readonly [string, () => void, string | null, string, unknown, RegExp]>([
    ['if it has that name', () => undefined, more, 'xvda', RefusedError, /has a disk xvda already/],
    ['if there is nothing to detach', () => undefined, null, 'xvdb', UsageError, /has no disk xvdb/],
    ['if it is no block device', () => undefined, '/etc', 'xvdb', UsageError, /not a block device/],
    [
      'if the device is mounted',
      () => host.admin.mount(more, '/mnt'),
      more,
      'xvdb',
      RefusedError,
      /vg0\/more is in use: .*mounted/,
    ],
    [
      'if another guest has the device',
      () =>
        void host.admin.startDomain({
          name: 'web2',
          disks: [{ vdev: 'xvda', path: more, number: `${host.world.dmMajor}:1` }],
        }),
      more,
      'xvdb',
      RefusedError,
      /vg0\/more is in use: .*web2/,
    ],
    [
      'if xl could not attach the disk again',
      () => wrote('xvda', 0, { path: '' }),
      null,
      'xvda',
      RefusedError,
      /the disk xvda of web1 has no path, and an undo could not attach it again/,
    ],
    ['if it is paused', () => host.admin.setDomain('web1', 'paused'), more, 'xvdb', RefusedError, /paused/],
    ['if it has ended', () => host.admin.destroyDomain('web1'), more, 'xvdb', RefusedError, /no domain web1/],
  ])('%s', async (_, before, device, vdev, kind, message) => {
    before();
    const was = given();

    const error = await rejectionOf(plug(device, vdev));

    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toMatch(message);
    expect(given()).toEqual(was);
  });
});
