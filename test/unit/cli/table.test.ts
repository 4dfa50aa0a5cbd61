import { expect, it } from 'vitest';
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
