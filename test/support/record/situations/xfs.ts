import { xfsGeometry } from '../../../../src/blockdevice/index.ts';
import { mkfsXfs } from '../../../../src/filesystem/commands.ts';
import { checkOf } from '../../../../src/filesystem/commands/check.ts';
import { labelOf, relabel } from '../../../../src/filesystem/commands/label.ts';
import { xfsGrow, xfsSuperblock } from '../../../../src/filesystem/commands/xfs.ts';
import type { Group } from '../situation.ts';

const device = '/dev/loop3';
const path = '/srv/mx';
const blank = '/dev/loop6';
const missing = '/dev/nonexistent';
const uuid = '11111111-2222-4333-8444-555555555555';
const offline = { type: 'xfs', device, path: undefined } as const;
const online = { ...offline, path } as const;

/** xfs, of 76,800 blocks on a device that then grows to 81,920. */
export const xfs: Group = {
  name: 'xfs',
  situations: [
    {
      name: 'mkfs.xfs/made',
      given: `
        mkdir -p ${path}; cd /var/tmp; truncate --size 300M a; losetup ${device} a
        truncate --size 64M b; losetup ${blank} b`,
      command: mkfsXfs({ device, uuid, label: 'data' }),
      answers: 'parsed',
    },
    { name: 'mkfs.xfs/exists', command: mkfsXfs({ device, uuid }), answers: 'exists' },
    { name: 'mkfs.xfs/missing', command: mkfsXfs({ device: missing, uuid }), answers: 'not-found' },
    { name: 'mkfs.xfs/small', command: mkfsXfs({ device: blank, uuid }), answers: 'unknown' },
    { name: 'xfs_db/label', command: labelOf(offline), answers: 'parsed' },
    { name: 'xfs_db/label-set', command: relabel(offline, null), answers: 'parsed' },
    { name: 'xfs_db/no-label', command: labelOf(offline), answers: 'parsed' },
    { name: 'xfs_db/missing', command: xfsSuperblock(missing), answers: 'not-found' },
    { name: 'xfs_db/no-filesystem', command: xfsSuperblock(blank), answers: 'unknown' },
    { name: 'xfs_repair/clean', command: checkOf('xfs', device), answers: 'parsed' },
    { name: 'xfs_repair/missing', command: checkOf('xfs', missing), answers: 'parsed' },
    {
      name: 'xfs_growfs/geometry',
      given: `truncate --size 320M /var/tmp/a; losetup --set-capacity ${device}; mount ${device} ${path}`,
      command: xfsGeometry(path),
      answers: 'parsed',
    },
    { name: 'mkfs.xfs/mounted', command: mkfsXfs({ device, uuid }), answers: 'busy' },
    { name: 'xfs_repair/mounted', command: checkOf('xfs', device), answers: 'parsed' },
    { name: 'xfs_io/none', command: labelOf(online), answers: 'parsed' },
    { name: 'xfs_io/set', command: relabel(online, 'foo'), answers: 'parsed' },
    { name: 'xfs_io/label', command: labelOf(online), answers: 'parsed' },
    { name: 'xfs_io/clear', command: relabel(online, null), answers: 'parsed' },
    { name: 'xfs_io/missing', command: labelOf({ ...online, path: '/nonexistent' }), answers: 'not-found' },
    { name: 'xfs_growfs/too-large', command: xfsGrow({ path, blocks: 90_000 }), answers: 'unknown' },
    { name: 'xfs_growfs/grown', command: xfsGrow({ path, blocks: 80_000 }), answers: 'parsed' },
    { name: 'xfs_growfs/nothing', command: xfsGrow({ path, blocks: 80_000 }), answers: 'parsed' },
    {
      // Its log is not empty: a copy of a mounted one.
      name: 'xfs_db/dirty',
      given: `
        echo x > ${path}/x; sync; xfs_freeze -f ${path}; cp /var/tmp/a /var/tmp/d; xfs_freeze -u ${path}
        losetup /dev/loop40 /var/tmp/d`,
      command: xfsSuperblock('/dev/loop40'),
      answers: 'parsed',
    },
    { name: 'xfs_repair/dirty', command: checkOf('xfs', '/dev/loop40'), answers: 'parsed' },
    {
      name: 'xfs_db/clean',
      given: `umount ${path}`,
      command: xfsSuperblock(device),
      answers: 'parsed',
    },
    {
      name: 'xfs_growfs/not-mounted',
      command: xfsGrow({ path: device, blocks: 81_000 }),
      answers: 'unknown',
    },
    {
      name: 'xfs_repair/errors',
      given: `xfs_db -x -c 'sb 0' -c 'write -d fdblocks 1' ${device}`,
      command: checkOf('xfs', device),
      answers: 'parsed',
    },
  ],
};
