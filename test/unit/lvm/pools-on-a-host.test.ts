import { beforeEach, describe, expect, test } from 'vitest';
import { openJournals } from '../../../src/atomic/recovery/recover.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { RefusedError, RolledBackError, UsageError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, ranOf, recoverAll } from '../simulator/support.ts';
import { optionWords, runVerb } from '../cli/support/run-verb.ts';
import type { Runtime } from '../../../src/cli/runtime/runtime.ts';
import { failNow } from '../../support/rejection.ts';

const resizePool = (runtime: Runtime<unknown>, options: Parameters<typeof optionWords>[0]) =>
  runVerb(runtime, ['lvm', 'pool', 'resize', 'vg0/pool', ...optionWords(options)]);

const mib = 1024 ** 2;
const consent = 'lose the data beyond the new size';
let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 16 });
});

const does = (body: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
  withBofh(bofhOn(host), () => atomic('pools', body));
const volume = (name: string) => host.world.lvm[0]?.lvs.find((lv) => lv.name === name);
const names = () => (host.world.lvm[0]?.lvs ?? []).map(({ name }) => name).sort();
const withVolume = () => host.admin.thinVolume({ vg: 'vg0', name: 'a', pool: 'pool', extents: 16 });
const remove = async (tx: Tx, name: string) => tx.lvm.removeLv({ vg: 'vg0', name }).then(() => name);
const grow = async (tx: Tx, sizes: { size?: string; metadataSize?: string } = { size: '128m' }) =>
  tx.lvm.resizeThinPool({ vg: 'vg0', name: 'pool', ...sizes }).then(() => sizes);
const resize = (tx: Tx, size: string, shrink?: typeof consent) =>
  tx.lvm.resizeLv({ vg: 'vg0', name: 'a', size, ...(shrink === undefined ? {} : { shrink }) });
const ran = (tool: string): readonly string[] => ranOf(host, tool);

describe('removeLv of a thin pool', () => {
  test('renames it until the commit, and then removes it', async () => {
    await does(async (tx) => {
      await remove(tx, 'pool');
      expect(names()).toEqual([expect.stringMatching(/^bofh_gone_/)]);
    });
    expect(names()).toEqual([]);
  });

  test('is undone to its name, activation and activation-skip flag', async () => {
    const before = host.snapshot();
    expect(await failureOf(does(async (tx) => [await remove(tx, 'pool'), await failNow()]))).toBeInstanceOf(
      RolledBackError,
    );
    expect(host.snapshot()).toBe(before);
  });

  test('is refused while it contains a volume, which is named', async () => {
    withVolume();
    const before = host.snapshot();
    const error = await failureOf(does((tx) => remove(tx, 'pool')));
    expect(error).toBeInstanceOf(RefusedError);
    expect(error).toMatchObject({
      message: expect.stringContaining('vg0/a') as string,
      remedy: 'remove them first: bofh lvm remove vg0/a',
      holders: [expect.objectContaining({ kind: 'volume', volume: 'vg0/a' })],
    });
    expect(host.snapshot()).toBe(before);
  });

  test('removes its volumes with it, where the same sequence removes those first', async () => {
    withVolume();
    await does(async (tx) => [await remove(tx, 'a'), await remove(tx, 'pool')]);
    expect(names()).toEqual([]);
  });

  test('and both are restored, when that fails', async () => {
    withVolume();
    const before = host.snapshot();
    await failureOf(does(async (tx) => [await remove(tx, 'a'), await remove(tx, 'pool'), await failNow()]));
    expect(host.snapshot()).toBe(before);
  });

  test('keeps a foreign volume in it under a tombstone name of another sequence', async () => {
    host.admin.thinVolume({ vg: 'vg0', name: 'bofh_gone_0123456789ab_1', pool: 'pool', extents: 2 });
    expect(await failureOf(does((tx) => remove(tx, 'pool')))).toBeInstanceOf(RefusedError);
  });

  test('keeps it, after the commit, when another volume was created in it since', async () => {
    const error = await failureOf(
      does(async (tx) => {
        await remove(tx, 'pool');
        const name = names()[0] ?? '';
        host.admin.thinVolume({ vg: 'vg0', name: 'theirs', pool: name, extents: 2 });
      }),
    );
    expect(String(error)).toContain('vg0/theirs');
    expect(names()).toEqual([expect.stringMatching(/^bofh_gone_/), 'theirs']);
    host.admin.lvremove('vg0', 'theirs');
    await recoverAll(host);
    expect(names()).toEqual([]);
  });

  test('removes the spare of the last pool too, like lvm', async () => {
    await does((tx) => grow(tx, { metadataSize: '8m' }));
    expect(names()).toEqual(['lvol0_pmspare', 'pool']);
    await does((tx) => remove(tx, 'pool'));
    expect(names()).toEqual([]);
  });
});

describe('resizeThinPool', () => {
  test.each([
    ['its data', { size: '127m' }, [32, 1], ['--extents 32 vg0/pool']],
    ['its metadata', { metadataSize: '5m' }, [16, 2], ['--poolmetadatasize 8388608b vg0/pool']],
    [
      'both',
      { size: '128m', metadataSize: '8m' },
      [32, 2],
      ['--extents 32 --poolmetadatasize 8388608b vg0/pool'],
    ],
    ['what it has already', { size: '64m', metadataSize: '4m' }, [16, 1], []],
  ])('%s, after the commit', async (_, sizes, [data, metadata], commands) => {
    await does(async (tx) => {
      await grow(tx, sizes);
      expect(volume('pool')).toMatchObject({ extents: 16, moreExtents: 1 });
    });
    expect(volume('pool')).toMatchObject({ extents: data, moreExtents: metadata });
    expect(ran('lvextend')).toEqual(commands);
  });

  test('does not run when the sequence fails, because it has no inverse', async () => {
    const before = host.snapshot();
    await failureOf(does(async (tx) => [await grow(tx), await failNow()]));
    expect(host.snapshot()).toBe(before);
    expect(ran('lvextend')).toEqual([]);
  });

  test('gives a full pool space', async () => {
    host.admin.fill('vg0', 'pool', { data: 100 });
    await does((tx) => grow(tx));
    expect(volume('pool')).toMatchObject({ extents: 32 });
  });

  test.each([
    ['nothing', {}, UsageError, /pass the size/],
    ['less than it has', { size: '32m' }, RefusedError, /cannot shrink a thin pool/],
    ['less metadata than lvm takes', { metadataSize: '1m' }, UsageError, /not possible/],
    ['more than there is', { size: '1t' }, RefusedError, /vg0 has .* free/],
    ['more metadata than lvm takes', { metadataSize: '17g' }, UsageError, /not possible/],
  ])('%s', async (_, sizes, kind, message) => {
    const error = await failureOf(does((tx) => grow(tx, sizes)));
    expect(error).toBeInstanceOf(kind);
    expect(String(error)).toMatch(message);
    expect(ran('lvextend')).toEqual([]);
  });

  test('refuses a volume that is no pool', async () => {
    withVolume();
    expect(
      String(await failureOf(does((tx) => tx.lvm.resizeThinPool({ vg: 'vg0', name: 'a', size: '1g' })))),
    ).toMatch(/not a thin pool/);
  });

  test('continues where it stopped between metadata and data', async () => {
    host.faults.watch(({ tool }) => {
      if (tool === 'lvextend' && volume('pool')?.moreExtents === 1)
        Object.assign(volume('pool') ?? {}, { moreExtents: 2 });
    });
    host.fault({ tool: 'lvextend', mode: 'fails before' });
    await failureOf(does((tx) => grow(tx, { size: '128m', metadataSize: '8m' })));
    expect(await openJournals(bofhOn(host).engine)).toHaveLength(1);
    await recoverAll(host);
    expect(volume('pool')).toMatchObject({ extents: 32, moreExtents: 2 });
    expect(ran('lvextend').at(-1)).toBe('--extents 32 vg0/pool');
  });

  test('does nothing to a pool that others made larger still', async () => {
    await does(async (tx) => {
      await grow(tx);
      host.admin.lvextend('vg0', 'pool', 40);
    });
    expect(volume('pool')).toMatchObject({ extents: 40 });
    expect(ran('lvextend')).toEqual([]);
  });
});

describe('resizeLv of a thin volume', () => {
  beforeEach(() => {
    withVolume();
  });

  test.each([
    ['larger than its pool', '1g', undefined, 256],
    ['smaller', '8m', consent, 2],
  ] as const)('%s, and is undone without a trace', async (_, size, shrink, extents) => {
    const before = host.snapshot();
    await failureOf(
      does(async (tx) => {
        expect(await resize(tx, size, shrink)).toEqual({ path: '/dev/vg0/a', size: extents * 4 * mib });
        await failNow();
      }),
    );
    expect(host.snapshot()).toBe(before);
    await does((tx) => resize(tx, size, shrink));
    expect(volume('a')).toMatchObject({ extents });
  });

  test('needs no space in the group', async () => {
    host.admin.lvcreate({ vg: 'vg0', name: 'rest', extents: 2047 - 17 });
    await does((tx) => resize(tx, '1g'));
    expect(volume('a')).toMatchObject({ extents: 256 });
  });

  test('with thin snapshots, and of such a snapshot: each alone', async () => {
    host.admin.thinVolume({ vg: 'vg0', name: 'monday', pool: 'pool', extents: 16, origin: 'a' });
    await does(async (tx) => [
      await resize(tx, '128m'),
      await tx.lvm.resizeLv({ vg: 'vg0', name: 'monday', size: '8m', shrink: consent }),
    ]);
    expect([volume('a')?.extents, volume('monday')?.extents]).toEqual([32, 2]);
  });

  test.each([
    ['its pool is full', () => host.admin.fill('vg0', 'pool', { data: 96 }), /is full \(data 96 %/],
    ['its origin is outside the pool', () => external(), /its origin .* is outside its pool/],
    [
      'it is being merged',
      () => Object.assign(volume('a') ?? {}, { merging: true }),
      /not a linear, striped/,
    ],
  ])('does not grow when %s', async (_, arrange, message) => {
    arrange();
    const error = await failureOf(does((tx) => resize(tx, '1g')));
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toMatch(message);
    expect(volume('a')).toMatchObject({ extents: 16 });
  });

  test('shrinks in a full pool', async () => {
    host.admin.fill('vg0', 'pool', { data: 100 });
    await does((tx) => resize(tx, '8m', consent));
    expect(volume('a')).toMatchObject({ extents: 2 });
  });

  test('does not shrink without confirmation, and a pool needs its own command', async () => {
    expect(await failureOf(does((tx) => resize(tx, '8m')))).toBeInstanceOf(UsageError);
    const error = await failureOf(does((tx) => tx.lvm.resizeLv({ vg: 'vg0', name: 'pool', size: '1g' })));
    expect(error).toMatchObject({ remedy: 'bofh lvm pool resize vg0/pool --size +SIZE' });
  });
});

/** `a` as lvm's external origin feature makes it: unwritten blocks are in a volume of the group. */
function external(): void {
  const outside = host.admin.lvcreate({ vg: 'vg0', name: 'outside', extents: 16 });
  Object.assign(volume('a') ?? {}, { origin: outside.uuid });
}

const ext4 = { type: 'ext4', usage: 'filesystem', uuid: '0c0ffee0-0000-4000-8000-00000000000f' } as const;

describe.each([
  ['is cached', 'cache', () => Object.assign(volume('a') ?? {}, { layout: 'cache', pool: undefined })],
  ['has an origin outside its pool', 'outside', external],
])('a volume that %s', (_, words, arrange) => {
  test.each(['lvm resize vg0/a', 'block resize /dev/vg0/a'])(
    'is refused by bofh %s, with the lvm command that resizes it',
    async (verb) => {
      withVolume();
      arrange();
      host.admin.format('/dev/vg0/a', ext4);
      const before = host.snapshot();

      const { runtime } = testRuntime(simulatedBofh({ host }), { yes: true });

      expect(await failureOf(runVerb(runtime, `${verb} 128m`))).toMatchObject({
        message: expect.stringContaining(words) as string,
        remedy: expect.stringContaining(
          'lvresize --size SIZE vg0/a (with the filesystem on it: lvresize --resizefs --size SIZE vg0/a)',
        ) as string,
      });
      expect(host.snapshot()).toBe(before);
    },
  );
});

test('the outside origin itself is refused by bofh block resize before anything changes', async () => {
  withVolume();
  external();
  host.admin.format('/dev/vg0/outside', { ...ext4, blockSize: 4096 });
  const { runtime } = testRuntime(simulatedBofh({ host }), { yes: true });

  const error = await failureOf(runVerb(runtime, 'block resize /dev/vg0/outside 32m'));

  expect(error).toBeInstanceOf(RefusedError);
  expect(error).toMatchObject({ message: expect.stringContaining('it has snapshots (a)') as string });
});

describe('bofh lvm resize of a thin volume', () => {
  const cut = async (): Promise<unknown> =>
    runVerb(testRuntime(simulatedBofh({ host }), { yes: true }).runtime, 'lvm resize vg0/a 32m');
  beforeEach(() => {
    withVolume();
  });

  test('refuses to shrink below a filesystem, and says what to do first', async () => {
    host.admin.format('/dev/vg0/a', { ...ext4, blockSize: 4096, blocks: 16384 });
    expect(await failureOf(cut())).toMatchObject({
      message: expect.stringContaining('there is ext4 on vg0/a') as string,
      remedy: expect.stringContaining('bofh block resize /dev/vg0/a 33554432b') as string,
    });
    expect(volume('a')).toMatchObject({ extents: 16 });
  });

  test('cuts the space that a shrunken filesystem leaves', async () => {
    host.admin.format('/dev/vg0/a', { ...ext4, blockSize: 4096, blocks: 8192 });
    expect(await cut()).toBe(0);
    expect(volume('a')).toMatchObject({ extents: 8 });
  });
});

describe('bofh lvm pool resize', () => {
  test('by a difference, and to the current size', async () => {
    const first = testRuntime(simulatedBofh({ host }), { json: true });
    expect(await resizePool(first.runtime, { size: '+64m', metadataSize: '8m' })).toBe(0);
    expect(answers.lvmPoolResize.parse(JSON.parse(first.stdout()))).toEqual({
      ...{ pool: 'vg0/pool', uuid: volume('pool')?.uuid, size: 128 * mib, metadataSize: 8 * mib },
      was: { size: 64 * mib, metadataSize: 4 * mib },
    });

    const again = testRuntime(simulatedBofh({ host }));
    expect(await resizePool(again.runtime, { size: '128m' })).toBe(0);
    expect(again.stdout()).toBe('the thin pool vg0/pool has 128 MiB, metadata 8 MiB already\n');
  });

  test.each([
    [{}, /give --size/],
    [{ size: '-8m' }, /cannot shrink a thin pool/],
    [{ size: 'big' }, /big/],
  ])('refuses %j', async (options, message) => {
    const { runtime } = testRuntime(simulatedBofh({ host }));
    await expect(resizePool(runtime, options)).rejects.toThrow(message);
  });
});
