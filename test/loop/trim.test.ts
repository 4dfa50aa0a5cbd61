import { statSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { AnyOperation, Steps } from '../../src/atomic/index.ts';
import { RefusedError } from '../../src/core/errors.ts';
import { trim } from '../../src/filesystem/operations.ts';
import { rejectionOf } from '../support/rejection.ts';
import { mountedPaths, sequence, sh, storage, testEngine } from './sequence.ts';

let disk: ReturnType<typeof storage>;
let device = '';
let path = '';

beforeAll(() => {
  disk = storage();
  device = disk.blank('image', 320);
  path = disk.makeDir('mnt');
});

afterAll(() => {
  disk.clean();
});

afterEach(() => {
  for (const each of mountedPaths(device)) sh('umount', each);
});

const codes = [trim] as readonly unknown[] as readonly AnyOperation[];
let sequences = 0;
const run = <T>(body: (tx: Steps) => Promise<T>): Promise<T> => {
  sequences += 1;
  const engine = testEngine(disk.makeDir(`state-${String(sequences)}`));
  return sequence({ ...engine, find: async (kind) => codes.find((one) => one.kind === kind) }, body);
};
const trimOf = (named: string) => run((tx) => tx.step(trim, { path: named }));

/** Bytes of the image that are allocated. */
const allocated = (): number => statSync(disk.path('image')).blocks * 512;

/** The bytes of a deleted file, which the filesystem no longer uses. */
function deleteFile(): void {
  sh('dd', 'if=/dev/urandom', `of=${path}/kept`, 'bs=1M', 'count=2', 'conv=fsync', 'status=none');
  sh('dd', 'if=/dev/urandom', `of=${path}/deleted`, 'bs=1M', 'count=32', 'conv=fsync', 'status=none');
  sh('rm', `${path}/deleted`);
  sh('sync', '--file-system', path);
}

describe.each(['ext4', 'xfs', 'btrfs'] as const)('%s', (type) => {
  test('gives the blocks of a deleted file back, and keeps the others', async () => {
    sh('wipefs', '--all', device);
    sh(`mkfs.${type}`, '-q', device);
    sh('mount', device, path);
    deleteFile();
    const [before, sum] = [allocated(), sh('sha256sum', `${path}/kept`)];

    const { trimmed, ...at } = await trimOf(path);

    expect(at).toEqual({ device, mounted: path });
    expect(trimmed).toBeGreaterThan(32 * 1024 ** 2);
    expect(before - allocated()).toBeGreaterThan(30 * 1024 ** 2);
    sh('umount', path);
    sh('mount', device, path);
    expect(sh('sha256sum', `${path}/kept`)).toBe(sum);
    expect((await trimOf(device)).mounted).toBe(path);
  });

  test('is refused while it is not mounted, or mounted read-only', async () => {
    expect(String(await rejectionOf(trimOf(device)))).toContain(`${device} is not mounted`);
    sh('mount', '--options', 'ro', device, path);
    expect(String(await rejectionOf(trimOf(path)))).toContain(`${device} is mounted read-only on ${path}`);
  });

  test('is refused on a device that cannot discard', async () => {
    const memory = disk.makeDir(`memory-${type}`);
    // Files of ramfs have no holes.
    sh('mount', '-t', 'ramfs', 'none', memory);
    sh('truncate', '--size', '320M', `${memory}/image`);
    const other = sh('losetup', '--find', '--show', `${memory}/image`).trim();
    try {
      sh(`mkfs.${type}`, '-q', other);
      sh('mount', other, path);
      const error = await rejectionOf(trimOf(path));
      expect(error).toBeInstanceOf(RefusedError);
      expect(String(error)).toContain(`${other}, or a device below it, cannot discard blocks`);
      sh('umount', path);
    } finally {
      sh('losetup', '--detach', other);
      sh('umount', memory);
    }
  });
});

test('a swap area, and a path without a device, are refused', async () => {
  sh('wipefs', '--all', device);
  sh('mkswap', device);
  expect(String(await rejectionOf(trimOf(device)))).toContain('is a swap area, not a filesystem');
  expect(String(await rejectionOf(trimOf('/proc')))).toContain('/proc is on proc, which has no block device');
});
