import { guest } from '../stage.ts';
import type { RigSpecimens } from '../operations.ts';
import { makeFilled, makeVolume, removeVolume } from './shell.ts';

// A disk of its own, as far as lvm can tell: the rig's one beside the system's is vg0.
const disk = '/dev/loop5';
const makeDisk = `truncate -s 64M /run/${guest}.img && losetup ${disk} /run/${guest}.img`;
const removeDisk = `losetup -d ${disk}; rm /run/${guest}.img`;

export const lvm: RigSpecimens['lvm'] = {
  createPv: {
    setUp: makeDisk,
    call: `tx.lvm.createPv({ device: '${disk}' })`,
    act: { tool: 'pvcreate', words: [disk] },
    clear: removeDisk,
  },
  createLv: {
    setUp: 'true',
    call: `tx.lvm.createLv({ vg: 'vg0', name: '${guest}-root', size: '64m' })`,
    act: { tool: 'lvcreate', words: [`${guest}-root`] },
    clear: 'true',
  },
  createVg: {
    setUp: `${makeDisk} && pvcreate -q ${disk}`,
    call: `tx.lvm.createVg({ name: '${guest}vg', devices: ['${disk}'] })`,
    act: { tool: 'vgcreate', words: [`${guest}vg`] },
    clear: removeDisk,
  },
  extendVg: {
    setUp: `${makeDisk} && pvcreate -q ${disk}`,
    call: `tx.lvm.extendVg({ vg: 'vg0', devices: ['${disk}'] })`,
    act: { tool: 'vgextend', words: [disk] },
    clear: removeDisk,
  },
  reduceVg: {
    setUp: `${makeDisk} && pvcreate -q ${disk} && vgextend -q vg0 ${disk} && pvchange -q --addtag slow -x n ${disk}`,
    call: `tx.lvm.reduceVg({ vg: 'vg0', devices: ['${disk}'] })`,
    act: { tool: 'vgreduce', words: [disk] },
    clear: `vgreduce -q vg0 ${disk}; ${removeDisk}`,
  },
  renameVg: {
    setUp: `${makeDisk} && pvcreate -q ${disk} && vgcreate -q ${guest}vg ${disk} && lvcreate -q -y -W y -l 2 -n a ${guest}vg`,
    call: `tx.lvm.renameVg({ vg: '${guest}vg', to: '${guest}new' })`,
    act: { tool: 'vgrename', words: [`${guest}new`] },
    clear: `lvremove -q -y ${guest}vg/a; vgremove -q ${guest}vg; ${removeDisk}`,
  },
  resizePv: {
    setUp: `${makeDisk} && pvcreate -q ${disk} && vgextend -q vg0 ${disk}`,
    call: `tx.lvm.resizePv({ device: '${disk}', size: '32m' })`,
    act: { tool: 'pvresize', words: [disk] },
    clear: `vgreduce -q vg0 ${disk}; ${removeDisk}`,
  },
  movePv: {
    setUp: `${makeDisk} && pvcreate -q ${disk} && vgextend -q vg0 ${disk} && lvcreate -q -y -W y -l 4 -n ${guest}-moved vg0 ${disk}`,
    call: `tx.lvm.movePv({ device: '${disk}', to: ['/dev/vdb'] })`,
    act: { tool: 'pvmove', words: ['--name', `vg0/${guest}-moved`] },
    clear: `lvremove -q -y vg0/${guest}-moved; vgreduce -q vg0 ${disk}; ${removeDisk}`,
  },
  removeVg: {
    setUp: `${makeDisk} && pvcreate -q ${disk} && vgcreate -q ${guest}vg ${disk}`,
    call: `tx.lvm.removeVg({ vg: '${guest}vg' })`,
    act: { tool: 'vgrename', words: ['bofh_gone_*'] },
    clear: `vgremove -q ${guest}vg; ${removeDisk}`,
  },
  removePv: {
    setUp: `${makeDisk} && pvcreate -q ${disk}`,
    call: `tx.lvm.removePv({ device: '${disk}' })`,
    act: { tool: 'pvremove', words: [disk] },
    clear: removeDisk,
    deferred: `! pvs ${disk}`,
  },
  removeLv: {
    setUp: makeFilled,
    call: `tx.lvm.removeLv({ vg: 'vg0', name: '${guest}-root' })`,
    act: { tool: 'lvrename', words: [`*${guest}-root*`] },
    clear: removeVolume,
  },
  createThinPool: {
    setUp: 'true',
    call: `tx.lvm.createThinPool({ vg: 'vg0', name: '${guest}-pool', size: '64m', metadataSize: '4m' })`,
    act: { tool: 'lvcreate', words: ['thin-pool', `${guest}-pool`] },
    clear: 'true',
  },
  resizeThinPool: {
    setUp: `lvcreate -q --type thin-pool -L 64M --poolmetadatasize 4M --poolmetadataspare n -n ${guest}-pool vg0`,
    call: `tx.lvm.resizeThinPool({ vg: 'vg0', name: '${guest}-pool', size: '96m', metadataSize: '8m' })`,
    act: { tool: 'lvextend', words: [`vg0/${guest}-pool`] },
    clear: `lvremove -q -y vg0/${guest}-pool`,
    deferred: `test "$(lvs --noheadings --nosuffix --units m -o lv_size,lv_metadata_size vg0/${guest}-pool | tr -s ' ')" = ' 96.00 8.00'`,
  },
  activateLv: {
    setUp: `${makeVolume} && lvchange -q -an vg0/${guest}-root && lvchange -q --setautoactivation n vg0/${guest}-root`,
    call: `tx.lvm.activateLv({ vg: 'vg0', name: '${guest}-root' })`,
    act: { tool: 'lvchange', words: ['--activate', 'y', `vg0/${guest}-root`] },
    clear: removeVolume,
  },
  deactivateLv: {
    setUp: makeFilled,
    call: `tx.lvm.deactivateLv({ vg: 'vg0', name: '${guest}-root' })`,
    act: { tool: 'lvchange', words: ['--activate', 'n', `vg0/${guest}-root`] },
    clear: removeVolume,
  },
  convertLv: {
    setUp: `${makeDisk} && pvcreate -q ${disk} && vgextend -q vg0 ${disk} && lvcreate -q -y -W y -l 4 -n ${guest}-root vg0 /dev/vdb`,
    call: `tx.lvm.convertLv({ vg: 'vg0', name: '${guest}-root', to: 'raid1', device: '${disk}' })`,
    act: { tool: 'lvconvert', words: ['raid1', `vg0/${guest}-root`] },
    clear: `lvremove -q -y vg0/${guest}-root; vgreduce -q vg0 ${disk}; ${removeDisk}`,
  },
  createSnapshot: {
    setUp: makeFilled,
    call: `tx.lvm.createSnapshot({ vg: 'vg0', origin: '${guest}-root', name: '${guest}-snap', size: '16m' })`,
    act: { tool: 'lvcreate', words: ['--snapshot', `${guest}-snap`] },
    clear: removeVolume,
  },
  mergeSnapshot: {
    setUp: `${makeFilled} && lvcreate -q -s -L 16M -n ${guest}-snap vg0/${guest}-root`,
    call: `tx.lvm.mergeSnapshot({ vg: 'vg0', name: '${guest}-snap' })`,
    act: { tool: 'lvconvert', words: [`vg0/${guest}-snap`] },
    clear: `lvremove -q -y vg0/${guest}-snap; ${removeVolume}`,
    deferred: `! lvs vg0/${guest}-snap`,
  },
  renameLv: {
    setUp: makeFilled,
    call: `tx.lvm.renameLv({ vg: 'vg0', name: '${guest}-root', to: '${guest}-new' })`,
    act: { tool: 'lvrename', words: [`${guest}-root`, `${guest}-new`] },
    clear: removeVolume,
  },
  tagLv: {
    setUp: makeFilled,
    call: `tx.lvm.tagLv({ vg: 'vg0', name: '${guest}-root', add: ['rig'] })`,
    act: { tool: 'lvchange', words: ['--addtag', 'rig'] },
    clear: removeVolume,
  },
  resizeLv: {
    setUp: makeFilled,
    call: `tx.lvm.resizeLv({ vg: 'vg0', name: '${guest}-root', size: '96m' })`,
    act: { tool: 'lvextend', words: [`vg0/${guest}-root`] },
    clear: removeVolume,
  },
};
