import { getfacl, setfacl } from '../../../../src/file/acl.ts';
import { getfattr, setfattr } from '../../../../src/file/xattr.ts';
import { lsattr } from '../../../../src/file/refuse-change.ts';
import { mkfs } from '../../../../src/filesystem/commands.ts';
import { checkOf } from '../../../../src/filesystem/commands/check.ts';
import { labelOf, relabel } from '../../../../src/filesystem/commands/label.ts';
import { fatGeometry, freeAt, swapLastPage } from '../../../../src/filesystem/commands/other.ts';
import type { Group } from '../situation.ts';

const fat = '/dev/loop5';
const swap = '/dev/loop6';
const missing = '/dev/nonexistent';
const plain = 'user::rw-,group::r--,other::r--';
const listed = 'user::rw-,user:7:r--,group::r--,mask::r--,other::r--';
const onFat = { type: 'vfat', device: fat, path: undefined } as const;
const onSwap = { type: 'swap', device: swap, path: undefined } as const;
const uuid = '11111111-2222-3333-4444-555555555555';

/** vfat and swap, and what the kernel tells of any that is mounted. */
export const otherFilesystems: Group = {
  name: 'other-filesystems',
  situations: [
    {
      name: 'mkfs.vfat/made',
      given: `
        mkdir -p /srv/x; cd /var/tmp; truncate --size 64M a; losetup ${fat} a
        truncate --size 32M b; losetup ${swap} b; truncate --size 64M c; losetup /dev/loop3 c`,
      command: mkfs.vfat({ device: fat, uuid: 'ABCD-1234', label: 'DATA' }),
      answers: 'parsed',
    },
    {
      name: 'mkfs.vfat/missing',
      command: mkfs.vfat({ device: missing, uuid: 'ABCD-1234' }),
      answers: 'not-found',
    },
    { name: 'fatlabel/label', command: labelOf(onFat), answers: 'parsed' },
    { name: 'fatlabel/set', command: relabel(onFat, 'NEW'), answers: 'parsed' },
    { name: 'fatlabel/clear', command: relabel(onFat, null), answers: 'parsed' },
    { name: 'fatlabel/none', command: labelOf(onFat), answers: 'parsed' },
    { name: 'fatlabel/missing', command: labelOf({ ...onFat, device: missing }), answers: 'not-found' },
    { name: 'fsck.vfat/clean', command: fatGeometry(fat), answers: 'parsed' },
    { name: 'fsck.vfat/missing', command: fatGeometry(missing), answers: 'not-found' },
    {
      name: 'stat/file-system',
      given: 'mkfs.ext4 -q /dev/loop3; mount /dev/loop3 /srv/x',
      command: freeAt('/srv/x'),
      answers: 'parsed',
    },
    { name: 'stat/file-system-missing', command: freeAt('/srv/none'), answers: 'not-found' },
    {
      name: 'lsattr/immutable',
      given: 'cd /srv/x; touch a b c; chattr +i a; chattr +a b',
      command: lsattr('/srv/x/a'),
      answers: 'parsed',
    },
    { name: 'lsattr/append-only', command: lsattr('/srv/x/b'), answers: 'parsed' },
    { name: 'lsattr/no-flags', command: lsattr('/srv/x/c'), answers: 'parsed' },
    { name: 'lsattr/missing', command: lsattr('/srv/x/none'), answers: 'parsed' },
    {
      name: 'getfacl/lists',
      given: 'cd /srv/x; mkdir d; setfacl --modify user:7:rwx,mask::r,default:group:8:r d',
      command: getfacl('/srv/x/d'),
      answers: 'parsed',
    },
    { name: 'getfacl/mode', command: getfacl('/srv/x/c'), answers: 'parsed' },
    {
      name: 'getfacl/link',
      given: 'ln -s c /srv/x/l',
      command: getfacl('/srv/x/l'),
      answers: 'not understood',
    },
    { name: 'getfacl/missing', command: getfacl('/srv/x/none'), answers: 'not-found' },
    {
      name: 'setfacl/set',
      command: setfacl('/srv/x/d', {
        acl: 'user::rwx,user:33:r-x,group::r-x,mask::r-x,other::---',
        defaultAcl: 'user::rwx,group::r-x,other::---',
      }),
      answers: 'parsed',
    },
    { name: 'setfacl/missing', command: setfacl('/srv/x/none', { acl: plain }), answers: 'not-found' },
    { name: 'setfacl/immutable', command: setfacl('/srv/x/a', { acl: listed }), answers: 'denied' },
    {
      name: 'setfacl/unsupported',
      command: setfacl('/proc/version', { acl: listed }),
      answers: 'unknown',
    },
    {
      name: 'getfattr/value',
      given: 'setfattr -n user.note -v 0sAAo9/w== /srv/x/c; setfattr -n user.empty /srv/x/c',
      command: getfattr('/srv/x/c', 'user.note'),
      answers: 'parsed',
    },
    { name: 'getfattr/empty', command: getfattr('/srv/x/c', 'user.empty'), answers: 'parsed' },
    { name: 'getfattr/none', command: getfattr('/srv/x/c', 'user.none'), answers: 'parsed' },
    { name: 'getfattr/missing', command: getfattr('/srv/x/none', 'user.note'), answers: 'parsed' },
    { name: 'getfattr/unsupported', command: getfattr('/proc/version', 'user.note'), answers: 'parsed' },
    { name: 'setfattr/set', command: setfattr('/srv/x/c', 'user.note', 'AP8='), answers: 'parsed' },
    { name: 'setfattr/remove-none', command: setfattr('/srv/x/c', 'user.none', null), answers: 'unknown' },
    { name: 'setfattr/missing', command: setfattr('/srv/x/none', 'user.note', 'AP8='), answers: 'not-found' },
    { name: 'setfattr/immutable', command: setfattr('/srv/x/a', 'user.note', 'AP8='), answers: 'denied' },
    {
      name: 'setfattr/unsupported',
      command: setfattr('/proc/version', 'user.note', 'AP8='),
      answers: 'unknown',
    },
    { name: 'lsattr/no-filesystem-flags', command: lsattr('/proc/version'), answers: 'parsed' },
    {
      // A cluster that the first of the two tables says is taken, and the second that it is free.
      name: 'fsck.vfat/errors',
      given: `printf '\\377\\377' | dd of=${fat} bs=1 seek=2068 conv=notrunc status=none`,
      command: checkOf('vfat', fat),
      answers: 'parsed',
    },
    { name: 'mkswap/made', command: mkfs.swap({ device: swap, uuid, label: 'sw' }), answers: 'parsed' },
    { name: 'swaplabel/told', command: labelOf(onSwap), answers: 'parsed' },
    { name: 'swaplabel/set', command: relabel(onSwap, 'a b'), answers: 'parsed' },
    {
      name: 'swaplabel/none',
      given: `mkswap --uuid ${uuid} ${swap}`,
      command: labelOf(onSwap),
      answers: 'parsed',
    },
    { name: 'swaplabel/missing', command: labelOf({ ...onSwap, device: missing }), answers: 'not-found' },
    { name: 'od/swap', command: swapLastPage(swap), answers: 'parsed' },
    {
      name: 'mkswap/mounted',
      command: mkfs.swap({ device: '/dev/loop3', uuid }),
      answers: 'busy',
    },
  ],
};
