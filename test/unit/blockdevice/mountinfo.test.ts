import { describe, expect, test } from 'vitest';
import { parseMountinfo } from '../../../src/blockdevice/mountinfo.ts';
import { ParseError } from '../../../src/core/errors.ts';

const plain = '36 35 98:0 /mnt1 /mnt/parent rw,noatime - ext3 /dev/root rw,errors=continue';

describe('parseMountinfo', () => {
  test('reads every field of a line', () => {
    expect(parseMountinfo(`${plain}\n`)).toEqual([
      {
        id: 36,
        parent: 35,
        device: '98:0',
        root: '/mnt1',
        path: '/mnt/parent',
        options: 'rw,noatime',
        type: 'ext3',
        source: '/dev/root',
        superOptions: 'rw,errors=continue',
      },
    ]);
  });

  test.each([
    ['one optional field', '36 35 98:0 / /m rw master:1 - ext3 /dev/root rw'],
    [
      'several, also unknown ones',
      '36 35 98:0 / /m rw shared:7 propagate_from:2 new-thing - ext3 /dev/root rw',
    ],
  ])('ignores %s', (_, line) => {
    expect(parseMountinfo(`${line}\n`)[0]).toMatchObject({ path: '/m', type: 'ext3', source: '/dev/root' });
  });

  test('decodes octal escapes, and keeps white space that the kernel does not escape', () => {
    const text = '36 35 98:0 /a\\134b /mnt/two\\040words\\012and\u00a0more\r rw - ext4 /dev/sda\\043 rw\n';
    expect(parseMountinfo(text)[0]).toMatchObject({
      root: '/a\\b',
      path: '/mnt/two words\nand\u00a0more\r',
      source: '/dev/sda#',
    });
  });

  test('reads an empty source, and one that is a hyphen', () => {
    const text = '1 0 0:5 / /a rw - tmpfs  rw,size=1k\n2 0 0:6 / /b rw - tmpfs - rw\n';
    expect(parseMountinfo(text).map(({ source, superOptions }) => [source, superOptions])).toEqual([
      ['', 'rw,size=1k'],
      ['-', 'rw'],
    ]);
  });

  test.each([
    ['an empty file', ''],
    ['a file that is cut off', plain],
    ['an empty line', `${plain}\n\n`],
    ['a line without its separator', '36 35 98:0 / /m rw ext3 /dev/root rw\n'],
    ['a line that ends early', '36 35 98:0 / /m rw - ext3 /dev/root\n'],
    ['a device that is no pair of numbers', '36 35 98 / /m rw - ext3 /dev/root rw\n'],
    ['a word too many at the end', `${plain} more\n`],
  ])('refuses %s', (_, text) => {
    expect(() => parseMountinfo(text)).toThrow(ParseError);
  });
});
