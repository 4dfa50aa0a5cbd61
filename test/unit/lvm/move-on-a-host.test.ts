import { beforeEach, describe, expect, test } from 'vitest';
import * as lvm from '../../../src/api/lvm.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { RolledBackError, StuckError, UsageError } from '../../../src/core/errors.ts';
import { abortMove, pvmove } from '../../../src/lvm/operations/move-pv.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { failureOf } from '../concurrency/support.ts';
import { argvOf, bofhOn, recoverAll } from '../simulator/support.ts';
import { optionWords, runVerb } from '../cli/support/run-verb.ts';
import { failNow } from '../../support/rejection.ts';
import { expectRefused } from '../simulator/recovery.ts';

let host: SimulatedHost;
/** A group of three devices of 15 extents: `a` in two pieces on the first one, with `b` in between. */
beforeEach(() => {
  host = simulatedHost({
    disks: ['vdx', 'vdy', 'vdz'].map((name) => ({ name, size: 64 * 1024 ** 2 })),
  });
  const devices = ['/dev/vdx', '/dev/vdy', '/dev/vdz'];
  for (const device of devices) {
    const uuid = `free00-0000-0000-0000-0000-0000-${device.slice(-3)}000`;
    host.admin.format(device, { type: 'LVM2_member', usage: 'raid', uuid, version: 'LVM2 001' });
  }
  host.admin.vgcreate('data', devices);
  host.admin.lvcreate({ vg: 'data', name: 'a', extents: 4 });
  host.admin.lvcreate({ vg: 'data', name: 'b', extents: 3 });
  host.admin.lvextend('data', 'a', 10);
});

type Args = Parameters<Tx['lvm']['movePv']>[0];
const does = (body: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
  withBofh(bofhOn(host), () => atomic('move', body));
const moves = (more: Partial<Args> = {}) => does((tx) => tx.lvm.movePv({ device: '/dev/vdx', ...more }));
const group = () => {
  const vg = host.world.lvm.find(({ name }) => name === 'data');
  if (vg === undefined) throw new Error('no group');
  return vg;
};
const volume = (name: string) => group().lvs.find((lv) => lv.name === name);
/** `vdx:0+4 vdy:0+2` */
const lies = (name: string): string =>
  (volume(name)?.runs ?? [])
    .map(({ pv, start, count }) => {
      const path = group().pvs.find(({ uuid }) => uuid === pv)?.path ?? '';
      return `${path.slice('/dev/'.length)}:${start}+${count}`;
    })
    .join(' ');
const ran = (): readonly string[] => argvOf(host, 'pvmove').map((argv) => argv.slice(2).join(' '));

const refused = (work: Promise<unknown>, kind?: Parameters<typeof expectRefused>[2]) =>
  expectRefused(host, work, kind);

describe('the argv', () => {
  const [from, to] = [
    { path: '/dev/vdx', start: 4, count: 3 },
    { path: '/dev/disk/by-path/a:b', start: 0, count: 3 },
  ];
  test('moves one range to another, in the foreground; it may be ended half-way', () => {
    expect(pvmove({ vg: 'data', name: 'a', from, to, udev: 'running' })).toMatchObject({
      ...{ tool: 'pvmove', access: 'change', stop: 'safe' },
      argv: [
        ...['--config', 'global{use_lvmpolld=0}', '--name', 'data/a', '--interval', '1'],
        ...['/dev/vdx:4-6', String.raw`/dev/disk/by-path/a\:b:0-2`],
      ],
    });
    expect(abortMove({ path: '/dev/vdx', udev: 'running' }).argv.slice(2)).toEqual(['--abort', '/dev/vdx']);
  });

  test('reports progress by its last line', () => {
    const { progress } = pvmove({ vg: 'data', name: 'a', from, to, udev: 'absent' });
    expect(progress?.('  /dev/vdx: Moved: 5.50%\n  /dev/vdx: Moved: 42.50%\n')).toBe(0.425);
    expect(progress?.('')).toBeUndefined();
  });
});

describe('movePv', () => {
  test('moves all extents of a device, each range to extents that were chosen before', async () => {
    expect(lies('a')).toBe('vdx:0+4 vdx:7+6');
    expect(await moves()).toMatchObject({ device: '/dev/vdx', extents: 13, volumes: ['a', 'b'] });
    expect([lies('a'), lies('b')]).toEqual(['vdy:0+4 vdy:7+6', 'vdy:4+3']);
  });

  test('or those of one volume, to the named devices, in parts where there is no space for the whole', async () => {
    host.admin.lvcreate({ vg: 'data', name: 'taken', extents: 2 });
    host.admin.lvcreate({ vg: 'data', name: 'taken2', extents: 11 });
    await moves({ to: ['/dev/vdy', '/dev/vdz'], volume: { vg: 'data', name: 'a' } });

    expect(lies('a')).toBe('vdy:11+4 vdz:0+6');
    expect(lies('b')).toBe('vdx:4+3');
  });

  test('a later failure restores the same extents', async () => {
    const before = host.snapshot();
    const error = await failureOf(
      does(async (tx) => {
        await tx.lvm.movePv({ device: '/dev/vdx' });
        await failNow();
      }),
    );

    expect(String(error)).toContain('the script failed');
    expect(host.snapshot()).toBe(before);
    expect(ran().at(-1)).toBe('--name data/a --interval 1 /dev/vdy:0-3 /dev/vdx:0-3');
  });

  test('one sequence moves everything and removes the old device', async () => {
    await does(async (tx) => {
      await tx.lvm.movePv({ device: '/dev/vdx' });
      await tx.lvm.reduceVg({ vg: 'data', devices: ['/dev/vdx'] });
      await tx.lvm.removePv({ device: '/dev/vdx' });
    });
    expect(group().pvs.map(({ path }) => path)).toEqual(['/dev/vdy', '/dev/vdz']);
  });

  test('recovery undoes the move of a killed lvm, and what was moved before', async () => {
    const before = host.snapshot();
    host.fault({ tool: 'pvmove', nth: 2, mode: 'crash here' });
    await failureOf(moves());
    host.clearFaults();
    host.admin.beginMove('data', 'b', '/dev/vdx:4-6', '/dev/vdy:4-6');
    const next = host.restart();
    await recoverAll(next);

    expect(next.snapshot()).toBe(before);
    expect(ran()).toContain('--abort /dev/vdx');
  });

  test.each([1, 2, 3])('recovery moves it back after a kill after piece %i', async (nth) => {
    const before = host.snapshot();
    host.fault({ tool: 'pvmove', nth, mode: 'acts then crash' });
    await failureOf(moves());
    host.clearFaults();
    const next = host.restart();
    await recoverAll(next);

    expect(next.snapshot()).toBe(before);
  });

  test('foreign volumes on the old extents stay: stuck, and they are named', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await tx.lvm.movePv({ device: '/dev/vdx' });
        host.admin.lvcreate({ vg: 'data', name: 'theirs', extents: 1 });
        await failNow();
      }),
    );

    expect(error).toBeInstanceOf(StuckError);
    expect((error as StuckError).message).toContain('data/theirs');
    expect(lies('theirs')).toBe('vdx:0+1');
    // Extents that no other volume took are back in their place.
    expect([lies('a'), lies('b')]).toEqual(['vdy:0+4 vdx:7+6', 'vdx:4+3']);
  });

  test('moves back to a device on which lvm may not allocate, and leaves it so', async () => {
    group().pvs = group().pvs.map((pv) => (pv.path === '/dev/vdx' ? { ...pv, allocatable: 'no' } : pv));
    const before = host.snapshot();
    const error = await failureOf(
      does(async (tx) => [await tx.lvm.movePv({ device: '/dev/vdx' }), await failNow()]),
    );

    expect(error).toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);
  });

  test('names the group of which the old device is no member any more, and is undone once it is', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await tx.lvm.movePv({ device: '/dev/vdx' });
        host.admin.vgreduce('data', '/dev/vdx');
        await failNow();
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect((error as StuckError).blocked).toMatchObject([
      {
        why: expect.stringMatching(
          /^\/dev\/vdx \(uuid \S+\) is not in the volume group data any more, but in none$/,
        ) as string,
        remedy: 'add it again: vgextend data /dev/vdx; then: bofh recover',
      },
    ]);

    host.admin.vgextend('data', '/dev/vdx');
    await recoverAll(host.restart());
    expect(lies('a')).toBe('vdx:0+4 vdx:7+6');
  });

  test('skips a volume that was removed meanwhile', async () => {
    await failureOf(
      does(async (tx) => {
        await tx.lvm.movePv({ device: '/dev/vdx' });
        host.admin.lvremove('data', 'b');
        await failNow();
      }),
    );
    expect(lies('a')).toBe('vdx:0+4 vdx:7+6');
    expect(volume('b')).toBeUndefined();
  });

  test('notices a program that reports a move and did nothing', async () => {
    const before = host.snapshot();
    host.fault({ tool: 'pvmove', mode: 'no effect, exit 0' });
    expect(String(((await failureOf(moves())) as Error).cause)).toContain(
      'pvmove did not move the extents of data/a',
    );
    expect(host.snapshot()).toBe(before);
  });
});

describe('is refused, and nothing changes', () => {
  test('an inactive volume, which lvm would activate', async () => {
    host.world.active.delete(volume('b')?.uuid ?? '');
    const error = await refused(moves());
    expect(String(error)).toContain('data/b is not active');
    expect(error.remedy).toContain('bofh lvm activate data/b');
  });

  test('while lvm moves in the group, or was interrupted', async () => {
    host.admin.beginMove('data', 'b', '/dev/vdx:4-6', '/dev/vdy:4-6');
    expect(String(await refused(moves()))).toContain(
      'extents of data are being moved, or a move was interrupted',
    );
  });

  test('without space on the allowed devices', async () => {
    host.admin.lvcreate({ vg: 'data', name: 'c', extents: 20 });
    expect(String(await refused(moves({ to: ['/dev/vdy'] })))).toContain(
      'there is not enough free space for',
    );
  });

  test('a volume that has nothing on the device', async () => {
    expect(String(await refused(moves({ device: '/dev/vdz' })))).toContain('/dev/vdz has no extents to move');
  });

  test.each([
    [{ to: ['/dev/vdx'] }, 'cannot be a target'],
    [{ to: ['/dev/vdy', '/dev/vdy'] }, 'is named twice'],
    [{ volume: { vg: 'vg0', name: 'a' } }, 'is in another group'],
  ])('%o', async (more, words) => {
    expect(String(await refused(moves(more), UsageError))).toContain(words);
  });

  test('to a device of another group', async () => {
    expect(String(await refused(moves({ to: ['/dev/vdb'] })))).toContain('not in the volume group data');
  });

  test.each([
    ['cache', { layout: 'cache' }, 'cannot be moved by bofh'],
    ['the spare of the pools', { role: 'private,pool,spare' }, 'spare metadata volume of lvm'],
  ])('%s', async (_, more, words) => {
    Object.assign(volume('b') ?? {}, more);
    expect(String(await refused(moves()))).toContain(words);
  });
});

describe('the destination of a move', () => {
  test('of a raid copy is not a device with another copy of it', async () => {
    const parts = { a: 'r_rimage_0', b: 'r_rimage_1' } as const;
    for (const [name, part] of Object.entries(parts)) {
      const lv = volume(name);
      if (lv !== undefined) Object.assign(lv, { name: part, role: 'private,raid,image' });
    }
    const other = volume('r_rimage_1');
    if (other !== undefined) {
      other.runs = [{ pv: group().pvs[1]?.uuid ?? '', start: 0, count: 3 }];
    }
    await moves();
    expect(lies('r_rimage_0')).toBe('vdz:0+10');
  });

  test('of a part of a pool follows its pool, and is not a device without allocation', async () => {
    const lv = volume('b');
    if (lv !== undefined) Object.assign(lv, { name: 'pool_tdata', role: 'private,thin,pool,data' });
    host.admin.lvcreate({ vg: 'data', name: 'pool', extents: 1 });
    const [, second] = group().pvs;
    if (second !== undefined) Object.assign(second, { allocatable: 'no' });
    await moves({ volume: { vg: 'data', name: 'pool' } });
    expect(lies('pool_tdata')).toBe('vdz:0+3');
    expect(lies('a')).toBe('vdx:0+4 vdx:7+6');
  });
});

describe('bofh lvm pv move', () => {
  const says = async (...[device, options]: [string, Record<string, string>]) => {
    const { runtime, stdout } = testRuntime(simulatedBofh({ host }), { json: true });
    expect(await runVerb(runtime, ['lvm', 'pv', 'move', device, ...optionWords(options)])).toBe(0);
    return answers.lvmPvMove.parse(JSON.parse(stdout()));
  };

  test('reports what it moved; an empty device is a success, without a sequence', async () => {
    const moved = { device: '/dev/vdx', extents: 10, volumes: ['a'] };
    expect(await says('/dev/vdx', { to: '/dev/vdy,/dev/vdz', volume: 'data/a' })).toMatchObject(moved);
    const changes = host.changes.length;
    expect(await says('/dev/vdz', {})).toMatchObject({ extents: 0, volumes: [] });
    expect(host.changes.length).toBe(changes);
  });

  test('is refused inside another sequence', async () => {
    const work = does(async () => lvm.movePv({ device: '/dev/vdx' }));
    expect(await failureOf(work)).toBeInstanceOf(UsageError);
  });
});
