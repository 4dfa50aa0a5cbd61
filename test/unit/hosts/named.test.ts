import { expect, test } from 'vitest';
import { atomic, type Tx } from '../../../src/api/atomic.ts';
import { withBofh } from '../../../src/bofh.ts';
import { BofhError, RolledBackError } from '../../../src/core/errors.ts';
import { simulatedPair } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';

const file = { path: '/etc/members', content: 'one\n', mode: 0o644 };

test.each<readonly [string, (tx: Tx) => Promise<unknown>, RegExp]>([
  [
    'of ensure',
    (tx) => tx.on('there').ensure.file.create(file),
    /^the file \/etc\/members on there exists, but/,
  ],
  ['of a step', (tx) => tx.on('there').file.create(file), /^on there: .*\/etc\/members/],
  [
    'of a recipe',
    (tx) => tx.on('there').scope('own', (own) => own.file.create(file)),
    /^on there: .*\/etc\/members/,
  ],
])('an error %s names the other host, as the first step and after others', async (_, act, named) => {
  const { here, there } = simulatedPair();
  there.host().admin.writeFile('/etc/members', 'other\n');
  const failed = async (before: (tx: Tx) => Promise<unknown>): Promise<BofhError> => {
    const body = async (tx: Tx): Promise<void> => {
      await before(tx);
      await act(tx);
    };
    const error = await rejectionOf(withBofh({ ...here, signals: {} }, () => atomic('fleet', body)));
    if (!(error instanceof BofhError)) throw error;
    return error;
  };

  const first = await failed(() => Promise.resolve());
  expect(first).not.toBeInstanceOf(RolledBackError);
  expect(first.message).toMatch(named);
  const later = await failed((tx) => tx.file.create({ path: '/etc/here', content: '', mode: 0o644 }));
  expect(later).toBeInstanceOf(RolledBackError);
  expect(later.message.replace('"fleet" failed and was rolled back: ', '')).toMatch(named);
});
