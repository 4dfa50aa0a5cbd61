import { expect, test } from 'vitest';
import { atomic, type Tx } from '../../../src/api/atomic.ts';
import { withBofh } from '../../../src/bofh.ts';
import type { BofhError } from '../../../src/core/errors.ts';
import { simulatedPair } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';

const volume = { vg: 'vg0', name: 'data' };

/** `there` has an inactive volume that its next boot activates. */
async function ready() {
  const { here, there } = simulatedPair();
  there.host().admin.lvcreate({ ...volume, extents: 3 });
  const isActive = (): boolean => / vg0\/data .* active$/m.test(there.host().snapshot());
  const bofh = { ...here, signals: {} };
  await withBofh(bofh, () => atomic('off', (tx) => tx.on('there').lvm.deactivateLv(volume)));
  expect(isActive()).toBe(false);
  return { there, bofh, isActive };
}

type Peer = Awaited<ReturnType<typeof ready>>['there'];

test.each<readonly [string, (tx: Tx, there: Peer) => Promise<unknown>]>([
  [
    'between two steps of the undo',
    async (tx, there) => {
      await tx.on('there').lvm.activateLv(volume);
      await tx.effect(
        'slow',
        () => undefined,
        () => there.fault(1, 'booted there', 'all'),
      );
    },
  ],
  [
    'before a temporary step is released',
    async (tx, there) => {
      const opened = await tx.on('there').temporary.lvm.activateLv(volume);
      there.fault(1, 'booted there', 'all');
      await opened.release();
    },
  ],
])('what the boot of a host started stays: %s', async (_, body) => {
  const { there, bofh, isActive } = await ready();

  const failed = withBofh(bofh, () =>
    atomic('on', async (tx) => {
      await body(tx, there);
      throw new Error('on purpose');
    }),
  );

  await expect(failed).rejects.toMatchObject({
    code: 'rolled-back',
    leftUntouched: [
      'lvm.activateLv (logical volume vg0/data on there): after the reboot it was set to the same state again',
    ],
  });
  expect(isActive()).toBe(true);
});

test('a file in a mount that ended with a boot during its step is undone', async () => {
  const ends: unknown[] = [];
  for (let at = 1; at <= 30; at += 1) {
    const { here, there } = simulatedPair();
    const failed = withBofh({ ...here, signals: {} }, () =>
      atomic('a file', async (tx) => {
        const on = tx.on('there');
        const { path: device } = await on.lvm.createLv({ vg: 'vg0', name: 'new', size: '16m' });
        await on.filesystem.create({ device, type: 'ext4' });
        const { path } = await on.mount.mount({ device, mode: 'rw' });
        there.fault(at, 'booted there', 'all');
        await on.file.create({ path: `${path}/in`, content: '' });
        throw new Error('on purpose');
      }),
    );
    const error = (await rejectionOf(failed)) as BofhError;
    ends.push(error.code);
    expect(there.host().snapshot()).not.toContain('vg0/new');
  }
  expect(new Set(ends)).toEqual(new Set(['rolled-back']));
});
