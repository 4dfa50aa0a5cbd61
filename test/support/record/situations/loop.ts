import { loopBacking } from '../../../../src/blockdevice/commands.ts';
import { attach, attachedLoops, detach } from '../../../../src/blockdevice/loop/commands.ts';
import type { Attachment } from '../../../../src/blockdevice/loop/schema.ts';
import type { Group } from '../situation.ts';

const plain: Attachment = {
  ...{ number: 60, file: '/srv/blk/none', inode: '0', filesystem: '254:0', offset: 0, limit: 0 },
  ...{ mode: 'rw', partitions: 'ignored', sectorSize: 512, direct: false },
};

/** Loop devices: none, one, three of different sorts, and those that are not there. */
export const loop: Group = {
  name: 'loop',
  situations: [
    { name: 'losetup/list-none', command: attachedLoops(), answers: 'parsed' },
    {
      name: 'losetup/attached',
      given:
        'mkdir -p /srv/blk; cd /srv/blk; truncate --size 8M web1.img "web 2.img" gone.img; losetup /dev/loop3 web1.img',
      command: loopBacking('/dev/loop3'),
      answers: 'parsed',
    },
    {
      name: 'losetup/detached',
      given: 'losetup --detach /dev/loop3; udevadm settle',
      command: loopBacking('/dev/loop3'),
      answers: 'parsed',
    },
    {
      name: 'losetup/missing',
      command: loopBacking('/dev/loop99'),
      // 2.41 has a row of nothing for it, exit 0.
      answers: (version) => (version.startsWith('2.38') ? 'not-found' : 'parsed'),
    },
    { name: 'losetup/attach-missing-file', command: attach(plain), answers: 'not-found' },
    {
      name: 'losetup/attach-busy',
      given: `
        cd /srv/blk; losetup /dev/loop61 web1.img; losetup --offset 1048576 --sizelimit 4194304 --read-only --partscan \\
          --sector-size 4096 /dev/loop62 'web 2.img'
        losetup /dev/loop63 gone.img; (exec sleep 600 < /dev/loop63 > /dev/null 2>&1) & echo $! > /run/holder`,
      command: attach({ ...plain, number: 61, file: '/srv/blk/web1.img' }),
      answers: 'busy',
    },
    { name: 'losetup/detach-open', command: detach('/dev/loop63'), answers: 'parsed' },
    { name: 'losetup/list-many', given: 'rm /srv/blk/gone.img', command: attachedLoops(), answers: 'parsed' },
    { name: 'losetup/list-not-root', command: attachedLoops(), as: 'nobody', answers: 'not understood' },
    {
      name: 'losetup/detach-missing',
      given: 'kill $(cat /run/holder)',
      command: detach('/dev/loop99'),
      answers: 'not-found',
    },
    {
      name: 'losetup/detach-detached',
      given: 'losetup --detach /dev/loop61; udevadm settle',
      command: detach('/dev/loop61'),
      answers: 'not-found',
    },
  ],
};
