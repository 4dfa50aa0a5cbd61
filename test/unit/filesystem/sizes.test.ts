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
import {
  classify as classifyXfs,
  xfsGeometry,
  xfsGrow,
  xfsSuperblock,
} from '../../../src/filesystem/commands/xfs.ts';
import { lastGroup } from '../../../src/filesystem/resizing.ts';
import { recorded } from '../blockdevice/fixtures.ts';

const device = '/dev/x';
const devid = 1;
const path = '/mnt';

/** What each read makes of what was recorded. */
const answers: readonly (readonly [string, ReadCommand<unknown>, unknown])[] = [
  [
    'dumpe2fs/clean@1.47.0',
    dumpe2fs(device),
    {
      ...{ blockSize: 1024, blocks: 49152, free: 40925, firstBlock: 1, blocksPerGroup: 8192 },
      ...{ inodeBlocksPerGroup: 512, reservedGdt: 256, descriptorSize: 64, state: 'clean' },
      features: expect.arrayContaining(['64bit', 'has_journal']) as unknown,
    },
  ],
  ['dumpe2fs/errors@1.47.0', dumpe2fs(device), expect.objectContaining({ blocks: 262144, state: 'errors' })],
  ['resize2fs/minimum@1.47.0', extMinimum(device), 12408],
  [
    'xfs_db/clean@6.1.0',
    xfsSuperblock(device),
    { blockSize: 4096, blocks: 80000, groupBlocks: 19200, free: 63578 },
  ],
  [
    'xfs_db/dirty@6.1.0',
    xfsSuperblock(device),
    { blockSize: 4096, blocks: 80000, groupBlocks: 19200, free: 63578 },
  ],
  ['xfs_growfs/geometry@6.1.0', xfsGeometry(path), { blockSize: 4096, blocks: 76800, groupBlocks: 19200 }],
  [
    'btrfs/dump-super@6.2',
    btrfsSuperblock(device),
    expect.objectContaining({ sectorSize: 4096, devices: 1, devid: 1, size: 293601280, used: 147456 }),
  ],
  ['btrfs/show@6.2', btrfsAt(path), '8f8f9d99-5359-4863-9c59-7bcc6783823c'],
  ['btrfs/min-dev-size@6.2', btrfsMinimum({ path, devid }), 105906176],
  ['stat/file-system@9.1', freeAt(path), 4096 * 59088],
  [
    'fsck.vfat/clean@4.2',
    fatGeometry(device),
    { sectorSize: 512, sectors: 131072, clusterSize: 2048, usedClusters: 0, clusters: 32695 },
  ],
  ['od/swap@9.1', swapLastPage(device), 8191],
];

describe('what the tools tell of sizes', () => {
  test.each(answers)('%s is understood', (name, { parse }, expected) => {
    expect(parse(recorded(name))).toEqual(expected);
  });

  test.each(answers)('%s with a telling line dropped or spoiled is an error', (name, { parse }) => {
    const answer = recorded(name);
    const lines = answer.stdout.split('\n');
    const telling =
      /^(?:Block size|Block count|Filesystem state|Estimated|dblocks|blocksize|data |meta-data|Label|dev_item\.total|sectorsize|\d+ bytes \(|4096 | +8191| +131072|.*clusters$)/;
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

  test('a line of dumpe2fs or dump-super that is of no known form is an error', () => {
    for (const [name, { parse }] of [
      ['dumpe2fs/clean@1.47.0', dumpe2fs(device)],
      ['btrfs/dump-super@6.2', btrfsSuperblock(device)],
    ] as const) {
      const answer = recorded(name);
      expect(() => parse({ ...answer, stdout: `odd\n${answer.stdout}` })).toThrow(/cannot read the line/);
    }
  });
});

describe('what a change is asked by', () => {
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

  test('e2fsck that has mended something has not failed', () => {
    expect(e2fsckPreen(device).accepts).toEqual([0, 1]);
    expect(recorded('e2fsck/errors@1.47.0').exitCode).toBe(4);
  });
});

describe('why a tool failed', () => {
  const { classify: ofExt = () => 'unknown' as const } = resize2fs(device, 1);

  test.each([
    ['e2fsck/mounted@1.47.0', 'busy', ofExt],
    ['e2fsck/missing@1.47.0', 'not-found', ofExt],
    ['e2fsck/errors@1.47.0', 'unknown', ofExt],
    ['dumpe2fs/missing@1.47.0', 'not-found', ofExt],
    ['dumpe2fs/no-filesystem@1.47.0', 'unknown', ofExt],
    ['resize2fs/missing@1.47.0', 'not-found', ofExt],
    ['resize2fs/grow-mounted@1.47.0', 'denied', ofExt],
    ['resize2fs/too-large@1.47.0', 'unknown', ofExt],
    ['fsck.vfat/missing@4.2', 'not-found', ofExt],
    ['xfs_db/missing@6.1.0', 'not-found', classifyXfs],
    ['xfs_db/no-filesystem@6.1.0', 'unknown', classifyXfs],
    ['xfs_growfs/not-mounted@6.1.0', 'unknown', classifyXfs],
    ['xfs_growfs/too-large@6.1.0', 'unknown', classifyXfs],
    ['btrfs/dump-super-missing@6.2', 'not-found', classifyBtrfs],
    ['btrfs/dump-super-none@6.2', 'unknown', classifyBtrfs],
    ['btrfs/show-not-btrfs@6.2', 'unknown', classifyBtrfs],
    ['btrfs/resize-not-mounted@6.2', 'unknown', classifyBtrfs],
    ['btrfs/resize-large@6.2', 'no-space', classifyBtrfs],
    ['btrfs/resize-full@6.2', 'no-space', classifyBtrfs],
    ['btrfs/resize-small@6.2', 'unknown', classifyBtrfs],
  ] as const)('%s: %s', (name, reason, classify) => {
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
