import { createHash, randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import * as block from '../../src/api/block.ts';
import { withBofh } from '../../src/bofh.ts';
import { connect } from '../../src/connect.ts';
import { RolledBackError } from '../../src/core/errors.ts';
import { findOperation } from '../../src/operations.ts';
import { rejectionOf } from '../support/rejection.ts';
import { mountedPaths, sh, storage, testEngine } from './sequence.ts';

const mib = 1024 ** 2;
const megabytes = 256;
let disk: ReturnType<typeof storage>;
let device = '';
let part = '';
let path = '';

beforeAll(() => {
  disk = storage();
  device = disk.ext4('image', { mebibytes: megabytes, attach: ['--partscan'] }).device;
  part = `${device}p1`;
  path = disk.makeDir('mnt');
});
beforeEach(() => {
  sh('wipefs', '--all', '--quiet', device);
});
afterEach(() => {
  for (const each of mountedPaths(part)) sh('umount', each);
  // It fails where there is none.
  sh('sh', '-c', `partx --delete ${device} || true`);
  sh('dd', 'if=/dev/zero', `of=${device}`, 'bs=1M', `count=${String(megabytes)}`, 'status=none');
});
afterAll(() => {
  disk.clean();
});

/** One partition of 128 MiB with an ext4 in it, and in that a file; told is the hash of the file. */
function make(type: 'gpt' | 'dos'): string {
  sh('sh', '-c', `printf 'label: ${type}\\nstart=1MiB, size=128MiB\\n' | sfdisk --quiet ${device}`);
  // Not on every kernel does sfdisk make the nodes of a loop device.
  sh('partx', '--update', device);
  sh('mkfs.ext4', '-q', part);
  const content = randomBytes(64 * mib);
  sh('mount', part, path);
  writeFileSync(join(path, 'file'), content);
  sh('umount', path);
  return createHash('sha256').update(content).digest('hex');
}

function contentNow(): string {
  sh('e2fsck', '-f', '-n', part);
  sh('mount', part, path);
  const hash = createHash('sha256').update(readFileSync(join(path, 'file')));
  sh('umount', path);
  return hash.digest('hex');
}

/** Both ends of the disk, where its tables are. */
function tableNow(): string {
  sh('sync', device);
  const file = openSync(device, 'r');
  const hash = createHash('sha256');
  for (const from of [0, (megabytes - 1) * mib]) {
    const bytes = Buffer.alloc(mib);
    readSync(file, bytes, 0, bytes.length, from);
    hash.update(bytes);
  }
  closeSync(file);
  return hash.digest('hex');
}

const sizeNow = (): number => Number(readFileSync(`/sys/class/block/${basename(part)}/size`, 'utf8')) / 2048;

const here = <T>(body: () => Promise<T>): Promise<T> => {
  const state = disk.path('state');
  const engine = { ...testEngine(state), find: findOperation };
  return withBofh({ ...connect({ stateDir: state }), engine }, body);
};

test.each(['gpt', 'dos'] as const)(
  'a partition of a %s table grows with its ext4, and to the end of the disk',
  async (type) => {
    const content = make(type);

    const { layers } = await here(() => block.resize({ device: part, to: { by: 64 * mib } }));
    const by = [sizeNow(), contentNow()];
    await here(() => block.resize({ device: part, to: 'max' }));

    expect(layers.map(({ to, when }) => [to / mib, when])).toEqual([
      [192, 'now'],
      [192, 'now'],
    ]);
    expect(by).toEqual([192, content]);
    expect([sizeNow(), contentNow()]).toEqual([type === 'gpt' ? 254 : 255, content]);
  },
);

test.each(['gpt', 'dos'] as const)(
  'a step that fails leaves a %s table as it was, byte for byte',
  async (type) => {
    const content = make(type);
    const before = tableNow();
    const undo = block.registerLayer({
      name: 'ext4-that-fails',
      of: 'content',
      recognises: ({ content: found }) => found?.type === 'ext4',
      tell: async () => ({}),
      limits: async ({ device: { size } }) => ({
        ...{ size, granularity: 4096, overhead: 0, smallest: { size: 0, why: '' } },
        ...{ grow: { may: true }, shrink: { may: true } },
      }),
      resize: async () => Promise.reject(new Error('this layer fails')),
    });

    const error = await rejectionOf(here(() => block.resize({ device: part, to: { by: 64 * mib } })));
    undo();

    expect(error).toBeInstanceOf(RolledBackError);
    expect(String(error)).toContain('this layer fails');
    expect([tableNow(), sizeNow(), contentNow()]).toEqual([before, 128, content]);
  },
);
