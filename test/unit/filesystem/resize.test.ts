import { beforeEach, describe, expect, test } from 'vitest';
import { openJournals } from '../../../src/atomic/recovery/recover.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RefusedError, RolledBackError, StuckError } from '../../../src/core/errors.ts';
import { info } from '../../../src/filesystem/index.ts';
import { resize as operation, type ResizeUndo } from '../../../src/filesystem/operations/resize.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';

const mebibyte = 1024 ** 2;
const device = '/dev/vg0/web1';
const uuid = '5e1f0000-0000-4000-8000-000000000001';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.mkdir('/mnt/a');
});

type Type = 'ext4' | 'xfs' | 'btrfs' | 'vfat' | 'swap';

/** A volume of 512 MiB with a filesystem of 320. */
function make(type: Type, mebibytes = 320, more: object = {}): void {
  host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 128 });
  const usage = type === 'swap' ? 'other' : 'filesystem';
  const blocks = (mebibytes * mebibyte) / 4096;
  host.admin.format(device, { type, usage, uuid, blocks, blockSize: 4096, ...more });
}

const does = (body: (tx: Tx) => Promise<unknown>, on = host): Promise<unknown> =>
  withBofh(bofhOn(on), () => atomic('sizes', body));
const resize = (size: number | string) => does((tx) => tx.filesystem.resize({ device, size }));
const sizeNow = async (on = host): Promise<number> => (await info(on, device)).size / mebibyte;
const failNow = async (): Promise<never> => Promise.reject(new Error('a later step fails'));
/** The size when a later step fails, and what is thrown. */
async function undone(size: number | 'max', meanwhile = (): void => undefined) {
  let between = 0;
  const error = await rejectionOf(
    does(async (tx) => {
      await tx.filesystem.resize({ device, size });
      between = await sizeNow();
      meanwhile();
      await failNow();
    }),
  );
  return { between, error };
}

describe('a filesystem gets its new size', () => {
  test.each([
    ['ext4', 'max', 512, 'now'],
    ['ext4', 400 * mebibyte, 400, 'now'],
    ['ext4', 200 * mebibyte, 200, 'now'],
    ['ext4', '200m', 200, 'now'],
    ['xfs', 'max', 512, 'after the commit'],
    ['btrfs', 'max', 512, 'now'],
    ['btrfs', 300 * mebibyte, 300, 'now'],
  ] as const)('%s, %s: %i MiB, %s', async (type, size, mebibytes, when) => {
    make(type);

    expect(await resize(size)).toEqual({ size: mebibytes * mebibyte, when });

    expect(await sizeNow()).toBe(mebibytes);
    expect(host.world.mounts.filter(({ path }) => path.startsWith('/run/bofh'))).toEqual([]);
  });

  test.each(['ext4', 'xfs', 'btrfs'] as const)('%s, while it is mounted', async (type) => {
    make(type);
    host.admin.mount(device, '/mnt/a');

    await resize('max');

    expect(await sizeNow()).toBe(512);
  });

  test('the current size is no change, and no failure', async () => {
    make('xfs', 512);
    host.admin.mount(device, '/mnt/a');
    const before = host.changes.length;

    expect(await resize('max')).toMatchObject({ size: 512 * mebibyte });

    expect(
      host.changes.slice(before).flatMap((each) => (each.what === 'command' ? [each.command.tool] : [])),
    ).toEqual([]);
  });

  test('rounds down to whole blocks, and to a last block group that is large enough', async () => {
    make('ext4');

    expect(await resize(384 * mebibyte + 5000)).toMatchObject({ size: 384 * mebibyte });
  });

  test('allows a later step on the space that it left', async () => {
    await does(async (tx) => {
      const lv = await tx.lvm.createLv({ vg: 'vg0', name: 'web1', size: '512m' });
      await tx.filesystem.create({ device: lv.path, type: 'ext4' });
      await tx.filesystem.resize({ device: lv.path, size: 'max' });
      await tx.filesystem.resize({ device: lv.path, size: 256 * mebibyte });
      await (await tx.temporary.mount.mount({ device: lv.path, mode: 'rw' })).release();
    });

    expect(await sizeNow()).toBe(256);
  });
});

describe('undo', () => {
  test.each([
    ['ext4', 'max', 512],
    ['ext4', 200 * mebibyte, 200],
    ['btrfs', 'max', 512],
    ['btrfs', 300 * mebibyte, 300],
  ] as const)('restores %s from %s', async (type, size, mebibytes) => {
    make(type);

    const { between, error } = await undone(size);

    expect(error).toBeInstanceOf(RolledBackError);
    expect(between).toBe(mebibytes);
    expect(await sizeNow()).toBe(320);
  });

  test.each(['ext4', 'xfs'] as const)(
    'has nothing to do for a mounted %s, which changes after the commit',
    async (type) => {
      make(type);
      host.admin.mount(device, '/mnt/a');

      const { between, error } = await undone('max');

      expect(error).toBeInstanceOf(RolledBackError);
      expect(between).toBe(320);
      expect(await sizeNow()).toBe(320);
    },
  );

  test('is stuck while an ext4 is mounted, names the mount, and finishes after the unmount', async () => {
    make('ext4');

    const { error } = await undone('max', () => host.admin.mount(device, '/mnt/a'));

    expect(error).toBeInstanceOf(StuckError);
    expect(JSON.stringify(error)).toContain('mounted on /mnt/a');
    expect(await sizeNow()).toBe(512);
    host.admin.umount('/mnt/a');
    await recoverAll(host);
    expect(await sizeNow()).toBe(320);
  });

  test('of a mounted ext4 that the kernel refuses is done by recovery after the unmount, as the remedy says', async () => {
    make('ext4');
    host.admin.mount(device, '/mnt/a');
    host.fault({ tool: 'resize2fs', mode: 'fails before' });

    const error = await rejectionOf(resize('max'));

    expect(JSON.stringify(error)).toContain('"remedy":"resize it unmounted: umount /mnt/a; bofh recover"');
    host.admin.umount('/mnt/a');
    await recoverAll(host);
    expect(await sizeNow()).toBe(512);
  });

  test.each([
    [
      'a third size',
      () => host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid, blocks: 90000 }),
    ],
    ['another filesystem', () => host.admin.format(device, { type: 'xfs', usage: 'filesystem', uuid: 'f0' })],
  ])('leaves %s alone, and says so', async (_, meanwhile) => {
    make('ext4');

    const { error } = await undone('max', meanwhile);

    expect(error).toBeInstanceOf(RolledBackError);
    expect((error as RolledBackError).leftUntouched).toHaveLength(1);
  });

  test('recognises a killed resize2fs by its flag, and leaves errors that e2fsck cannot repair to an administrator', async () => {
    make('ext4');

    const { error } = await undone('max', () =>
      host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid, blocks: 81920, errors: true }),
    );

    expect(error).toBeInstanceOf(StuckError);
    // `bofh filesystem check` is refused while this journal is open.
    expect(JSON.stringify(error)).toContain(`"remedy":"e2fsck -f -y ${device}; bofh recover"`);
    host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid, blocks: 81920 });
    await recoverAll(host);
    expect(await openJournals(bofhOn(host).engine)).toEqual([]);
  });
});

test('its manual recovery names the device of a btrfs by its number, which need not be 1', () => {
  const of = { device, type: 'btrfs', uuid, blockSize: 4096, from: 100, to: 200, when: 'now' } as const;
  const undo: ResizeUndo = { ...of, identity: 'i', key: 'k', container: 'c', mark: 'm', devid: 2 };

  expect(operation.describe?.({ undo, way: 'back' }).clear[1]).toEqual([
    ...['btrfs', 'filesystem', 'resize', '2:409600', '/mnt'],
  ]);
});

describe('an act after the commit', () => {
  test('is finished by recovery, once the device is unused', async () => {
    make('xfs');
    host.fault({ tool: 'xfs_growfs', argvIncludes: '-D', mode: 'fails before', times: 99 });

    const error = await rejectionOf(resize('max'));

    expect(error).toBeInstanceOf(StuckError);
    expect((error as StuckError).committed).toBe(true);
    expect(await sizeNow()).toBe(320);
    host.clearFaults();
    await recoverAll(host);
    expect(await sizeNow()).toBe(512);
  });
});

describe('is refused before anything changes', () => {
  const refused = async (size: number | 'max', words: RegExp): Promise<void> => {
    const before = host.snapshot();
    const error = await rejectionOf(resize(size));
    expect(error).toBeInstanceOf(RefusedError);
    expect((error as RefusedError).message).toMatch(words);
    expect((error as RefusedError).remedy).toBeDefined();
    expect(host.snapshot()).toBe(before);
  };

  test.each([
    ['xfs', 200 * mebibyte, /xfs, which cannot be shrunk/],
    ['ext4', 1 * mebibyte, /too small: its ext4 needs .*, for its content/],
    ['btrfs', 200 * mebibyte, /needs 256 MiB .*the smallest btrfs that the kernel allows/],
    ['ext4', 600 * mebibyte, /has 512 MiB, but 600 MiB was requested/],
    ['vfat', 'max', /holds vfat: bofh cannot change its size/],
    ['swap', 'max', /holds swap: bofh cannot change its size/],
  ] as const)('%s to %s', async (type, size, words) => {
    make(type);
    await refused(size, words);
  });

  test('a mounted ext4 is not shrunk, and the mount is named', async () => {
    make('ext4');
    host.admin.mount(device, '/mnt/a');
    await refused(200 * mebibyte, /cannot be shrunk while it is mounted.*mounted on \/mnt\/a/);
  });

  test('an ext4 with errors', async () => {
    make('ext4', 320, { errors: true });
    await refused('max', /with errors/);
  });

  test('a filesystem larger than its device', async () => {
    make('ext4', 600);
    await refused('max', /the end of the filesystem is missing/);
  });

  test('a device without a filesystem', async () => {
    make('ext4');
    host.admin.format(device, undefined);
    await refused('max', /holds nothing, which is not a filesystem/);
  });

  test('the disk of a guest, whoever else has it mounted', async () => {
    make('btrfs');
    const number = `${host.world.dmMajor}:${[...host.world.active.values()].at(-1) ?? 0}`;
    host.admin.startDomain({ name: 'web1', disks: [{ vdev: 'xvda', path: device, number }] });
    await refused('max', /in use: a disk of the guest/);
  });
});

describe('info', () => {
  test('reports size, used space, minimum and mounts', async () => {
    make('ext4');
    host.admin.mount(device, '/mnt/a');

    expect(await info(host, device)).toEqual({
      ...{ device: expect.stringMatching(/^\/dev\//) as unknown, type: 'ext4', uuid, label: null },
      ...{ size: 320 * mebibyte, used: 1024 * 4096, free: 320 * mebibyte - 1024 * 4096 },
      ...{ minimumSize: 1024 * 4096, blockSize: 4096, mountedOn: ['/mnt/a'] },
    });
  });

  test.each([
    ['xfs', 320 * mebibyte],
    ['vfat', 320 * mebibyte],
    ['btrfs', null],
    ['swap', 40960],
  ] as const)('of %s: can shrink to %s', async (type, minimumSize) => {
    make(type);
    expect(await info(host, device)).toMatchObject({ type, size: 320 * mebibyte, minimumSize });
  });
});
