import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { RefusedError, StuckError, UsageError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, ranOf } from '../simulator/support.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { failNow } from '../../support/rejection.ts';
import { expectUndone } from '../simulator/recovery.ts';

const mib = 1024 ** 2;
let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
});

type Asked = Parameters<Tx['lvm']['createThinPool']>[0];
const does = (body: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
  withBofh(bofhOn(host), () => atomic('thin', body));
const pool = (tx: Tx, asked: Omit<Asked, 'vg' | 'name'> = { size: '64m' }) =>
  tx.lvm.createThinPool({ vg: 'vg0', name: 'pool', ...asked });
const thin = (tx: Tx, asked: { size?: string; extents?: string } = { size: '1g' }) =>
  tx.lvm.createLv({ vg: 'vg0', name: 'a', pool: 'pool', ...asked });
const volume = (name: string) => host.world.lvm[0]?.lvs.find((lv) => lv.name === name);
const names = () => (host.world.lvm[0]?.lvs ?? []).map(({ name }) => name).sort();
const ran = (): readonly string[] => ranOf(host, 'lvcreate');

describe('createThinPool', () => {
  test.each([
    [{ size: '64m' }, { size: 64, metadata: 4, chunk: 1 / 16 }],
    [{ extents: 5 }, { size: 20, metadata: 4, chunk: 1 / 16 }],
    [
      { size: '64m', metadataSize: '9m', chunkSize: '1m' },
      { size: 64, metadata: 12, chunk: 1 },
    ],
    [{ size: '7g' }, { size: 7168, metadata: 8, chunk: 1 / 16 }],
  ])('%j', async (asked, { size, metadata, chunk }) => {
    expect(await does((tx) => pool(tx, asked))).toMatchObject({
      ...{ vg: 'vg0', name: 'pool', uuid: volume('pool')?.uuid },
      ...{ size: size * mib, metadataSize: metadata * mib, chunkSize: chunk * mib },
    });
    expect(ran()).toEqual([
      expect.stringMatching(
        new RegExp(
          `^--type thin-pool --name pool --extents ${size / 4} --poolmetadatasize ${metadata * mib}b --poolmetadataspare n --chunksize ${chunk * mib}b --zero y --addtag bofh\\.\\S+ vg0$`,
        ),
      ),
    ]);
  });

  test('uses larger chunks in a large pool, like lvm', async () => {
    host = simulatedHost({ volumeGroups: [{ name: 'vg0', size: 2 * 1024 ** 4 }] });
    expect(await does((tx) => pool(tx, { size: '1t' }))).toMatchObject({
      ...{ chunkSize: 256 * 1024, metadataSize: 256 * mib },
    });
  });

  test.each([
    ['no size', {}, UsageError, /size is missing: pass size or extents/],
    ['odd chunks', { size: '64m', chunkSize: '100k' }, UsageError, /not possible/],
    ['chunks larger than the pool', { size: '64m', chunkSize: '128m' }, UsageError, /larger than the pool/],
    ['little metadata', { size: '64m', metadataSize: '1m' }, UsageError, /metadata of 1 MiB/],
    ['more than there is', { size: '1t' }, RefusedError, /vg0 has .* free/],
    ['data that leave no room for metadata', { extents: '100%FREE' }, RefusedError, /vg0 has .* free/],
  ])('refuses %s', async (_, asked, kind, message) => {
    const error = await failureOf(does((tx) => pool(tx, asked)));
    expect(error).toBeInstanceOf(kind);
    expect(String(error)).toMatch(message);
    expect(ran()).toEqual([]);
  });

  test('is undone with its volumes', async () => {
    await expectUndone(host, () =>
      does(async (tx) => {
        await pool(tx);
        await thin(tx);
        await tx.lvm.createSnapshot({ vg: 'vg0', origin: 'a', name: 'monday' });
        await failNow();
      }),
    );
  });

  test('is stuck, and removes nothing, while a foreign volume is in it', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await pool(tx);
        host.admin.thinVolume({ vg: 'vg0', name: 'theirs', pool: 'pool', extents: 3 });
        await failNow();
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect((error as StuckError).message).toContain('vg0/theirs');
    expect(names()).toEqual(['pool', 'theirs']);
  });

  test('notices a program that exits 0 and does nothing', async () => {
    host.fault({ tool: 'lvcreate', mode: 'no effect, exit 0' });
    expect(String(await failureOf(does((tx) => pool(tx))))).toMatch(/created no thin pool/);
  });
});

describe('createLv in a pool', () => {
  beforeEach(() => {
    host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 16 });
  });

  test('uses no space of the group, may be larger than the pool, and reports the overcommitment', async () => {
    const free = () => (host.world.lvm[0]?.lvs ?? []).reduce((sum, { runs = [] }) => sum + runs.length, 0);
    const before = free();
    expect(await does((tx) => thin(tx))).toMatchObject({
      ...{ path: '/dev/vg0/a', size: 1024 * mib },
      pool: { name: 'pool', size: 64 * mib, promised: 1024 * mib },
    });
    expect(volume('a')).toMatchObject({ pool: volume('pool')?.uuid });
    expect(free()).toBe(before);
    expect(ran()[0]).toMatch(
      /^--type thin --name a --virtualsize 1073741824b --thinpool pool --addtag bofh\.\S+ vg0$/,
    );
  });

  test('rounds its virtual size to extents', async () => {
    expect(await does((tx) => thin(tx, { size: '5m' }))).toMatchObject({ size: 8 * mib });
  });

  test.each([
    ['full of data', () => host.admin.fill('vg0', 'pool', { data: 95.01 }), /is full \(data 95.01 %/],
    ['full of metadata', () => host.admin.fill('vg0', 'pool', { data: 1, metadata: 96 }), /metadata 96 %/],
    ['of unknown usage', () => host.world.active.clear(), /is unknown/],
    ['gone', () => host.admin.lvremove('vg0', 'pool'), /no logical volume vg0\/pool/],
    [
      'no pool',
      () => {
        host.admin.lvremove('vg0', 'pool');
        host.admin.lvcreate({ vg: 'vg0', name: 'pool', extents: 2 });
      },
      /is not a thin pool/,
    ],
  ])('is refused when the pool is %s', async (_, arrange, message) => {
    arrange();
    const error = await failureOf(does((tx) => thin(tx)));
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toMatch(message);
    expect(ran()).toEqual([]);
  });

  test('is refused when the pool fills up after both checks, just before the act', async () => {
    let asked = 0;
    host.faults.watch(({ tool }) => {
      asked += tool === 'lvm' ? 1 : 0;
      if (asked === 3) host.admin.fill('vg0', 'pool', { data: 99 });
    });
    expect(String(await failureOf(does((tx) => thin(tx))))).toMatch(/is full/);
    expect(names()).toEqual(['pool']);
  });
});

describe('at the command line', () => {
  test('bofh lvm pool create, and a volume in it that overcommits', async () => {
    const first = testRuntime(simulatedBofh({ host }), { json: true });
    expect(await runVerb(first.runtime, 'lvm pool create vg0/pool --size 64m --chunk-size 128k')).toBe(0);
    expect(answers.lvmPoolCreate.parse(JSON.parse(first.stdout()))).toEqual({
      ...{ pool: 'vg0/pool', uuid: volume('pool')?.uuid },
      ...{ size: 64 * mib, metadataSize: 4 * mib, chunkSize: mib / 8 },
    });

    const { runtime, stdout } = testRuntime(simulatedBofh({ host }));
    expect(await runVerb(runtime, 'lvm create vg0/a --size 1g --pool pool')).toBe(0);
    expect(stdout()).toContain(
      'the volumes in the pool pool can grow to 1 GiB, but it has 64 MiB: watch its usage',
    );

    const quiet = testRuntime(simulatedBofh({ host: simulatedHost() }));
    await runVerb(quiet.runtime, 'lvm create vg0/b --size 8m');
    expect(quiet.stdout()).toBe('/dev/vg0/b exists, 8 MiB\n');
  });
});
