import { copyFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RefusedError } from '../../src/core/errors.ts';
import { check } from '../../src/filesystem/index.ts';
import { localHost } from '../../src/host/local.ts';
import { rejectionOf } from '../support/rejection.ts';
import { sh, storage } from './sequence.ts';

const host = localHost();
let disk: ReturnType<typeof storage>;
let device = '';

beforeEach(() => {
  disk = storage();
  device = disk.ext4('image', { mebibytes: 320 }).device;
  sh('wipefs', '--all', device);
});

afterEach(() => {
  disk.clean();
});

const makers = [
  ['ext2', ['mkfs.ext2', '-q']],
  ['ext4', ['mkfs.ext4', '-q']],
  ['xfs', ['mkfs.xfs', '-q']],
  ['btrfs', ['mkfs.btrfs', '-q']],
  ['vfat', ['mkfs.vfat']],
] as const;

describe.each(makers)('%s', (type, [tool, ...words]) => {
  beforeEach(() => {
    sh(tool, ...words, device);
  });

  test('is clean when new', async () => {
    expect(await check(host, device)).toMatchObject({ type, state: 'clean' });
  });

  // Not every kernel that these run on has vfat.
  if (type === 'vfat') return;

  test('is refused while mounted', async () => {
    const path = disk.makeDir('mnt');
    sh('mount', device, path);
    const error = await rejectionOf(check(host, device));
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toContain(path);
  });
});

test('reports the errors of an ext4 whose root inode is lost', async () => {
  sh('mkfs.ext4', '-q', device);
  sh('debugfs', '-w', '-R', 'clri <11>', device);
  const { state, output: said } = await check(host, device);
  expect(state).toBe('errors');
  expect(said.join('\n')).toContain('lost+found');
});

test.each(['ext4', 'xfs'] as const)(
  'refuses an %s that was cut off, because its journal was not replayed',
  async (type) => {
    const other = disk.ext4('copy', { mebibytes: 320 }).device;
    const path = disk.makeDir('mnt');
    sh(`mkfs.${type}`, '-q', device);
    sh('mount', device, path);
    writeFileSync(`${path}/file`, 'x');
    sh('sync');
    copyFileSync(disk.path('image'), disk.path('copied'));
    sh('umount', path);
    sh('dd', `if=${disk.path('copied')}`, `of=${other}`, 'bs=1M', 'conv=fsync', 'status=none');
    expect(String(await rejectionOf(check(host, other)))).toContain('its journal has changes');
  },
);
