import { expect, test } from 'vitest';
import { ParseError } from '../../../src/core/errors.ts';
import { hasAcl } from '../../../src/file/acl.ts';

const line = (mark: string): string => `-rw-r--r--${mark} 1 0 0 0 Jan  1 00:00 "/x"\n`;
const read = (stdout: string) => hasAcl('/a', '/b').parse({ stdout, stderr: '', exitCode: 0 });

test.each([
  ['neither', ' ', '.', false],
  ['the first', '+', ' ', true],
  ['the second', ' ', '+', true],
])('ls says that %s of two files has an ACL', (_, one, other, expected) => {
  expect(read(line(one) + line(other))).toBe(expected);
});

test.each([line(' '), line(' ') + line(' ').trimEnd(), `${line(' ')}total 0\n`, line(' ').repeat(3)])(
  'output of ls that is not a line for each file is an error: %j',
  (stdout) => {
    expect(() => read(stdout)).toThrow(ParseError);
  },
);
