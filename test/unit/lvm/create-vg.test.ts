import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RefusedError, RolledBackError, StuckError, UsageError } from '../../../src/core/errors.ts';
import { createVg } from '../../../src/lvm/operations.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { unnamed } from '../../../src/simulator/matrix/judge.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';
import { expectRecovery, expectUndone } from '../simulator/recovery.ts';
import { failNow } from '../../support/rejection.ts';

const mib = 1024 ** 2;
const [one, two] = ['/dev/vdw', '/dev/vdx'];
const label = (device: string): string => `free00-0000-0000-0000-0000-0000-${device.slice(-3)}000`;

function hostWithPvs(): SimulatedHost {
  const made = simulatedHost({ disks: ['vdw', 'vdx', 'vdy'].map((name) => ({ name, size: 64 * mib })) });
  for (const device of [one, two])
    made.admin.format(device, {
      type: 'LVM2_member',
      usage: 'raid',
      uuid: label(device),
      version: 'LVM2 001',
    });
  made.admin.lvcreate({ vg: 'vg0', name: 'blank', extents: 1 });
  return made;
}

let host: SimulatedHost;
beforeEach(() => {
  host = hostWithPvs();
});

type Args = Parameters<Tx['lvm']['createVg']>[0];
const does = (body: (tx: Tx) => Promise<unknown>, on = host): Promise<unknown> =>
  withBofh(bofhOn(on), () => atomic('groups', body));
const create = (more: Partial<Args> = {}): Promise<unknown> =>
  does((tx) => tx.lvm.createVg({ name: 'vg1', devices: [one, two], ...more }));
const groups = (on = host): readonly string[] => on.world.lvm.map(({ name }) => name);
const made = (on = host) => on.world.lvm.find(({ name }) => name === 'vg1');

test('a group of two devices, with its tag, the given tags, and the given extent size', async () => {
  const value = await create({ extentSize: '1m', tags: ['site'] });

  expect(value).toEqual({ name: 'vg1', uuid: made()?.uuid, extentSize: mib });
  expect(made()?.tags).toEqual([expect.stringMatching(/^bofh\.[0-9a-f]{12}\.1$/), 'site']);
  expect(made()?.pvs.map(({ path, extents }) => [path, extents])).toEqual([
    [one, 63],
    [two, 63],
  ]);
});

test('extents have 4 MiB by default', async () => {
  await create();
  expect(made()?.extentSize).toBe(4 * mib);
});

describe('is refused, and nothing changes', () => {
  test.each<readonly [string, Partial<Args>, RegExp]>([
    ['a name that another group has', { name: 'vg0' }, /there is a volume group "vg0" already/],
    ['a name that something else has below /dev', { name: 'null' }, /\/dev\/null exists/],
    [
      'a blank device',
      { devices: ['/dev/vdy'] },
      /is not a physical volume: it holds nothing .*pv create \/dev\/vdy/,
    ],
    [
      'a blank logical volume',
      { devices: ['/dev/vg0/blank'] },
      /\/dev\/vg0\/blank is not a physical volume: it holds nothing see every physical volume: bofh lvm pv list/,
    ],
    ['a device of another group', { devices: [one, '/dev/vdb'] }, /in the volume group vg0 already/],
    ['extents larger than a device', { extentSize: '64m' }, /an extent of 64 MiB does not fit/],
  ])('%s', async (_, more, words) => {
    const before = host.snapshot();

    const error = await failureOf(create(more));

    expect(error).toBeInstanceOf(RefusedError);
    expect(`${String(error)} ${String((error as RefusedError).remedy)}`).toMatch(words);
    expect(host.snapshot()).toBe(before);
  });

  test.each<readonly [string, Partial<Args>]>([
    ['a name with a slash', { name: 'a/b' }],
    ['a name that is too long', { name: 'v'.repeat(128) }],
    ['a device named twice', { devices: [one, one] }],
    ['extents of no power of 2', { extentSize: 3_000_000 }],
    ['a tag that would be a mark', { tags: ['bofh.x'] }],
  ])('%s, as a usage error', async (_, more) => {
    await expect(create(more)).rejects.toBeInstanceOf(UsageError);
  });

  test('no device at all', () => {
    expect(() => createVg.parseArgs({ name: 'vg1', devices: [] })).toThrow(UsageError);
  });
});

describe('undone', () => {
  const failsAfter = (act: () => void): Promise<unknown> =>
    failureOf(
      does(async (tx) => {
        await tx.lvm.createVg({ name: 'vg1', devices: [one, two] });
        act();
        await failNow();
      }),
    );

  test('makes its devices free physical volumes again', async () => {
    const before = host.snapshot();

    expect(await failsAfter(() => undefined)).toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);
  });

  test('works also when it was renamed', async () => {
    const before = host.snapshot();

    await failsAfter(() => {
      const vg = made();
      if (vg !== undefined) vg.name = 'vg9';
    });

    expect(host.snapshot()).toBe(before);
  });

  test('is stuck while a volume of others is in it, which is named, and finishes once that is gone', async () => {
    const before = host.snapshot();
    const error = await failsAfter(() => void host.admin.lvcreate({ vg: 'vg1', name: 'theirs', extents: 1 }));
    expect(error).toBeInstanceOf(StuckError);
    expect(JSON.stringify((error as StuckError).blocked)).toMatch(/vg1\/theirs/);
    expect(groups()).toEqual(['vg0', 'vg1']);

    host.admin.lvremove('vg1', 'theirs');
    await recoverAll(host.restart());

    expect(host.snapshot()).toBe(before);
  });

  test('is stuck while a device of others is in it, which is named', async () => {
    const error = await failsAfter(() => {
      const vg = made();
      const pv = {
        uuid: label('/dev/vdy'),
        path: '/dev/vdy',
        deviceSize: 64 * mib,
        extents: 15,
        number: '9:9',
      };
      if (vg !== undefined) vg.pvs = [...vg.pvs, pv];
    });

    expect(JSON.stringify((error as StuckError).blocked)).toMatch(/added \/dev\/vdy to the volume group vg1/);
    expect(groups()).toEqual(['vg0', 'vg1']);
  });

  test('leaves alone a foreign group of its name', async () => {
    const error = await failsAfter(() => {
      const vg = made();
      host.world.lvm = host.world.lvm.map((each) =>
        each === vg ? { ...each, tags: [], uuid: label('/dev/xxx') } : each,
      );
    });

    expect((error as RolledBackError).leftUntouched.join()).toContain('does not have the tag of this step');
    expect(groups()).toEqual(['vg0', 'vg1']);
  });
});

test('a concurrent group on one of the devices: nothing is done', async () => {
  const args = { name: 'vg1', devices: [one, two] };
  const undo = await createVg.prepare({ args, mark: 'bofh.0a.1', host });
  await does((tx) => tx.lvm.createVg({ name: 'theirs', devices: [two] }));
  const change = host.during({ outputs: '/nowhere', lock: -1 });

  const error = await failureOf(createVg.run({ args, undo, host: change }));

  expect(String(error)).toContain('in the volume group theirs already');
  expect(groups()).toEqual(['vg0', 'theirs']);
});

test('a device that became another physical volume meanwhile: nothing is done', async () => {
  const args = { name: 'vg1', devices: [one, two] };
  const undo = await createVg.prepare({ args, mark: 'bofh.0a.1', host });
  const uuid = 'theirs-0000-0000-0000-0000-0000-000001';
  host.admin.format(two, { type: 'LVM2_member', usage: 'raid', uuid, version: 'LVM2 001' });
  const change = host.during({ outputs: '/nowhere', lock: -1 });

  const error = await failureOf(createVg.run({ args, undo, host: change }));

  expect(error).toBeInstanceOf(RefusedError);
  expect(String(error)).toContain(`/dev/vdx is another physical volume now (${uuid}`);
  expect(groups()).toEqual(['vg0']);
});

test('cannot decide whether the group exists while all its devices are absent', async () => {
  const args = { name: 'vg1', devices: [one, two] };
  const undo = await createVg.prepare({ args, mark: 'bofh.0a.1', host });
  const away = {
    ...host.world,
    disks: host.world.disks.filter(({ name }) => name !== 'vdw' && name !== 'vdx'),
  };
  Object.assign(host.world, away, { revision: host.world.revision + 1 });

  expect(String(await failureOf(createVg.look({ undo, host })))).toMatch(/is missing.*unknown/);
});

/** Disks to volume in one sequence: each step on what the one before made. */
const stack = async (tx: Tx): Promise<void> => {
  const { device } = await tx.lvm.createPv({ device: '/dev/vdy' });
  await tx.lvm.createVg({ name: 'vg1', devices: [device, one] });
  const { path } = await tx.lvm.createLv({ vg: 'vg1', name: 'a', size: '16m' });
  await tx.filesystem.create({ device: path, type: 'ext4' });
};

describe('a device, a group, a volume and a filesystem in one sequence', () => {
  const known = new Set<string>();

  test('are all created', async () => {
    await does(stack);
    expect(made()?.lvs.map(({ name }) => name)).toEqual(['a']);
  });

  test('are all undone when the sequence fails afterwards', async () => {
    await expectUndone(host, () =>
      does(async (tx) => {
        await stack(tx);
        await failNow();
      }),
    );
  });

  test('are all undone by recovery, after a kill at any point', async () => {
    const plain = (on: SimulatedHost): string => unnamed(on.snapshot(), known);
    await expectRecovery({ start: hostWithPvs, work: (on) => does(stack, on), plain, moreThan: 3 });
  });
});
