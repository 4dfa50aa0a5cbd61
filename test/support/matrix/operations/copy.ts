import { guest } from '../stage.ts';
import type { RigSpecimens } from '../operations.ts';
import { makeFilled, makeVolume, removeVolume, root, uuid } from './shell.ts';

export const copy: RigSpecimens['copy'] = {
  unpack: {
    setUp: `${makeFilled} && mkdir -p /mnt/${guest} && mount ${root} /mnt/${guest}`,
    call: `tx.copy.unpack({ source: '/srv/guest.tar', root: '/mnt/${guest}', device: '${root}', filesystem: '${uuid}', files: [{ path: 'etc/hostname', content: '${guest}\\n', mode: 0o644 }] })`,
    act: { tool: 'tar', words: ['--extract'], stop: 'safe' },
    content: `find /mnt/${guest} -printf '%P %y %m\\n' | sort`,
    clear: `umount /mnt/${guest}; rmdir /mnt/${guest}; ${removeVolume}`,
  },
  script: {
    setUp: `${makeVolume} && mkdir -p /etc/bofh/roles.d && printf '#!/bin/sh\\nexit 0\\n' >/etc/bofh/roles.d/web && chmod 755 /etc/bofh/roles.d/web`,
    call: `(async () => { const { uuid } = await tx.filesystem.create({ device: '${root}', type: 'ext4' }); await tx.mount.mount({ device: '${root}', mode: 'rw', path: '/mnt' }); await tx.copy.unpack({ source: '/srv/guest.tar', root: '/mnt', device: '${root}', filesystem: uuid, files: [] }); await tx.copy.script({ script: '/etc/bofh/roles.d/web', mounts: [{ device: '${root}', filesystem: uuid, type: 'ext4', target: '/' }], made: 'filesystem' }); })()`,
    act: { tool: 'unshare', words: ['--pid'], stop: 'safe' },
    clear: `rm -r /etc/bofh/roles.d; umount /mnt; ${removeVolume}`,
  },
  save: {
    setUp: `${makeFilled} && mkdir -p /var/backup`,
    call: `tx.copy.save({ device: '${root}', file: '/var/backup/${guest}.zst' })`,
    act: { tool: 'zstd', words: ['--compress'], stop: 'safe' },
    clear: `rm -f /var/backup/${guest}.zst; ${removeVolume}`,
  },
  files: {
    setUp: `${makeFilled} && mkdir -p /mnt/${guest} && mount ${root} /mnt/${guest} && mkdir /mnt/${guest}/etc && echo old > /mnt/${guest}/etc/hostname`,
    call: `tx.copy.files({ root: '/mnt/${guest}', device: '${root}', filesystem: '${uuid}', files: [{ path: 'etc/hostname', content: '${guest}\\n', mode: 0o644 }, { path: 'srv/hello', content: 'hello', mode: 0o600 }] })`,
    act: { tool: 'tar', words: ['--create'] },
    content: `find /mnt/${guest} -printf '%P %y %m\\n' | sort; cat /mnt/${guest}/etc/hostname`,
    clear: `umount /mnt/${guest}; rmdir /mnt/${guest}; ${removeVolume}`,
  },
  image: {
    setUp: `${makeVolume} && truncate -s 32M /srv/web.img && mkfs.ext4 -q -U ${uuid} /srv/web.img`,
    call: `tx.copy.image({ source: '/srv/web.img', format: 'raw', device: '${root}' })`,
    act: { tool: 'qemu-img', words: ['convert'], stop: 'safe' },
    content: `blkid -p -s UUID -o value ${root} || true`,
    clear: `rm -f /srv/web.img; ${removeVolume}`,
  },
};
