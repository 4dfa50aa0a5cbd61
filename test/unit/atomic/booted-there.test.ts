import { expect, test } from 'vitest';
import { atomic } from '../../../src/api/atomic.ts';
import { withBofh } from '../../../src/bofh.ts';
import { simulatedPair } from '../../../src/simulator/index.ts';

test('a host that boots between two steps of the undo keeps what its boot started', async () => {
  const { here, there } = simulatedPair();
  there.host().admin.lvcreate({ vg: 'vg0', name: 'data', extents: 3 });
  const volume = { vg: 'vg0', name: 'data' };
  const isActive = (): boolean => / vg0\/data .* active$/m.test(there.host().snapshot());
  const bofh = { ...here, signals: {} };
  await withBofh(bofh, () => atomic('off', (tx) => tx.on('there').lvm.deactivateLv(volume)));
  expect(isActive()).toBe(false);

  const failed = withBofh(bofh, () =>
    atomic('on', async (tx) => {
      await tx.on('there').lvm.activateLv(volume);
      await tx.effect(
        'slow',
        () => undefined,
        () => there.fault(1, 'booted there', 'all'),
      );
      throw new Error('on purpose');
    }),
  );

  await expect(failed).rejects.toMatchObject({
    code: 'rolled-back',
    leftUntouched: [
      'lvm.activateLv (logical volume vg0/data on there): since the reboot it is again as the step had left it',
    ],
  });
  expect(isActive()).toBe(true);
});
