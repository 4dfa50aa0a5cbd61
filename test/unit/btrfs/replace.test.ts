import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { replaceStart, replaceWait } from '../../../src/btrfs/device-commands.ts';
import { RolledBackError, StuckError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { onBtrfs, putState } from '../../../src/simulator/world/btrfs.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { afflict, largeVolume, pool, secondDevice } from '../../support/undo/specimens/btrfs.ts';
import { recorded } from '../blockdevice/fixtures.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';

const at = (name: string) => recorded(`btrfs/${name}@6.2`);

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  pool(host);
  largeVolume(host, 'spare');
});

const spare = '/dev/vg0/spare';
const path = '/srv/pool';
const does = (body: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
  withBofh(bofhOn(host), () => atomic('replaces', body));
const replace = (tx: Tx, more: object = {}) =>
  tx.btrfs.replaceDevice({ path, device: '/dev/vg0/pool', by: spare, ...more });

test('the commands and the progress are those recorded with btrfs-progs 6.2', () => {
  expect(['btrfs', ...replaceStart({ devid: 1, target: '/dev/loop2', path: '/mnt/d' }).argv]).toEqual(
    at('replace').argv,
  );
  const { argv, progress } = replaceWait('/mnt/d');
  expect(['btrfs', ...argv]).toEqual(at('replace-wait').argv);
  expect(progress?.('')).toBeUndefined();
  expect(progress?.(at('replace-wait').stdout)).toBe(0.141);
  expect(progress?.(`0.0% done, ${at('replace-wait').stdout}`)).toBe(0.141);
  const { classify } = replaceStart({ devid: 1, target: '', path: '' });
  expect(classify?.(at('replace-busy'))).toBe('busy');
  expect(classify?.(at('replace-small'))).toBe('unknown');
});

test('runs after the commit, and leaves the old device blank', async () => {
  await does(async (tx) => {
    await replace(tx);
    expect(host.snapshot()).toContain('now vg0/spare holds blank');
    await tx.btrfs.createSubvolume({ path: `${path}/new` });
  });
  expect(host.snapshot()).toContain('now vg0/pool holds blank');
  expect(await host.readDir(path)).toContain('new');
  expect(host.admin.readFile(`${path}/home/kept`)).toBe('what was there before\n');
});

test('a device with a copy of the same filesystem is refused with a remedy that works', async () => {
  const uuid = '5e1f0000-0000-4000-8000-000000000001';
  host.admin.format(spare, { type: 'btrfs', usage: 'filesystem', uuid });

  const error = await failureOf(does((tx) => replace(tx, { overwrite: { uuid } })));
  expect(error).toHaveProperty(
    'remedy',
    `if it is unused, erase its signature first: bofh block wipe ${spare} --overwrite ${uuid}`,
  );

  await does((tx) => tx.block.wipe({ device: spare, overwrite: [uuid] }));
  await does((tx) => replace(tx));
});

test('does not run in a sequence that fails', async () => {
  const before = host.snapshot();
  const failed = does(async (tx) => {
    await replace(tx);
    throw new Error('later');
  });
  expect(await failureOf(failed)).toBeInstanceOf(RolledBackError);
  expect(host.snapshot()).toBe(before);
});

test('overwrites content of the new device only when it is named', async () => {
  host.admin.format(spare, { type: 'ext4', usage: 'filesystem', uuid: 'named' });
  await does((tx) => replace(tx, { overwrite: { uuid: 'named' } }));
  expect(host.snapshot()).not.toContain('ext4 named');
  expect(host.snapshot()).toContain('now vg0/pool holds blank');
});

describe('concurrent changes', () => {
  test('data written to the new device before the commit stays', async () => {
    await does(async (tx) => {
      await replace(tx);
      host.admin.format(spare, { type: 'ext4', usage: 'filesystem', uuid: 'theirs' });
    });
    expect(host.snapshot()).toContain('ext4 theirs');
    expect(host.snapshot()).not.toContain('now vg0/pool holds blank');
  });

  test('a balance started before the commit: stuck until it ends', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await replace(tx);
        afflict(host, path, { balance: 'running' });
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect(String((error as StuckError).blocked[0]?.why)).toMatch(/another operation runs on/);
    endBalance();
    await recoverAll(host);
    expect(host.snapshot()).toContain('now vg0/pool holds blank');
  });

  test('a full filesystem: stuck, with the commands that free space, and finished then', async () => {
    const stderr = 'ERROR: ioctl(DEV_REPLACE_START) failed on "/srv/pool": No space left on device';
    host.fault({ tool: 'btrfs', argvIncludes: 'replace', mode: 'fails before', exitCode: 1, stderr });
    const error = await failureOf(does((tx) => replace(tx)));
    expect(String((error as StuckError).blocked[0]?.why)).toMatch(/too full to replace a device/);
    host.clearFaults();
    await recoverAll(host);
    expect(host.snapshot()).toContain('now vg0/pool holds blank');
  });

  test('the old device removed before the commit: nothing is left to do', async () => {
    secondDevice(host);
    await does(async (tx) => {
      await replace(tx);
      host.admin.btrfs('device', 'remove', '/dev/vg0/pool', path);
    });
    expect(host.snapshot()).toContain('now vg0/spare holds blank');
  });
});

describe('is refused before anything changes', () => {
  test.each<readonly [string, () => void, (tx: Tx) => Promise<unknown>, RegExp]>([
    [
      'one that is smaller',
      () => void secondDevice(host),
      (tx) => replace(tx, { device: 2, by: small() }),
      /has only 120 MiB; the device that it replaces has 160 MiB/,
    ],
    [
      'one that holds something',
      () => host.admin.format(spare, { type: 'ext4', usage: 'filesystem' }),
      replace,
      /holds ext4/,
    ],
    [
      'a copy of it',
      () => host.admin.format(spare, { type: 'btrfs', usage: 'filesystem', uuid: own }),
      (tx) => replace(tx, { overwrite: { uuid: own } }),
      /copy of the same/,
    ],
    [
      'a device of another filesystem',
      () => undefined,
      (tx) => replace(tx, { device: spare }),
      /is not a device of the btrfs/,
    ],
    [
      'a number that no device has',
      () => undefined,
      (tx) => replace(tx, { device: 7 }),
      /7 is not a device of the btrfs/,
    ],
    [
      'during a balance',
      () => afflict(host, path, { balance: 'paused' }),
      replace,
      /a balance of .* is paused/,
    ],
    [
      'overwriting nothing that is named',
      () => undefined,
      (tx) => replace(tx, { overwrite: {} }),
      /must name the content/,
    ],
  ])('%s', async (_what, stage, body, words) => {
    stage();
    const error = await failureOf(does(body));
    expect(String(error)).toMatch(words);
    expect(error).not.toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).not.toContain('now vg0/pool holds blank');
  });
});

const own = '5e1f0000-0000-4000-8000-000000000001';

function small(): string {
  host.admin.lvcreate({ vg: 'vg0', name: 'small', extents: 30 });
  return '/dev/vg0/small';
}

function endBalance(): void {
  const there = onBtrfs(host.world, path);
  if (there === undefined) throw new TypeError('the pool is not mounted');
  const { balance: _, ...rest } = there.state;
  putState(host.world, there.mount, rest);
  host.world.revision += 1;
}
