import { expect, it } from 'vitest';
import { duration, localTime } from '../../../src/cli/output/times.ts';
import { table } from '../../../src/cli/output/table.ts';

it('a table has no lines and no colours, and no spaces at the end of its lines', () => {
  const text = table(
    ['NAME', 'STATE'],
    [
      ['a', 'running'],
      ['a-longer-name', ''],
    ],
  );

  expect(text).toBe('NAME           STATE\na              running\na-longer-name\n');
});

it('a name with control characters cannot move the cursor', () => {
  expect(table(['NAME'], [['x\u001b[1A\ty']])).toBe('NAME\nx\\x1b[1A\\x09y\n');
});

it.each([
  [0, '0.0 s'],
  [9_949, '9.9 s'],
  [9_950, '10 s'],
  [59_499, '59 s'],
  [59_500, '1 min 0 s'],
  [185_000, '3 min 5 s'],
  [7_800_000, '2 h 10 min'],
])('a length of %i ms is shown as %s', (ms, text) => {
  expect(duration(ms)).toBe(text);
});

it('a time is shown in the time zone of the host; an unknown one is empty', () => {
  const now = new Date(2026, 10, 5, 7, 8, 9);
  expect(localTime(now.toISOString())).toBe('2026-11-05 07:08:09');
  expect(localTime('')).toBe('');
});
