import { readsAsBlank } from '../../../../src/blockdevice/commands.ts';
import { mkfs, mkfsExt4 } from '../../../../src/filesystem/commands.ts';
import { checkOf } from '../../../../src/filesystem/commands/check.ts';
import { dumpe2fs, e2fsckPreen, extMinimum, resize2fs } from '../../../../src/filesystem/commands/ext.ts';
import { labelOf, relabel } from '../../../../src/filesystem/commands/label.ts';
import type { Group } from '../situation.ts';

const device = '/dev/loop2';
const blank = '/dev/loop6';
const missing = '/dev/nonexistent';
const at = { type: 'ext4', device, path: undefined } as const;
const uuid = '11111111-2222-4333-8444-555555555555';
const otherUuid = '11111111-2222-3333-4444-555555555555';

/** ext2, ext3 and ext4: made, read, checked, resized and labelled, mounted and not. */
export const ext: Group = {
  name: 'ext',
  situations: [
    {
      name: 'mkfs.ext2/made',
      given: `
        cd /var/tmp; truncate --size 64M a b c; losetup ${device} a; losetup /dev/loop3 b; losetup ${blank} c
        mkdir -p /srv/ext /srv/other`,
      command: mkfs.ext2({ device, uuid, label: 'root' }),
      answers: 'parsed',
    },
    { name: 'mkfs.ext3/made', command: mkfs.ext3({ device, uuid }), answers: 'parsed' },
    {
      name: 'mkfs.ext4/made',
      command: mkfsExt4({ device: '/dev/loop3', uuid: otherUuid, label: 'root' }),
      answers: 'parsed',
    },
    {
      name: 'mkfs.ext4/missing',
      command: mkfsExt4({ device: missing, uuid: otherUuid }),
      answers: 'not-found',
    },
    {
      name: 'mkfs.ext4/mounted',
      given: 'mount /dev/loop3 /srv/other',
      command: mkfsExt4({ device: '/dev/loop3', uuid: otherUuid }),
      answers: 'busy',
    },
    {
      name: 'resize2fs/unchecked',
      given: `
        umount /srv/other; mke2fs -q -t ext4 -b 1024 -U ${uuid} -E hash_seed=${uuid} ${device} 49152
        tune2fs -T 20200101 ${device}; mount ${device} /srv/ext; echo x > /srv/ext/x; umount /srv/ext`,
      command: resize2fs(device, 50_000),
      answers: 'unknown',
    },
    { name: 'e2fsck/clean', command: e2fsckPreen(device), answers: 'parsed' },
    { name: 'dumpe2fs/clean', command: dumpe2fs(device), answers: 'parsed' },
    { name: 'e2fsck/checked', command: checkOf('ext4', device), answers: 'parsed' },
    { name: 'resize2fs/minimum', command: extMinimum(device), answers: 'parsed' },
    { name: 'resize2fs/below-minimum', command: resize2fs(device, 3000), answers: 'unknown' },
    { name: 'resize2fs/too-large', command: resize2fs(device, 99_999), answers: 'unknown' },
    { name: 'resize2fs/missing', command: resize2fs(missing, 3000), answers: 'not-found' },
    { name: 'resize2fs/shrunk', command: resize2fs(device, 40_000), answers: 'parsed' },
    { name: 'resize2fs/nothing', command: resize2fs(device, 40_000), answers: 'parsed' },
    { name: 'dumpe2fs/missing', command: dumpe2fs(missing), answers: 'not-found' },
    { name: 'dumpe2fs/no-filesystem', command: dumpe2fs(blank), answers: 'unknown' },
    { name: 'e2fsck/missing', command: e2fsckPreen(missing), answers: 'not-found' },
    { name: 'debugfs/no-filesystem', command: readsAsBlank(blank), answers: 'parsed' },
    { name: 'e2label/none', command: labelOf(at), answers: 'parsed' },
    { name: 'e2label/set', command: relabel(at, 'a b'), answers: 'parsed' },
    {
      name: 'e2label/told',
      given: `e2label ${device} 'rööt "x"'`,
      command: labelOf(at),
      answers: 'parsed',
    },
    { name: 'e2label/missing', command: relabel({ ...at, device: missing }, 'x'), answers: 'not-found' },
    { name: 'e2label/no-filesystem', command: labelOf({ ...at, device: blank }), answers: 'unknown' },
    {
      name: 'dumpe2fs/mounted',
      given: `mount ${device} /srv/ext; echo y > /srv/ext/y; sync`,
      command: dumpe2fs(device),
      answers: 'parsed',
    },
    { name: 'e2label/set-mounted', command: relabel(at, 'mounted'), answers: 'parsed' },
    { name: 'e2fsck/mounted', command: e2fsckPreen(device), answers: 'busy' },
    { name: 'resize2fs/shrink-mounted', command: resize2fs(device, 30_000), answers: 'busy' },
    {
      // Its journal is not empty: a copy of a mounted one.
      name: 'e2fsck/checked-dirty',
      given: `echo z > /srv/ext/z; sync; cp /var/tmp/a /var/tmp/d; losetup /dev/loop40 /var/tmp/d; umount /srv/ext`,
      command: checkOf('ext4', '/dev/loop40'),
      answers: 'parsed',
    },
    {
      name: 'e2fsck/checked-errors',
      given: `debugfs -w -R 'clri <11>' ${device}`,
      command: checkOf('ext4', device),
      answers: 'parsed',
    },
    {
      name: 'e2fsck/errors',
      given: `debugfs -w -R 'clri <7>' ${device}; debugfs -w -R 'ssv state 3' ${device}`,
      command: e2fsckPreen(device),
      answers: 'unknown',
    },
    { name: 'dumpe2fs/errors', command: dumpe2fs(device), answers: 'parsed' },
  ],
};
