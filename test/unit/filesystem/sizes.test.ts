import { describe, expect, test } from 'vitest';
import type { ReadCommand } from '../../../src/command/index.ts';
import {
  btrfsAt,
  btrfsMinimum,
  btrfsResize,
  btrfsSuperblock,
  classify as classifyBtrfs,
} from '../../../src/filesystem/commands/btrfs.ts';
import { dumpe2fs, e2fsckPreen, extMinimum, resize2fs } from '../../../src/filesystem/commands/ext.ts';
import { fatGeometry, freeAt, mountPrivately, swapLastPage } from '../../../src/filesystem/commands/other.ts';
import { classify as classifyXfs, xfsGrow, xfsSuperblock } from '../../../src/filesystem/commands/xfs.ts';
import { lastGroup } from '../../../src/filesystem/resizing.ts';
import { xfsGeometry } from '../../../src/blockdevice/index.ts';
import { everyVersion, recorded } from '../blockdevice/fixtures.ts';

const device = '/dev/x';
const devid = 1;
const path = '/mnt';

/** What may differ from version to version. */
const some: unknown = expect.any(Number);

/** What each read makes of what was recorded. */
const answers = everyVersion<[ReadCommand<unknown>, unknown]>([
  [
    'dumpe2fs/clean',
    dumpe2fs(device),
    {
      ...{ blockSize: 1024, blocks: 49152, free: some, firstBlock: 1, blocksPerGroup: 8192 },
      ...{ inodeBlocksPerGroup: 512, reservedGdt: 256, descriptorSize: 64, state: 'clean' },
      features: expect.arrayContaining(['64bit', 'has_journal']) as unknown,
    },
  ],
  ['dumpe2fs/errors', dumpe2fs(device), expect.objectContaining({ blocks: 40000, state: 'errors' })],
  ['resize2fs/minimum', extMinimum(device), some],
  ['xfs_db/clean', xfsSuperblock(device), { blockSize: 4096, blocks: 80000, groupBlocks: 19200, free: some }],
  ['xfs_db/dirty', xfsSuperblock(device), { blockSize: 4096, blocks: 80000, groupBlocks: 19200, free: some }],
  ['xfs_growfs/geometry', xfsGeometry(path), { blockSize: 4096, blocks: 76800, groupBlocks: 19200 }],
  [
    'btrfs/dump-super',
    btrfsSuperblock(device),
    expect.objectContaining({ sectorSize: 4096, devices: 1, devid: 1, size: 293601280, used: 147456 }),
  ],
  ['btrfs/show', btrfsAt(path), '41111111-2222-4333-8444-555555555555'],
  ['btrfs/min-dev-size', btrfsMinimum({ path, devid }), some],
  ['stat/file-system', freeAt(path), some],
  [
    'fsck.vfat/clean',
    fatGeometry(device),
    { sectorSize: 512, sectors: 131072, clusterSize: 2048, usedClusters: 0, clusters: 32695 },
  ],
  ['od/swap', swapLastPage(device), 8191],
]);

describe('the output of the programs about sizes', () => {
  test.each(answers)('%s is parsed', (name, { parse }, expected) => {
    expect(parse(recorded(name))).toEqual(expected);
  });

  test.each(answers)('%s with a required line missing or damaged is an error', (name, { parse }) => {
    const answer = recorded(name);
    const lines = answer.stdout.split('\n');
    const telling =
      /^(?:Block size|Block count|Filesystem state|Estimated|dblocks|blocksize|data |meta-data|Label|dev_item\.total|sectorsize|\d+ bytes \(|1024 | +8191| +131072|.*clusters$)/;
    const told = lines.flatMap((line, at) => (telling.test(line) ? [at] : []));
    expect(told.length).toBeGreaterThan(0);
    for (const at of told) {
      const without = lines.filter((_, other) => other !== at).join('\n');
      const spoiled = lines
        .map((line, other) => (other === at ? `\u0001${line.replace(/\d/g, 'x')}` : line))
        .join('\n');
      expect(() => parse({ ...answer, stdout: without }), lines[at]).toThrow();
      expect(() => parse({ ...answer, stdout: spoiled }), lines[at]).toThrow();
    }
  });

  test.each([
    ['the label', 'Filesystem volume name:   \nBlock count: 9'],
    ['the last mount point', 'Last mounted on:          /m\nFilesystem state: clean'],
  ])('%s of an ext4 is not read as another line of dumpe2fs', (_, lines) => {
    const answer = recorded('dumpe2fs/clean@1.47.0');
    const [key = ''] = lines.split(':');
    const stdout = answer.stdout.replace(new RegExp(`^${key}:.*$`, 'm'), lines);
    expect(() => dumpe2fs(device).parse({ ...answer, stdout })).toThrow(/dumpe2fs shows "\w+ \w+" twice/);
  });

  test('an unknown line of dumpe2fs or dump-super is an error', () => {
    for (const [name, { parse }] of [
      ['dumpe2fs/clean@1.47.0', dumpe2fs(device)],
      ['btrfs/dump-super@6.2', btrfsSuperblock(device)],
    ] as const) {
      const answer = recorded(name);
      expect(() => parse({ ...answer, stdout: `odd\n${answer.stdout}` })).toThrow(/cannot read the line/);
    }
  });
});

describe('the commands of a change', () => {
  test('argv', () => {
    expect(e2fsckPreen(device).argv).toEqual(['-f', '-p', device]);
    expect(resize2fs(device, 40000).argv).toEqual([device, '40000']);
    expect(xfsGrow({ path, blocks: 80000 }).argv).toEqual(['-D', '80000', path]);
    expect(btrfsResize({ path, devid, size: 277872640 }).argv).toEqual([
      'filesystem',
      'resize',
      '1:277872640',
      path,
    ]);
    expect(mountPrivately({ device, path, type: 'btrfs' }).argv).toEqual([
      ...[
        '--types',
        'btrfs',
        '--options',
        'rw,nosuid,nodev,noexec,subvolid=5',
        '--source',
        device,
        '--target',
        path,
      ],
    ]);
  });

  test('an e2fsck that repaired something has not failed', () => {
    expect(e2fsckPreen(device).accepts).toEqual([0, 1]);
    expect(recorded('e2fsck/errors@1.47.0').exitCode).toBe(4);
  });
});

describe('why a tool failed', () => {
  const { classify: ofExt = () => 'unknown' as const } = resize2fs(device, 1);

  test.each(
    everyVersion([
      ['e2fsck/mounted', 'busy', ofExt],
      ['e2fsck/missing', 'not-found', ofExt],
      ['e2fsck/errors', 'unknown', ofExt],
      ['dumpe2fs/missing', 'not-found', ofExt],
      ['dumpe2fs/no-filesystem', 'unknown', ofExt],
      ['resize2fs/missing', 'not-found', ofExt],
      ['resize2fs/grow-mounted', 'denied', ofExt],
      ['resize2fs/too-large', 'unknown', ofExt],
      ['fsck.vfat/missing', 'not-found', ofExt],
      ['xfs_db/missing', 'not-found', classifyXfs],
      ['xfs_db/no-filesystem', 'unknown', classifyXfs],
      ['xfs_growfs/not-mounted', 'unknown', classifyXfs],
      ['xfs_growfs/too-large', 'unknown', classifyXfs],
      ['btrfs/dump-super-missing', 'not-found', classifyBtrfs],
      ['btrfs/dump-super-none', 'unknown', classifyBtrfs],
      ['btrfs/show-not-btrfs', 'unknown', classifyBtrfs],
      ['btrfs/resize-not-mounted', 'unknown', classifyBtrfs],
      ['btrfs/resize-large', 'no-space', classifyBtrfs],
      ['btrfs/resize-full', 'no-space', classifyBtrfs],
      ['btrfs/resize-small', 'unknown', classifyBtrfs],
    ] as const),
  )('%s: %s', (name, reason, classify) => {
    const answer = recorded(name);
    expect(answer.exitCode).not.toBe(0);
    expect(classify(answer)).toBe(reason);
  });
});

describe('the last block group of an ext4', () => {
  const superblock = dumpe2fs(device).parse(recorded('dumpe2fs/clean@1.47.0'));

  test.each([
    ['has room for its tables and more', 49152, 49152],
    ['has no room for them', 49152 + 700, 49153],
    ['is whole', 49153, 49153],
    ['is the only one', 600, 600],
  ])('%s', (_, blocks, expected) => {
    expect(lastGroup(superblock, blocks)).toBe(expected);
  });
});
