import { fstrim } from '../../../../src/filesystem/commands/trim.ts';
import type { Group } from '../situation.ts';

const path = '/srv/trim';

/** A mounted ext4 on a device that can discard, and on one that cannot: its file is in memory. */
export const trim: Group = {
  name: 'trim',
  situations: [
    {
      name: 'fstrim/trimmed',
      given: `
        cd /var/tmp; truncate --size 64M a; losetup /dev/loop2 a; mkfs.ext4 -q /dev/loop2
        mkdir -p ${path} /srv/memory; mount /dev/loop2 ${path}`,
      command: fstrim(path),
      answers: 'parsed',
    },
    { name: 'fstrim/nothing', command: fstrim(path), answers: 'parsed' },
    { name: 'fstrim/not-root', command: fstrim(path), as: 'nobody', answers: 'denied' },
    { name: 'fstrim/missing', command: fstrim('/srv/none'), answers: 'not-found' },
    {
      name: 'fstrim/unsupported',
      given: `
        umount ${path}; mount -t ramfs none /srv/memory; truncate --size 64M /srv/memory/b
        losetup /dev/loop3 /srv/memory/b; mkfs.ext4 -q /dev/loop3; mount /dev/loop3 ${path}`,
      command: fstrim(path),
      answers: 'unknown',
    },
  ],
};
