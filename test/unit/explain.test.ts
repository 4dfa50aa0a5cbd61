import { expect, it } from 'vitest';
import { DiffersError, InterruptedError, RolledBackError } from '../../src/core/errors.ts';
import { explain } from '../../src/core/explain.ts';

it('explain() names what others put in place of objects of the sequence', () => {
  const error = new RolledBackError('"x" failed and was rolled back: later', {
    cause: new Error('later'),
    id: 'aa11',
    undone: ['2 file.create'],
    leftUntouched: ['/srv/a, changed by others'],
  });

  expect(explain(error)).toBe(
    [
      'bofh: "x" failed and was rolled back: later',
      '  host: restored, except objects that others replaced',
      '  left untouched: /srv/a, changed by others',
    ].join('\n'),
  );
});

it('explain() of an interruption before the first step says that the host is unchanged', () => {
  expect(explain(new InterruptedError('SIGINT'))).toContain('  host: unchanged');
  expect(explain(new InterruptedError('SIGINT', { undone: ['1 file.create'] }))).toContain(
    '  host: restored',
  );
});

it('a difference has units: sizes in bytes, modes in octal', () => {
  const differences = [
    { property: 'size', asked: 8192, found: 4096 },
    { property: 'mode', asked: 0o644, found: 0o600 },
    { property: 'domains', asked: 1, found: 2 },
  ];
  expect(new DiffersError('the file /a', { differences, show: 'stat /a' }).message).toBe(
    'the file /a exists, but differs: size 8192 bytes was requested, but it is 4096 bytes; mode 0644 was requested, but it is 0600; domains 1 was requested, but it is 2',
  );
});
