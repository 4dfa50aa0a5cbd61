import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RefusedError, RolledBackError, UsageError } from '../../../src/core/errors.ts';
import { labelOf, relabel } from '../../../src/filesystem/commands/label.ts';
import { info } from '../../../src/filesystem/index.ts';
import type { Makeable } from '../../../src/filesystem/types.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { everyVersion, recorded } from '../blockdevice/fixtures.ts';
import { bofhOn } from '../simulator/support.ts';

const device = '/dev/vg0/web1';
const path = '/mnt/a';
const uuid = '5e1f0000-0000-4000-8000-000000000001';

describe('the commands', () => {
  const at = (type: Makeable, mounted?: 'mounted') => ({ type, device, path: mounted && path });

  test.each(
    everyVersion([
      ['e2label/told', at('ext4'), 'rööt "x"'],
      ['e2label/none', at('ext2'), null],
      ['xfs_db/label', at('xfs'), 'data'],
      ['xfs_db/no-label', at('xfs'), null],
      ['xfs_io/label', at('xfs', 'mounted'), 'foo'],
      ['xfs_io/none', at('xfs', 'mounted'), null],
      ['btrfs/label', at('btrfs'), 'a b'],
      ['btrfs/label-none', at('btrfs', 'mounted'), null],
      ['fatlabel/label', at('vfat'), 'DATA'],
      ['fatlabel/none', at('vfat'), null],
      ['swaplabel/told', at('swap'), 'sw'],
      ['swaplabel/none', at('swap'), null],
    ] as const),
  )('%s is parsed, and unknown output refused', (name, of, label) => {
    const answer = recorded(name);
    const { parse } = labelOf(of);
    expect(parse(answer)).toBe(label);
    for (const stdout of [`\u0001${answer.stdout}\n`, `${answer.stdout}\nmore\n`, 'a\ufffdb\n'])
      expect(() => parse({ ...answer, stdout })).toThrow(/no label in/);
  });

  test.each(
    everyVersion([
      ['e2label/missing', at('ext4'), 'not-found'],
      ['e2label/no-filesystem', at('ext4'), 'unknown'],
      ['xfs_io/missing', at('xfs', 'mounted'), 'not-found'],
      ['btrfs/label-missing', at('btrfs'), 'not-found'],
      ['btrfs/label-mounted-device', at('btrfs'), 'busy'],
      ['fatlabel/missing', at('vfat'), 'not-found'],
      ['swaplabel/missing', at('swap'), 'not-found'],
    ] as const),
  )('%s: %s', (name, of, reason) => {
    const answer = recorded(name);
    expect(answer.exitCode).not.toBe(0);
    expect(relabel(of, 'x').classify?.(answer)).toBe(reason);
  });

  test.each([
    [at('ext3'), ['e2label', device, 'x'], ['e2label', device, '']],
    [at('xfs'), ['xfs_db', '-x', '-c', 'label x', device], ['xfs_db', '-x', '-c', 'label --', device]],
    [at('xfs', 'mounted'), ['xfs_io', '-c', 'label -s x', path], ['xfs_io', '-c', 'label -c', path]],
    [
      at('btrfs'),
      ['btrfs', 'filesystem', 'label', device, 'x'],
      ['btrfs', 'filesystem', 'label', device, ''],
    ],
    [
      at('btrfs', 'mounted'),
      ['btrfs', 'filesystem', 'label', path, 'x'],
      ['btrfs', 'filesystem', 'label', path, ''],
    ],
    [at('vfat'), ['fatlabel', device, 'x'], ['fatlabel', '--reset', device]],
    [at('swap'), ['swaplabel', '--label', 'x', device], ['swaplabel', '--label', '', device]],
  ] as const)('of %j: a label, and none', (of, some, none) => {
    const words = (label: string | null) => {
      const { tool, argv } = relabel(of, label);
      return [tool, ...argv];
    };
    expect(words('x')).toEqual(some);
    expect(words(null)).toEqual(none);
  });
});

describe('filesystem.label', () => {
  let host: SimulatedHost;
  beforeEach(() => {
    host = simulatedHost();
    host.admin.mkdir(path);
    host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 16 });
  });

  const make = (type: Makeable, label = 'OLD', id = type === 'vfat' ? 'ABCD-1234' : uuid): void =>
    host.admin.format(device, { type, usage: type === 'swap' ? 'other' : 'filesystem', uuid: id, label });
  const does = (body: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
    withBofh(bofhOn(host), () => atomic('labels', body));
  const now = async (): Promise<string | null> => (await info(host, device)).label;
  const types = ['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'vfat', 'swap'] as const;

  test.each(types)('of %s is set, cleared, and restored', async (type) => {
    make(type);
    const id = type === 'vfat' ? 'ABCD-1234' : uuid;
    expect(await does((tx) => tx.filesystem.label({ device, label: 'NEW' }))).toEqual({
      uuid: id,
      label: 'NEW',
    });
    expect(await now()).toBe('NEW');
    let between: unknown = 'none yet';

    const error = await rejectionOf(
      does(async (tx) => {
        await tx.filesystem.label({ device, label: null });
        between = await now();
        throw new Error('a later step fails');
      }),
    );

    expect(error).toBeInstanceOf(RolledBackError);
    expect(between).toBeNull();
    expect(await now()).toBe('NEW');
  });

  test.each(['ext4', 'xfs', 'btrfs'] as const)('of %s is set while mounted', async (type) => {
    make(type);
    host.admin.mount(device, path);
    await does((tx) => tx.filesystem.label({ device, label: 'NEW' }));
    expect(await now()).toBe('NEW');
  });

  test('the present one is no change', async () => {
    make('ext4');
    const before = host.snapshot();
    await does((tx) => tx.filesystem.label({ device, label: 'OLD' }));
    expect(host.snapshot()).toBe(before);
  });

  test('a third label, or another filesystem, is left untouched', async () => {
    for (const meanwhile of [() => make('ext4', 'THIRD'), () => make('ext4', 'NEW', 'f0')]) {
      make('ext4');
      const error = await rejectionOf(
        does(async (tx) => {
          await tx.filesystem.label({ device, label: 'NEW' });
          meanwhile();
          throw new Error('a later step fails');
        }),
      );
      expect((error as RolledBackError).leftUntouched).toHaveLength(1);
      expect(await now()).not.toBe('OLD');
    }
  });

  test('refuses a mounted vfat, and swap in use, and names the holders', async () => {
    make('vfat');
    host.admin.mount(device, path);
    await expect(does((tx) => tx.filesystem.label({ device, label: 'NEW' }))).rejects.toThrow(
      /mounted on \/mnt\/a/,
    );
    host.admin.umount(path);
    make('swap');
    host.admin.swapon(device);
    await expect(does((tx) => tx.filesystem.label({ device, label: 'NEW' }))).rejects.toThrow(
      /in use as swap/,
    );
  });

  test.each([
    ['ext4', 'x'.repeat(17), UsageError],
    ['xfs', 'a b', UsageError],
    ['vfat', 'small', UsageError],
    ['ext4', '-x', UsageError],
    ['ext4', 'a\nb', UsageError],
  ] as const)('of %s is refused: %j', async (type, label, error) => {
    make(type);
    expect(await rejectionOf(does((tx) => tx.filesystem.label({ device, label })))).toBeInstanceOf(error);
    expect(await now()).toBe('OLD');
  });

  test('refuses content without labels', async () => {
    host.admin.format(device, undefined);
    const error = await rejectionOf(does((tx) => tx.filesystem.label({ device, label: 'NEW' })));
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toContain('bofh does not know its label');
  });
});
