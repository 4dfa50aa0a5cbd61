import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../src/core/errors.ts';
import { checkLvName, checkTag, checkVgName, dmName } from '../../../src/lvm/names.ts';

describe('checkLvName', () => {
  test.each([
    'web1',
    'a+b',
    'a..b',
    '.a',
    '_',
    'x_',
    '...',
    'a_mimagE',
    'my-lv',
    'a-snapshot',
    'a'.repeat(121),
  ])('accepts %s, like lvcreate 2.03.16', (name) => {
    expect(() => checkLvName('vg0', name)).not.toThrow();
  });

  test.each([
    ...[
      '',
      '.',
      '..',
      '-x',
      'a/b',
      'a b',
      "a'b",
      'a:b',
      'é',
      'a\n',
      '../x',
      'snapshot',
      'snapshot1',
      'pvmove0',
    ],
    ...[
      'x_cdata',
      'x_cmeta',
      'x_corig',
      'x_cvol',
      'x_wcorig',
      'x_mimage_0',
      'x_mlog',
      'x_pmspare',
      'x_rimage_1',
    ],
    ...['x_rmeta', 'x_tdata', 'x_tmeta', 'x_vdata', 'x_vorigin', 'x_imeta', 'x_iorig', 'a'.repeat(122)],
  ])('refuses "%s"', (name) => {
    expect(() => checkLvName('vg0', name)).toThrow(UsageError);
  });

  test('counts doubled hyphens: the limit are 127 characters for device-mapper', () => {
    expect(dmName('vg0', 'a-'.repeat(41))).toHaveLength(127);
    expect(() => checkLvName('vg0', 'a-'.repeat(41))).not.toThrow();
    expect(() => checkLvName('vg0', `${'a-'.repeat(41)}a`)).toThrow(/too long/);
  });
});

describe('checkVgName', () => {
  test.each(['', '-vg', 'v g', '..', '--config'])('refuses "%s"', (name) => {
    expect(() => checkVgName(name)).toThrow(UsageError);
  });
});

describe('checkTag', () => {
  test('accepts what lvm accepts, except tags of bofh itself', () => {
    expect(() => checkTag('role=web')).not.toThrow();
    for (const tag of ['', '-x', 'a b', 'a,b', 'a{b', 'bofh.00.1'])
      expect(() => checkTag(tag)).toThrow(UsageError);
  });
});
