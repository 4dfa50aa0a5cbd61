import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { RefusedError, StuckError, UsageError } from '../../../src/core/errors.ts';
import { lvmerge, refresh, waitMerged } from '../../../src/lvm/operations/merge-snapshot.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import type { Runtime } from '../../../src/cli/runtime/runtime.ts';

const merge = (runtime: Runtime<unknown>, volume: string) =>
  runVerb(runtime, ['lvm', 'snapshot', 'merge', volume]);

const ext4 = (uuid: string) => ({ type: 'ext4', usage: 'filesystem', uuid, version: '1.0' }) as const;

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 8, tags: ['kept'] });
  host.admin.format('/dev/vg0/a', ext4('before'));
  host.admin.snapshot({ vg: 'vg0', name: 'monday', origin: 'a', extents: 2 });
  host.admin.format('/dev/vg0/a', ext4('since'));
});

const does = (body: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
  withBofh(bofhOn(host), () => atomic('merge', body));
const merged = (tx: Tx, name = 'monday') => tx.lvm.mergeSnapshot({ vg: 'vg0', name });
const volume = (name: string) => host.world.lvm[0]?.lvs.find((lv) => lv.name === name);
const on = (name: string) => host.world.live.get(`lv:${volume(name)?.uuid ?? ''}`)?.superblock?.uuid;
const ran = (): readonly string[] =>
  host.changes.flatMap((each) =>
    each.what === 'command' ? [`${each.command.tool} ${each.command.argv.join(' ')}`] : [],
  );
const notes = (text: string) => expect.stringContaining(text) as string;

/** As lvconvert leaves it when it is killed, or when one of both was open. */
function noteMerge(): void {
  const lv = volume('monday');
  if (lv !== undefined) lv.merging = true;
}

describe('the argv', () => {
  const named = { vg: 'vg0', name: 'a', udev: 'running' } as const;
  test('of both types, in the foreground', () => {
    expect(lvmerge({ ...named, sort: 'classic' })).toMatchObject({
      ...{ tool: 'lvconvert', access: 'destroy' },
      argv: ['--config', 'global{use_lvmpolld=0}', '--mergesnapshot', '--interval', '1', 'vg0/a'],
    });
    expect(lvmerge({ ...named, sort: 'thin' }).argv.slice(2)).toEqual(['--mergethin', 'vg0/a']);
    expect(refresh({ ...named, uuid: 'u' }).argv).toEqual([
      ...['--refresh', '--poll', 'n', '--select', 'lv_uuid=u', 'vg0/a'],
    ]);
    expect(waitMerged({ ...named, udev: 'absent' })).toMatchObject({
      tool: 'lvm',
      argv: [
        ...['lvpoll', '--config', 'activation{udev_sync=0 udev_rules=0}'],
        ...['--polloperation', 'merge', '--interval', '1', 'vg0/a'],
      ],
    });
  });

  test('reports progress by its last line', () => {
    const { progress } = lvmerge({ ...named, sort: 'classic' });
    expect(progress?.('  vg0/a: Merged: 3.10%\n  vg0/a: Merged: 42.50%\n')).toBe(0.425);
    expect(progress?.('  Merging of volume vg0/monday started.\n')).toBeUndefined();
  });
});

describe('mergeSnapshot', () => {
  test('restores the content after the commit; the origin keeps its name, UUID and tags', async () => {
    const origin = volume('a');
    await does(async (tx) => {
      await merged(tx);
      expect(on('a')).toBe('since');
    });
    expect(on('a')).toBe('before');
    expect(volume('a')).toMatchObject({ uuid: origin?.uuid, tags: ['kept'] });
    expect(volume('monday')).toBeUndefined();
  });

  test('does not run when the sequence fails', async () => {
    const before = host.snapshot();
    await failureOf(
      does(async (tx) => {
        await merged(tx);
        throw new Error('no');
      }),
    );
    expect(host.snapshot()).toBe(before);
  });

  test('merges a thin one, with an active or inactive origin', async () => {
    for (const name of ['one', 'two']) {
      host.admin.thinPool({ vg: 'vg0', name: `pool-${name}`, extents: 4 });
      const thin = { vg: 'vg0', pool: `pool-${name}`, extents: 8 };
      host.admin.thinVolume({ ...thin, name });
      host.admin.thinVolume({ ...thin, name: `${name}-monday`, origin: name });
      if (name === 'two') host.world.active.delete(volume(name)?.uuid ?? '');
      await does((tx) => merged(tx, `${name}-monday`));
      expect(volume(`${name}-monday`)).toBeUndefined();
    }
    expect(ran().filter((line) => line.includes('--mergethin'))).toHaveLength(2);
  });

  test.each([
    ['the origin', 'a'],
    ['the snapshot', 'monday'],
  ])('is refused while %s is mounted, and says what lvm would do', async (_, name) => {
    host.admin.mount(`/dev/vg0/${name}`, '/mnt');
    expect(await failureOf(does((tx) => merged(tx)))).toMatchObject({
      message: notes('would postpone the merge to the next activation'),
      remedy: notes('umount'),
    });
    expect(ran()).toEqual([]);
  });

  test.each([
    ['the snapshot is full', () => host.admin.fill('vg0', 'monday', { data: 95 }), /is full/],
    [
      'another snapshot of the origin is full',
      () => {
        host.admin.snapshot({ vg: 'vg0', name: 'sunday', origin: 'a', extents: 1 });
        host.admin.fill('vg0', 'sunday', { data: 99 });
      },
      /vg0\/sunday is full/,
    ],
    ['the origin is not active', () => host.world.active.clear(), /is not active: lvm would postpone/],
    ['it is being merged already', noteMerge, /already/],
  ])('is refused when %s', async (_, arrange, message) => {
    arrange();
    const error = await failureOf(does((tx) => merged(tx)));
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toMatch(message);
    expect(ran()).toEqual([]);
  });

  test('is refused for a volume that is no snapshot', async () => {
    expect(await failureOf(does((tx) => merged(tx, 'a')))).toBeInstanceOf(UsageError);
  });

  test('is stuck when the origin is opened before the commit, and recovery finishes it later', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await merged(tx);
        host.admin.mount('/dev/vg0/a', '/mnt');
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect((error as StuckError).message).toContain('/mnt');
    expect(on('a')).toBe('since');

    host.admin.umount('/mnt');
    await recoverAll(host);
    expect(on('a')).toBe('before');
  });

  test('is continued after an interruption: nothing is left in the background', async () => {
    host.faults.watch(({ tool }) => {
      if (tool === 'lvconvert') noteMerge();
    });
    host.fault({ tool: 'lvconvert', mode: 'fails before' });
    expect(await failureOf(does((tx) => merged(tx)))).toBeInstanceOf(StuckError);
    host.clearFaults();

    await recoverAll(host);

    expect(on('a')).toBe('before');
    expect(volume('monday')).toBeUndefined();
    expect(ran().map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual(
      expect.arrayContaining(['lvchange --refresh', 'lvm lvpoll']),
    );
  });

  test.each([
    ['removes what lvm left of a finished merge, whose last act a power cut took', 0n, undefined],
    ['leaves alone a volume that was split off and has data of its own', 7n, 'monday'],
  ])('%s', async (_, firstChunk, left) => {
    host.faults.watch(({ tool }) => {
      const lv = volume('monday');
      if (tool !== 'lvconvert' || lv?.origin === undefined) return;
      Object.assign(lv, { origin: undefined });
      // dm-snap-persistent.c: magic, valid, version and chunk size; then the exceptions.
      const bytes = new DataView(new ArrayBuffer(8192));
      for (const [at, word] of [0x70416e53, 1, 1, 8].entries()) bytes.setUint32(at * 4, word, true);
      bytes.setBigUint64(4096 + 8, firstChunk, true);
      host.admin.format('/dev/vg0/monday', undefined);
      host.admin.writeBytes('/dev/vg0/monday', 0, new Uint8Array(bytes.buffer));
    });
    host.fault({ tool: 'lvconvert', mode: 'fails before' });
    await failureOf(does((tx) => merged(tx)));
    host.clearFaults();

    await recoverAll(host);

    expect(volume('monday')?.name).toBe(left);
    expect(volume('a')).toBeDefined();
  });

  test('notices that lvm postponed it, exit 0', async () => {
    const isNoted = (): boolean => volume('monday')?.merging === true;
    host.faults.watch(({ tool }) => {
      if (tool === 'lvconvert' && !isNoted()) noteMerge();
    });
    host.fault({ tool: 'lvconvert', mode: 'no effect, exit 0' });
    const error = await failureOf(does((tx) => merged(tx)));
    expect(error).toBeInstanceOf(StuckError);
    expect((error as StuckError).message).toContain('postponed the merge of vg0/monday');
  });
});

describe('bofh lvm snapshot merge', () => {
  test('asks, merges, and prints what it merged', async () => {
    const { runtime, stdout, stderr } = testRuntime(simulatedBofh({ host }), { json: true }, ['y']);
    expect(await merge(runtime, 'vg0/monday')).toBe(0);
    expect(stderr()).toContain('later changes will be lost');
    expect(answers.lvmSnapshotMerge.parse(JSON.parse(stdout()))).toEqual({
      ...{ volume: 'vg0/a', uuid: volume('a')?.uuid, path: '/dev/vg0/a', merged: 'vg0/monday' },
    });
  });

  test('names the other thin snapshots, which cannot be merged after that', async () => {
    host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 8 });
    await does(async (tx) => {
      await tx.lvm.createLv({ vg: 'vg0', name: 'one', size: '16m', pool: 'pool' });
      for (const name of ['one-monday', 'one-tuesday'])
        await tx.lvm.createSnapshot({ vg: 'vg0', origin: 'one', name });
    });
    const { runtime, stderr } = testRuntime(simulatedBofh({ host }), {}, ['y']);

    expect(await merge(runtime, 'vg0/one-monday')).toBe(0);

    expect(stderr()).toContain('these thin snapshots of it cannot be merged after that: vg0/one-tuesday');
    await expect(merge(runtime, 'vg0/one-tuesday')).rejects.toThrow('vg0/one-tuesday is not a snapshot');
  });

  test.each([
    ['no consent is given', 'vg0/monday', RefusedError],
    ['it is no snapshot', 'vg0/a', UsageError],
  ])('merges nothing when %s', async (_, name, kind) => {
    await expect(merge(testRuntime(simulatedBofh({ host })).runtime, name)).rejects.toBeInstanceOf(kind);
    expect(on('a')).toBe('since');
  });
});
