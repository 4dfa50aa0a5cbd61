import { closeSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AnyOperation, Steps } from '../../src/atomic/index.ts';
import { holders, identityOf, probe } from '../../src/blockdevice/index.ts';
import { RefusedError, RolledBackError } from '../../src/core/errors.ts';
import { create } from '../../src/filesystem/operations.ts';
import { makeable } from '../../src/filesystem/types.ts';
import { localHost } from '../../src/host/local.ts';
import { sequence, sh, storage, testEngine } from './sequence.ts';

const mebibyte = 1024 ** 2;
const host = localHost();
const uuid = '11111111-2222-3333-4444-555555555555';
let disk: ReturnType<typeof storage>;
let device = '';

beforeAll(() => {
  disk = storage();
  device = disk.ext4('image', { mebibytes: 320 }).device;
});

afterAll(() => {
  disk.clean();
});

beforeEach(() => {
  sh('wipefs', '--all', device);
});

const codes = [create] as readonly unknown[] as readonly AnyOperation[];
let sequences = 0;
// A state directory for each sequence: a journal that stays open claims the device.
const run = <T>(body: (tx: Steps) => Promise<T>): Promise<T> => {
  sequences += 1;
  const engine = testEngine(disk.makeDir(`state-${sequences}`));
  return sequence({ ...engine, find: async (kind) => codes.find((one) => one.kind === kind) }, body);
};
const now = async () => (await probe(host, device)) ?? 'blank';
const fail = async (): Promise<never> => Promise.reject(new Error('a later step fails'));

/** What is made, seen at the moment when a later step fails. */
async function undone(args: Parameters<typeof run>[0]): Promise<unknown> {
  return run(async (tx) => {
    await args(tx);
    return fail();
  }).catch((error: unknown) => error);
}

describe('create', () => {
  test.each([
    ['ext2', 'a b', {}],
    ['ext3', 'a b', { reservedPercent: 0 }],
    ['ext4', 'a b', { blockSize: 2048, bytesPerInode: 8192 }],
    ['xfs', 'data-1', { blockSize: 1024 }],
    ['btrfs', 'a b', { nodeSize: 4096, checksum: 'xxhash' }],
    ['vfat', 'DATA 1', { fatBits: 32 }],
    ['swap', 'a b', {}],
  ] as const)('creates %s with the chosen UUID, label and options', async (type, label, options) => {
    const chosen = type === 'vfat' ? 'ABCD-1234' : uuid;
    expect(await run((tx) => tx.step(create, { device, type, uuid: chosen, label, options }))).toEqual({
      uuid: chosen,
    });
    expect(await now()).toMatchObject({ type, uuid: chosen, label });
  });

  test.each([
    ['ext2', 16],
    ['xfs', 12],
    ['btrfs', 254],
    ['vfat', 11],
    ['swap', 15],
  ] as const)('a label of %s may be as long as bofh says: %i bytes', async (type, length) => {
    const label = 'X'.repeat(length);
    await run((tx) => tx.step(create, { device, type, label }));
    expect(await now()).toMatchObject({ label });
  });

  test('chooses a UUID itself', async () => {
    const made = await run((tx) => tx.step(create, { device, type: 'ext4' }));
    expect(await now()).toMatchObject({ uuid: made.uuid });
  });

  test.each(makeable)('is undone: a device with %s is blank again', async (type) => {
    let between: unknown;
    const error = await undone(async (tx) => {
      await tx.step(create, { device, type });
      between = await now();
    });
    expect(error).toBeInstanceOf(RolledBackError);
    expect(between).toMatchObject({ type });
    expect(await now()).toBe('blank');
  });

  test('leaves alone another filesystem that replaced it before the undo', async () => {
    const error = await undone(async (tx) => {
      await tx.step(create, { device, type: 'ext4' });
      sh('mkfs.ext4', '-q', '-U', uuid, device);
    });
    expect(error).toBeInstanceOf(RolledBackError);
    expect(error instanceof RolledBackError ? String(error.leftUntouched) : '').toContain(uuid);
    expect(await now()).toMatchObject({ uuid });
  });

  test('is stuck, and wipes nothing, while its filesystem is mounted', async () => {
    const path = disk.makeDir('mounted');
    const error = await undone(async (tx) => {
      await tx.step(create, { device, type: 'ext4', uuid });
      sh('mount', device, path);
    });
    expect(JSON.stringify(await holders(host, device))).toContain(`mounted on ${path} (mount `);
    sh('umount', path);
    expect(String(error)).toContain(`mounted on ${path}`);
    expect(await now()).toMatchObject({ uuid });
  });

  test('does not mistake another file behind the same loop device for its own', async () => {
    const path = disk.path('other');
    const undo = await create.prepare({ args: { device, type: 'ext4' }, mark: 'bofh.0.1', host });
    const { identity } = await identityOf(host, device);
    writeFileSync(path, '');
    truncateSync(path, 320 * mebibyte);
    sh('losetup', '--detach', device);
    sh('losetup', device, path);
    try {
      expect((await identityOf(host, device)).identity).not.toBe(identity);
      await expect(create.look({ undo, host })).rejects.toThrow(/is unknown/);
    } finally {
      sh('losetup', '--detach', device);
      sh('losetup', device, disk.path('image'));
    }
  });
});

const contents: readonly [string, () => void, { uuid?: string; type?: string }][] = [
  ['ext4', () => sh('mkfs.ext4', '-q', '-U', uuid, device), { uuid }],
  ['swap', () => sh('mkswap', '-U', uuid, device), { uuid }],
  ['a GPT', () => partition('label: gpt'), { type: 'gpt' }],
  ['an empty MBR', () => partition('label: dos'), { type: 'dos' }],
  ['xfs', () => sh('mkfs.xfs', '-q', '-m', `uuid=${uuid}`, device), { uuid }],
  ['btrfs', () => sh('mkfs.btrfs', '-q', '-U', uuid, device), { uuid }],
  ['vfat', () => sh('mkfs.vfat', '-i', 'abcd1234', device), { uuid: 'ABCD-1234' }],
  ['an LVM physical volume', physicalVolume, { type: 'LVM2_member' }],
];

describe.each(contents)('a device with %s', (_, prepare, wrong) => {
  test('is refused with the name of the content, and nothing is written', async () => {
    prepare();
    const before = await now();
    const error = await run((tx) => tx.step(create, { device, type: 'ext4' })).catch((one: unknown) => one);
    expect(error).toBeInstanceOf(RefusedError);
    const found = await probe(host, device);
    expect(String(error)).toContain(found?.uuid ?? found?.type ?? 'nothing');
    expect(found).toEqual(before);
  });

  test('is refused when other content is named, also when it is partly right', async () => {
    prepare();
    for (const overwrite of [{ uuid: 'other' }, { type: 'ntfs' }, { ...wrong, type: 'ntfs' }]) {
      await expect(run((tx) => tx.step(create, { device, type: 'swap', overwrite }))).rejects.toThrow(
        RefusedError,
      );
    }
    expect(await now()).not.toBe('blank');
  });

  test.each(['xfs', 'btrfs'] as const)(
    'is overwritten by %s too, whose program would refuse',
    async (type) => {
      prepare();
      const found = await probe(host, device);
      const overwrite = found?.uuid === undefined ? { type: found?.type ?? '' } : { uuid: found.uuid };
      await run((tx) => tx.step(create, { device, type, overwrite }));
      expect(await now()).toMatchObject({ type });
    },
  );

  test('is overwritten completely when named, and blank after the undo', async () => {
    prepare();
    const found = await probe(host, device);
    const overwrite = found?.uuid === undefined ? { type: found?.type ?? '' } : { uuid: found.uuid };
    let between: unknown;
    const error = await undone(async (tx) => {
      await tx.step(create, { device, type: 'swap', overwrite });
      between = await now();
    });
    expect(error).toBeInstanceOf(RolledBackError);
    expect(error).toMatchObject({ cause: new Error('a later step fails') });
    expect(between).toMatchObject({ type: 'swap', usage: 'other' });
    expect(between).not.toHaveProperty('ptType');
    expect(await now()).toBe('blank');
  });
});

test('refuses a device with two signatures, whatever is named', async () => {
  sh('mkfs.ext4', '-q', '-U', uuid, device);
  bootSector();
  expect(await now()).toMatchObject({ type: 'ext4', ptType: 'dos' });
  const make = run((tx) => tx.step(create, { device, type: 'swap', overwrite: { uuid } }));
  await expect(make).rejects.toThrow(/partition table \(dos, with the partition /);
});

test('refuses a disk with partitions, whatever is named, and lists them', async () => {
  partition('label: dos\n,10M');
  const before = await now();
  for (const overwrite of [undefined, { type: 'dos' }, { uuid: (await probe(host, device))?.uuid ?? '' }]) {
    const named = overwrite === undefined ? {} : { overwrite };
    const make = run((tx) => tx.step(create, { device, type: 'ext4', ...named }));
    await expect(make).rejects.toThrow(`with the partition ${device}p1 (10 MiB)`);
  }
  expect(await now()).toEqual(before);
});

test('refuses a device in use, although it is named', async () => {
  sh('mkfs.ext4', '-q', '-U', uuid, device);
  const path = disk.makeDir('used');
  sh('mount', device, path);
  try {
    const make = run((tx) => tx.step(create, { device, type: 'swap', overwrite: { uuid } }));
    await expect(make).rejects.toThrow(`mounted on ${path}`);
  } finally {
    sh('umount', path);
  }
  expect(await now()).toMatchObject({ uuid });
});

function partition(script: string): void {
  const file = disk.path('script');
  writeFileSync(file, `${script}\n`);
  sh('sh', '-c', `sfdisk -q ${device} < ${file} 2>&1`);
}

function physicalVolume(): void {
  const config = `devices { filter=["a|^${device}$|","r|.*|"] use_devicesfile=0 }`;
  sh('pvcreate', '-qq', '--driverloaded', 'n', '--config', config, device);
}

/** A partition entry and the magic of an MBR, which mkfs.ext4 leaves room for. */
function bootSector(): void {
  const entry = Buffer.from([0, 0, 2, 0, 0x83, 0, 0, 0, 1, 0, 0, 0, 0, 8, 0, 0]);
  const file = openSync(device, 'r+');
  try {
    writeSync(file, entry, 0, 16, 446);
    writeSync(file, Buffer.from([0x55, 0xaa]), 0, 2, 510);
  } finally {
    closeSync(file);
  }
}
