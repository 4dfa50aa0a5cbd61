import { describe, expect, it } from 'vitest';
import * as block from '../../../src/api/block.ts';
import * as filesystem from '../../../src/api/filesystem.ts';
import { withBofh } from '../../../src/bofh.ts';
import { RefusedError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';

const mib = 1024 ** 2;
const uuid = '0c0ffee0-0000-4000-8000-000000000001';

/** A filesystem of 128 MiB on a disk of 512. */
function host(type: 'ext4' | 'xfs' | 'btrfs' | 'vfat'): SimulatedHost {
  const there = simulatedHost({ disks: [{ name: 'vdd', size: 512 * mib }] });
  const blocks = 128 * 256;
  there.admin.format('/dev/vdd', { ...{ type, usage: 'filesystem', uuid, version: '1.0' }, blocks });
  there.admin.mkdir('/mnt/a');
  return there;
}

const device = '/dev/vdd';

function resize(there: SimulatedHost, request: block.ResizeRequest): Promise<block.StackResized> {
  return withBofh(simulatedBofh({ host: there }), () => block.resize(request));
}

async function sizeNow(there: SimulatedHost): Promise<number> {
  const { devices } = await withBofh(simulatedBofh({ host: there }), () => block.tree({ device }));
  return (devices[0]?.content.size ?? 0) / mib;
}

describe('a size with a unit', () => {
  it.each([
    [{ size: 64 * mib }, { size: '64m' }],
    [{ by: -8 * mib }, { by: '-8m' }],
    [{ by: 8 * mib }, { by: '+8m' }],
    [{ by: 8 * mib }, { by: '8MiB' }],
  ])('%j is what %j says', async (bytes, words) => {
    const ask = (to: block.ResizeRequest['to']) =>
      resize(host('ext4'), { device, to }).catch((error: unknown) => error);

    expect(await ask(words)).toEqual(await ask(bytes));
  });

  it('that is invalid is refused', async () => {
    await expect(resize(host('ext4'), { device, to: { by: '5x' } })).rejects.toThrow('"5x" is not a size');
  });

  it('is accepted by a filesystem alone, too', async () => {
    const there = host('ext4');

    await withBofh(simulatedBofh({ host: there }), () => filesystem.resize({ device, size: '256m' }));

    expect(await sizeNow(there)).toBe(256);
  });
});

describe('a filesystem smaller than its disk', () => {
  it.each(['ext4', 'xfs', 'btrfs'] as const)('%s grows to all of it with max', async (type) => {
    const there = host(type);
    const before = await sizeNow(there);

    const { layers } = await resize(there, { device, to: 'max' });

    expect([before, await sizeNow(there)]).toEqual([128, 512]);
    expect(layers.at(-1)).toMatchObject({ from: 128 * mib, to: 512 * mib });
  });

  it.each([
    ['ext4', 'after the commit'],
    ['btrfs', 'now'],
  ] as const)('%s that is mounted grows %s', async (type, when) => {
    const there = host(type);
    there.admin.mount(device, '/mnt/a');

    const { layers } = await resize(there, { device, to: 'max' });

    expect(layers.at(-1)?.when).toBe(when);
    expect(await sizeNow(there)).toBe(512);
  });

  it('is unchanged when a guest has the disk, and the guest is named', async () => {
    const there = host('ext4');
    const number = (await there.stat(device))?.node ?? '';
    there.admin.startDomain({ name: 'web1', disks: [{ vdev: 'xvda', path: device, number }] });

    await expect(resize(there, { device, to: 'max' })).rejects.toThrow(/a disk of the guest/);
    expect(there.changes).toEqual([]);
  });

  it('is unchanged when bofh cannot resize its type', async () => {
    await expect(resize(host('vfat'), { device, to: 'max' })).rejects.toThrow(/size of a vfat/);
  });

  it('is unchanged when the size is smaller, because a disk does not shrink', async () => {
    const there = host('btrfs');

    await expect(resize(there, { device, to: { by: -64 * mib } })).rejects.toThrow(RefusedError);
    expect(there.changes).toEqual([]);
  });
});
