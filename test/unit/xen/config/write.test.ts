import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../../src/core/errors.ts';
import { parseConfig } from '../../../../src/xen/config/parse.ts';
import { quoted, type Setting, settingsOf, writeConfig } from '../../../../src/xen/config/write.ts';

const back = (text: string) => settingsOf(parseConfig({ text, file: 'x.cfg' }));

test('a config is written in the usual style', () => {
  const text = writeConfig({
    name: 'web1',
    memory: 256,
    disk: ['phy:/dev/vg0/web1,xvda,w', 'phy:/dev/vg0/web1-swap,xvdb,w'],
    vif: ['mac=00:16:3e:00:00:01'],
    extra: 'root=/dev/xvda "quiet"',
    usb: [],
  });

  expect(text).toBe(
    [
      'name = "web1"',
      'memory = 256',
      'disk = [',
      '  "phy:/dev/vg0/web1,xvda,w",',
      '  "phy:/dev/vg0/web1-swap,xvdb,w",',
      ']',
      'vif = ["mac=00:16:3e:00:00:01"]',
      `extra = 'root=/dev/xvda "quiet"'`,
      'usb = []',
      '',
    ].join('\n'),
  );
});

// No control characters, no lone surrogates, not both quotes.
const allowed = fc
  .string({ unit: 'grapheme' })
  .map((text) => text.replace(/[\p{Cc}\p{Cs}]/gu, '-'))
  .map((text) => (text.includes('"') ? text.replaceAll("'", '-') : text));
const { value } = fc.letrec<{ value: Setting }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(allowed, fc.constantFrom('\\', 'a\\n', '"', "'", '#', ';', '\\"'), fc.maxSafeNat()),
    fc.array(tie('value'), { maxLength: 4 }),
  ),
}));

test('what is written can be parsed to the same', () => {
  const settings = fc.dictionary(fc.stringMatching(/^[a-z][_0-9a-z]{0,10}$/), value);
  fc.assert(
    fc.property(settings, (wanted) => {
      expect(back(writeConfig(wanted))).toEqual({ ...wanted });
    }),
    { numRuns: 400 },
  );
});

test('any string is either refused or can be parsed to the same', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      let written: string;
      try {
        written = writeConfig({ a: text });
      } catch (error) {
        expect(error).toBeInstanceOf(UsageError);
        return;
      }
      expect(back(written)).toEqual({ a: text });
    }),
    { numRuns: 500 },
  );
});

describe('refuses values that cannot be quoted', () => {
  test.each([
    [{ a: `both " and '` }, 'a: a value in a guest configuration cannot contain both'],
    [{ a: 'two\nlines' }, 'a: a guest configuration cannot contain the control character U+000a'],
    [{ a: ['x', 'tab\t'] }, 'U+0009'],
    [{ a: 'nul\0' }, 'U+0000'],
    [{ a: 'half \ud800' }, 'U+d800'],
    [{ a: -1 }, 'must be a whole number, 0 or greater, not -1'],
    [{ a: 1.5 }, 'not 1.5'],
    [{ a: Number.NaN }, 'not NaN'],
    [{ A: 1 }, '"A" cannot be a key'],
    [{ 'a b': 1 }, '"a b" cannot be a key'],
    [{ '': 1 }, '"" cannot be a key'],
  ])('%j', (settings, message) => {
    expect(() => writeConfig(settings)).toThrow(UsageError);
    expect(() => writeConfig(settings)).toThrow(message);
  });

  test('lists nested deeper than they can be parsed', () => {
    let list: Setting = [];
    for (let depth = 0; depth < 16; depth += 1) list = [list];

    expect(() => writeConfig({ a: list })).toThrow('lists may be nested at most 16 deep');
  });
});

test('one value can be quoted for the command line', () => {
  expect(quoted({ text: 'a"b', what: 'x' })).toBe(`'a"b'`);
});
