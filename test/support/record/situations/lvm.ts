import * as commands from '../../../../src/lvm/commands.ts';
import * as reports from '../../../../src/lvm/report-commands.ts';
import * as volumes from '../../../../src/lvm/lv-commands.ts';
import * as snapshots from '../../../../src/lvm/snapshot-commands.ts';
import { lvmerge } from '../../../../src/lvm/operations/merge-snapshot.ts';
import { lvcreatePool, lvcreateThin } from '../../../../src/lvm/thin-commands.ts';
import { type Group, never } from '../situation.ts';

const udev = { udev: 'running' } as const;
const vg0 = { vg: 'vg0', ...udev };
const tag = 'bofh.0a1b2c3d4e5f.1';
const small = { ...vg0, extents: 1, tags: [] };
const quiet = '>/dev/null 2>&1';

/** Two groups of volumes of all sorts, and a physical volume that is in none. */
export const lvm: Group = {
  name: 'lvm',
  disks: [{ sizeMiB: 1024, volumeGroup: 'vg0' }, { sizeMiB: 1024 }, { sizeMiB: 1024 }],
  identities: [
    "lvs --noheadings --all --options lv_full_name,lv_uuid --config 'report{mark_hidden_devices=0}'",
    'vgs --noheadings --options vg_name,vg_uuid',
    'pvs --noheadings --options pv_name,pv_uuid',
  ].join('; '),
  pins: {
    vg0: 'ztXZ0s-elCy-KzkE-mstj-tUB2-qhf3-0ep806',
    'vg-one': 'uvtN2e-tepe-FAW6-YRZ8-nElp-g7aH-mT08N0',
    '/dev/vdb': 'bidRdn-DkPx-A2mP-YGkp-aFZh-1xmI-ddNpnO',
    '/dev/vdc': 'ofrmwJ-dOAZ-5hwQ-T9LC-uVyn-dv81-5iFl3d',
    '/dev/vdd': 'WCCDB5-5ceH-79M3-Ooaa-AxJh-fRdK-jHxpii',
    'vg-one/web-1': '5DSrDO-wsM6-IwEv-oc6q-2yI5-PBjq-R4CigS',
    'vg-one/web1': 'DGiTht-3v1m-DxvC-nNvn-lIRy-ZZ5L-814mru',
    'vg0/idle': 'C8I55P-89AQ-A87D-Ygv3-5Ons-uy5S-1qdnkn',
    'vg0/lvol0_pmspare': '0eJuq7-FGM7-GApL-cJXF-2dkw-i8Ir-ld57GK',
    'vg0/pool': 'dayNtI-cBS4-7p9L-gAlN-j9aK-govH-PNe08D',
    'vg0/pool_tdata': 'l9qlOc-c0db-n1QT-KiQZ-Ljgd-fjjO-3rD0gH',
    'vg0/pool_tmeta': 'pfHOG4-gstD-0sG9-92ri-69V2-Fo53-6ocih8',
    'vg0/snap1': 'nKGSvh-18ra-JN9k-PiPu-cfJZ-rI3c-UTuKcR',
    'vg0/thin1': 'XK2td1-khxD-9xYW-3AyW-OfjU-KRLk-FUgLPw',
    'vg0/thinsnap': '5vG9xe-qPtM-cQwx-fNkc-SrYz-dM90-kH9UCk',
    'vg0/web1': '2TjDxf-IzZl-zGPj-stwa-sAQM-1KOf-0SQYVU',
  },
  situations: [
    { name: 'lvm/lvm-version', command: commands.lvmVersion(), answers: 'parsed' },
    {
      name: 'lvm/fullreport-many',
      given: `
        pvcreate /dev/vdc /dev/vdd; vgcreate --physicalextentsize 1m vg-one /dev/vdc
        for name in web-1 web1; do lvcreate --yes --name $name --size 8m vg-one; done
        lvcreate --yes --name web1 --size 40m --addtag ${tag} --addtag role=web vg0
        mkfs.ext4 /dev/vg0/web1; mount /dev/vg0/web1 /mnt
        lvcreate --yes --name idle --size 12m --setautoactivation n vg0; lvchange --activate n vg0/idle
        lvcreate --yes --type thin-pool --name pool --size 40m vg0
        lvcreate --yes --type thin --name thin1 --virtualsize 100m --thinpool pool vg0
        lvcreate --yes --snapshot --name snap1 --size 16m vg0/web1`,
      command: reports.fullreport(),
      answers: 'parsed',
    },
    {
      name: 'lvm/lvs-many',
      given: 'lvcreate --snapshot --name thinsnap vg0/thin1',
      command: reports.lvs(),
      answers: 'parsed',
    },
    { name: 'lvm/vgs-two', command: reports.vgs(), answers: 'parsed' },
    { name: 'lvm/pvs-three', command: reports.pvs(), answers: 'parsed' },
    { name: 'lvm/lvs-missing-vg', command: reports.lvs({ vg: 'nope' }), answers: 'not-found' },
    { name: 'lvm/vgs-missing-vg', command: reports.vgs({ vg: 'nope' }), answers: 'not-found' },
    { name: 'lvm/lvs-not-root', command: reports.lvs(), as: 'nobody', answers: 'denied' },
    {
      name: 'lvm/lvcreate-exists',
      command: volumes.lvcreate({ ...small, name: 'web1' }),
      answers: 'exists',
    },
    {
      name: 'lvm/lvcreate-full',
      command: volumes.lvcreate({ ...small, name: 'x', extents: 100_000 }),
      answers: 'no-space',
    },
    {
      name: 'lvm/lvcreate-missing-vg',
      command: volumes.lvcreate({ ...small, name: 'x', vg: 'nope' }),
      answers: 'not-found',
    },
    {
      name: 'lvm/lvcreate-reserved',
      command: volumes.lvcreate({ ...small, name: 'x_tdata' }),
      answers: 'unknown',
    },
    {
      name: 'lvm/lvcreate-snapshot-missing-origin',
      command: snapshots.lvsnapshot({ ...vg0, origin: 'nope', name: 'monday', extents: 2, tags: [tag] }),
      answers: 'not-found',
    },
    {
      name: 'lvm/lvcreate-thin-missing-pool',
      command: lvcreateThin({ ...vg0, name: 'x', pool: 'nope', size: 1024 ** 2, tags: [] }),
      answers: 'not-found',
    },
    {
      name: 'lvm/lvcreate-pool-full',
      command: lvcreatePool({
        ...{ ...vg0, name: 'x', extents: 100_000, tags: [] },
        ...{ metadataSize: 4 * 1024 ** 2, chunkSize: 64 * 1024 },
      }),
      answers: 'no-space',
    },
    {
      name: 'lvm/lvchange-addtag',
      command: ({ id }) =>
        volumes.changeTags({ ...vg0, name: 'idle', uuid: id('vg0/idle'), add: ['bofh.0a.1'] }),
      answers: 'parsed',
    },
    {
      name: 'lvm/lvchange-missing-lv',
      command: ({ id }) => volumes.deactivate({ ...vg0, name: 'nope', uuid: id('vg0/web1') }),
      answers: 'not-found',
    },
    {
      name: 'lvm/lvchange-mounted',
      command: ({ id }) => volumes.deactivate({ ...vg0, name: 'web1', uuid: id('vg0/web1') }),
      answers: 'busy',
    },
    {
      name: 'lvm/lvchange-open',
      given: '(exec sleep 600 < /dev/vg0/thin1 > /dev/null 2>&1) & echo $! > /run/opener',
      command: ({ id }) => volumes.deactivate({ ...vg0, name: 'thin1', uuid: id('vg0/thin1') }),
      answers: 'busy',
    },
    {
      name: 'lvm/lvchange-used',
      given: `
        kill $(cat /run/opener)
        cryptsetup open --type plain --cipher null --key-file /dev/zero --key-size 256 /dev/vg0/thin1 x`,
      command: ({ id }) => volumes.deactivate({ ...vg0, name: 'thin1', uuid: id('vg0/thin1') }),
      answers: 'busy',
    },
    {
      name: 'lvm/lvchange-other-uuid',
      given: 'cryptsetup close x',
      command: ({ id }) => volumes.deactivate({ ...vg0, name: 'web1', uuid: id('vg0/idle') }),
      answers: 'parsed',
    },
    {
      name: 'lvm/lvchange-snapshot',
      command: ({ id }) => volumes.deactivate({ ...vg0, name: 'snap1', uuid: id('vg0/snap1') }),
      answers: 'unknown',
    },
    {
      name: 'lvm/lvremove-active',
      command: ({ id }) => volumes.lvremove({ ...vg0, vg: 'vg-one', name: 'web1', uuid: id('vg-one/web1') }),
      answers: 'unknown',
    },
    {
      name: 'lvm/lvremove-other-uuid',
      command: ({ id }) => volumes.lvremove({ ...vg0, vg: 'vg-one', name: 'web1', uuid: id('vg0/idle') }),
      answers: 'parsed',
    },
    {
      name: 'lvm/lvremove-snapshot-open',
      given: 'mkdir -p /srv/snap; mount -o ro /dev/vg0/snap1 /srv/snap',
      command: ({ id }) => snapshots.removeSnapshot({ ...vg0, name: 'snap1', uuid: id('vg0/snap1') }),
      answers: 'busy',
    },
    {
      name: 'lvm/lvconvert-missing',
      given: 'umount /srv/snap',
      command: lvmerge({ ...vg0, name: 'nope', sort: 'classic' }),
      answers: 'not-found',
    },
    {
      name: 'lvm/lvrename-exists',
      command: volumes.lvrename({ ...vg0, name: 'web1', to: 'idle' }),
      answers: 'exists',
    },
    {
      name: 'lvm/lvrename-missing',
      command: volumes.lvrename({ ...vg0, name: 'nope', to: 'other' }),
      answers: 'not-found',
    },
    {
      name: 'lvm/lvrename-missing-vg',
      command: volumes.lvrename({ ...udev, vg: 'nope', name: 'web1', to: 'web2' }),
      answers: 'not-found',
    },
    {
      name: 'lvm/lvrename-same-name',
      command: volumes.lvrename({ ...vg0, name: 'web1', to: 'web1' }),
      answers: 'unknown',
    },
    {
      name: 'lvm/lvrename-reserved',
      command: volumes.lvrename({ ...vg0, name: 'web1', to: 'snapshot1' }),
      answers: 'unknown',
    },
    {
      name: 'lvm/lvrename-invalid',
      command: volumes.lvrename({ ...vg0, name: 'web1', to: 'a b' }),
      answers: 'unknown',
    },
    {
      name: 'lvm/lvrename-mounted',
      command: volumes.lvrename({ ...vg0, name: 'web1', to: 'web2' }),
      answers: 'parsed',
    },
    {
      name: 'lvm/fullreport-exported',
      given: 'lvrename vg0 web2 web1; vgchange --activate n vg-one; vgexport vg-one',
      command: reports.fullreport(),
      answers: 'parsed',
    },
    { name: 'lvm/lvs-exported', command: reports.lvs(), answers: 'parsed' },
    { name: 'lvm/vgs-exported', command: reports.vgs(), answers: 'parsed' },
    {
      name: 'lvm/lvremove-guarded-origin',
      given: 'vgimport vg-one; umount /mnt; lvchange --yes --activate n vg0/web1',
      command: ({ id }) => volumes.lvremove({ ...vg0, name: 'web1', uuid: id('vg0/web1'), tag }),
      answers: 'parsed',
    },
    {
      name: 'lvm/lvremove-inactive-origin',
      command: ({ id }) => {
        const like = volumes.lvremove({ ...vg0, name: 'web1', uuid: id('vg0/web1'), tag });
        return never(
          'lvremove',
          ['--select', `lv_uuid=${id('vg0/web1')} && lv_tags={${tag}}`, 'vg0/web1'],
          like,
        );
      },
      answers: 'parsed',
    },
    {
      name: 'lvm/lvcreate-dm-name-taken',
      given: `dmsetup create vg0-foo --table '0 2048 zero' ${quiet}`,
      command: volumes.lvcreate({ ...small, name: 'foo' }),
      answers: 'busy',
    },
    // Leaves a volume suspended: the last of its machine.
    {
      name: 'lvm/lvrename-dm-name-taken',
      given: `lvcreate --yes --name web1 --size 8m vg0; dmsetup create vg0-taken --table '0 2048 zero' ${quiet}`,
      command: volumes.lvrename({ ...vg0, name: 'web1', to: 'taken' }),
      answers: 'busy',
    },
  ],
};
