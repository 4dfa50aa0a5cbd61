import { expect, test } from 'vitest';
import { turns } from '../../../src/host/turns.ts';

/** Acts that wait until they are told to end, and how many run. */
function acts() {
  const ends: (() => void)[] = [];
  const act = (): Promise<void> => new Promise((resolve) => ends.push(resolve));
  const settled = (): Promise<unknown> => new Promise((resolve) => setImmediate(resolve));
  return { act, ends, settled };
}

test('runs at most the given number at a time, and all in the end', async () => {
  const { act, ends, settled } = acts();
  const room = turns(2);
  const all = Promise.all([1, 2, 3, 4, 5].map(() => room.take(act)));

  for (let over = 0; over < 5; over += 1) {
    await settled();
    expect(ends.length).toBe(Math.min(over + 2, 5));
    ends[over]?.();
  }
  await all;
});

test('a failed one frees its place', async () => {
  const room = turns(1);

  await expect(room.take(() => Promise.reject(new Error('no')))).rejects.toThrow('no');

  expect(await room.take(async () => 'yes')).toBe('yes');
});

test('runs fewer at a time after the limit was reduced', async () => {
  const { act, ends, settled } = acts();
  const room = turns(3);
  const all = Promise.all([1, 2, 3].map(() => room.take(act)));
  await settled();

  expect(room.fewer()).toBe(true);
  const more = Promise.all([4, 5].map(() => room.take(act)));
  ends[0]?.();
  await settled();

  expect(ends.length).toBe(3);
  ends[1]?.();
  await settled();
  expect(ends.length).toBe(4);
  ends[2]?.();
  ends[3]?.();
  await settled();
  ends[4]?.();
  await Promise.all([all, more]);
});

test('a single one never waits', async () => {
  const { act, ends, settled } = acts();
  const room = turns(3);
  const only = room.take(act);
  await settled();

  expect(room.fewer()).toBe(false);

  ends[0]?.();
  await only;
});
