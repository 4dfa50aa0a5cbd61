import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AnyOperation, Steps } from '../../src/atomic/index.ts';
import { probe } from '../../src/blockdevice/index.ts';
import { wipe } from '../../src/blockdevice/operations.ts';
import { magicsOn } from '../../src/blockdevice/wipe/commands.ts';
import { RefusedError, RolledBackError } from '../../src/core/errors.ts';
import { create } from '../../src/filesystem/operations.ts';
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

const codes = [wipe, create] as readonly unknown[] as readonly AnyOperation[];
let sequences = 0;
const run = <T>(body: (tx: Steps) => Promise<T>): Promise<T> => {
  sequences += 1;
  const engine = testEngine(disk.makeDir(`state-${String(sequences)}`));
  return sequence({ ...engine, find: async (kind) => codes.find((one) => one.kind === kind) }, body);
};

/** Of what lies where signatures do: all that matters here, and quicker than the whole device. */
const content = (): string => {
  sh('sync', device);
  const file = openSync(device, 'r');
  const hash = createHash('sha256');
  for (const from of [0, 318 * 1024 ** 2]) {
    const bytes = Buffer.alloc(2 * 1024 ** 2);
    readSync(file, bytes, 0, bytes.length, from);
    hash.update(bytes);
  }
  closeSync(file);
  return hash.digest('hex');
};

const dos = (): void => {
  sh('sh', '-c', `echo 'label: dos' | sfdisk --quiet --no-reread --no-tell-kernel --wipe never ${device}`);
};
const gpt = (): void => {
  sh('sh', '-c', `echo 'label: gpt' | sfdisk --quiet --no-reread --no-tell-kernel ${device}`);
};

test.each([
  ['ext4', () => sh('mkfs.ext4', '-q', device)],
  ['xfs', () => sh('mkfs.xfs', '-q', '-f', device)],
  ['btrfs', () => sh('mkfs.btrfs', '-q', '-f', device)],
  ['vfat', () => sh('mkfs.vfat', device)],
  ['swap', () => sh('mkswap', device)],
  ['dos', dos],
  ['gpt', gpt],
  [
    'ext4 and a partition table',
    () => {
      sh('mkfs.ext4', '-q', device);
      dos();
    },
  ],
] as const)('erases %s, and restores it byte for byte', async (_, make) => {
  sh('wipefs', '--all', '--quiet', device);
  sh('dd', 'if=/dev/zero', `of=${device}`, 'bs=1M', 'count=2', 'status=none');
  make();
  const before = content();
  const found = await probe(host, device);
  const magics = await host.run(magicsOn(device));
  const overwrite = [
    ...new Set(
      magics.map(({ type, usage, uuid }) =>
        usage === 'partition-table' && found?.usage === 'partition-table'
          ? (found.uuid ?? type)
          : (uuid ?? type),
      ),
    ),
  ];
  let between: unknown = 'not looked';

  const error = await rejectionOf(
    run(async (tx) => {
      await tx.step(wipe, { device, overwrite });
      between = await probe(host, device);
      throw new Error('a later step fails');
    }),
  );

  expect(String(error)).toContain('a later step fails');
  expect(error).toBeInstanceOf(RolledBackError);
  expect(between).toBeUndefined();
  expect(content()).toBe(before);
});

test('restores nothing over newer content', async () => {
  sh('mkfs.ext4', '-q', '-F', device);
  const found = await probe(host, device);
  await rejectionOf(
    run(async (tx) => {
      await tx.step(wipe, { device, overwrite: [found?.uuid ?? ''] });
      await tx.step(create, { device, type: 'ext4' });
      throw new Error('a later step fails');
    }),
  );
  expect(await probe(host, device)).toBeUndefined();
});

test('restores no signature beside swap that others created in another place', async () => {
  sh('mkfs.btrfs', '-q', '-f', device);
  const found = await probe(host, device);
  await rejectionOf(
    run(async (tx) => {
      await tx.step(wipe, { device, overwrite: [found?.uuid ?? ''] });
      sh('mkswap', '--quiet', device);
      throw new Error('a later step fails');
    }),
  );
  expect((await probe(host, device))?.type).toBe('swap');
});

test('refuses a table with partitions, and names them', async () => {
  sh(
    'sh',
    '-c',
    `printf 'label: gpt\\nsize=16MiB\\nsize=8MiB\\n' | sfdisk --quiet --no-reread --no-tell-kernel ${device}`,
  );
  const before = content();
  const found = await probe(host, device);

  const error = await rejectionOf(run((tx) => tx.step(wipe, { device, overwrite: [found?.uuid ?? ''] })));

  expect(error).toBeInstanceOf(RefusedError);
  expect(String(error)).toContain(`${device}p1 (16 MiB) and ${device}p2 (8 MiB)`);
  expect(content()).toBe(before);
  sh('wipefs', '--all', '--quiet', device);
});
