import { mount, umount } from '../../../../src/mount/commands.ts';
import { findmntVerify } from '../../../../src/mount/tab/commands.ts';
import type { Group } from '../situation.ts';

const device = '/dev/loop3';
const path = '/srv/mnt';
const table = '/tmp/fstab';

/** Mounts, and tables of them. */
export const mounts: Group = {
  name: 'mount',
  situations: [
    {
      name: 'mount/mounted',
      given: `cd /var/tmp; truncate --size 32M a b; losetup ${device} a; losetup /dev/loop4 b; mkfs.ext4 -q ${device}; mkdir ${path}`,
      command: mount({ device, path, mode: 'rw', type: 'ext4', options: ['nodev'] }),
      answers: 'parsed',
    },
    {
      name: 'mount/already-there',
      command: mount({ device, path, mode: 'rw' }),
      // By the kernel's new calls, with which 2.41 mounts, it lies upon the first.
      answers: (version) => (version.startsWith('2.38') ? 'busy' : 'parsed'),
    },
    {
      name: 'mount/missing-device',
      command: mount({ device: '/dev/nosuch', path, mode: 'rw' }),
      answers: 'not-found',
    },
    {
      name: 'mount/missing-path',
      command: mount({ device, path: '/srv/none', mode: 'rw' }),
      answers: 'not-found',
    },
    {
      name: 'mount/blank',
      command: mount({ device: '/dev/loop4', path: '/srv', mode: 'rw' }),
      answers: 'unknown',
    },
    {
      name: 'mount/unknown-type',
      command: mount({ device: '/dev/loop4', path: '/srv', mode: 'rw', type: 'nosuchfs' }),
      answers: 'unknown',
    },
    {
      name: 'mount/odd-option',
      command: mount({ device, path: '/srv', mode: 'rw', type: 'ext4', options: ['nosuchoption'] }),
      answers: 'unknown',
    },
    { name: 'mount/not-root', command: mount({ device, path, mode: 'rw' }), as: 'nobody', answers: 'denied' },
    {
      name: 'umount/busy',
      given: `cd ${path}; (exec sleep 600 < /dev/null > /dev/null 2>&1) & echo $! > /run/holder`,
      command: umount(path),
      answers: 'busy',
    },
    { name: 'umount/not-root', command: umount(path), as: 'nobody', answers: 'denied' },
    {
      name: 'umount/not-mounted',
      given: 'kill $(cat /run/holder)',
      command: umount('/mnt'),
      answers: 'not-found',
    },
    { name: 'umount/missing', command: umount('/srv/none'), answers: 'not-found' },
    {
      name: 'mount/write-protected',
      given: `losetup --detach /dev/loop4; mkfs.ext4 -q /var/tmp/b; losetup --read-only /dev/loop4 /var/tmp/b; mkdir /srv/ro`,
      command: mount({ device: '/dev/loop4', path: '/srv/ro', mode: 'rw' }),
      answers: 'parsed',
    },
    {
      name: 'findmnt/verify-missing',
      given: `rm -f ${table}`,
      command: findmntVerify(table),
      answers: 'not understood',
    },
    { name: 'findmnt/verify-empty', given: `: > ${table}`, command: findmntVerify(table), answers: 'parsed' },
    {
      name: 'findmnt/verify-success',
      given: `echo '${device} ${path} ext4 defaults 0 2' > ${table}`,
      command: findmntVerify(table),
      answers: 'parsed',
    },
    {
      name: 'findmnt/verify-odd',
      given: String.raw`printf '%s\n' '/dev/nosuch /srv/no\040ne ext4 defaults 0 0' 'LABEL=x /srv nosuchfs nosuchoption 0 9' > ${table}`,
      command: findmntVerify(table),
      answers: 'parsed',
    },
    {
      name: 'findmnt/verify-unreadable',
      given: `printf '%s\\n' 'one' '${device} ${path} ext4 defaults 0 2' 'a b' > ${table}`,
      command: findmntVerify(table),
      // 2.41 gives up at the first line that it cannot read, exit 255.
      answers: (version) => (version.startsWith('2.38') ? 'parsed' : 'unknown'),
    },
  ],
};
