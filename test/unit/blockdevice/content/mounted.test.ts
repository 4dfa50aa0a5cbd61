import { expect, it } from 'vitest';
import { isMountedForWriting, mountsOn } from '../../../../src/blockdevice/index.ts';
import { disk, quiet, treeHost } from '../tree-host.ts';

it.each([
  ['an ext4', '254:16', 'ext4', 'rw', true],
  ['an ext4 that is mounted read-only', '254:16', 'ext4', 'ro', false],
  // btrfs has a number of its own.
  ['a btrfs', '0:45', 'btrfs', 'rw', true],
  ['the btrfs of another disk', '0:45', 'btrfs', 'rw', false],
])('a mount for writing is found: %s (%s, %s, %s): %s', async (what, number, type, mode, expected) => {
  const member = what.includes('another') ? 'vdc' : 'vdb';
  const host = treeHost({
    ...{ ...quiet, ...disk('vdb', '254:16'), ...disk('vdc', '254:32') },
    '/proc/self/mountinfo': `40 22 ${number} / /mnt ${mode} - ${type} /dev/${member} ${mode}\n`,
    [`/sys/fs/btrfs/5e1f/devices/${member}/dev`]: '',
  });

  expect(await isMountedForWriting(host, '/dev/vdb')).toBe(expected);
});

it('a mounted btrfs on several devices is found by each of them, not only by the source of the mount', async () => {
  const host = treeHost({
    ...{ ...quiet, ...disk('vdb', '254:16'), ...disk('vdc', '254:32') },
    '/proc/self/mountinfo': '40 22 0:45 / /mnt rw - btrfs /dev/vdc rw\n',
    ...{ '/sys/fs/btrfs/5e1f/devices/vdb/dev': '', '/sys/fs/btrfs/5e1f/devices/vdc/dev': '' },
  });

  for (const device of ['/dev/vdb', '/dev/vdc'])
    expect((await mountsOn(host, device)).map(({ path }) => path)).toEqual(['/mnt']);
});
