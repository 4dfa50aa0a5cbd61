import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import * as block from '../../src/api/block.ts';
import { withBofh } from '../../src/bofh.ts';
import { connect } from '../../src/connect.ts';
import { RefusedError } from '../../src/core/errors.ts';
import { findOperation } from '../../src/operations.ts';
import { sh, storage, testEngine } from './sequence.ts';

const mib = 1024 ** 2;
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

const makes = {
  ext4: ['mkfs.ext4', '-q', () => device, `${320 * 1024}k`],
  xfs: ['mkfs.xfs', '-q', '-d', `size=${320 * mib}`, () => device],
  btrfs: ['mkfs.btrfs', '-q', '-b', String(320 * mib), () => device],
} as const;
const checks = {
  ext4: ['e2fsck', '-f', '-n'],
  xfs: ['xfs_repair', '-n'],
  btrfs: ['btrfs', 'check'],
} as const;

/** 320 MiB on a device of 400, with a file whose content is known. */
function make(type: keyof typeof makes): string {
  const [tool, ...argv] = makes[type];
  sh(tool, ...argv.map((word) => (typeof word === 'string' ? word : word())));
  const content = randomBytes(8 * mib);
  sh('mount', device, path);
  writeFileSync(join(path, 'file'), content);
  sh('umount', path);
  return createHash('sha256').update(content).digest('hex');
}

function contentNow(type: keyof typeof makes): string {
  const [tool, ...argv] = checks[type];
  sh(tool, ...argv, device);
  sh('mount', device, path);
  const hash = createHash('sha256')
    .update(readFileSync(join(path, 'file')))
    .digest('hex');
  sh('umount', path);
  return hash;
}

const here = <T>(body: () => Promise<T>): Promise<T> => {
  const state = disk.path('state');
  const engine = { ...testEngine(state), find: findOperation };
  return withBofh({ ...connect({ stateDir: state }), engine }, body);
};

describe.each(['ext4', 'xfs', 'btrfs'] as const)('%s that is smaller than its device', (type) => {
  test('max fills its device and keeps the files; the tree shows both sizes', async () => {
    const content = make(type);
    const sizes = async (): Promise<readonly (number | undefined)[]> => {
      const { devices, asked } = await here(() => block.tree({ device }));
      const found = devices.find(({ id }) => id === asked);
      return [found?.size, found?.content.size].map((size) => (size ?? 0) / mib);
    };
    const before = await sizes();

    const { layers } = await here(() => block.resize({ device, to: 'max' }));

    expect(before).toEqual([400, 320]);
    expect(layers.map(({ to, when }) => [to / mib, when])).toEqual([
      [400, 'unchanged'],
      [400, type === 'xfs' ? 'after the commit' : 'now'],
    ]);
    expect(await sizes()).toEqual([400, 400]);
    expect(contentNow(type)).toBe(content);
  });
});

test('refuses a device whose size bofh cannot change, before anything changes', async () => {
  const content = make('ext4');

  await expect(here(() => block.resize({ device, to: { by: -64 * mib } }))).rejects.toThrow(RefusedError);

  expect(contentNow('ext4')).toBe(content);
});
