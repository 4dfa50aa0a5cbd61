import { expect, test } from 'vitest';
import { volumeResizedRecovery } from '../../../src/lvm/manual-recovery-resize.ts';
import { removedRecovery } from '../../../src/lvm/manual-recovery.ts';
import { movePv } from '../../../src/lvm/operations.ts';

const known = { vg: 'vg0', vgUuid: 'g', lvUuid: 'v', name: 'web1' };
const byPath = '/dev/disk/by-path/pci-0000:00:05.0';

test('activates a volume again even if its activation-skip flag is set, as on thin snapshots', () => {
  const undo = { ...known, gone: 'bofh_gone_a_1', wasActive: true, autoactivation: false };

  expect(removedRecovery({ undo, way: 'back' }).clear).toContainEqual([
    ...['lvchange', '--activate', 'y', '--ignoreactivationskip', '--select', 'lv_uuid=v', 'vg0'],
  ]);
});

test('escapes colons in the path of a device with extents, which lvm would read as a range', () => {
  const piece = { lvUuid: 'v', name: 'web1', count: 4, to: { pvUuid: 'b', start: 0 } };
  const pvs = [
    { device: byPath, identity: 'i', uuid: 'a' },
    { device: '/dev/vdc', identity: 'j', uuid: 'b' },
  ];
  const pieces = [{ ...piece, from: { pvUuid: 'a', start: 8 } }];
  const cut = [{ pvUuid: 'a', device: byPath, start: 8, count: 4 }];
  const sizes = { from: 8, to: 4, extentSize: 1, tag: 't' };

  const moved = movePv.describe?.({ undo: { vg: 'vg0', vgUuid: 'g', pvs, pieces }, way: 'back' });
  const shrunk = volumeResizedRecovery({ undo: { ...known, ...sizes, cut }, way: 'back' });

  const escaped = String.raw`/dev/disk/by-path/pci-0000\:00\:05.0:8-11`;
  expect(moved?.clear.at(-1)).toEqual(['pvmove', '--name', 'vg0/web1', '/dev/vdc:0-3', escaped]);
  expect(shrunk.clear).toEqual([['lvextend', '--size', '8b', 'vg0/web1', escaped]]);
});

test('restores the cut extents one run after the other: lvm takes the longest of several first', () => {
  const cut = [
    { pvUuid: 'a', device: '/dev/vdb', start: 8, count: 2 },
    { pvUuid: 'a', device: '/dev/vdb', start: 12, count: 3 },
  ];
  const undo = { ...known, from: 36, to: 16, extentSize: 4, tag: 't', cut };

  expect(volumeResizedRecovery({ undo, way: 'back' }).clear).toEqual([
    ['lvextend', '--size', '24b', 'vg0/web1', '/dev/vdb:8-9'],
    ['lvextend', '--size', '36b', 'vg0/web1', '/dev/vdb:12-14'],
  ]);
});
