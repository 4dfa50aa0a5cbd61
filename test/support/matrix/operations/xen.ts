import { guest } from '../stage.ts';
import type { RigSpecimens } from '../operations.ts';
import { config, domain, gone, makeGuest, removeVolume } from './shell.ts';

export const xen: RigSpecimens['xen'] = {
  create: {
    setUp: makeGuest,
    call: `tx.xen.create({ config: '${config}', name: '${guest}' })`,
    act: { tool: 'xl', words: ['create', config, '!-N'] },
    clear: `${removeVolume}; rm ${config}`,
  },
  set: {
    setUp: `${makeGuest} && xl create ${config}`,
    call: `tx.xen.set({ name: '${guest}', uuid: '${domain}', setting: 'memory', to: 67108864 })`,
    act: { tool: 'xl', words: ['mem-set'] },
    content: `xl list -l ${guest} | grep -E 'target_memkb'`,
    clear: `xl destroy ${guest}; ${gone}; for n in $(seq 50); do ${removeVolume} && break; sleep 0.2; done; rm ${config}`,
  },
  setDisk: {
    setUp: `${makeGuest} && xl create ${config} && lvcreate --quiet -y -W y -L 8M -n ${guest}-more vg0`,
    call: `tx.xen.setDisk({ name: '${guest}', uuid: '${domain}', vdev: 'xvdb', device: '/dev/vg0/${guest}-more' })`,
    act: { tool: 'xl', words: ['block-attach'] },
    content: `xl list -l ${guest} | grep -E 'vdev|pdev_path'`,
    clear: `xl destroy ${guest}; ${gone}; for n in $(seq 50); do ${removeVolume} && lvremove -q -y vg0/${guest}-more && break; sleep 0.2; done; rm ${config}`,
  },
  setInterface: {
    setUp: `${makeGuest} && xl create ${config} && ip link add xenbr9 type bridge && ip link set xenbr9 up`,
    call: `tx.xen.setInterface({ name: '${guest}', uuid: '${domain}', mac: '00:16:3e:00:00:09', bridge: 'xenbr9' })`,
    act: { tool: 'xl', words: ['network-attach'] },
    content: `xl list -l ${guest} | { grep -E '"mac"|"bridge"' || true; }`,
    clear: `xl destroy ${guest}; ${gone}; ip link del xenbr9; for n in $(seq 50); do ${removeVolume} && break; sleep 0.2; done; rm ${config}`,
  },
  shutdown: {
    setUp: `${makeGuest} && xl create ${config}`,
    call: `tx.xen.shutdown({ name: '${guest}', uuid: '${domain}', config: '${config}', how: 'destroy' })`,
    act: { tool: 'xl', words: ['destroy'] },
    clear: `xl destroy ${guest}; ${gone}; for n in $(seq 50); do ${removeVolume} && break; sleep 0.2; done; rm ${config}`,
    believes: 'the host alone',
  },
};
