import { expect, test } from 'vitest';
import { execFileSync } from 'node:child_process';
import { RefusedError } from '../../../src/core/errors.ts';
import { isOdd, nameOf, shellWords, shownName } from '../../../src/command/index.ts';

const bytes = (...parts: readonly (number | string)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.of(part) : Buffer.from(part))));

test.each([
  ['a byte that is never UTF-8', bytes('a', 0xff, '.img'), 'a\\377.img'],
  ['a sequence that is cut off', bytes('a', 0xc3), 'a\\303'],
  ['Latin-1 beside UTF-8', bytes('B', 0xfc, 'cher Bücher €'), 'B\\374cher Bücher €'],
  ['an overlong sequence', bytes(0xc0, 0xaf), '\\300\\257'],
  ['half of a surrogate pair', bytes(0xed, 0xb3, 0xbf), '\\355\\263\\277'],
  ['four bytes beside an odd one', bytes('💾', 0x80), '💾\\200'],
])('%s is kept distinct, and shown in octal', (_, name, shown) => {
  expect(isOdd(nameOf(name))).toBe(true);
  expect(shownName(nameOf(name))).toBe(shown);
  expect(nameOf(name)).not.toContain('\ufffd');
});

test.each(['plain', 'Bücher', '💾 floppy', 'a\ufffdb', ''])('%j is UTF-8, and unchanged', (name) => {
  expect(nameOf(Buffer.from(name))).toBe(name);
  expect(isOdd(name)).toBe(false);
  expect(shownName(name)).toBe(name);
});

test('two names that differ in one invalid byte are distinct', () => {
  expect(nameOf(bytes('a', 0xff))).not.toBe(nameOf(bytes('a', 0xfe)));
});

test('a printed command has them as bash reads them', () => {
  expect(shellWords(['umount', nameOf(bytes("/mnt/it's ", 0xff))])).toBe("umount $'/mnt/it\\'s \\377'");
});

test('a name with a line break is the same name when pasted into a shell', () => {
  const name = "/mnt/it's\n a\\b\x07";
  const line = shellWords(['printf', '%s', name]);
  expect(line).not.toMatch(/[\u0000-\u001f]/);
  expect(execFileSync('bash', ['-c', line], { encoding: 'utf8' })).toBe(name);
  expect(new RefusedError('no', { remedy: line }).remedy).toBe(line);
});
