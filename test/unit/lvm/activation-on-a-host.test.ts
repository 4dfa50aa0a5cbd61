import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { RefusedError, RolledBackError, StuckError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, ranOf } from '../simulator/support.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { failNow } from '../../support/rejection.ts';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 8 });
  host.admin.format('/dev/vg0/a', { type: 'ext4', usage: 'filesystem', uuid: 'u', version: '1.0' });
  host.admin.snapshot({ vg: 'vg0', name: 'monday', origin: 'a', extents: 2 });
});

const does = (body: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
  withBofh(bofhOn(host), () => atomic('activation', body));
const off = (tx: Tx, name = 'a') => tx.lvm.deactivateLv({ vg: 'vg0', name });
const up = (tx: Tx, name = 'a') => tx.lvm.activateLv({ vg: 'vg0', name });
const volume = (name: string) => host.world.lvm[0]?.lvs.find((lv) => lv.name === name);
const active = () =>
  (host.world.lvm[0]?.lvs ?? []).filter(({ uuid }) => host.world.active.has(uuid)).map(({ name }) => name);
const ran = (): readonly string[] => ranOf(host, 'lvchange');
function thinSnapshot(): void {
  host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 4 });
  host.admin.thinVolume({ vg: 'vg0', name: 'thin', pool: 'pool', extents: 8 });
  const lv = host.admin.thinVolume({ vg: 'vg0', name: 'friday', pool: 'pool', extents: 8, origin: 'thin' });
  Object.assign(lv, { skipped: true });
  host.world.active.delete(lv.uuid);
}

describe('activateLv and deactivateLv', () => {
  test('deactivate a volume with its snapshots, and activate it again', async () => {
    await does((tx) => off(tx));
    expect(active()).toEqual([]);
    await does((tx) => up(tx));
    expect(active()).toEqual(['a', 'monday']);
    const uuid = volume('a')?.uuid ?? '';
    expect(ran()).toEqual(['n', 'y'].map((to) => `--activate ${to} --select lv_uuid=${uuid} vg0/a`));
  });

  test('are each undone by the other', async () => {
    expect(await failureOf(does(async (tx) => [await off(tx), await failNow()]))).toBeInstanceOf(
      RolledBackError,
    );
    expect(active()).toEqual(['a', 'monday']);
    host.world.active.clear();
    expect(await failureOf(does(async (tx) => [await up(tx), await failNow()]))).toBeInstanceOf(
      RolledBackError,
    );
    expect(active()).toEqual([]);
  });

  test('recognise a thin snapshot with the activation-skip flag', async () => {
    thinSnapshot();
    await does((tx) => up(tx, 'friday'));
    expect(active()).toContain('friday');
    expect(ran()[0]).toContain('--activate y --ignoreactivationskip');
    await failureOf(does(async (tx) => [await off(tx, 'friday'), await failNow()]));
    expect(active()).toContain('friday');
  });

  test('refuse a volume that is in use, itself or its snapshot, and name the holder', async () => {
    for (const name of ['a', 'monday']) {
      host.admin.mount(`/dev/vg0/${name}`, '/mnt');
      const error = await failureOf(does((tx) => off(tx)));
      expect(error).toBeInstanceOf(RefusedError);
      expect(error).toMatchObject({ message: expect.stringContaining('mounted on /mnt') as string });
      host.admin.umount('/mnt');
    }
    expect(ran()).toEqual([]);
  });

  test.each([
    ['a classic snapshot', (tx: Tx) => off(tx, 'monday'), /is active exactly while its origin is/],
    [
      'a pool with an active volume in it',
      (tx: Tx) => off(tx, 'pool'),
      /it contains active volumes: vg0\/thin/,
    ],
    ['what is active', (tx: Tx) => up(tx), /is active already/],
    ['what is not active', (tx: Tx) => off(tx, 'friday'), /is not active already/],
    ['what is not there', (tx: Tx) => off(tx, 'nope'), /no logical volume/],
  ])('refuse %s', async (_, act, message) => {
    thinSnapshot();
    const error = await failureOf(does(act));
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toMatch(message);
    expect(ran()).toEqual([]);
  });

  test('are stuck when the undo would deactivate it while in use, and name the holder', async () => {
    host.world.active.clear();
    const error = await failureOf(
      does(async (tx) => {
        await up(tx);
        host.admin.mount('/dev/vg0/a', '/mnt');
        await failNow();
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect((error as StuckError).message).toContain('/mnt');
    expect(active()).toContain('a');
  });

  test('leave alone a volume that others set back', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await off(tx);
        host.world.active.set(volume('a')?.uuid ?? '', 7);
        await failNow();
      }),
    );
    expect(error).toBeInstanceOf(RolledBackError);
    expect(ran()).toHaveLength(1);
  });

  test.each([1, 2, 3])('do not undo a concurrent change, before our read %i', async (moment) => {
    host.world.active.clear();
    let reads = 0;
    host.faults.watch(({ tool }) => {
      reads += tool === 'lvm' ? 1 : 0;
      if (tool === 'lvm' && reads === moment) host.world.active.set(volume('a')?.uuid ?? '', 7);
    });
    const error = await failureOf(does((tx) => up(tx)));
    expect(reads).toBeGreaterThanOrEqual(moment);
    expect(String(error)).toMatch(
      /active already|was changed concurrently: it is now vg0\/a, active; nothing was done/,
    );
    expect(active()).toEqual(['a']);
    expect(ran()).toEqual([]);
  });

  test('notice an lvchange that exits 0 and does nothing', async () => {
    host.fault({ tool: 'lvchange', mode: 'no effect, exit 0' });
    expect(String(await failureOf(does((tx) => off(tx))))).toMatch(/did not make vg0\/a .* inactive/);
  });
});

describe('bofh lvm activate and deactivate', () => {
  const typed = async (name: string, to: 'active' | 'inactive') => {
    const { runtime, stdout } = testRuntime(simulatedBofh({ host }), { json: true });
    expect(await runVerb(runtime, `lvm ${to === 'active' ? 'activate' : 'deactivate'} vg0/${name}`)).toBe(0);
    return answers.lvmActivation.parse(JSON.parse(stdout()));
  };

  test('report the state at the next boot, and do nothing when there is nothing to do', async () => {
    const { uuid } = volume('a') ?? {};
    expect(await typed('a', 'inactive')).toEqual({ volume: 'vg0/a', uuid, active: false, atBoot: true });
    expect(await typed('a', 'inactive')).toMatchObject({ active: false });
    expect(ran()).toHaveLength(1);
    expect(await typed('a', 'active')).toMatchObject({ active: true });
    thinSnapshot();
    expect(await typed('friday', 'active')).toMatchObject({ active: true, atBoot: false });
  });

  test('print text', async () => {
    const { runtime, stdout } = testRuntime(simulatedBofh({ host }));
    await runVerb(runtime, 'lvm deactivate vg0/a');
    expect(stdout()).toBe('vg0/a is not active; the next boot activates it\n');
  });
});
