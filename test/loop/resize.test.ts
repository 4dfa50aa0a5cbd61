import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { AnyOperation, Steps } from '../../src/atomic/index.ts';
import { RefusedError, RolledBackError, StuckError } from '../../src/core/errors.ts';
import { check, info } from '../../src/filesystem/index.ts';
import { resize } from '../../src/filesystem/operations.ts';
import { localHost } from '../../src/host/local.ts';
import { rejectionOf } from '../support/rejection.ts';
import { mark, scratch, take } from '../unit/file/support.ts';
import { mountedPaths, sequence, sh, storage, testEngine } from './sequence.ts';

const mebibyte = 1024 ** 2;
const host = localHost();
let disk: ReturnType<typeof storage>;
let device = '';
let path = '';

beforeEach(() => {
  disk = storage();
  device = disk.ext4('image', { mebibytes: 400 }).device;
  sh('wipefs', '--all', device);
  path = disk.makeDir('mnt');
});

afterEach(() => {
  disk.clean();
});

type Type = 'ext2' | 'ext3' | 'ext4' | 'xfs' | 'btrfs';

/** 320 MiB on a device of 400, with a file whose content is known. */
function make(type: Type): string {
  const size = `${320 * 1024}k`;
  if (type === 'xfs') sh('mkfs.xfs', '-q', '-d', `size=${size}`, device);
  else if (type === 'btrfs') sh('mkfs.btrfs', '-q', '-b', size, device);
  else sh(`mkfs.${type}`, '-q', device, size);
  const content = randomBytes(20 * mebibyte);
  sh('mount', device, path);
  writeFileSync(join(path, 'file'), content);
  sh('umount', path);
  return createHash('sha256').update(content).digest('hex');
}

/** Mounts it to look: the kernel and its checker must both agree with it. */
function contentNow(type: Type): string {
  if (type.startsWith('ext')) sh('e2fsck', '-f', '-n', device);
  if (type === 'xfs') sh('xfs_repair', '-n', device);
  if (type === 'btrfs') sh('btrfs', 'check', device);
  const isMounted = mountedPaths(device).includes(path);
  if (!isMounted) sh('mount', device, path);
  const hash = createHash('sha256')
    .update(readFileSync(join(path, 'file')))
    .digest('hex');
  if (!isMounted) sh('umount', path);
  return hash;
}

const codes = [resize] as readonly unknown[] as readonly AnyOperation[];
const run = <T>(body: (tx: Steps) => Promise<T>): Promise<T> =>
  sequence(
    { ...testEngine(disk.path('state')), find: async (kind) => codes.find((one) => one.kind === kind) },
    body,
  );
const sizeNow = async (): Promise<number> => (await info(host, device)).size / mebibyte;
const fail = async (): Promise<never> => Promise.reject(new Error('a later step fails'));
const offline = ['ext2', 'ext3', 'ext4'] as const;

describe.each(offline)('%s, not mounted', (type) => {
  test.each([
    ['grows', 'max', 400],
    ['shrinks', 300 * mebibyte, 300],
  ] as const)('%s, and is restored when a later step fails', async (_, size, mebibytes) => {
    const content = make(type);
    let between = 0;

    const error = await rejectionOf(
      run(async (tx) => {
        expect(await tx.step(resize, { device, size })).toEqual({ size: mebibytes * mebibyte, when: 'now' });
        between = await sizeNow();
        await fail();
      }),
    );

    expect(error).toBeInstanceOf(RolledBackError);
    expect(between).toBe(mebibytes);
    expect(await sizeNow()).toBe(320);
    expect(contentNow(type)).toBe(content);
  });

  test('has its new size after the commit, with its files', async () => {
    const content = make(type);
    await run((tx) => tx.step(resize, { device, size: 'max' }));
    expect(await sizeNow()).toBe(400);
    expect(contentNow(type)).toBe(content);
  });
});

describe.each(['mounted', 'not mounted'] as const)('btrfs, %s', (where) => {
  test.each([
    ['grows', 'max', 400],
    ['shrinks', 280 * mebibyte, 280],
  ] as const)('%s, and is restored when a later step fails', async (_, size, mebibytes) => {
    const content = make('btrfs');
    if (where === 'mounted') sh('mount', device, path);
    let between = 0;

    const error = await rejectionOf(
      run(async (tx) => {
        expect(await tx.step(resize, { device, size })).toEqual({ size: mebibytes * mebibyte, when: 'now' });
        between = await sizeNow();
        await fail();
      }),
    );

    expect(error).toBeInstanceOf(RolledBackError);
    expect(between).toBe(mebibytes);
    expect(await sizeNow()).toBe(320);
    expect(mountedPaths(device)).toEqual(where === 'mounted' ? [path] : []);
    if (where === 'mounted') sh('umount', path);
    expect(contentNow('btrfs')).toBe(content);
  });
});

describe.each(['mounted', 'not mounted'] as const)('xfs, %s', (where) => {
  beforeEach(() => {
    make('xfs');
    if (where === 'mounted') sh('mount', device, path);
  });

  test('grows after the commit', async () => {
    let between = 0;

    const value = await run(async (tx) => {
      const done = await tx.step(resize, { device, size: 'max' });
      between = await sizeNow();
      return done;
    });

    expect(value).toEqual({ size: 400 * mebibyte, when: 'after the commit' });
    expect(between).toBe(320);
    expect(await sizeNow()).toBe(400);
    expect(mountedPaths(device)).toEqual(where === 'mounted' ? [path] : []);
  });

  test('is unchanged when a later step fails', async () => {
    const error = await rejectionOf(
      run(async (tx) => {
        await tx.step(resize, { device, size: 'max' });
        await fail();
      }),
    );

    expect(error).toBeInstanceOf(RolledBackError);
    expect(await sizeNow()).toBe(320);
  });

  test('refuses to shrink, before anything changes', async () => {
    const error = await rejectionOf(run((tx) => tx.step(resize, { device, size: 310 * mebibyte })));
    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toContain('xfs, which cannot be shrunk');
  });
});

test('an xfs that was unmounted between step and commit is mounted temporarily', async () => {
  make('xfs');
  sh('mount', device, path);

  await run(async (tx) => {
    await tx.step(resize, { device, size: 'max' });
    sh('umount', path);
  });

  expect(await sizeNow()).toBe(400);
  expect(mountedPaths(device)).toEqual([]);
});

test('a mounted ext4 grows after the commit; without the right to grow it, it is stuck, not lost', async () => {
  const content = make('ext4');
  sh('mount', device, path);

  const ended = await run((tx) => tx.step(resize, { device, size: 'max' })).catch((error: unknown) => error);

  if (ended instanceof StuckError) {
    // CAP_SYS_RESOURCE, which a container may not have.
    expect(String(ended)).toMatch(/Permission denied/);
    expect(ended.committed).toBe(true);
    expect(await sizeNow()).toBe(320);
  } else expect(await sizeNow()).toBe(400);
  sh('umount', path);
  expect(contentNow('ext4')).toBe(content);
});

test('a mounted ext4 is not shrunk, and the mount is named', async () => {
  make('ext4');
  sh('mount', device, path);
  const error = await rejectionOf(run((tx) => tx.step(resize, { device, size: 300 * mebibyte })));
  expect(error).toBeInstanceOf(RefusedError);
  expect(String(error)).toContain(`mounted on ${path}`);
});

test('refuses less than the minimum, and accepts the minimum', async () => {
  const content = make('ext4');
  const { minimumSize } = await info(host, device);
  if (minimumSize === null) throw new Error('no minimum');

  const error = await rejectionOf(run((tx) => tx.step(resize, { device, size: minimumSize - 4 * mebibyte })));
  expect(error).toBeInstanceOf(RefusedError);
  await run((tx) => tx.step(resize, { device, size: minimumSize }));

  expect(contentNow('ext4')).toBe(content);
});

test('a killed resize2fs is found by its flag, and e2fsck decides', async () => {
  make('ext4');
  const step = scratch();
  const taken = await take(resize, { device, size: 64 * mebibyte }, step.host, mark);
  // As resize2fs leaves it: the old size, and the flag.
  sh('debugfs', '-w', '-R', 'set_super_value state 3', device);

  expect(await taken.look('without result')).toMatchObject({ state: 'ours' });
  await taken.goBack('without result');

  expect(await taken.look('without result')).toEqual({ state: 'gone' });
  step.remove();
});

test('the undo unmounts a btrfs that a killed run left on a private directory', async () => {
  make('btrfs');
  const step = scratch();
  const taken = await take(resize, { device, size: 'max' }, step.host, mark);
  const own = `/run/bofh/mnt/${mark}`;
  sh('mkdir', '-p', own);
  sh('mount', device, own);

  expect(await taken.look('without result')).toMatchObject({ state: 'ours' });
  await taken.goBack('without result');

  expect(existsSync(own)).toBe(false);
  expect(await taken.look('without result')).toEqual({ state: 'gone' });
  step.remove();
});

describe('info', () => {
  test.each([
    ['vfat', ['mkfs.vfat'], 400],
    ['swap', ['mkswap'], 400],
  ] as const)('of %s', async (type, [tool], mebibytes) => {
    sh(tool, device);
    const found = await info(host, device);
    expect(found).toMatchObject({ type, mountedOn: [] });
    // mkfs.vfat leaves out the last sectors, which are no whole track.
    expect(Math.round(found.size / mebibyte)).toBe(mebibytes);
  });

  test.each(['ext4', 'xfs', 'btrfs'] as const)(
    'of a mounted %s reports its mounts and the used space',
    async (type) => {
      make(type);
      sh('mount', device, path);
      const { used, free, size, mountedOn, minimumSize } = await info(host, device);
      expect(mountedOn).toEqual([path]);
      expect(used).toBeGreaterThan(20 * mebibyte);
      expect((used ?? 0) + (free ?? 0)).toBe(size);
      expect(minimumSize).toBeLessThanOrEqual(size);
    },
  );
});

describe('an ext4 whose journal holds changes', () => {
  let cutOff = '';

  beforeEach(() => {
    make('ext4');
    sh('mount', device, path);
    writeFileSync(join(path, 'late'), 'x');
    sh('sync', '--file-system', path);
    const copy = disk.path('copy');
    sh('cp', '--sparse=always', disk.path('image'), copy);
    sh('umount', path);
    cutOff = disk.blank('guest', 400);
    sh('dd', `if=${copy}`, `of=${cutOff}`, 'bs=1M', 'conv=sparse,fsync', 'status=none');
  });

  /** As qemu has the disk of a guest: open, and not claimed. */
  async function whileOpen<T>(work: (pid: number) => Promise<T>): Promise<T> {
    const user = spawn('sh', ['-c', 'exec sleep 1000 3<>"$0"', cutOff], { stdio: 'ignore' });
    try {
      await vi.waitFor(() => expect(readlinkSync(`/proc/${user.pid ?? 0}/fd/3`)).toBe(cutOff));
      return await work(user.pid ?? 0);
    } finally {
      user.kill();
      await once(user, 'exit');
    }
  }

  const shrunk = () => run((tx) => tx.step(resize, { device: cutOff, size: 300 * mebibyte }));

  test('is reported as far as it is known, in use or not', async () => {
    const known = { type: 'ext4', size: 320 * mebibyte, minimumSize: null };
    expect(await info(host, cutOff)).toMatchObject(known);
    await whileOpen(async () => expect(await info(host, cutOff)).toMatchObject(known));
  });

  test('is not shrunk, and no repair is advised while it is in use', async () => {
    const error = await rejectionOf(shrunk());
    expect(remedyOf(error)).toContain(`bofh filesystem check ${cutOff} --repair`);
    await whileOpen(async (pid) => {
      const used = await rejectionOf(shrunk());
      expect(String((used as Error).cause ?? used)).toContain(`process ${pid}`);
      expect(remedyOf(used)).not.toMatch(/e2fsck|--repair/);
    });
  });

  test('is not checked while it is in use', async () => {
    await whileOpen(async (pid) => {
      const used = await rejectionOf(check(host, cutOff));
      expect(String(used)).toContain(`process ${pid}`);
      expect(remedyOf(used)).not.toContain('mount');
    });
  });
});

function remedyOf(error: unknown): string {
  const { remedy, cause } = error as {
    readonly remedy?: string;
    readonly cause?: { readonly remedy?: string };
  };
  return `${remedy ?? ''} ${cause?.remedy ?? ''}`;
}
