import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { AnyOperation, Steps } from '../../src/atomic/index.ts';
import { RolledBackError } from '../../src/core/errors.ts';
import { labelOf } from '../../src/filesystem/commands/label.ts';
import { label } from '../../src/filesystem/operations.ts';
import { localHost } from '../../src/host/local.ts';
import { rejectionOf } from '../support/rejection.ts';
import { mountedPaths, sequence, sh, storage, testEngine } from './sequence.ts';

const host = localHost();
let disk: ReturnType<typeof storage>;
let device = '';
let path = '';

beforeAll(() => {
  disk = storage();
  device = disk.ext4('image', { mebibytes: 320 }).device;
  path = disk.makeDir('mnt');
});

afterAll(() => {
  disk.clean();
});

afterEach(() => {
  for (const each of mountedPaths(device)) sh('umount', each);
});

const codes = [label] as readonly unknown[] as readonly AnyOperation[];
let sequences = 0;
const run = <T>(body: (tx: Steps) => Promise<T>): Promise<T> => {
  sequences += 1;
  const engine = testEngine(disk.makeDir(`state-${String(sequences)}`));
  return sequence({ ...engine, find: async (kind) => codes.find((one) => one.kind === kind) }, body);
};

const makers = {
  ext2: ['mkfs.ext2', '-q', '-L', 'OLD'],
  ext4: ['mkfs.ext4', '-q', '-L', 'OLD'],
  xfs: ['mkfs.xfs', '-q', '-L', 'OLD'],
  btrfs: ['mkfs.btrfs', '-q', '-L', 'OLD'],
  vfat: ['mkfs.vfat', '-n', 'OLD'],
  swap: ['mkswap', '-L', 'OLD'],
} as const;
type Type = keyof typeof makers;

function make(type: Type): void {
  sh('wipefs', '--all', device);
  const [tool, ...words] = makers[type];
  sh(tool, ...words, device);
}

const now = (type: Type, mounted = false) =>
  host.run(labelOf({ type, device, path: mounted ? path : undefined }));

describe.each([
  ['ext2', 'ä b"c', 'not mounted'],
  ['ext4', 'ä b"c', 'not mounted'],
  ['ext4', 'x'.repeat(16), 'mounted'],
  ['xfs', 'new@1', 'not mounted'],
  ['xfs', 'x'.repeat(12), 'mounted'],
  ['btrfs', 'ä b"c', 'not mounted'],
  ['btrfs', 'x'.repeat(254), 'mounted'],
  ['vfat', 'NEW 1', 'not mounted'],
  ['swap', 'ä b"c', 'not mounted'],
] as const)('%s, %s, %s', (type, text, where) => {
  test('is set, cleared, and restored when a later step fails', async () => {
    make(type);
    const mounted = where === 'mounted';
    if (mounted) sh('mount', device, path);
    const between: unknown[] = [];

    const error = await rejectionOf(
      run(async (tx) => {
        await tx.step(label, { device, label: text });
        between.push(await now(type, mounted));
        await tx.step(label, { device, label: null });
        between.push(await now(type, mounted));
        throw new Error('a later step fails');
      }),
    );

    expect(error).toBeInstanceOf(RolledBackError);
    expect([between, String(error)]).toEqual([[text, null], expect.stringContaining('a later step fails')]);
    expect(await now(type, mounted)).toBe('OLD');
  });
});
