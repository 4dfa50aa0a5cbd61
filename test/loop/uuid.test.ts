import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AnyOperation, Steps } from '../../src/atomic/index.ts';
import { RolledBackError } from '../../src/core/errors.ts';
import { probe } from '../../src/blockdevice/index.ts';
import { check } from '../../src/filesystem/index.ts';
import { dumpe2fs } from '../../src/filesystem/commands/ext.ts';
import { xfsLog } from '../../src/filesystem/commands/uuid.ts';
import { uuid } from '../../src/filesystem/operations.ts';
import { localHost } from '../../src/host/local.ts';
import { rejectionOf } from '../support/rejection.ts';
import { sequence, sh, storage, testEngine } from './sequence.ts';

const host = localHost();
let disk: ReturnType<typeof storage>;
let device = '';

beforeAll(() => {
  disk = storage();
  device = disk.ext4('image', { mebibytes: 320 }).device;
});

afterAll(() => {
  disk.clean();
});

const codes = [uuid] as readonly unknown[] as readonly AnyOperation[];
let sequences = 0;
const run = <T>(body: (tx: Steps) => Promise<T>): Promise<T> => {
  sequences += 1;
  const engine = testEngine(disk.makeDir(`state-${String(sequences)}`));
  return sequence({ ...engine, find: async (kind) => codes.find((one) => one.kind === kind) }, body);
};

const makers = {
  ext2: ['mkfs.ext2', '-q'],
  ext3: ['mkfs.ext3', '-q', '-O', '^metadata_csum'],
  ext4: ['mkfs.ext4', '-q', '-O', 'metadata_csum'],
  xfs: ['mkfs.xfs', '-q'],
  btrfs: ['mkfs.btrfs', '-q'],
  vfat: ['mkfs.vfat'],
  swap: ['mkswap'],
} as const;
type Type = keyof typeof makers;

function make(type: Type): void {
  sh('wipefs', '--all', device);
  const [tool, ...words] = makers[type];
  sh(tool, ...words, device);
}

const now = async (): Promise<string | undefined> => (await probe(host, device))?.uuid;
const asked = { seed: 'may be added' } as const;
const wanted = (type: Type): string =>
  type === 'vfat' ? '1234-ABCD' : '5e1f0000-0000-4000-8000-0000000000ff';

describe.each(['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'vfat', 'swap'] as const)('%s', (type) => {
  const isClean = async (): Promise<void> => {
    if (type !== 'swap') expect(await check(host, device)).toMatchObject({ state: 'clean' });
  };

  test('has the old UUID when a later step fails, the new one after the commit, and is clean both times', async () => {
    make(type);
    const old = await now();
    const error = await rejectionOf(
      run(async (tx) => {
        await tx.step(uuid, { device, uuid: wanted(type), ...asked });
        throw new Error('a later step fails');
      }),
    );
    expect(error).toBeInstanceOf(RolledBackError);
    expect(await now()).toBe(old);
    await isClean();

    await run((tx) => tx.step(uuid, { device, uuid: wanted(type), ...asked }));
    expect(await now()).toBe(wanted(type));
    await isClean();
  });
});

test('an ext4 gets the feature that keeps its checksums only when allowed, and the undo removes it', async () => {
  make('ext4');
  const seeded = async (): Promise<boolean> =>
    (await host.run(dumpe2fs(device))).features.includes('metadata_csum_seed');
  const refused = await rejectionOf(run((tx) => tx.step(uuid, { device })));
  expect(String(refused)).toContain('metadata_csum_seed');
  expect(await seeded()).toBe(false);
  await rejectionOf(
    run(async (tx) => {
      await tx.step(uuid, { device, ...asked });
      expect(await seeded()).toBe(true);
      throw new Error('a later step fails');
    }),
  );
  expect(await seeded()).toBe(false);
});

test('a clone of a btrfs gets a new UUID while the original is mounted; then both can be mounted', async () => {
  make('btrfs');
  const path = disk.makeDir('original');
  const copy = disk.makeDir('copies');
  sh('cp', '--sparse=always', device, `${copy}/clone.img`);
  const clone = sh('losetup', '--find', '--show', `${copy}/clone.img`).trim();
  sh('mount', device, path);
  try {
    await run((tx) => tx.step(uuid, { device: clone }));
    const own = (await probe(host, clone))?.uuid;
    expect(own).not.toBe(await now());
  } finally {
    sh('umount', path);
    sh('losetup', '--detach', clone);
  }
});

// xfs_db clears the log from its start, 256 KiB at a time, before it writes the new uuid (strace, 6.1).
test.each([
  ['its first sector', 512],
  ['a part of it', 1024 ** 2],
])('recovery finishes an xfs whose log %s is cleared, as a killed xfs_db leaves it', async (_, bytes) => {
  make('xfs');
  const path = disk.makeDir(`xfs-${String(bytes)}`);
  sh('mount', device, path);
  sh('cp', '/etc/passwd', path);
  sh('umount', path);
  const log = await host.run(xfsLog(device));
  if (log === 'unreadable') throw new Error('it has no log');

  await run(async (tx) => {
    await tx.step(uuid, { device, uuid: wanted('xfs') });
    const [from, count] = [`seek=${String(log.start)}`, `count=${String(bytes)}`];
    sh(
      'dd',
      'if=/dev/zero',
      `of=${device}`,
      from,
      count,
      'oflag=seek_bytes',
      'iflag=count_bytes',
      'bs=4M',
      'conv=notrunc,fsync',
    );
  });

  expect(await now()).toBe(wanted('xfs'));
  expect(await check(host, device)).toMatchObject({ state: 'clean' });
  sh('mount', device, path);
  expect(sh('cat', `${path}/passwd`)).toBe(sh('cat', '/etc/passwd'));
  sh('umount', path);
});
