import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AnyOperation } from '../../src/atomic/index.ts';
import { openJournals, recover } from '../../src/atomic/recovery/recover.ts';
import { probe } from '../../src/blockdevice/index.ts';
import { RefusedError, StuckError } from '../../src/core/errors.ts';
import { check } from '../../src/filesystem/index.ts';
import { repair } from '../../src/filesystem/operations.ts';
import { localHost } from '../../src/host/local.ts';
import { rejectionOf } from '../support/rejection.ts';
import { sequence, sh, storage, testEngine } from './sequence.ts';

const host = localHost();
let disk: ReturnType<typeof storage>;
let device = '';

beforeEach(() => {
  disk = storage();
  device = disk.ext4('image', { mebibytes: 320 }).device;
  sh('wipefs', '--all', device);
  disk.makeDir('mnt');
  disk.makeDir('state');
});

afterEach(() => {
  disk.clean();
});

const codes = [repair] as readonly unknown[] as readonly AnyOperation[];
const engine = () => ({
  ...testEngine(disk.path('state')),
  find: async (kind: string) => codes.find((one) => one.kind === kind),
});
const repairs = (more: { readonly files?: 'may be lost' } = {}): Promise<void> =>
  sequence(engine(), (tx) => tx.step(repair, { device, ...more }));
const lossy = { files: 'may be lost' } as const;

const makers = {
  ext2: ['mkfs.ext2', '-q'],
  ext4: ['mkfs.ext4', '-q'],
  xfs: ['mkfs.xfs', '-q'],
  vfat: ['mkfs.vfat'],
} as const;

/** A filesystem with a file in a directory; the vfat, which not every kernel here mounts, is empty. */
function make(type: keyof typeof makers): void {
  const [tool, ...words] = makers[type];
  sh(tool, ...words, device);
  if (type === 'vfat') return;
  sh('mount', device, disk.path('mnt'));
  sh('mkdir', `${disk.path('mnt')}/dir`);
  writeFileSync(disk.path('mnt/dir/file'), 'kept');
  sh('umount', disk.path('mnt'));
}

const damages: Readonly<Record<keyof typeof makers, () => void>> = {
  // A count of links that is wrong: e2fsck -p sets it right.
  ext2: () => sh('debugfs', '-w', '-R', 'sif /dir/file links_count 7', device),
  ext4: () => sh('debugfs', '-w', '-R', 'sif /dir/file links_count 7', device),
  xfs: () => sh('xfs_db', '-x', '-c', 'path /dir', '-c', 'write -d core.nlinkv2 9', device),
  // A chain of clusters that no file has, and the dirty bit.
  vfat: () => {
    const first = /First FAT starts at byte (?<at>\d+)/.exec(sh('fsck.vfat', '-n', '-v', device))?.groups?.at;
    writeFileSync(disk.path('chain'), Buffer.from([0xff, 0xff]));
    sh(
      'dd',
      `if=${disk.path('chain')}`,
      `of=${device}`,
      'bs=1',
      `seek=${Number(first) + 10}`,
      'conv=notrunc,fsync',
    );
  },
};

describe.each(['ext2', 'ext4', 'xfs', 'vfat'] as const)('%s', (type) => {
  test('with errors is repaired, clean then, and a second repair is refused', async () => {
    make(type);
    const before = (await probe(host, device))?.uuid;
    damages[type]();
    expect(await check(host, device)).toMatchObject({ state: 'errors' });

    if (type === 'xfs' || type === 'vfat') {
      expect(String(await rejectionOf(repairs()))).toContain('does not ask before each change');
      expect(await check(host, device)).toMatchObject({ state: 'errors' });
    }

    await repairs(type === 'xfs' || type === 'vfat' ? lossy : {});

    expect(await check(host, device)).toMatchObject({ state: 'clean', uuid: before });
    expect(String(await rejectionOf(repairs()))).toContain('is clean: there is nothing to repair');
    if (type === 'vfat') return;
    sh('mount', device, disk.path('mnt'));
    expect(readFileSync(disk.path('mnt/dir/file'), 'utf8')).toBe('kept');
    // While it is mounted it is refused, and the mount is named.
    const refused = await rejectionOf(repairs());
    expect(refused).toBeInstanceOf(RefusedError);
    expect(String(refused)).toContain(disk.path('mnt'));
  });
});

/** The type in a directory is another one than the inode has: e2fsck -p leaves it to a person (1.47). */
function damageDeep(): void {
  make('ext4');
  sh('debugfs', '-w', '-R', 'sif /dir mode 0100644', device);
}

test('an ext4 with errors that need a decision stays stuck until an administrator repairs it and recovery runs', async () => {
  damageDeep();
  const error = await rejectionOf(repairs());
  expect(error).toBeInstanceOf(StuckError);
  expect(String((error as StuckError).cause)).toContain("Entry 'dir' in / (2) has an incorrect filetype");
  const [open] = await openJournals(engine());
  if (open === undefined) throw new Error('no journal is open');
  await rejectionOf(recover(open.id, { engine: engine(), yes: true }));
  expect(await openJournals(engine())).toHaveLength(1);

  // It ends with 1: mended.
  expect(() => sh('e2fsck', '-f', '-y', device)).toThrow();
  await recover(open.id, { engine: engine(), yes: true });
  expect(await openJournals(engine())).toEqual([]);
});

test('an ext4 is repaired with yes to every question where files may be lost', async () => {
  damageDeep();
  await repairs(lossy);
  expect(await check(host, device)).toMatchObject({ state: 'clean' });
});

test('repairs an ext4 whose superblock alone records errors', async () => {
  make('ext4');
  sh('debugfs', '-w', '-R', 'ssv state 3', device);
  expect(await check(host, device)).toMatchObject({ state: 'clean' });
  await repairs();
  expect(sh('dumpe2fs', '-h', device)).toMatch(/^Filesystem state: +clean$/m);
});

describe('after a cut while mounted', () => {
  const cut = (type: 'ext4' | 'xfs'): void => {
    make(type);
    sh('mount', device, disk.path('mnt'));
    writeFileSync(disk.path('mnt/file'), 'x');
    if (type === 'xfs') {
      // Not by a copy of it as well: xfs cleans its log by itself where it has nothing else to do.
      sh('xfs_io', '-x', '-c', 'shutdown -f', disk.path('mnt'));
      sh('umount', disk.path('mnt'));
      return;
    }
    sh('sync', '--file-system', disk.path('mnt'));
    copyFileSync(disk.path('image'), disk.path('copied'));
    sh('umount', disk.path('mnt'));
    sh('dd', `if=${disk.path('copied')}`, `of=${device}`, 'bs=1M', 'conv=fsync', 'status=none');
  };

  test('an ext4 has its journal replayed', async () => {
    cut('ext4');
    await repairs();
    expect(await check(host, device)).toMatchObject({ state: 'clean' });
  });

  test('an xfs is refused: mount it first', async () => {
    cut('xfs');
    const error = await rejectionOf(repairs());
    expect(error).toBeInstanceOf(RefusedError);
    expect((error as RefusedError).remedy).toMatch(/^write them first: mount \S+ \/mnt; umount \/mnt; /);
  });
});

test.each([
  ['btrfs', 'mkfs.btrfs', '"btrfs check --repair" is dangerous'],
  ['swap', 'mkswap', 'nothing to repair'],
] as const)('a %s is refused', async (_type, tool, why) => {
  sh(tool, device);
  expect(String(await rejectionOf(repairs()))).toContain(why);
});
