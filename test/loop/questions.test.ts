import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { partitionsOf } from '../../src/blockdevice/partitions/reads.ts';
import { reachOf } from '../../src/blockdevice/reach.ts';
import { magicsOn } from '../../src/blockdevice/wipe/commands.ts';
import { probe } from '../../src/blockdevice/index.ts';
import { headerOf } from '../../src/crypt/index.ts';
import { BofhError } from '../../src/core/errors.ts';
import { check, info } from '../../src/filesystem/index.ts';
import { labelOf } from '../../src/filesystem/commands/label.ts';
import { btrfsChanging, xfsLog, xfsState } from '../../src/filesystem/commands/uuid.ts';
import { localHost } from '../../src/host/local.ts';
import { tree } from '../../src/stack/index.ts';
import { rejectionOf } from '../support/rejection.ts';
import { builtCommand } from '../unit/cli/support/built.ts';
import { sh, storage } from './sequence.ts';

// A question changes no byte: neither of a device that is read-only, where it also has to work or say why it cannot, nor
// of a damaged one, which a tool may be tempted to repair.

const host = localHost();
let disk: ReturnType<typeof storage>;
let command = '';
const key = 'geheim';

beforeAll(async () => {
  disk = storage();
  writeFileSync(disk.path('key'), key, { mode: 0o600 });
  writeFileSync(disk.path('new-key'), 'neu', { mode: 0o600 });
  command = await builtCommand();
});
afterAll(() => disk.clean());

type Make = (image: string) => void;

const overwrite = (image: string, at: number, bytes: Uint8Array): void => {
  const file = openSync(image, 'r+');
  writeSync(file, bytes, 0, bytes.length, at);
  closeSync(file);
};
const garbage = new Uint8Array(64).fill(0x5a);

function made(maker: string, ...words: readonly string[]): Make {
  return (image) => void sh(maker, ...words, image);
}

/** Mounted, written to, and copied as a power cut would leave it: its journal holds changes. */
function cutOff(maker: string, ...words: readonly string[]): Make {
  return (image) => {
    sh(maker, ...words, image);
    const path = disk.makeDir(`mnt-${maker}`);
    sh('mount', '-o', 'loop', image, path);
    writeFileSync(join(path, 'file'), 'x'.repeat(5000));
    sh('sync', '-f', path);
    sh('cp', image, `${image}.copy`);
    sh('umount', path);
    sh('mv', `${image}.copy`, image);
  };
}

function luks(version: 1 | 2): Make {
  const cheap = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];
  return (image) =>
    void sh(
      ...(['cryptsetup', 'luksFormat', '-q', '--type', `luks${version}`, ...cheap] as const),
      ...['--key-file', disk.path('key'), image],
    );
}

function damaged(make: Make, ...places: readonly number[]): Make {
  return (image) => {
    make(image);
    for (const place of places) overwrite(image, place, garbage);
  };
}

const first = 4096 + 100;
const second = 16_384 + 4096 + 100;

const contents: readonly (readonly [name: string, make: Make])[] = [
  ['nothing', () => undefined],
  ['ext4', made('mkfs.ext4', '-q')],
  ['ext4 that was cut off', cutOff('mkfs.ext4', '-q')],
  ['ext4 with a damaged superblock', damaged(made('mkfs.ext4', '-q'), 1024 + 0x60)],
  ['ext4 with damaged group descriptors', damaged(made('mkfs.ext4', '-q'), 4096)],
  ['xfs', made('mkfs.xfs', '-q')],
  ['xfs that was cut off', cutOff('mkfs.xfs', '-q')],
  ['xfs with a damaged superblock', damaged(made('mkfs.xfs', '-q'), 0x20)],
  ['btrfs', made('mkfs.btrfs', '-q')],
  ['btrfs that was cut off', cutOff('mkfs.btrfs', '-q')],
  ['btrfs with a damaged superblock', damaged(made('mkfs.btrfs', '-q'), 65_536 + 0x200)],
  ['vfat', made('mkfs.vfat')],
  ['vfat with its tables damaged', damaged(made('mkfs.vfat'), 32 * 512 + 4)],
  ['swap', made('mkswap', '-q')],
  ['LUKS1', luks(1)],
  ['LUKS1 with a damaged header', damaged(luks(1), 0x80)],
  ['LUKS2', luks(2)],
  ['LUKS2 whose first header is damaged', damaged(luks(2), first)],
  ['LUKS2 whose second header is damaged', damaged(luks(2), second)],
  ['LUKS2 whose headers are both damaged', damaged(luks(2), first, second)],
  [
    'a partition table',
    (image) => void sh('sh', '-c', `echo 'start=2048, size=8192' | sfdisk -q -X gpt ${image}`),
  ],
  [
    'a damaged partition table',
    (image) => {
      sh('sh', '-c', `echo 'start=2048, size=8192' | sfdisk -q -X gpt ${image}`);
      overwrite(image, 512 + 24, garbage);
    },
  ],
];

/** Every question that bofh asks of a device. */
const questions: Readonly<Record<string, (device: string) => Promise<unknown>>> = {
  probe: (device) => probe(host, device),
  magics: (device) => host.run(magicsOn(device)),
  reach: (device) => reachOf(host, device),
  'filesystem show': (device) => info(host, device),
  'filesystem check': (device) => check(host, device),
  label: async (device) => {
    for (const type of ['ext4', 'xfs', 'btrfs', 'vfat', 'swap'] as const)
      await host.run(labelOf({ type, device, path: undefined })).catch(known);
  },
  'state of an xfs': async (device) => {
    await host.run(xfsState(device)).catch(known);
    await host.run(xfsLog(device)).catch(known);
  },
  'state of a btrfs': (device) => host.run(btrfsChanging(device)),
  'crypt show': (device) => headerOf(host, device),
  'block tree': (device) => tree({ host, device }),
  'block partitions': (device) => partitionsOf(host, device),
};

const dryRuns = (name: string, device: string): readonly (readonly string[])[] => {
  const keys = ['--key', `file:${disk.path('key')}`];
  const newKey = ['--new-key', `file:${disk.path('new-key')}`];
  if (name.startsWith('LUKS'))
    return [
      ['crypt', 'show', device],
      ['crypt', 'add-key', device, ...keys, ...newKey],
      ['crypt', 'change-key', device, ...keys, ...newKey],
      ['crypt', 'reencrypt', device, ...keys],
      ['crypt', 'open', device, '--name', 'web', ...keys],
      ['crypt', 'header', 'backup', device, disk.path('header')],
    ];
  return [
    ['block', 'wipe', device, '--overwrite', 'ext4'],
    ['block', 'resize', device, '-4m'],
    ['filesystem', 'label', device, 'WEB'],
    ['filesystem', 'uuid', device],
    ['filesystem', 'resize', device, '24m'],
    ['filesystem', 'check', device, '--repair'],
  ];
};

function known(error: unknown): void {
  if (!(error instanceof BofhError)) throw error;
}

function sum(image: string): string {
  return createHash('sha256').update(readFileSync(image)).digest('hex');
}

/** A device of the test over an image, for as long as the work lasts. */
async function withLoop(
  image: string,
  access: 'read-only' | 'writable',
  work: (device: string) => Promise<void>,
): Promise<void> {
  const words = access === 'read-only' ? ['--read-only'] : [];
  const device = sh('losetup', '--find', '--show', ...words, image).trim();
  try {
    await work(device);
  } finally {
    sh('losetup', '--detach', device);
  }
}

/** Its exit code, and what it said when it failed. */
async function dryRun(words: readonly string[]): Promise<{ readonly code: number; readonly said: string }> {
  const argv = [command, '--state-dir', disk.path('state'), '--yes', '--dry-run', ...words];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      argv,
      { env: { PATH: process.env.PATH, HOME: disk.dir } },
      (error, _, said) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, said });
      },
    );
  });
}

describe.each(contents)('%s', (name, make) => {
  let image = '';
  let before = '';
  let changed = 0;

  beforeAll(() => {
    image = disk.path(`image-${name.replaceAll(' ', '-')}`);
    writeFileSync(image, '');
    truncateSync(
      image,
      /btrfs/.test(name) ? 128 * 1024 ** 2 : /xfs/.test(name) ? 320 * 1024 ** 2 : 40 * 1024 ** 2,
    );
    make(image);
    before = sum(image);
    changed = statSync(image).mtimeMs;
  });
  afterAll(() => rmSync(image));

  test.each(['read-only', 'writable'] as const)('reading changes no byte of a %s device', async (access) => {
    await withLoop(image, access, async (device) => {
      for (const [question, ask] of Object.entries(questions)) {
        await ask(device).catch(known);
        // Whoever writes through the device changes the times of the file: this names the question.
        expect([question, statSync(image).mtimeMs]).toEqual([question, changed]);
      }
    });
    expect(sum(image)).toBe(before);
  });

  // A dry run of what is in order is that of test/loop/dry-run.test.ts.
  if (/damaged|cut off/.test(name))
    test('no dry run changes a byte', async () => {
      await withLoop(image, 'writable', async (device) => {
        const all = dryRuns(name, device).map(async (words) => ({ words, ...(await dryRun(words)) }));
        // 2 would be a mistake of this test.
        for (const { words, code, said } of await Promise.all(all))
          if (code !== 0)
            expect([words, code === 2, said]).toEqual([words, false, expect.stringMatching(/^bofh: \S/)]);
      });
      expect(sum(image)).toBe(before);
    });
});

describe('a LUKS2 header', () => {
  const imageWith = (...places: readonly number[]): string => {
    const image = disk.path('luks2');
    rmSync(image, { force: true });
    writeFileSync(image, '');
    truncateSync(image, 32 * 1024 ** 2);
    damaged(luks(2), ...places)(image);
    return image;
  };

  test.each([
    ['first', first],
    ['second', second],
  ] as const)('with a damaged %s copy is read from the other one, and says so', async (copy, place) => {
    const image = imageWith(place);
    const { damagedCopy, ...header } = await headerOf(host, image);
    expect(damagedCopy).toBe(copy);
    sh('cryptsetup', 'repair', '-q', image);
    expect(await headerOf(host, image)).toEqual(header);
  });

  test('is read from the copy with the higher sequence number where both are valid', async () => {
    const image = imageWith();
    const older = readFileSync(image).subarray(16_384, 32_768);
    sh('cryptsetup', 'config', '--label', 'newer', image);
    const header = await headerOf(host, image);
    overwrite(image, 16_384, older);
    expect(await headerOf(host, image)).toEqual({ ...header, damagedCopy: 'second' });
  });

  test('with a larger metadata area is read', async () => {
    const image = imageWith();
    const cheap = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];
    const size = ['--luks2-metadata-size', '64k'];
    sh('cryptsetup', 'luksFormat', '-q', ...cheap, ...size, '--key-file', disk.path('key'), image);
    const header = await headerOf(host, image);
    overwrite(image, first, garbage);
    expect(await headerOf(host, image)).toEqual({ ...header, damagedCopy: 'first' });
  });

  test('with two damaged copies is refused', async () => {
    expect(String(await rejectionOf(headerOf(host, imageWith(first, second))))).toContain('both copies');
  });
});
