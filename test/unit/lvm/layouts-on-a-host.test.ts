import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, ranOf } from '../simulator/support.ts';
import { optionWords, runVerb } from '../cli/support/run-verb.ts';
import type { Runtime } from '../../../src/cli/runtime/runtime.ts';
import { expectUndone } from '../simulator/recovery.ts';

const create = (runtime: Runtime<unknown>, volume: string, options: Parameters<typeof optionWords>[0]) =>
  runVerb(runtime, ['lvm', 'create', volume, ...optionWords(options)]);

const mib = 1024 ** 2;
let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost({ disks: [{ name: 'vdx', size: 256 * mib }] });
  const uuid = 'free00-0000-0000-0000-0000-0000-000001';
  host.admin.format('/dev/vdx', { type: 'LVM2_member', usage: 'raid', uuid, version: 'LVM2 001' });
  host.admin.vgextend('vg0', '/dev/vdx');
});

type Asked = Omit<Parameters<Tx['lvm']['createLv']>[0], 'vg' | 'name'>;
const does = (body: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
  withBofh(bofhOn(host), () => atomic('layouts', body));
const make = (tx: Tx, asked: Asked) => tx.lvm.createLv({ vg: 'vg0', name: 'a', ...asked });
const ran = (): readonly string[] => ranOf(host, 'lvcreate');
const free = (): number => {
  const [vg] = host.world.lvm;
  const all = (vg?.pvs ?? []).reduce((sum, { extents }) => sum + extents, 0);
  return all - (vg?.lvs ?? []).flatMap(({ runs = [] }) => runs).reduce((sum, { count }) => sum + count, 0);
};

describe('createLv of a type', () => {
  test.each([
    [
      'striped, in whole stripes',
      { type: 'striped', size: '20m' },
      /^--type striped --stripes 2 --name a --extents 6 /,
      24,
    ],
    [
      'striped, of a size',
      { type: 'striped', stripes: 2, stripeSize: '64k', extents: 4 },
      /^--type striped --stripes 2 --stripesize 65536b --name a --extents 4 /,
      16,
    ],
    ['raid1', { type: 'raid1', size: '20m' }, /^--type raid1 --mirrors 1 --name a --extents 5 /, 20],
    ['linear', { type: 'linear', size: '20m' }, /^--name a --extents 5 /, 20],
  ] as const)('%s', async (_, asked, argv, size) => {
    expect(await does((tx) => make(tx, asked))).toMatchObject({ size: size * mib });
    expect(ran()).toEqual([expect.stringMatching(argv)]);
  });

  test('takes another extent for each copy of a raid1, and counts them in a share', async () => {
    const before = free();
    await does((tx) => make(tx, { type: 'raid1', size: '20m' }));
    expect(before - free()).toBe(2 * (5 + 1));
    const left = free();
    const made = await does((tx) =>
      tx.lvm.createLv({ vg: 'vg0', name: 'b', type: 'raid1', extents: '1%FREE' }),
    );
    expect(made).toMatchObject({ size: (Math.floor(Math.floor(left / 100) / 2) - 1) * 4 * mib });
  });

  test.each([
    ['stripes of a linear one', { size: '8m', stripes: 2 }, UsageError, /stripes need the type striped/],
    [
      'mirrors of a striped one',
      { size: '8m', type: 'striped', mirrors: 1 },
      UsageError,
      /mirrors need the type raid1/,
    ],
    ['odd stripes', { size: '8m', type: 'striped', stripeSize: '100k' }, UsageError, /not possible/],
    ['one stripe', { size: '8m', type: 'striped', stripes: 1 }, UsageError, /stripes/],
    ['a raid1 in a pool', { size: '8m', type: 'raid1', pool: 'p' }, UsageError, /the layout of the pool/],
    [
      'more copies than devices',
      { size: '8m', type: 'raid1', mirrors: 2 },
      RefusedError,
      /needs 3 devices; vg0 has 2/,
    ],
    [
      'more stripes than devices',
      { size: '8m', type: 'striped', stripes: 4 },
      RefusedError,
      /needs 4 devices/,
    ],
    ['a raid1 without room for its copy', { size: '5g', type: 'raid1' }, RefusedError, /vg0 has .* free/],
  ] as const)('refuses %s', async (_, asked, kind, message) => {
    const error = await failureOf(does((tx) => make(tx, asked)));
    expect(error).toBeInstanceOf(kind);
    expect(String(error)).toMatch(message);
    expect(ran()).toEqual([]);
  });

  test('is undone with the sequence', async () => {
    await expectUndone(host, () =>
      does(async (tx) => {
        await make(tx, { type: 'raid1', size: '20m' });
        throw new Error('the script failed');
      }),
    );
  });
});

test('bofh lvm create --type raid1, and its row in bofh lvm list', async () => {
  await create(testRuntime(simulatedBofh({ host })).runtime, 'vg0/a', {
    size: '8m',
    type: 'raid1',
    mirrors: '1',
  });
  const { runtime, stdout } = testRuntime(simulatedBofh({ host }), { json: true });
  await runVerb(runtime, 'lvm list');
  expect(answers.lvmList.parse(JSON.parse(stdout()))).toMatchObject([
    { volume: 'vg0/a', layout: ['raid', 'raid1'], syncPercent: 100, health: null },
  ]);
  for (const options of [{ type: 'raid5' }, { type: 'striped', stripes: 'x' }])
    await expect(
      create(testRuntime(simulatedBofh({ host })).runtime, 'vg0/b', { size: '8m', ...options }),
    ).rejects.toBeInstanceOf(UsageError);
});
