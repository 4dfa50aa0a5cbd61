import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';

const uuid = '5e1f0000-0000-4000-8000-00000000000a';
type Asked = Pick<Parameters<Tx['xen']['set']>[0], 'setting' | 'to'>;

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.startDomain({ name: 'web1', uuid, memory: '128m', vcpus: 2 });
});

const guest = () => host.world.domains.find(({ name }) => name === 'web1');
const sequence = (body: (tx: Tx) => Promise<unknown>) =>
  withBofh(simulatedBofh({ host }), () => atomic('test', body));
const set = (asked: Asked) => sequence((tx) => tx.xen.set({ name: 'web1', uuid, ...asked }));

test.each([
  ['memory', 64 * 1024 ** 2, { memoryMiB: 64 }],
  ['memory', 99_000 * 1024, { memoryMiB: 99_000 / 1024 }],
  ['vcpus', 1, { vcpus: 1 }],
  ['weight', 512, { weight: 512 }],
  ['paused', 1, { state: 'paused' }],
] as const)('%s of a running guest is set, and as before after the undo', async (setting, to, after) => {
  const before = { ...guest() };
  await set({ setting, to });
  expect(guest()).toMatchObject(after);
  Object.assign(guest() ?? {}, before);

  await rejectionOf(
    sequence(async (tx) => {
      await tx.xen.set({ name: 'web1', uuid, setting, to });
      throw new Error('fails later');
    }),
  );

  expect(guest()).toEqual(before);
});

test('a guest that was paused three times runs after the unpause', async () => {
  Object.assign(guest() ?? {}, { state: 'paused', pauses: 3 });

  await set({ setting: 'paused', to: 0 });

  expect(guest()?.state).toBe('blocked');
});

test('a value that others set after the step stays', async () => {
  await rejectionOf(
    sequence(async (tx) => {
      await tx.xen.set({ name: 'web1', uuid, setting: 'weight', to: 512 });
      Object.assign(guest() ?? {}, { weight: 100 });
      throw new Error('fails later');
    }),
  );

  expect(guest()?.weight).toBe(100);
});

describe('nothing is set', () => {
  const rows: readonly (readonly [string, Asked, typeof UsageError | typeof RefusedError, RegExp])[] = [
    [
      'above the limit',
      { setting: 'memory', to: 256 * 1024 ** 2 },
      UsageError,
      /the limit is memory 128 MiB$/,
    ],
    ['above its virtual CPUs', { setting: 'vcpus', to: 3 }, UsageError, /the limit is vcpus 2$/],
    [
      'no whole KiB',
      { setting: 'memory', to: 64 * 1024 ** 2 + 1 },
      UsageError,
      /to: .* not a whole number of KiB/,
    ],
    ['of nothing', { setting: 'memory', to: 0 }, UsageError, /cannot get memory 0 MiB/],
    ['that would change nothing', { setting: 'weight', to: 256 }, UsageError, /already: nothing to change/],
  ];
  test.each(rows)('%s', async (_, asked, kind, message) => {
    const before = { ...guest() };
    const error = await rejectionOf(set(asked));

    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toMatch(message);
    expect(guest()).toEqual(before);
  });

  test('of a crashed guest, or one with another UUID', async () => {
    host.admin.setDomain('web1', 'crashed');
    expect(await rejectionOf(set({ setting: 'weight', to: 9 }))).toBeInstanceOf(RefusedError);
    host.admin.destroyDomain('web1');
    host.admin.startDomain({ name: 'web1' });
    expect(await rejectionOf(set({ setting: 'weight', to: 9 }))).toBeInstanceOf(RefusedError);
  });

  test('beyond the free memory of the host', async () => {
    host.admin.destroyDomain('web1');
    host.admin.startDomain({ name: 'web1', uuid, memory: '128m', most: { memory: '100000m', vcpus: 1 } });
    const error = await rejectionOf(set({ setting: 'memory', to: 99_000 * 1024 ** 2 }));
    expect((error as RefusedError).code).toBe('no-space');
  });
});
