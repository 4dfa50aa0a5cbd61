import { describe, expect, test } from 'vitest';
import * as vm from '../../../src/api/vm.ts';
import { withBofh } from '../../../src/bofh.ts';
import { UsageError } from '../../../src/core/errors.ts';
import { checkCreate, type CreateRequest } from '../../../src/vm/create-request.ts';
import type { RemoveRequest } from '../../../src/vm/request.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { bofhOn, hostWithSource } from '../simulator/support.ts';

const good = {
  name: 'web1',
  source: { type: 'tar', path: '/srv/debian.tar' },
  size: '64m',
  memory: '128m',
} as const;

describe('a request for a guest', () => {
  test('accepts sizes as text or in bytes, and needs no option with a default', () => {
    expect(checkCreate({ ...good, swap: 16 * 1024 ** 2 })).toEqual({
      ...good,
      size: 64 * 1024 ** 2,
      swap: 16 * 1024 ** 2,
      memory: 128 * 1024 ** 2,
      vcpus: 1,
      type: 'pv',
      start: false,
    });
    expect(checkCreate({ ...good, source: 'tar:/srv/a:b.tar' }).source).toEqual({
      type: 'tar',
      path: '/srv/a:b.tar',
    });
    expect(checkCreate(good).swap).toBe(0);
    expect(checkCreate({ ...good, swap: 0 }).swap).toBe(0);
  });

  // Scripts are not type-checked, and a guest without the swap that was asked for is another guest.
  test.each<[string, object, RegExp]>([
    ['nothing', {}, /name is missing/],
    ['swap that is no number', { ...good, swap: Number.NaN }, /swap/],
    ['swap that is negative', { ...good, swap: -5 }, /swap: "-5" is not a size/],
    ['a size in no known unit', { ...good, size: '10x' }, /size: "10x" is not a size/],
    ['a start that is a word', { ...good, start: 'no' }, /start: .*expected boolean/],
    ['a key that is none', { ...good, swapp: '16m' }, /swapp/],
    [
      'a source without its sort',
      { ...good, source: '/srv/a.tar' },
      /source\.type: must be debian, tar, dir, image, https or blank/,
    ],
    ['a source without a path', { ...good, source: 'tar:' }, /source\.path is empty/],
    [
      'another sort of source',
      { ...good, source: { type: 'iso', path: '/x' } },
      /source\.type: must be debian, tar, dir, image, https or blank/,
    ],
  ])('is refused with %s, and nothing changes', async (_, request, said) => {
    const host = hostWithSource();
    const before = host.snapshot();

    const error = await rejectionOf(
      withBofh(bofhOn(host), () => vm.create(request as unknown as CreateRequest)),
    );

    expect(error).toBeInstanceOf(UsageError);
    expect(String(error)).toMatch(said);
    expect(host.snapshot()).toBe(before);
  });
});

test('a request to remove has one of three words for a running guest', async () => {
  const host = hostWithSource();
  const request = { name: 'web10', running: 'stop' } as unknown as RemoveRequest;

  const error = await rejectionOf(withBofh(bofhOn(host), () => vm.remove(request)));

  expect(String(error)).toMatch(/^UsageError: vm\.remove: running: must be refuse, shutdown or destroy/);
});
