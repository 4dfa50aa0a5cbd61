import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { AnyOperation, Steps } from '../../src/atomic/index.ts';
import { addPartition, createPartitionTable, growPartition, wipe } from '../../src/blockdevice/operations.ts';
import { readTable } from '../../src/blockdevice/partitions/commands.ts';
import { RefusedError, RolledBackError, StuckError } from '../../src/core/errors.ts';
import { create } from '../../src/filesystem/operations.ts';
import { localHost } from '../../src/host/local.ts';
import { rejectionOf } from '../support/rejection.ts';
import { mountedPaths, sequence, sh, storage, testEngine } from './sequence.ts';

const host = localHost();
const mebibyte = 1024 ** 2;
let disk: ReturnType<typeof storage>;
let device = '';

beforeAll(() => {
  disk = storage();
  device = disk.ext4('image', { mebibytes: 64, attach: ['--partscan'] }).device;
  sh('wipefs', '--all', '--quiet', device);
});
afterEach(() => {
  for (const each of mountedPaths(`${device}p1`)) sh('umount', each);
  // It fails where there is none.
  sh('sh', '-c', `partx --delete ${device} || true`);
  sh('dd', 'if=/dev/zero', `of=${device}`, 'bs=1M', 'count=64', 'status=none');
});
afterAll(() => {
  disk.clean();
});

const codes = [addPartition, createPartitionTable, growPartition, create, wipe];
const known = codes as readonly unknown[] as readonly AnyOperation[];
let sequences = 0;
const run = <T>(body: (tx: Steps) => Promise<T>): Promise<T> => {
  sequences += 1;
  const engine = testEngine(disk.makeDir(`state-${String(sequences)}`));
  return sequence({ ...engine, find: async (kind) => known.find((one) => one.kind === kind) }, body);
};

/** Both ends of the disk, and what the kernel has of it. */
const state = (): string => {
  sh('sync', device);
  const file = openSync(device, 'r');
  const hash = createHash('sha256');
  for (const from of [0, 63 * mebibyte]) {
    const bytes = Buffer.alloc(mebibyte);
    readSync(file, bytes, 0, bytes.length, from);
    hash.update(bytes);
  }
  closeSync(file);
  return `${hash.digest('hex')} ${[1, 2, 3].map(kernelSize).join()}`;
};
const kernelSize = (number: number): string => {
  const path = `/sys/block/${basename(device)}/${basename(device)}p${String(number)}/size`;
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : '-';
};
const rolledBack = async (body: (tx: Steps) => Promise<unknown>): Promise<void> => {
  const error = await rejectionOf(
    run(async (tx) => {
      await body(tx);
      throw new Error('a later step fails');
    }),
  );
  expect(String(error)).toContain('a later step fails');
  expect(error).toBeInstanceOf(RolledBackError);
};

test.each(['gpt', 'dos'] as const)(
  'creates a %s table, fills and grows it, and undoes everything',
  async (type) => {
    const blank = state();
    const seen: string[] = [];

    await rolledBack(async (tx) => {
      await tx.step(createPartitionTable, { device, type });
      await tx.step(addPartition, {
        device,
        size: 8 * mebibyte,
        ...(type === 'gpt' ? { name: 'a b', type: 'lvm' } : {}),
      });
      await tx.step(addPartition, { device, size: 4 * mebibyte, type: 'swap' });
      await tx.step(create, { device: `${device}p2`, type: 'swap' });
      await tx.step(growPartition, { device, number: 2, size: 'max' });
      seen.push(kernelSize(1), kernelSize(2), existsSync(`${device}p2`) ? 'node' : 'none');
      const table = await host.run(readTable(device));
      seen.push(
        ...(table?.partitions ?? []).map(
          (each) => `${String(each.start)}+${String(each.size)} ${each.name ?? ''}`,
        ),
      );
    });

    const end = type === 'gpt' ? 63 : 64;
    expect(seen).toEqual([
      ...['16384', String((end - 9) * 2048), 'node'],
      `${String(mebibyte)}+${String(8 * mebibyte)} ${type === 'gpt' ? 'a b' : ''}`,
      `${String(9 * mebibyte)}+${String((end - 9) * mebibyte)} `,
    ]);
    expect(state()).toBe(blank);
  },
);

describe('on a disk that others have grown since', () => {
  const image = (): string => disk.path('image');
  const setSize = (mebibytes: number): void => {
    sh('truncate', '--size', `${String(mebibytes)}M`, image());
    sh('losetup', '--set-capacity', device);
  };
  afterEach(() => setSize(64));

  test.each(['gpt', 'dos'] as const)('a new %s table and its partition are undone', async (type) => {
    const blank = state();
    await rolledBack(async (tx) => {
      await tx.step(createPartitionTable, { device, type });
      await tx.step(addPartition, { device, size: 8 * mebibyte });
      setSize(96);
    });
    expect([kernelSize(1), await host.run(readTable(device))]).toEqual(['-', undefined]);
    setSize(64);
    expect(state()).toBe(blank);
  });

  test.each([
    ['gpt', 'as it was'],
    ['gpt', 'moved to its end'],
    ['dos', 'as it was'],
  ] as const)('a partition of a %s table, which is %s, is undone, and others stay', async (type, how) => {
    await run(async (tx) => {
      await tx.step(createPartitionTable, { device, type });
      await tx.step(addPartition, { device, size: 8 * mebibyte });
    });
    const before = kernelSize(1);
    await rolledBack(async (tx) => {
      await tx.step(growPartition, { device, number: 1, size: 16 * mebibyte });
      await tx.step(addPartition, { device, size: 8 * mebibyte });
      setSize(96);
      if (how === 'moved to its end') sh('sfdisk', '--no-reread', '--relocate', 'gpt-bak-std', device);
    });
    expect([kernelSize(1), kernelSize(2)]).toEqual([before, '-']);
    expect((await host.run(readTable(device)))?.partitions.map(({ size }) => size)).toEqual([8 * mebibyte]);
  });
});

test('keeps the new partitions, and the kernel has them', async () => {
  const uuid = '5e1f0000-0000-4000-8000-0000000000ab';
  const made = await run(async (tx) => {
    await tx.step(createPartitionTable, { device });
    return tx.step(addPartition, { device, size: 'max', uuid });
  });
  expect(made).toEqual({ number: 1, path: `${device}p1`, start: mebibyte, size: 62 * mebibyte, uuid });
  expect(kernelSize(1)).toBe(String(62 * 2048));
});

test('grows a mounted partition; the undo shrinks it only if its content still fits', async () => {
  await run(async (tx) => {
    await tx.step(createPartitionTable, { device });
    await tx.step(addPartition, { device, size: 16 * mebibyte });
    await tx.step(create, { device: `${device}p1`, type: 'ext4' });
  });
  sh('mount', `${device}p1`, disk.makeDir('mnt'));
  const before = kernelSize(1);
  await rolledBack((tx) => tx.step(growPartition, { device, number: 1, size: 'max' }));
  expect(kernelSize(1)).toBe(before);

  const error = await rejectionOf(
    run(async (tx) => {
      await tx.step(growPartition, { device, number: 1, size: 'max' });
      sh('umount', `${device}p1`);
      sh('e2fsck', '-f', '-p', `${device}p1`);
      sh('resize2fs', `${device}p1`);
      throw new Error('a later step fails');
    }),
  );
  expect(error).toBeInstanceOf(StuckError);
  expect(kernelSize(1)).toBe(String(62 * 2048));
});

test('the undo keeps a partition that was mounted meanwhile', async () => {
  await run((tx) => tx.step(createPartitionTable, { device }));
  const error = await rejectionOf(
    run(async (tx) => {
      await tx.step(addPartition, { device, size: 16 * mebibyte });
      sh('mkfs.ext4', '-q', `${device}p1`);
      sh('mount', `${device}p1`, disk.makeDir('theirs'));
      throw new Error('a later step fails');
    }),
  );
  expect(error).toBeInstanceOf(StuckError);
  expect(kernelSize(1)).not.toBe('-');
});

test('leaves a table untouched that others changed since', async () => {
  await rejectionOf(
    run(async (tx) => {
      await tx.step(createPartitionTable, { device });
      sh('sh', '-c', `echo size=1MiB | sfdisk --quiet --no-reread --no-tell-kernel --append ${device}`);
      throw new Error('a later step fails');
    }),
  );
  expect((await host.run(readTable(device)))?.partitions.length).toBe(1);
});

test.each(['table', 'partition'])('the undo of a new %s keeps swap over the first copy', async (what) => {
  if (what === 'partition') await run((tx) => tx.step(createPartitionTable, { device }));
  await rejectionOf(
    run(async (tx) => {
      if (what === 'table') await tx.step(createPartitionTable, { device });
      else await tx.step(addPartition, { device, size: mebibyte });
      sh('mkswap', '--quiet', device);
      throw new Error('a later step fails');
    }),
  );
  expect(sh('blkid', '-p', '-s', 'TYPE', '-o', 'value', device).trim()).toBe('swap');
});

test('is refused where the kernel has other partitions than the table', async () => {
  await run((tx) => tx.step(createPartitionTable, { device }));
  sh('sh', '-c', `echo size=1MiB | sfdisk --quiet --no-reread --no-tell-kernel --append ${device}`);
  const before = state();
  const error = await rejectionOf(run((tx) => tx.step(addPartition, { device, size: mebibyte })));
  expect(error).toBeInstanceOf(RefusedError);
  expect(String(error)).toContain('in the kernel differ from its partition table');
  expect(state()).toBe(before);
});
