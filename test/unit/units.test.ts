import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/core/errors.ts';
import { formatSize, parseSize } from '../../src/core/units.ts';

describe('a size', () => {
  it('that is invalid is refused with an example', () => {
    expect(() => parseSize('50%')).toThrow(
      expect.objectContaining({
        message: '"50%" is not a size',
        remedy: 'write for example 512m, 10g or 10GiB',
      }) as Error,
    );
  });

  it('without a unit is refused with the units', () => {
    expect(() => parseSize('512')).toThrow(
      expect.objectContaining({
        message: '"512" has no unit',
        remedy: 'add one: b, k, m, g, t or p (bytes, KiB, MiB, GiB, TiB, PiB), for example 512m',
      }) as Error,
    );
  });

  it.each([
    ['10g', 10 * 1024 ** 3],
    ['10G', 10 * 1024 ** 3],
    ['10gb', 10 * 1024 ** 3],
    ['10GiB', 10 * 1024 ** 3],
    ['1.5k', 1536],
    ['512b', 512],
    [4096, 4096],
    ['1p', 1024 ** 5],
  ])('%s is %d bytes, like in lvcreate', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each([
    '10x',
    '512',
    '1.5',
    '-1',
    '0',
    '0g',
    '',
    ' ',
    'g',
    '1e3',
    '10 g',
    '1,5g',
    '0x10',
    'NaN',
    '10gg',
    '+5g',
    '9p',
    '99999999999999999999',
  ])('"%s" is refused in one sentence', (text) => {
    expect(() => parseSize(text)).toThrow(UsageError);
  });

  it('is printed so that it can be parsed, where a unit divides it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1023 }),
        fc.constantFrom(1, 1024, 1024 ** 2, 1024 ** 3, 1024 ** 4),
        (number, unit) => {
          expect(parseSize(formatSize(number * unit).replace(' ', ''))).toBe(number * unit);
        },
      ),
    );
  });
});
