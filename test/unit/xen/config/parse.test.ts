import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../../src/core/errors.ts';
import { parseConfig } from '../../../../src/xen/config/parse.ts';
import { settingsOf } from '../../../../src/xen/config/write.ts';

const read = (text: string | Uint8Array) => settingsOf(parseConfig({ text, file: 'x.cfg' }));

// Each line was also given to xl's own parser (xlu_cfg_readdata of libxlutil 4.17), which reads it the same way.
describe('what xl reads', () => {
  test.each([
    ['', {}],
    ['\n;;\n# only a comment\n', {}],
    ['a = 1', { a: 1 }],
    ['a=1 # with a comment\n', { a: 1 }],
    [' a\t=\t"x" ; b = \'y\'\n', { a: 'x', b: 'y' }],
    ['a = "x;#y"', { a: 'x;#y' }],
    [String.raw`a = 'x\'y"z'`, { a: `x'y"z` }],
    [String.raw`a = "\\n\t\n\""`, { a: '\\n\t\n"' }],
    ['a=[1,2,[3,"x",],\n]\n', { a: [1, 2, [3, 'x']] }],
    ['a=[\n # c\n1\n,\n2]\n', { a: [1, 2] }],
    ['a=[]', { a: [] }],
    ['a=1\na=2\n', { a: 2 }],
    ['a="1"\na+="2"\nb=[1]\nb+=[2]\nc+="z"\n', { a: '12', b: [1, 2], c: 'z' }],
    ['a=0x1f;b=010;c=12ab;d=08', { a: 31, b: 8, c: '12ab', d: '08' }],
    ['a="café"', { a: 'café' }],
  ])('%j', (text, expected) => {
    expect(read(text)).toEqual(expected);
  });

  test('accepts a comment in an old encoding, and refuses a string in one', () => {
    expect(read(Buffer.from('# caf\xe9\na=1\n', 'latin1'))).toEqual({ a: 1 });
    expect(() => read(Buffer.from('a=1\nb="caf\xe9"\n', 'latin1'))).toThrow('x.cfg:2: a string is not UTF-8');
  });
});

describe('an invalid xl.cfg gives the place and what was expected', () => {
  test.each([
    ['a=1 # no newline', 'x.cfg:1: the comment in the last line needs a newline at its end'],
    ['a=[1;2]', 'x.cfg:1: expected "," or "]" in the list, found ;'],
    ['a=1,\n', 'x.cfg:1: expected a newline or ";" after the value of a, found ,'],
    ['a=[,]', 'x.cfg:1: expected a quoted string, a number or a list, found ,'],
    ['a=[1,,2]', 'x.cfg:1: expected a quoted string, a number or a list, found ,'],
    ['a=["x" "y"]', 'x.cfg:1: expected "," or "]" in the list, found a quoted string'],
    ['a=[1]]', 'found ]'],
    ['a=[1\n\n', 'x.cfg:3: expected "," or "]" in the list, found the end of the file'],
    ['a=1\r\n', 'x.cfg:1: a carriage return'],
    ['\nA=1', 'x.cfg:2: "A" outside quotes: expected a lower-case name'],
    ['a="x\ny"', 'x.cfg:1: expected a closing " on the same line'],
    ["a='x", "x.cfg:1: expected a closing ' on the same line"],
    ['a="x\\', 'x.cfg:1: expected a closing " on the same line'],
    ['a=1 b=2', 'x.cfg:1: expected a newline or ";" after the value of a, found a name'],
    ['a\n=1', 'x.cfg:1: expected "=" or "+=" after a, found the end of the line'],
    ['a=\n1', 'x.cfg:1: expected a quoted string, a number or a list, found the end of the line'],
    ['a', 'x.cfg:1: expected "=" or "+=" after a, found the end of the file'],
    ['=1', 'x.cfg:1: expected a lower-case name, found ='],
    ['a=-1', 'xl.cfg is not Python'],
    ['a=1.5', 'xl.cfg is not Python'],
    ['a=x', 'x.cfg:1: expected a quoted string, a number or a list, found a name'],
    ['a=1\na+=[2]', 'x.cfg:2: expected = for a, which is a number: += only adds to strings and lists'],
    ['a="1"\na+=[2]', 'x.cfg:2: expected a string for a +=, found a list'],
    [String.raw`a="\q"`, 'x.cfg:1: "\\q" is not an escape that xl knows'],
    ['a="\0"', 'x.cfg:1: a string contains a NUL byte: xl would cut it off there'],
    ['a=\0', 'x.cfg:1: byte 0x0 outside quotes'],
    ['a=' + '['.repeat(100_000), 'lists nested at most 16 deep'],
    ['#'.repeat(2 ** 20 + 1), 'x.cfg: is larger than 1 MiB'],
  ])('%.40j', (text, message) => {
    expect(() => read(text)).toThrow(UsageError);
    expect(() => read(text)).toThrow(message);
  });

  // xl's lexer takes them, and then drops the character: libxlu_cfg.c, NUMERIC_CHAR.
  test.each([String.raw`a="\x41"`, String.raw`a="\101"`])('%s, which xl misreads', (text) => {
    expect(() => read(text)).toThrow('xl misreads numeric escapes');
  });
});

test('any text or bytes are either parsed or a UsageError, never a crash', () => {
  const pieces = fc.constantFrom(
    'a',
    'b1',
    '=',
    '+=',
    '[',
    ']',
    ',',
    ';',
    '\n',
    '#',
    '"',
    "'",
    '\\',
    ' ',
    '0x',
    '12',
    'é',
    '\0',
    'A',
  );
  const anything = fc.oneof(
    fc.array(pieces, { maxLength: 30 }).map((parts) => parts.join('')),
    fc.string({ unit: 'binary' }),
    fc.uint8Array(),
  );
  fc.assert(
    fc.property(anything, (text) => {
      try {
        read(text);
      } catch (error) {
        expect(error).toBeInstanceOf(UsageError);
      }
    }),
    { numRuns: 500 },
  );
});
