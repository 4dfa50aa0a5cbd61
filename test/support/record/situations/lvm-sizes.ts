import { groupsOfPvs, knownGroups, knownVolumes } from '../../../../src/blockdevice/commands.ts';
import * as reports from '../../../../src/lvm/report-commands.ts';
import * as volumes from '../../../../src/lvm/lv-commands.ts';
import { pvcreate, pvremove, pvresize, pvStarts } from '../../../../src/lvm/pv-commands.ts';
import { vgcreate, vgextend, vgreduce, vgremove, vgrename } from '../../../../src/lvm/vg-commands.ts';
import type { Group, Known } from '../situation.ts';

const udev = { udev: 'running' } as const;
const web1 = { ...udev, vg: 'vg0', name: 'web1' };

// lvm2 2.03.17 and newer look for a filesystem themselves.
const reduce =
  (extents: number) =>
  ({ version }: Known) =>
    volumes.lvreduce({ ...web1, extents, fs: version === '2.03.16' ? 'unknown to it' : 'ignore' });

/** One group on a device of 274 extents: volumes of other sizes, physical volumes and groups that come and go. */
export const lvmSizes: Group = {
  name: 'lvm-sizes',
  identities: [
    'lvs --noheadings --options lv_full_name,lv_uuid',
    'vgs --noheadings --options vg_name,vg_uuid',
    'pvs --noheadings --options pv_name,pv_uuid',
  ].join('; '),
  pins: {
    vg0: 'uQMIV5-i9d1-UtDT-RkP4-Dlws-Erpq-AfLp8o',
    'vg0/web1': 'telaMm-nCBb-T0tG-xwiL-brvh-kO69-jllE9l',
    'vg0/other': '07RsO8-r2dl-LQ2R-OtMZ-FQyF-8hga-hpPkUR',
    '/dev/loop8': 'uuMr76-Kbuf-iH5O-tMuw-VgpJ-gcxk-kX5CfK',
    '/dev/vdb': 'imjOY3-puZe-RHtV-aHKe-RYTr-QvaN-H9qnc4',
  },
  situations: [
    {
      name: 'lvm/lvextend',
      given: `
        vgremove --yes vg0; pvremove /dev/vdb
        truncate --size 1100M /var/tmp/pv; losetup /dev/loop8 /var/tmp/pv; pvcreate /dev/loop8 /dev/vdb
        vgcreate vg0 /dev/loop8; lvcreate --yes --name web1 --extents 4 vg0`,
      command: volumes.lvextend({ ...web1, extents: 8 }),
      answers: 'parsed',
    },
    {
      name: 'lvm/lvextend-same-size',
      command: volumes.lvextend({ ...web1, extents: 8 }),
      answers: 'unknown',
    },
    {
      name: 'lvm/lvextend-smaller',
      command: volumes.lvextend({ ...web1, extents: 4 }),
      answers: 'unknown',
    },
    {
      name: 'lvm/lvextend-full',
      command: volumes.lvextend({ ...web1, extents: 99_999 }),
      answers: 'no-space',
    },
    {
      name: 'lvm/lvextend-missing-lv',
      command: volumes.lvextend({ ...web1, name: 'none', extents: 8 }),
      answers: 'not-found',
    },
    { name: 'lvm/lvreduce', command: reduce(4), answers: 'parsed' },
    { name: 'lvm/lvreduce-same-size', command: reduce(4), answers: 'unknown' },
    { name: 'lvm/lvreduce-larger', command: reduce(6), answers: 'unknown' },
    {
      name: 'lvm/lvextend-onto',
      given: 'lvcreate --yes --name other --extents 4 vg0',
      command: volumes.lvextend({ ...web1, extents: 6, onto: { path: '/dev/loop8', start: 100, count: 2 } }),
      answers: 'parsed',
    },
    {
      name: 'lvm/lvextend-onto-taken',
      command: volumes.lvextend({ ...web1, extents: 8, onto: { path: '/dev/loop8', start: 4, count: 2 } }),
      answers: 'no-space',
    },
    {
      name: 'lvm/lvextend-onto-gone',
      command: volumes.lvextend({ ...web1, extents: 8, onto: { path: '/dev/vdz', start: 4, count: 2 } }),
      answers: 'not-found',
    },
    { name: 'lvm/pvs-segments', command: reports.pvSegments(), answers: 'parsed' },
    { name: 'lvm/pvs-groups', command: groupsOfPvs(), answers: 'parsed' },
    { name: 'lvm/vgs-known', command: knownGroups(), answers: 'parsed' },
    { name: 'lvm/lvs-known', command: knownVolumes(), answers: 'parsed' },
    { name: 'lvm/pvs-starts', command: pvStarts(), answers: 'parsed' },
    {
      name: 'lvm/pvcreate-over-free-pv',
      command: pvcreate({ ...udev, device: '/dev/vdb', uuid: 'imjOY3-puZe-RHtV-aHKe-RYTr-QvaN-H9qnc5' }),
      answers: 'parsed',
    },
    {
      name: 'lvm/pvcreate-in-group',
      command: pvcreate({ ...udev, device: '/dev/loop8', uuid: 'imjOY3-puZe-RHtV-aHKe-RYTr-QvaN-H9qnc6' }),
      answers: 'unknown',
    },
    {
      name: 'lvm/pvcreate-missing',
      command: pvcreate({ ...udev, device: '/dev/nosuch', uuid: 'imjOY3-puZe-RHtV-aHKe-RYTr-QvaN-H9qnc6' }),
      answers: 'not-found',
    },
    {
      name: 'lvm/pvremove-in-group',
      command: pvremove({ ...udev, device: '/dev/loop8' }),
      answers: 'busy',
    },
    {
      name: 'lvm/pvresize-in-use',
      command: pvresize({ ...udev, device: '/dev/loop8', size: 64 * 1024 ** 2 }),
      answers: 'unknown',
    },
    {
      name: 'lvm/vgcreate-exists',
      command: vgcreate({
        ...{ ...udev, name: 'vg0', devices: ['/dev/vdb'] },
        ...{ extentSize: 4 * 1024 ** 2, tags: [] },
      }),
      answers: 'exists',
    },
    {
      name: 'lvm/vgextend-in-group',
      command: vgextend({ ...udev, name: 'vg0', devices: ['/dev/loop8'] }),
      answers: 'busy',
    },
    {
      name: 'lvm/vgextend',
      command: vgextend({ ...udev, name: 'vg0', devices: ['/dev/vdb'] }),
      answers: 'parsed',
    },
    {
      name: 'lvm/vgreduce-in-use',
      command: vgreduce({ ...udev, name: 'vg0', devices: ['/dev/loop8'] }),
      answers: 'busy',
    },
    {
      name: 'lvm/vgreduce',
      command: vgreduce({ ...udev, name: 'vg0', devices: ['/dev/vdb'] }),
      answers: 'parsed',
    },
    {
      name: 'lvm/vgremove-with-volumes',
      command: ({ id }) => vgremove({ ...udev, name: 'vg0', uuid: id('vg0') }),
      answers: 'parsed',
    },
    {
      name: 'lvm/vgrename-missing',
      command: vgrename({ ...udev, uuid: 'nosuch-i9d1-UtDT-RkP4-Dlws-Erpq-AfLp8o', to: 'vg1' }),
      answers: 'not-found',
    },
  ],
};
