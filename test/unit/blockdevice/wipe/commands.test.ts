import { describe, expect, test } from 'vitest';
import { groupsOfPvs } from '../../../../src/blockdevice/commands.ts';
import { readTable } from '../../../../src/blockdevice/partitions/commands.ts';
import { magicsOn, writeBytes } from '../../../../src/blockdevice/wipe/commands.ts';
import { versionsOf } from '../../../support/record/recordings.ts';
import { recorded } from '../fixtures.ts';

describe.each(versionsOf('wipefs/list-ext4'))('wipefs --json of %s', (version) => {
  const { parse, classify, argv } = magicsOn('/dev/x');
  const listed = (name: string) => parse(recorded(`wipefs/${name}@${version}`));

  test('only reads', () => {
    expect(argv).toEqual(['--json', '--output', 'OFFSET,LENGTH,TYPE,USAGE,UUID', '/dev/x']);
  });

  test('lists each signature by its offset', () => {
    const uuid = '5e1f0000-0000-4000-8000-000000000001';
    const ext4 = { offset: 0x438, length: 2, type: 'ext4', usage: 'filesystem', uuid };
    const dos = { offset: 0x1fe, length: 2, type: 'dos', usage: 'partition-table', uuid: null };
    expect(listed('list-blank')).toEqual([]);
    expect(listed('list-ext4')).toEqual([{ ...ext4, label: 'root' }].map(({ label: _, ...rest }) => rest));
    expect(listed('list-ext4-dos')).toEqual([dos, ext4]);
    expect(listed('list-luks2').map(({ offset }) => offset)).toEqual([0, 0x4000]);
    expect(listed('list-vfat').map(({ offset, length }) => [offset, length])).toEqual([
      [0, 1],
      [0x36, 8],
      [0x1fe, 2],
    ]);
  });

  test('refuses unknown output', () => {
    const answer = recorded(`wipefs/list-ext4@${version}`);
    for (const spoil of [
      (text: string) => text.replace('0x438', '1080'),
      (text: string) => text.replace('"length": 2', '"length": "2"'),
      (text: string) => text.replace('"type": "ext4"', '"type": null'),
      (text: string) => text.replace('"uuid"', '"uid"'),
      (text: string) => text.replace('signatures', 'signature'),
      (text: string) => text.slice(0, -4),
    ])
      expect(() => parse({ ...answer, stdout: spoil(answer.stdout) })).toThrow();
  });

  test('refuses a missing device', () => {
    const answer = recorded(`wipefs/list-missing@${version}`);
    expect([answer.exitCode, classify?.(answer)]).toEqual([1, 'not-found']);
  });
});

test('dd writes its standard input at an offset, and never creates a file', () => {
  const bytes = Buffer.from('53ef', 'hex');
  expect(writeBytes('/dev/x', { offset: 1080, bytes })).toMatchObject({
    tool: 'dd',
    argv: ['of=/dev/x', 'oflag=seek_bytes', 'seek=1080', 'conv=nocreat,notrunc,fsync', 'status=none'],
    stdin: bytes,
  });
});

test('the group of each physical volume', () => {
  const { parse } = groupsOfPvs();
  const stdout = JSON.stringify({
    report: [
      {
        pv: [
          { pv_uuid: 'a', vg_name: 'vg0' },
          { pv_uuid: 'b', vg_name: '' },
        ],
      },
    ],
  });
  const answer = { exitCode: 0, stdout, stderr: '' };
  expect([...parse(answer)]).toEqual([
    ['a', 'vg0'],
    ['b', ''],
  ]);
  expect(() => parse({ ...answer, stdout: stdout.replace('vg_name', 'vg') })).toThrow();
});

describe.each(versionsOf('sfdisk/json-gpt'))('sfdisk --json of %s', (version) => {
  const { parse, classify } = readTable('/dev/loop7');
  const read = (name: string) => parse(recorded(`sfdisk/${name}@${version}`));

  test('reads a gpt: sizes in bytes, UUIDs in the form of udev', () => {
    expect(read('json-gpt')).toEqual({
      type: 'gpt',
      id: '5e1f0000-0000-4000-8000-0000000000aa',
      sectorSize: 512,
      usable: { from: 2048 * 512, to: 131039 * 512 },
      partitions: [
        {
          number: 1,
          path: '/dev/loop7p1',
          start: 2048 * 512,
          size: 16 * 1024 ** 2,
          type: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
          uuid: '5e1f0000-0000-4000-8000-0000000000ab',
          name: 'root fs',
          bootable: false,
          attributes: null,
        },
        expect.objectContaining({ number: 2, name: null, size: 8 * 1024 ** 2 }),
      ],
    });
  });

  test('reads a dos table with a logical partition', () => {
    const table = read('json-dos');
    expect([table?.type, table?.id, table?.usable]).toEqual(['dos', '0x5e1f00aa', null]);
    expect(
      table?.partitions.map(({ number, type, bootable, uuid }) => [number, type, bootable, uuid]),
    ).toEqual([
      [1, '83', true, null],
      [2, '5', false, null],
      [5, '83', false, null],
    ]);
  });

  test('an empty table has no partition, and a missing table is a different answer', () => {
    expect(read('json-gpt-empty')?.partitions).toEqual([]);
    expect(read('json-dos-empty')?.partitions).toEqual([]);
    expect(read('json-blank')).toBeUndefined();
    expect(() => parse(recorded(`sfdisk/json-missing@${version}`))).toThrow(/cannot open/);
    expect(classify?.(recorded(`sfdisk/json-missing@${version}`))).toBe('not-found');
  });

  test('refuses unknown output', () => {
    const answer = recorded(`sfdisk/json-gpt@${version}`);
    for (const spoil of [
      (text: string) => text.replace('"sectors"', '"cylinders"'),
      (text: string) => text.replace('"label": "gpt"', '"label": 1'),
      (text: string) => text.replace('/dev/loop7p2', '/dev/loop70p2'),
      (text: string) => text.replace('"start": 2048', '"start": -1'),
      (text: string) => text.replace('"size": 32768,', ''),
      (text: string) => text.replace('"sectorsize": 512', '"sectorsize": 0'),
    ])
      expect(() => parse({ ...answer, stdout: spoil(answer.stdout) })).toThrow();
  });
});
