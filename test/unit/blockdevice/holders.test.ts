import { describe, expect, test } from 'vitest';
import { holders, refuseHeld } from '../../../src/blockdevice/index.ts';
import { ParseError } from '../../../src/core/errors.ts';
import { simulatedHost } from '../../../src/simulator/index.ts';
import { disk, mapped, quiet, treeHost, type Tree, virtual } from './tree-host.ts';

const dm = mapped({ name: 'dm-1', number: '253:1', map: 'vg0-web1', uuid: 'LVM-x' }, {});
const of = async (tree: Tree, device = '/dev/dm-1') =>
  (await holders(treeHost({ ...dm, ...quiet, ...tree }), device)).map(({ words }) => words);
const swaps = '/proc/swaps';
const head = quiet[swaps] ?? '';

describe('holders', () => {
  test('finds none for an unused device', async () => {
    expect(await of({})).toEqual([]);
  });

  test('names every mount of the device, and no mount of another one', async () => {
    const text =
      '40 1 253:1 / /mnt/a rw - ext4 /dev/dm-1 rw\n41 1 253:1 /x /mnt/b\\040c ro - ext4 /dev/dm-1 rw\n42 1 253:11 / /d rw - ext4 /dev/dm-11 rw\n';
    expect(await of({ '/proc/self/mountinfo': text })).toEqual([
      'mounted on /mnt/a (mount 40)',
      'mounted on /mnt/b c (mount 41)',
    ]);
  });

  test('names swap on it, also when the device node is missing', async () => {
    const line = (path: string) => `${path}                               partition\t40956\t\t0\t\t-2\n`;
    expect(await of({ [swaps]: head + line('/dev/dm-1') })).toEqual(['in use as swap (/dev/dm-1)']);
    expect(await of({ [swaps]: head + line('/old/dm-1') })).toEqual(['in use as swap (/old/dm-1)']);
    // As the kernel shows a removed node, seen on Linux 6.18.
    const removed = line('/old/dm-1\\040(deleted)');
    expect(await of({ [swaps]: head + removed })).toEqual(['in use as swap (/dev/dm-1)']);
    expect(await of({ [swaps]: head + line('/dev/dm-2') })).toEqual([]);
    expect(await of({ [swaps]: head + line('/dev/dm-2\\040(deleted)') })).toEqual([]);
  });

  test('names the devices on top of it', async () => {
    const above = {
      '/sys/devices/virtual/block/dm-1/holders/dm-2/dm/name': 'secret\n',
      '/sys/devices/virtual/block/dm-1/holders/md0/dev': '9:0\n',
    };
    expect(await of(above)).toEqual(['beneath /dev/mapper/secret', 'part of /dev/md0']);
  });

  test('names a loop device over it', async () => {
    const loop = virtual('loop0', '7:0', { 'loop/backing_file': '/dev/dm-1\n' });
    expect(await of({ ...loop, ...virtual('loop1', '7:1') })).toEqual(['behind the loop device /dev/loop0']);
  });

  test('names the guest that has it as a disk', async () => {
    const vbd = (hex: string) => ({ '/sys/bus/xen-backend/devices/vbd-7-51712/physical_device': `${hex}\n` });
    expect(await of(vbd('fd:1'))).toEqual(['a disk of the guest with domid 7']);
    expect(await of(vbd('fd:2'))).toEqual([]);
  });

  test('names a mounted btrfs that it is a device of', async () => {
    expect(await of({ '/sys/fs/btrfs/f00/devices/dm-1': '', '/sys/fs/btrfs/features/acl': '' })).toEqual([
      'part of the mounted btrfs f00',
    ]);
  });

  test('names the holder of a partition of the disk', async () => {
    const mounted = { '/proc/self/mountinfo': '9 1 254:17 / /boot rw - ext4 /dev/vdb1 rw\n' };
    expect(await of({ ...disk('vdb', '254:16', { 1: '254:17' }), ...mounted }, '/dev/vdb')).toEqual([
      'its partition vdb1: mounted on /boot (mount 9)',
    ]);
  });

  test.each([`${head}nonsense\n`, 'something else\n'])(
    'refuses a list of swaps that it cannot read',
    async (text) => {
      await expect(of({ [swaps]: text })).rejects.toThrow(ParseError);
    },
  );
});

test('a refusal names the holders that the check found, also if they have ended meanwhile', async () => {
  const host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 1 });
  const who = [{ kind: 'unknown', words: 'in use by something' }] as const;
  await expect(refuseHeld(host, '/dev/vg0/web1', who)).rejects.toThrow(
    '/dev/vg0/web1 is in use: in use by something',
  );
});
