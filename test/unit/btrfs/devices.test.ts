import { beforeEach, describe, expect, test } from 'vitest';
import { deviceNode } from '../../../src/blockdevice/index.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { deviceAdd, deviceRemove, filesystemDevices } from '../../../src/btrfs/device-commands.ts';
import { addDevice } from '../../../src/btrfs/operations/add-device.ts';
import { RefusedError, RolledBackError, StuckError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { onBtrfs, putState } from '../../../src/simulator/world/btrfs.ts';
import type { Superblock } from '../../../src/simulator/world/parts.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { afflict, largeVolume, pool, secondDevice } from '../../support/undo/specimens/btrfs.ts';
import { recorded } from '../blockdevice/fixtures.ts';
import { withUnreadable } from '../blockdevice/unreadable.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';
import { unnamed } from '../simulator/sweep.ts';
import { expectRecovery } from '../simulator/recovery.ts';

const at = (name: string) => recorded(`btrfs/${name}@6.2`);
const gib = 1024 ** 3;

describe('what btrfs-progs 6.2 says', () => {
  test('is the recorded command', () => {
    const of = { device: '/dev/loop2', path: '/mnt/d' };
    expect(['btrfs', ...deviceAdd(of).argv]).toEqual(at('device-add').argv);
    expect(['btrfs', ...deviceRemove({ ...of, device: '/dev/loop1' }).argv]).toEqual(
      at('device-remove-last').argv,
    );
    expect(['btrfs', ...filesystemDevices('/mnt/d').argv]).toEqual(at('devices').argv);
  });

  test('lists devices: all, one that is being removed, a missing one', () => {
    const { parse } = filesystemDevices('');
    expect(parse(at('devices'))).toEqual([
      { devid: 1, size: 629145600, allocated: 92274688, path: '/dev/loop1' },
      { devid: 2, size: 629145600, allocated: 0, path: '/dev/loop2' },
    ]);
    expect(parse(at('devices-removing'))[0]).toMatchObject({ devid: 1, size: 0, allocated: 226492416 });
    expect(parse(at('devices-replacing'))[0]).toMatchObject({ devid: 0, path: '/dev/loop1' });
    expect(parse(at('devices-missing'))[0]).toEqual({ devid: 1, size: 0, allocated: 0, path: undefined });
  });

  test('refuses a list of devices without any one line or with an invalid number', () => {
    const said = at('devices');
    const { parse } = filesystemDevices('');
    const lines = said.stdout.split('\n');
    for (let nth = 0; nth < lines.length; nth += 1)
      expect(() => parse({ ...said, stdout: lines.toSpliced(nth, 1).join('\n') })).toThrow();
    for (const word of ['devid    1', 'size 629145600', 'used 0', 'Total devices 2'])
      expect(() => parse({ ...said, stdout: said.stdout.replace(word, 'x') })).toThrow();
  });

  test.each([
    ['device-remove-busy', 'busy'],
    ['device-add-busy', 'busy'],
    ['device-remove-full', 'no-space'],
    ['device-add-missing', 'not-found'],
    ['device-remove-last', 'unknown'],
    ['device-remove-raid1', 'unknown'],
    ['device-remove-foreign', 'unknown'],
    ['device-add-holds', 'unknown'],
    ['device-add-small', 'unknown'],
  ])('%s: %s', (name, reason) => {
    expect(at(name).exitCode).toBe(1);
    expect(deviceRemove({ device: '', path: '' }).classify?.(at(name))).toBe(reason);
  });
});

describe('on a host', () => {
  let host: SimulatedHost;
  const withPool = (): SimulatedHost => {
    const made = simulatedHost();
    pool(made);
    largeVolume(made, 'spare');
    return made;
  };
  beforeEach(() => {
    host = withPool();
  });

  const spare = '/dev/vg0/spare';
  const first = '/dev/vg0/pool';
  const path = '/srv/pool';
  const does = (body: (tx: Tx) => Promise<unknown>, on = host): Promise<unknown> =>
    withBofh(bofhOn(on), () => atomic('devices', body));
  const failNow = async (): Promise<never> => Promise.reject(new Error('later'));
  const add = (tx: Tx, device = spare) => tx.btrfs.addDevice({ path, device });
  const remove = (tx: Tx, device = spare) => tx.btrfs.removeDevice({ path, device });
  const state = (change: object): void => {
    const there = onBtrfs(host.world, path);
    if (there === undefined) throw new TypeError('the pool is not mounted');
    putState(host.world, there.mount, { ...there.state, ...change });
  };

  test('the filesystem moves to another device while a subvolume is created', async () => {
    await does(async (tx) => {
      expect(await add(tx)).toMatchObject({ devid: 2, device: spare });
      await tx.btrfs.createSubvolume({ path: `${path}/new` });
      await remove(tx, first);
    });
    expect(host.snapshot()).toContain('now lv:vg0/pool holds blank'.replace('lv:', ''));
    expect(host.admin.readFile(`${path}/home/kept`)).toBe('what was there before\n');
    expect(await host.readDir(path)).toContain('new');
  });

  test.each<readonly [string, (tx: Tx) => Promise<unknown>]>([
    ['a device that comes', add],
    ['one that comes and goes', async (tx) => [await add(tx), await remove(tx)]],
    ['one that comes for another one, which goes', async (tx) => [await add(tx), await remove(tx, first)]],
  ])(
    '%s: everything is undone when the sequence fails later, or by recovery after any kill',
    async (_, body) => {
      const plain = (on: SimulatedHost): string =>
        unnamed(on.snapshot()).replaceAll(/^mount .*\/srv\/pool.*$/gm, 'the pool');
      expect(await failureOf(does(async (tx) => [await body(tx), await failNow()]))).toBeInstanceOf(
        RolledBackError,
      );
      const also = [plain(host)];
      await expectRecovery({ start: withPool, work: (on) => does(body, on), plain, also });
    },
  );

  describe('concurrent changes', () => {
    /** Just before the act: when the step is written down. */
    const justBefore = (act: () => void): void => {
      let isBegun = false;
      let hasActed = false;
      host.faults.watch(({ tool }) => {
        if (tool === 'store') isBegun = true;
        else if (isBegun && !hasActed) {
          hasActed = true;
          act();
        }
      });
    };

    test('a device added just before the act stays', async () => {
      justBefore(() => host.admin.btrfs('device', 'add', spare, path));
      const error = await failureOf(does((tx) => add(tx)));
      expect(String(error)).toMatch(/is a device of \/srv\/pool now: changed concurrently/);
      expect((error as RolledBackError).cause).toBeInstanceOf(RefusedError);
      expect(host.snapshot()).toContain('device 2');
    });

    test('a device removed just before the act is not added again', async () => {
      secondDevice(host);
      justBefore(() => host.admin.btrfs('device', 'remove', '/dev/vg0/more', path));
      const error = await failureOf(does((tx) => remove(tx, '/dev/vg0/more')));
      expect((error as RolledBackError).cause).toBeInstanceOf(RefusedError);
      expect(host.snapshot()).not.toContain('device 2');
    });

    test('data written to the device just before the act stays', async () => {
      justBefore(() => host.admin.format(spare, { type: 'ext4', usage: 'filesystem', uuid: 'theirs' }));
      expect(String(await failureOf(does((tx) => add(tx))))).toMatch(/holds ext4, uuid theirs now/);
      expect(host.snapshot()).toContain('ext4 theirs');
    });

    test('a device that replaced it just before the act stays', async () => {
      secondDevice(host);
      justBefore(() => {
        host.admin.btrfs('device', 'remove', '/dev/vg0/more', path);
        host.admin.btrfs('device', 'add', '/dev/vg0/more', path);
      });
      expect(String(await failureOf(does((tx) => remove(tx, '/dev/vg0/more'))))).toMatch(
        /is another device now/,
      );
      expect(host.snapshot()).toContain('device 2');
    });

    /** The superblock that it had, on a device that is out: what a power cut may leave. */
    const leaveSuperblock = (of: { readonly storage: string; readonly superblock: Superblock }): void => {
      host.world.live.set(of.storage, { superblock: of.superblock });
      host.world.revision += 1;
    };
    const superblockOn = (name: string) => {
      const storage = `lv:${host.world.lvm[0]?.lvs.find((lv) => lv.name === name)?.uuid ?? ''}`;
      const superblock = host.world.live.get(storage)?.superblock;
      if (superblock === undefined) throw new TypeError(`${name} holds nothing`);
      return { storage, superblock };
    };

    test('a power cut after the removal: old data on the device does not prevent its addition', async () => {
      secondDevice(host);
      const before = superblockOn('more');
      const error = await failureOf(
        does(async (tx) => {
          await remove(tx, '/dev/vg0/more');
          leaveSuperblock(before);
          await failNow();
        }),
      );
      expect(error).toBeInstanceOf(RolledBackError);
      expect(host.snapshot()).toContain('device 2');
    });

    test('a power cut during the addition: unreadable data does not count as blank', async () => {
      const args = { path, device: spare };
      const undo = await addDevice.prepare({ args, mark: 'bofh.0a.1', host });
      expect(await addDevice.look({ undo, host })).toEqual({ state: 'gone' });
      const { path: node } = await deviceNode(host, spare);

      await expect(addDevice.look({ undo, host: withUnreadable(host, node) })).rejects.toThrow(
        /blkid finds nothing on/,
      );
    });

    test('a power cut during the addition: leftovers are wiped', async () => {
      const error = await failureOf(
        does(async (tx) => {
          await add(tx);
          const made = superblockOn('spare');
          host.admin.btrfs('device', 'remove', spare, path);
          leaveSuperblock(made);
          await failNow();
        }),
      );
      expect(error).toBeInstanceOf(RolledBackError);
      expect(host.snapshot()).toContain('now vg0/spare holds blank');
    });

    test('a removed device that is in use again is not overwritten', async () => {
      secondDevice(host);
      const error = await failureOf(
        does(async (tx) => {
          await remove(tx, '/dev/vg0/more');
          host.admin.format('/dev/vg0/more', { type: 'ext4', usage: 'filesystem', uuid: 'theirs' });
          await failNow();
        }),
      );
      expect(error).toBeInstanceOf(RolledBackError);
      expect(host.snapshot()).toContain('ext4 theirs');
    });

    test('a conversion that needs the device: stuck until it is converted back', async () => {
      const error = await failureOf(
        does(async (tx) => {
          await add(tx);
          state({ metadataProfile: 'RAID1' });
          await failNow();
        }),
      );
      expect(error).toBeInstanceOf(StuckError);
      expect(String((error as StuckError).blocked[0]?.why)).toMatch(/RAID1, which needs 2 devices/);
      state({ metadataProfile: 'DUP' });
      await recoverAll(host);
      expect(host.snapshot()).not.toContain('device 2');
    });
  });

  describe('is refused before anything changes', () => {
    test.each<readonly [string, () => void, (tx: Tx) => Promise<unknown>, RegExp]>([
      [
        'one that is too small',
        () => host.admin.lvcreate({ vg: 'vg0', name: 'tiny', extents: 2 }),
        (tx) => add(tx, '/dev/vg0/tiny'),
        /btrfs needs 109 MiB/,
      ],
      [
        'one that holds something',
        () => host.admin.format(spare, { type: 'ext4', usage: 'filesystem', uuid: 'theirs' }),
        add,
        /holds ext4, uuid theirs/,
      ],
      [
        'one that is in it already',
        () => void secondDevice(host),
        (tx) => add(tx, '/dev/vg0/more'),
        /is a device of the btrfs on \/srv\/pool already/,
      ],
      [
        'a copy of it',
        () =>
          host.admin.format(spare, {
            type: 'btrfs',
            usage: 'filesystem',
            uuid: '5e1f0000-0000-4000-8000-000000000001',
          }),
        (tx) =>
          tx.btrfs.addDevice({
            path,
            device: spare,
            overwrite: { uuid: '5e1f0000-0000-4000-8000-000000000001' },
          }),
        /copy of the same filesystem/,
      ],
      [
        'one, during a balance',
        () => afflict(host, path, { balance: 'running' }),
        add,
        /another operation runs on .*: balance; wait until it ends: bofh btrfs balance status \/srv\/pool$/,
      ],
      [
        'overwriting content that does not exist',
        () => undefined,
        (tx) => tx.btrfs.addDevice({ path, device: spare, overwrite: { type: 'ext4' } }),
        /is blank/,
      ],
      [
        'overwriting nothing that is named',
        () => undefined,
        (tx) => tx.btrfs.addDevice({ path, device: spare, overwrite: {} }),
        /must name the content/,
      ],
      [
        'removing the last one',
        () => undefined,
        (tx) => remove(tx, first),
        /has no other device.*bofh block wipe \/dev\/vg0\/pool --overwrite [-0-9a-f]{36}$/,
      ],
      [
        'removing one of another filesystem',
        () => undefined,
        (tx) => remove(tx),
        /is not a device of the btrfs/,
      ],
      [
        'removing one of two that raid1 needs',
        () => {
          secondDevice(host);
          state({ metadataProfile: 'RAID1' });
        },
        (tx) => remove(tx, first),
        /Metadata of \/srv\/pool is RAID1, which needs 2 devices; 1 would be left/,
      ],
      [
        'removing one while another is missing',
        () => {
          secondDevice(host);
          state({ missing: gib });
        },
        (tx) => remove(tx, first),
        /devices of the btrfs on .* are missing/,
      ],
      [
        'removing one of an unknown profile',
        () => {
          secondDevice(host);
          state({ metadataProfile: 'RAID9' });
        },
        (tx) => remove(tx, first),
        /needs an unknown number of/,
      ],
      [
        'removing one whose content has no room',
        () => {
          secondDevice(host);
          state({ used: gib / 8 });
        },
        (tx) => remove(tx, '/dev/vg0/more'),
        /contains 128 MiB, but its other devices have only 64 MiB/,
      ],
      [
        'removing one, while a balance waits',
        () => {
          secondDevice(host);
          afflict(host, path, { balance: 'paused' });
        },
        (tx) => remove(tx, first),
        /a balance of .* is paused; continue it: btrfs balance resume/,
      ],
    ])('%s', async (_what, stage, body, words) => {
      stage();
      const before = host.snapshot();
      const error = await failureOf(does(body));
      expect(error instanceof RefusedError ? `${String(error)}; ${error.remedy}` : String(error)).toMatch(
        words,
      );
      expect(error).not.toBeInstanceOf(RolledBackError);
      if (error instanceof RefusedError) expect(error.remedy).not.toBe('');
      expect(host.snapshot()).toBe(before);
    });
  });
});
