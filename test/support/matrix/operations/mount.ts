import { guest } from '../stage.ts';
import type { RigSpecimens } from '../operations.ts';
import { makeFilled, removeVolume, root } from './shell.ts';

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
  },
};
