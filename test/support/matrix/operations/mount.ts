import { guest } from '../stage.ts';
import type { RigSpecimens } from '../operations.ts';
import { makeFilled, removeVolume, root, uuid } from './shell.ts';

const line = `UUID=${uuid} /mnt/${guest} ext4 defaults 0 2`;
const saveTables = 'for t in fstab crypttab; do test ! -e /etc/$t || cp -a /etc/$t /root/$t.saved; done';
const restoreTables =
  'for t in fstab crypttab; do rm -f /etc/$t; test ! -e /root/$t.saved || mv /root/$t.saved /etc/$t; done';

export const mount: RigSpecimens['mount'] = {
  mount: {
    setUp: makeFilled,
    call: `tx.mount.mount({ device: '${root}', mode: 'rw' })`,
    act: { tool: 'mount', words: ['--target'] },
    clear: removeVolume,
  },
  bind: {
    setUp: `${makeFilled} && mkdir -p /mnt/${guest} /mnt/shown && mount -o nodev ${root} /mnt/${guest} && mkdir /mnt/${guest}/sub`,
    call: `tx.mount.bind({ source: '/mnt/${guest}/sub', path: '/mnt/shown', mode: 'ro' })`,
    act: { tool: 'mount', words: ['--target'] },
    clear: `umount /mnt/${guest}; rmdir /mnt/shown /mnt/${guest}; ${removeVolume}`,
  },
  unmount: {
    setUp: `${makeFilled} && mkdir -p /mnt/${guest} && mount -o nodev,x-of=admin ${root} /mnt/${guest}`,
    call: `tx.mount.unmount({ path: '/mnt/${guest}' })`,
    act: { tool: 'umount', words: [`/mnt/${guest}`] },
    clear: `umount /mnt/${guest}; rmdir /mnt/${guest}; ${removeVolume}`,
    believes: 'the host alone',
  },
  addFstab: {
    setUp: `${makeFilled} && mkdir -p /mnt/${guest} && ${saveTables}`,
    call: `tx.mount.addFstab({ source: 'UUID=${uuid}', target: '/mnt/${guest}', type: 'ext4', options: ['nodev'] })`,
    act: { tool: 'cp', words: ['--attributes-only', '/etc/fstab'] },
    clear: `${restoreTables}; rmdir /mnt/${guest}; ${removeVolume}`,
  },
  removeFstab: {
    setUp: `${makeFilled} && mkdir -p /mnt/${guest} && ${saveTables} && echo '${line}' >> /etc/fstab`,
    call: `tx.mount.removeFstab({ of: '/mnt/${guest}' })`,
    act: { tool: 'cp', words: ['--attributes-only', '/etc/fstab'] },
    clear: `${restoreTables}; rmdir /mnt/${guest}; ${removeVolume}`,
  },
  changeFstab: {
    setUp: `${makeFilled} && mkdir -p /mnt/${guest} && ${saveTables} && echo '${line}' >> /etc/fstab`,
    call: `tx.mount.changeFstab({ of: '/mnt/${guest}', to: { options: ['noatime'], pass: 0 } })`,
    act: { tool: 'cp', words: ['--attributes-only', '/etc/fstab'] },
    clear: `${restoreTables}; rmdir /mnt/${guest}; ${removeVolume}`,
  },
  addCrypttab: {
    setUp: `${saveTables} && echo 'other UUID=x none nofail' > /etc/crypttab`,
    call: `tx.mount.addCrypttab({ name: '${guest}', device: 'UUID=y', key: 'none', options: ['nofail'] })`,
    act: { tool: 'cp', words: ['--attributes-only', '/etc/crypttab'] },
    clear: restoreTables,
  },
  removeCrypttab: {
    setUp: `${saveTables} && printf '%s\\n' 'other UUID=x none nofail' '${guest} UUID=y none' > /etc/crypttab`,
    call: `tx.mount.removeCrypttab({ name: '${guest}' })`,
    act: { tool: 'cp', words: ['--attributes-only', '/etc/crypttab'] },
    clear: restoreTables,
  },
  changeCrypttab: {
    setUp: `${saveTables} && printf '%s\\n' '${guest} UUID=y none' 'other UUID=x none nofail' > /etc/crypttab`,
    call: `tx.mount.changeCrypttab({ name: '${guest}', to: { options: ['nofail'] } })`,
    act: { tool: 'cp', words: ['--attributes-only', '/etc/crypttab'] },
    clear: restoreTables,
  },
};
