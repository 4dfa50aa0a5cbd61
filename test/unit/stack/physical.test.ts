import { expect, it } from 'vitest';
import * as block from '../../../src/api/block.ts';
import * as filesystem from '../../../src/api/filesystem.ts';
import { withBofh } from '../../../src/bofh.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';

const mib = 1024 ** 2;
const device = '/dev/vdz';

/** A physical volume of 40 MiB on a disk of 64, in a group whose first disk has 8 extents. */
function host(): SimulatedHost {
  const there = simulatedHost({
    disks: [{ name: 'vdz', size: 64 * mib }],
    volumeGroups: [{ name: 'vg0', size: 33 * mib }],
  });
  const uuid = 'free00-0000-0000-0000-0000-0000-000001';
  there.admin.format(device, { type: 'LVM2_member', usage: 'raid', uuid, version: 'LVM2 001' });
  there.admin.vgextend('vg0', device, { extents: 10 });
  return there;
}

const here = <T>(there: SimulatedHost, body: () => Promise<T>): Promise<T> =>
  withBofh(simulatedBofh({ host: there }), body);

it('a physical volume takes the rest of its disk with max, in whole extents', async () => {
  const there = host();

  const { layers } = await here(there, () => block.resize({ device, to: 'max' }));

  expect(layers.map(({ from, to }) => [from / mib, to / mib])).toEqual([
    [64, 64],
    [40, 60],
  ]);
  const { devices } = await here(there, () => block.tree({ device }));
  expect(devices[0]?.content).toMatchObject({ layer: 'lvm-pv', size: 60 * mib, overhead: 4 * mib });
});

it('one that uses all of it has nothing to do', async () => {
  const there = host();
  await here(there, () => block.resize({ device, to: 'max' }));
  const before = there.changes.length;

  await here(there, () => block.resize({ device, to: 'max' }));

  expect(there.changes.length).toBe(before);
});

it.each([
  [
    '96m',
    'grow the file: truncate --size=+33554432 /srv/a.img; losetup --set-capacity /dev/loop0; then what is on it: bofh block resize /dev/loop0 max',
  ],
  ['32m', 'shrink only what is on it, for example: bofh filesystem resize /dev/loop0 33554432b'],
])('a loop device is not resized to %s, and the remedy has the size', async (to, remedy) => {
  const there = simulatedHost();
  there.admin.mkdir('/srv');
  await here(there, () => filesystem.createImage({ file: '/srv/a.img', size: '64m', type: 'ext4' }));
  const { device: loop } = await here(there, () => block.attachLoop({ file: '/srv/a.img' }));

  await expect(here(there, () => block.resize({ device: loop, to: { size: to } }))).rejects.toMatchObject({
    message: expect.stringMatching(/bofh does not resize the file of a loop device$/) as string,
    remedy,
  });
});
