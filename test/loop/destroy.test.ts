import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AnyOperation, Steps } from '../../src/atomic/index.ts';
import { probe } from '../../src/blockdevice/index.ts';
import { discard, zero } from '../../src/erase/operations.ts';
import { RolledBackError } from '../../src/core/errors.ts';
import { localHost } from '../../src/host/local.ts';
import { mount } from '../../src/mount/operations.ts';
import { rejectionOf } from '../support/rejection.ts';
import { scratch, take } from '../unit/file/support.ts';
import { mountedPaths, sequence, sh, storage, testEngine } from './sequence.ts';

const host = localHost();
let disk: ReturnType<typeof storage>;
let device = '';
beforeAll(() => {
  disk = storage();
  device = disk.ext4('image').device;
});
afterAll(() => {
  disk.clean();
});

const codes = [discard, zero, mount] as readonly unknown[] as readonly AnyOperation[];
let sequences = 0;
const run = <T>(body: (tx: Steps) => Promise<T>): Promise<T> => {
  sequences += 1;
  const engine = testEngine(disk.makeDir(`state-${String(sequences)}`));
  return sequence({ ...engine, find: async (kind) => codes.find((one) => one.kind === kind) }, body);
};
const notZero = (): number => Number(sh('sh', '-c', `tr -d '\\0' < ${device} | wc -c`));

test.each([
  ['discard', discard],
  ['zero', zero],
] as const)('%s runs after the commit and leaves no content', async (_, code) => {
  sh('mkfs.ext4', '-q', '-F', device);
  const overwrite = [(await probe(host, device))?.uuid ?? ''];
  const before = notZero();
  expect(before).toBeGreaterThan(0);

  const error = await rejectionOf(
    run(async (tx) => {
      await tx.step(code, { device, overwrite });
      throw new Error('a later step fails');
    }),
  );
  expect(error).toBeInstanceOf(RolledBackError);
  expect(notZero()).toBe(before);

  await run((tx) => tx.step(code, { device, overwrite }));
  expect(await probe(host, device)).toBeUndefined();
  // A loop device over a file of this filesystem reads what was discarded as zeros.
  expect(notZero()).toBe(0);
});

test.each([
  ['discard', discard],
  ['zero', zero],
] as const)(
  'the undo of %s of a wiped device restores its first bytes, or leaves nothing',
  async (_, code) => {
    sh('mkfs.ext4', '-q', '-F', device);
    sh('wipefs', '--all', '--quiet', device);
    const hash = (): string => sh('sha256sum', device);
    const before = hash();
    const asked = { device, overwrite: ['blank'] };
    const marked = (): string => sh('sh', '-c', `head -c 5 ${device} | tr '\\0' .`);

    const error = await rejectionOf(
      run(async (tx) => {
        await tx.step(code, asked);
        expect(marked()).toContain('bofh.');
        expect(await probe(host, device)).toBeUndefined();
        throw new Error('a later step fails');
      }),
    );
    expect(error).toBeInstanceOf(RolledBackError);
    expect(hash()).toBe(before);

    await run((tx) => tx.step(code, asked));
    expect(notZero()).toBe(0);
  },
);

test('leaves alone content that another process writes between step and commit to a blank device', async () => {
  const asked = { device, overwrite: ['blank'] };
  let made = '';
  await run(async (tx) => {
    await tx.step(zero, asked);
    sh('mkfs.ext4', '-q', '-F', device);
    made = (await probe(host, device))?.uuid ?? '';
  });
  expect(made).not.toBe('');
  expect(await probe(host, device)).toMatchObject({ type: 'ext4', uuid: made });
  sh('e2fsck', '-f', '-n', device);
});

const both = [
  ['discard', discard],
  ['zero', zero],
] as const;

test.each(both)('%s is rolled back if a later step of the sequence mounts the device', async (_, code) => {
  sh('mkfs.ext4', '-q', '-F', device);
  const overwrite = [(await probe(host, device))?.uuid ?? ''];
  const before = sh('sha256sum', device);
  const path = disk.makeDir(`mounted-${code.kind}`);

  const error = await rejectionOf(
    run(async (tx) => {
      await tx.step(code, { device, overwrite });
      await tx.step(mount, { device, path, mode: 'ro' });
    }),
  );

  expect(error).toBeInstanceOf(RolledBackError);
  expect(String((error as RolledBackError).cause)).toContain(
    'acts after the commit, but its device is in use',
  );
  expect(mountedPaths(device)).toEqual([]);
  expect(sh('sha256sum', device)).toBe(before);
});

test.each(both)('%s leaves other data behind the same signature alone after the commit', async (_, code) => {
  sh('mkfs.ext4', '-q', '-F', device);
  const overwrite = [(await probe(host, device))?.uuid ?? ''];
  const { host: change, remove } = scratch();
  const step = await take(code, { device, overwrite }, change);
  const hash = (): string => sh('sha256sum', device);

  // Another disk of the same template: only its data differ, far behind the head.
  const last = Number(sh('blockdev', '--getsize64', device)) - 5000;
  sh('sh', '-c', `printf ledger | dd of=${device} bs=1 seek=${String(last)} conv=notrunc,fsync status=none`);
  const before = hash();
  const error = await rejectionOf(step.finish());
  remove();

  expect(String(error)).toMatch(
    /holds other data than before the commit \(at byte \d+\).*nothing was destroyed/,
  );
  expect(hash()).toBe(before);
});

test('zero continues what it has started', async () => {
  sh('mkfs.ext4', '-q', '-F', device);
  const overwrite = [(await probe(host, device))?.uuid ?? ''];
  const { host: change, remove } = scratch();
  const step = await take(zero, { device, overwrite }, change);
  sh('blkdiscard', '--zeroout', '--offset', String(1024 ** 2), device);
  await step.finish();
  remove();
  expect(notZero()).toBe(0);
});

test('a file with the inode number of a removed one is a different file', async () => {
  const root = disk.makeDir('filesystem');
  sh('mkfs.ext4', '-q', '-F', device);
  sh('mount', device, root);
  const { host: change, remove } = scratch();
  const [old, golden, customer] = ['old.img', 'golden.img', 'customer.img'].map((name) => join(root, name));
  try {
    sh('truncate', '--size=1M', golden ?? '');
    sh('mkfs.ext4', '-q', '-F', golden ?? '');
    sh('cp', golden ?? '', old ?? '');
    const loop = sh('losetup', '--find', '--show', old ?? '').trim();
    const { ino } = statSync(old ?? '');
    const overwrite = [(await probe(host, loop))?.uuid ?? ''];
    const step = await take(zero, { device: loop, overwrite }, change);
    sh('losetup', '--detach', loop);

    sh('rm', old ?? '');
    sh('cp', golden ?? '', customer ?? '');
    // ext4 gives the lowest free number: else nothing would be tried here.
    expect(statSync(customer ?? '').ino).toBe(ino);
    sh('losetup', loop, customer ?? '');
    const before = sh('sha256sum', customer ?? '');
    const error = await rejectionOf(step.finish());
    sh('sync', customer ?? '');
    expect(sh('sha256sum', customer ?? '')).toBe(before);
    sh('losetup', '--detach', loop);

    expect(String(error)).toContain(`${loop} is missing: its content is unknown`);
  } finally {
    sh('umount', root);
    remove();
  }
});
