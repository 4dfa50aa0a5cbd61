import { expect, it } from 'vitest';
import { type LinesRequest, withLines } from '../../../src/provision/lines.ts';

const rows: readonly (readonly [string, string, LinesRequest, string])[] = [
  ['adds a missing line at the end', 'a\n', { present: ['b'] }, 'a\nb\n'],
  ['adds a line once', 'a\n', { present: ['b', 'b'] }, 'a\nb\n'],
  ['keeps a line that is there', 'a\nb\n', { present: ['a'] }, 'a\nb\n'],
  ['counts only whole lines', 'ab\n', { present: ['a'] }, 'ab\na\n'],
  ['adds to an empty file', '', { present: ['a'] }, 'a\n'],
  ['keeps a missing newline at the end', 'a', { present: ['b'] }, 'a\nb'],
  ['keeps the line ends of the file', 'a\r\nb\r\n', { present: ['c'], absent: ['a'] }, 'b\r\nc\r\n'],
  ['finds a line with another end', 'a\r\n', { present: ['a'] }, 'a\r\n'],
  ['removes each line of that text', 'a\nb\na\n', { absent: ['a'] }, 'b\n'],
  [
    'replaces the line that begins so, and keeps its end',
    'x\nPort 22\r\ny',
    { replace: { 'Port ': 'Port 2222' } },
    'x\nPort 2222\r\ny',
  ],
  ['adds a line that none begins with', 'x\n', { replace: { 'Port ': 'Port 2222' } }, 'x\nPort 2222\n'],
  ['takes a prefix literally', 'a.b=1\naxb=2\n', { replace: { 'a.b=': 'a.b=3' } }, 'a.b=3\naxb=2\n'],
  ['keeps bytes that are not UTF-8', '\xff\xfe\n', { present: ['ä'] }, '\xff\xfe\n\xc3\xa4\n'],
];

it.each(rows)('%s', (_, before, request, after) => {
  expect(withLines('/etc/x', before, request)).toBe(after);
  expect(withLines('/etc/x', after, request)).toBe(after);
});

it('refuses a prefix of several lines', () => {
  expect(() => withLines('/etc/x', 'Port 1\nPort 2\n', { replace: { 'Port ': 'Port 3' } })).toThrow(
    '/etc/x has 2 lines that begin with "Port "',
  );
});
