import { expect, it } from 'vitest';
import { RolledBackError } from '../../src/core/errors.ts';
import { explain } from '../../src/core/explain.ts';

it('explain() names what others put in place of objects of the sequence', () => {
  const error = new RolledBackError('"x" failed and is undone: later', {
    cause: new Error('later'),
    id: 'aa11',
    undone: ['2 file.create'],
    leftAlone: ['/srv/a, changed by others'],
  });

  expect(explain(error)).toBe(
    [
      'bofh: "x" failed and is undone: later',
      '  host: restored, except objects that others replaced',
      '  left untouched: /srv/a, changed by others',
    ].join('\n'),
  );
});
