import { expect, it } from 'vitest';
import { journals } from '../../../src/doctor/journals.ts';

it('files of a sequence that begins or ends are no leftovers of a crash', async () => {
  const looks = [
    ['a.new', 'b.d', 'left.new'],
    ['a.journal', 'left.new'],
  ];
  const found = await journals(
    { names: () => looks.shift() ?? [], changedMs: () => undefined, bytes: () => 0 },
    [],
  );
  expect(found.map(({ says }) => says)).toEqual([
    'a crash left unused files in the state directory: left.new',
  ]);
});
