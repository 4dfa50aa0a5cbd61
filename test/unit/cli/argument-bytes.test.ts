import { expect, test } from 'vitest';
import { refuseOtherBytes } from '../../../src/cli/runtime/main.ts';

const given = (...words: readonly Buffer[]): [readonly string[], () => Buffer] => [
  words.map(String),
  () => Buffer.concat(words.flatMap((word) => [word, Buffer.from([0])])),
];

test.each([
  ['a\\377.img', Buffer.from('a\xff.img', 'latin1')],
  ["it\\'s \\\\ \\303", Buffer.from("it's \\ \xc3", 'latin1')],
])('refuses an argument of other bytes than UTF-8, and shows it as a shell reads it: %s', (shown, bytes) => {
  expect(() => refuseOtherBytes(...given(Buffer.from('create'), bytes))).toThrow(
    `the argument $'${shown}' is not UTF-8`,
  );
});

test('accepts a name with the replacement character, or any other one', () => {
  expect(() =>
    refuseOtherBytes(...given(Buffer.from('a\ufffd.img'), Buffer.from('ä'), Buffer.alloc(0))),
  ).not.toThrow();
});
