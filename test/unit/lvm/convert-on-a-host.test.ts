import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { RefusedError, StuckError, UsageError } from '../../../src/core/errors.ts';
import { addCopy, dropCopy } from '../../../src/lvm/operations/convert-lv.ts';
import { waitSynced } from '../../../src/lvm/index.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';
import { optionWords, runVerb } from '../cli/support/run-verb.ts';
import { failNow } from '../../support/rejection.ts';
import { expectRefused } from '../simulator/recovery.ts';

const uuid = 'free00-0000-0000-0000-0000-0000-000001';

let host: SimulatedHost;
/** `a` is on /dev/vdb, in two pieces. */
beforeEach(() => {
  host = simulatedHost({ disks: [{ name: 'vdx', size: 64 * 1024 ** 2 }] });
  host.admin.format('/dev/vdx', { type: 'LVM2_member', usage: 'raid', uuid, version: 'LVM2 001' });
  host.admin.vgextend('vg0', '/dev/vdx');
  host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 4, tags: ['kept'] });
  host.admin.lvcreate({ vg: 'vg0', name: 'b', extents: 2 });
  host.admin.lvextend('vg0', 'a', 6);
});

type Args = Parameters<Tx['lvm']['convertLv']>[0];
const does = (body: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
  withBofh(bofhOn(host), () => atomic('convert', body));
const converts = (more: Partial<Args> = {}) =>
  does((tx) => tx.lvm.convertLv({ vg: 'vg0', name: 'a', to: 'raid1', ...more }));
const group = () => {
  const [vg] = host.world.lvm;
  if (vg === undefined) throw new Error('no group');
  return vg;
};
const volume = () => group().lvs.find(({ name }) => name === 'a');
const parts = () => (group().hidden ?? []).map(({ name }) => name);
const thenFails = (act: () => void, more: Partial<Args> = {}) =>
  does(async (tx) => {
    await tx.lvm.convertLv({ vg: 'vg0', name: 'a', to: 'raid1', ...more });
    act();
    await failNow();
  });

const refused = (work: Promise<unknown>, kind?: Parameters<typeof expectRefused>[2]) =>
  expectRefused(host, work, kind);

test('the argv answers the question, and names the removed copy by its devices', () => {
  const of = { vg: 'vg0', name: 'a', devices: ['/dev/vdx'], udev: 'running' } as const;
  expect(addCopy(of)).toMatchObject({
    ...{ tool: 'lvconvert', access: 'change' },
    argv: ['--type', 'raid1', '--mirrors', '1', '--yes', 'vg0/a', '/dev/vdx'],
  });
  expect(dropCopy(of)).toMatchObject({
    access: 'destroy',
    argv: ['--mirrors', '0', '--yes', 'vg0/a', '/dev/vdx'],
  });
});

describe('convertLv to raid1', () => {
  test('adds a copy on the first other device with space, and keeps UUID and tags', async () => {
    const was = volume();
    expect(await converts()).toEqual({ path: '/dev/vg0/a', to: 'raid1', devices: ['/dev/vdx'] });
    expect(volume()).toMatchObject({ uuid: was?.uuid, layout: 'raid,raid1', tags: ['kept'] });
    expect(parts()).toEqual(['a_rimage_0', 'a_rmeta_0', 'a_rimage_1', 'a_rmeta_1']);
  });

  test('a later failure removes that copy, and restores the same extents', async () => {
    const before = host.snapshot();
    await failureOf(thenFails(() => undefined));
    expect(host.snapshot()).toBe(before);
  });

  test('recovery removes the parts of a raid that a killed lvconvert created', async () => {
    const before = host.snapshot();
    host.fault({ tool: 'lvconvert', mode: 'crash here' });
    await failureOf(converts());
    host.clearFaults();
    host.admin.lvcreate({ vg: 'vg0', name: 'a_rmeta_0', extents: 1 });
    const next = host.restart();
    await recoverAll(next);
    expect(next.snapshot()).toBe(before);
  });

  test('is stuck when the raid is damaged, because the old copy may be lost', async () => {
    const error = await failureOf(thenFails(() => Object.assign(volume() ?? {}, { health: 'partial' })));
    expect(error).toBeInstanceOf(StuckError);
    expect(String(error)).toContain('vg0/a is not healthy (partial)');
    expect(parts()).toHaveLength(4);
  });

  const syncing = (image: string): void => {
    Object.assign(volume() ?? {}, { synced: 42.5 });
    Object.assign(group().hidden?.find(({ name }) => name === image) ?? {}, { outOfSync: true });
  };

  test('is undone while that copy is being synced', async () => {
    const before = host.snapshot();
    await failureOf(thenFails(() => syncing('a_rimage_1')));
    expect(host.snapshot()).toBe(before);
  });

  test('is stuck while the old copy is being synced from the new one', async () => {
    const error = await failureOf(thenFails(() => syncing('a_rimage_0')));
    expect(error).toBeInstanceOf(StuckError);
    expect(String(error)).toContain('the other copy is synced from vg0/a_rimage_1, which is not removed');
    expect(parts()).toHaveLength(4);
  });

  test('leaves alone a copy that others added since', async () => {
    await failureOf(
      thenFails(() => {
        for (const part of group().hidden ?? [])
          if (part.name.endsWith('_1'))
            part.runs = (part.runs ?? []).map((run) => ({ ...run, pv: group().pvs[0]?.uuid ?? '' }));
      }),
    );
    expect(volume()?.layout).toBe('raid,raid1');
  });
});

describe('convertLv to linear', () => {
  beforeEach(() => host.admin.addCopy('vg0', 'a', '/dev/vdx'));

  test('removes the last copy, after the commit', async () => {
    await does(async (tx) => {
      await tx.lvm.convertLv({ vg: 'vg0', name: 'a', to: 'linear' });
      expect(parts()).toHaveLength(4);
    });
    expect(volume()?.layout).toBeUndefined();
    expect(volume()?.runs?.map(({ pv }) => pv)).not.toContain(uuid);
  });

  test('or the one on the named device', async () => {
    await converts({ to: 'linear', device: '/dev/vdb' });
    expect(volume()?.runs).toEqual([{ pv: uuid, start: 1, count: 6 }]);
  });

  test('does not run when the sequence fails', async () => {
    const before = host.snapshot();
    await failureOf(thenFails(() => undefined, { to: 'linear' }));
    expect(host.snapshot()).toBe(before);
  });

  test('recovery removes it after a kill after the commit', async () => {
    host.fault({ tool: 'lvconvert', mode: 'crash here' });
    await failureOf(converts({ to: 'linear' }));
    host.clearFaults();
    const next = host.restart();
    await recoverAll(next);
    expect(next.world.lvm[0]?.lvs.find(({ name }) => name === 'a')?.layout).toBeUndefined();
  });

  test.each([
    [{ synced: 42.5 }, 'are not in sync yet (42.5 %)'],
    [{ health: 'refresh needed' }, 'is not healthy (refresh needed)'],
  ])('is refused while %o', async (state, words) => {
    Object.assign(volume() ?? {}, state);
    expect(String(await refused(converts({ to: 'linear' })))).toContain(words);
  });
});

describe('is refused, and nothing changes', () => {
  test('when it has that type already', async () => {
    expect(String(await refused(converts({ to: 'linear' }), UsageError))).toContain('is linear already');
  });

  test('when inactive', async () => {
    host.world.active.delete(volume()?.uuid ?? '');
    expect((await refused(converts())).remedy).toContain('bofh lvm activate vg0/a');
  });

  test('with a snapshot', async () => {
    host.admin.snapshot({ vg: 'vg0', name: 'monday', origin: 'a', extents: 1 });
    expect(String(await refused(converts()))).toContain('that have no snapshots');
  });

  test('with a copy on its own device', async () => {
    expect(String(await refused(converts({ device: '/dev/vdb' })))).toContain('would be lost with it');
  });

  test('without space for it on one device', async () => {
    host.admin.lvextend('vg0', 'a', 40);
    expect(String(await refused(converts({ device: '/dev/vdx' })))).toContain(
      '/dev/vdx has no space for a copy',
    );
    expect(String(await refused(converts()))).toContain('no other device of vg0 has space for a copy');
  });
});

describe('bofh lvm convert', () => {
  const says = async (to: 'raid1' | 'linear', options: Record<string, string | boolean>) => {
    const { runtime, stdout } = testRuntime(simulatedBofh({ host }), { json: true }, ['y']);
    expect(await runVerb(runtime, ['lvm', 'convert', 'vg0/a', to, ...optionWords(options)])).toBe(0);
    return answers.lvmConvert.parse(JSON.parse(stdout()));
  };

  test('accepts only raid1 and linear', async () => {
    const { runtime } = testRuntime(simulatedBofh({ host }));
    const work = runVerb(runtime, 'lvm convert vg0/a raid5');
    expect(await failureOf(work)).toBeInstanceOf(UsageError);
  });

  test('does not ask about the copy of a linear volume', async () => {
    const { runtime } = testRuntime(simulatedBofh({ host }));
    const work = runVerb(runtime, 'lvm convert vg0/a linear');
    expect(String(await failureOf(work))).toContain('vg0/a is linear already');
  });

  test('a signal during the sync: the answer says that the copy stays', async () => {
    const stop = new AbortController();
    const seen: SimulatedHost = {
      ...host,
      run: async (command) => {
        const made = await host.run(command);
        if (parts().length > 0 && volume()?.synced !== 12.5) {
          Object.assign(volume() ?? {}, { synced: 12.5 });
          stop.abort();
        }
        return made;
      },
    };
    const { runtime } = testRuntime(simulatedBofh({ host: seen }));
    const signals = { stop: stop.signal, abandon: new AbortController().signal };
    const error = await failureOf(runVerb({ ...runtime, signals }, 'lvm convert vg0/a raid1'));
    expect(error).toMatchObject({
      message: '"lvm convert" was stopped; the copy of vg0/a stays, and the kernel continues to sync it',
      remedy: 'see its progress: bofh lvm list',
    });
    expect(volume()?.synced).toBe(12.5);
  });

  test('waits until the copy is in sync, unless told not to; asks before a copy is removed', async () => {
    const copy = { volume: 'vg0/a', path: '/dev/vg0/a', devices: ['/dev/vdx'] };
    expect(await says('raid1', {})).toEqual({ ...copy, type: 'raid1', synced: true });
    expect(await says('linear', {})).toEqual({ ...copy, type: 'linear', synced: true });
    expect(await says('raid1', { atOnce: true })).toMatchObject({ synced: false });
  });
});

describe('waitSynced', () => {
  test('reports progress, and ends at the end', async () => {
    host.admin.addCopy('vg0', 'a', '/dev/vdx');
    Object.assign(volume() ?? {}, { synced: 12.5 });
    const told: number[] = [];
    const tell = (part: number): void => {
      told.push(part);
      Object.assign(volume() ?? {}, { synced: 100 });
    };
    await waitSynced(host, { vg: 'vg0', name: 'a', tell });
    expect(told).toEqual([0.125, 1]);
  });

  test('does not wait forever for a volume that is no raid, or damaged', async () => {
    const wait = (): Promise<unknown> => failureOf(waitSynced(host, { vg: 'vg0', name: 'a' }));
    expect(await wait()).toBeInstanceOf(RefusedError);
    host.admin.addCopy('vg0', 'a', '/dev/vdx');
    Object.assign(volume() ?? {}, { synced: 12.5, health: 'partial' });
    expect(String(await wait())).toContain('partial');
  });
});
