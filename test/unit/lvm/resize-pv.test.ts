import { beforeEach, describe, expect, test } from 'vitest';
import * as lvm from '../../../src/api/lvm.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RolledBackError, StuckError } from '../../../src/core/errors.ts';
import { pvresize, pvStarts } from '../../../src/lvm/pv-commands.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulate, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';
import { failNow } from '../../support/rejection.ts';
import { expectRefused, expectUndone } from '../simulator/recovery.ts';

const mib = 1024 ** 2;
const device = '/dev/vdz';
const uuid = 'free00-0000-0000-0000-0000-0000-000001';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost({
    disks: [{ name: 'vdz', size: 64 * mib }],
    volumeGroups: [{ name: 'vg0', size: 33 * mib }],
  });
  host.admin.format(device, { type: 'LVM2_member', usage: 'raid', uuid, version: 'LVM2 001' });
  host.admin.vgextend('vg0', device, { extents: 10 });
});

type Args = Parameters<Tx['lvm']['resizePv']>[0];
const does = (body: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
  withBofh(bofhOn(host), () => atomic('sizes', body));
const resize = (more: Partial<Args> = {}) => does((tx) => tx.lvm.resizePv({ device, ...more }));
const extents = (): number | undefined => host.world.lvm[0]?.pvs.find((pv) => pv.uuid === uuid)?.extents;
/** The first disk has 8 extents, and all of them are in use; so are these of the second. */
const use = (count: number): void => void host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 8 + count });

const refused = async (work: Promise<unknown>): Promise<string> => String(await expectRefused(host, work));

test('a physical volume grows to its device, in whole extents', async () => {
  expect(await resize()).toEqual({ device, uuid, size: 60 * mib });
  expect(extents()).toBe(15);
});

test('or shrinks to the given size, if no volume is there', async () => {
  use(3);
  await resize({ size: '14m' });
  expect(extents()).toBe(3);
});

test('the current size is a success, without a sequence', async () => {
  const made = await withBofh(bofhOn(host), () => lvm.resizePv({ device, size: '42m' }));

  expect(made).toEqual({ device, uuid, size: 40 * mib });
  expect(host.changes).toEqual([]);
});

describe('is refused, and nothing changes', () => {
  test('where a volume would lose extents; it is named', async () => {
    use(4);
    expect(await refused(resize({ size: '14m' }))).toMatch(/vg0\/a has extents at the end of \/dev\/vdz/);
  });

  test('beyond the device, which pvresize would accept', async () => {
    expect(await refused(resize({ size: '80m' }))).toMatch(
      /has 64 MiB: a physical volume of 80 MiB does not fit/,
    );
  });

  test('without space for one extent, and at the current size', async () => {
    expect(await refused(resize({ size: '4m' }))).toContain('is too small for one extent');
    expect(await refused(resize({ size: '41m' }))).toContain('has that size already: 10 extents');
  });

  test('for one that is in no group', async () => {
    host.admin.vgreduce('vg0', device);
    expect(await refused(resize())).toContain('is in no volume group');
  });
});

describe('undone', () => {
  test.each([{}, { size: '20m' }])('it has its old size again (%j)', async (more) => {
    await expectUndone(host, () =>
      does(async (tx) => {
        await tx.lvm.resizePv({ device, ...more });
        await failNow();
      }),
    );
  });

  test('is stuck while a foreign volume is there, which is named, and finishes once it is gone', async () => {
    const before = host.snapshot();
    const error = await failureOf(
      does(async (tx) => {
        await tx.lvm.resizePv({ device });
        use(12);
        await failNow();
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect(JSON.stringify((error as StuckError).blocked)).toContain('vg0/a has extents at the end');
    expect(extents()).toBe(15);

    host.admin.lvremove('vg0', 'a');
    await recoverAll(host.restart());

    expect(host.snapshot()).toBe(before);
  });

  test('leaves a third size of others alone', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await tx.lvm.resizePv({ device });
        host.admin.vgreduce('vg0', device);
        host.admin.vgextend('vg0', device, { extents: 12 });
        await failNow();
      }),
    );

    expect((error as RolledBackError).leftUntouched.join()).toContain('has 48 MiB now');
    expect(extents()).toBe(12);
  });
});

test('a volume of an older step on it is undone too', async () => {
  const before = host.snapshot();

  await failureOf(
    does(async (tx) => {
      await tx.lvm.resizePv({ device });
      await tx.lvm.createLv({ vg: 'vg0', name: 'b', size: '88m' });
      await failNow();
    }),
  );

  expect(host.snapshot()).toBe(before);
});

test('its plan has the change of the run, also where extents start elsewhere, as on an array', async () => {
  const pvs = host.world.lvm[0]?.pvs.map((pv) => ({ ...pv, start: 4 * mib })) ?? [];
  host.world.lvm = host.world.lvm.map((vg) => ({ ...vg, pvs }));
  const plan = await simulate(host);
  const argv = (on: SimulatedHost): unknown =>
    on.changes.flatMap((change) => (change.what === 'command' ? [change.command.argv] : []));

  await withBofh(bofhOn(plan), () => lvm.resizePv({ device, size: '30m' }));
  await withBofh(bofhOn(host), () => lvm.resizePv({ device, size: '30m' }));

  expect(argv(plan)).toEqual([['--yes', '--setphysicalvolumesize', `${(4 + 6 * 4) * mib}b`, device]]);
  expect(argv(host)).toEqual(argv(plan));
});

describe('the commands', () => {
  test('say the size in bytes, and answer the one question', () => {
    expect(pvresize({ device, size: 5 * mib, udev: 'running' }).argv).toEqual([
      '--yes',
      '--setphysicalvolumesize',
      '5242880b',
      device,
    ]);
  });

  test('read where extents start, and parse every row', () => {
    const answer = (pv: unknown) => ({
      exitCode: 0,
      stdout: JSON.stringify({ report: [{ pv }] }),
      stderr: '',
    });
    expect(
      pvStarts()
        .parse(answer([{ pv_uuid: 'x', pe_start: '1048576' }]))
        .get('x'),
    ).toBe(mib);
    expect(() => pvStarts().parse(answer([{ pv_uuid: 'x' }]))).toThrow();
    expect(() => pvStarts().parse(answer([{ pv_uuid: 'x', pe_start: '1m' }]))).toThrow();
  });
});
