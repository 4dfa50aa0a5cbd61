import { expect, it } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { simulatedBofh, simulatedHost } from '../../../src/simulator/index.ts';

it('12 concurrent sequences that attach loop devices get one each', async () => {
  const host = simulatedHost();
  host.admin.mkdir('/srv');
  const names = Array.from({ length: 12 }, (_, i) => `/srv/${i}.img`);

  const made = await withBofh(simulatedBofh({ host }), () =>
    Promise.allSettled(
      names.map((file) =>
        atomic('disk', async (tx) => {
          await tx.block.createImage({ file, size: '8m' });
          const { device } = await tx.block.attachLoop({ file });
          await tx.filesystem.create({ device, type: 'ext4' });
          return device;
        }),
      ),
    ),
  );

  expect(made.filter(({ status }) => status === 'rejected')).toEqual([]);
  const devices = made.map((one) => (one.status === 'fulfilled' ? one.value : undefined));
  expect(new Set(devices).size).toBe(names.length);
});
