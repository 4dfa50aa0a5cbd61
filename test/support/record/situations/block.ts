import { blkidProbe, readsAsBlank, wipeSignatures } from '../../../../src/blockdevice/commands.ts';
import {
  appendPartition,
  createTable,
  forgetPartition,
  readTable,
  tellKernel,
} from '../../../../src/blockdevice/partitions/commands.ts';
import { magicsOn, writeBytes } from '../../../../src/blockdevice/wipe/commands.ts';
import type { Group } from '../situation.ts';

const device = '/dev/loop3';
const disk = '/dev/loop7';
const missing = '/dev/bofh-none';
const blank = (of: string): string =>
  `wipefs --quiet --all ${of}; dd if=/dev/zero of=${of} bs=1M count=64 status=none`;
const tables = {
  gpt: `printf '%s\\n' 'label: gpt' 'label-id: 5e1f0000-0000-4000-8000-0000000000aa' \\
    'size=32768, uuid=5e1f0000-0000-4000-8000-0000000000ab, name="root fs"' \\
    'size=16384, uuid=5e1f0000-0000-4000-8000-0000000000ac'`,
  dos: `printf '%s\\n' 'label: dos' 'label-id: 0x5e1f00aa' 'size=16384, bootable' 'type=5' 'size=8192'`,
};
const write = (of: string, table: string): string =>
  `${blank(of)}; ${table} | sfdisk --quiet --no-reread ${of}`;

/** The content of a device: signatures, and partition tables. */
export const block: Group = {
  name: 'block',
  identities: 'pvs --noheadings --options pv_name,pv_uuid',
  pins: {
    '/dev/vdb': 'ofrmwJ-dOAZ-5hwQ-T9LC-uVyn-dv81-5iFl3d',
    [device]: 'TLGIxP-n5v6-S6an-pVcE-HJS0-ZcCu-o4VqC2',
  },
  situations: [
    {
      name: 'blkid/blank',
      given: `
        cd /var/tmp; truncate --size 64M a b; losetup ${device} a; losetup --partscan ${disk} b; mkdir -p /srv/x`,
      command: blkidProbe(device),
      answers: 'parsed',
    },
    { name: 'debugfs/blank', command: readsAsBlank(device), answers: 'parsed' },
    { name: 'blkid/missing', command: blkidProbe('/dev/nonexistent'), answers: 'parsed' },
    {
      name: 'blkid/not-root',
      command: blkidProbe(device),
      as: 'nobody',
      answers: 'not understood',
    },
    {
      name: 'blkid/ext4',
      given: `mkfs.ext4 -q -L root -U 11111111-2222-3333-4444-555555555555 ${device}`,
      command: blkidProbe(device),
      answers: 'parsed',
    },
    {
      name: 'wipefs/mounted',
      given: `mount ${device} /srv/x`,
      command: wipeSignatures(device),
      answers: 'busy',
    },
    {
      name: 'blkid/ext4-label-escaped',
      given: `umount /srv/x; mkfs.ext4 -q -U 703f0a7e-9901-48c7-afce-7d84e40d341d -L 'a b"c$\\' ${device}`,
      command: blkidProbe(device),
      answers: 'parsed',
    },
    {
      name: 'blkid/swap',
      given: `${blank(device)}; mkswap -U 22222222-2222-3333-4444-555555555555 -L sw ${device}`,
      command: blkidProbe(device),
      answers: 'parsed',
    },
    {
      name: 'blkid/pv',
      given: `${blank(device)}; pvcreate ${device}`,
      command: blkidProbe(device),
      answers: 'parsed',
    },
    {
      name: 'blkid/gpt',
      given: `pvremove ${device}; ${write(device, tables.gpt)}`,
      command: blkidProbe(device),
      answers: 'parsed',
    },
    {
      name: 'blkid/dos',
      given: write(device, tables.dos),
      command: blkidProbe(device),
      answers: 'parsed',
    },
    { name: 'sfdisk/json-blank', command: readTable(disk), answers: 'parsed' },
    { name: 'sfdisk/json-missing', command: readTable(missing), answers: 'not understood' },
    { name: 'wipefs/list-blank', command: magicsOn(disk), answers: 'parsed' },
    { name: 'wipefs/list-missing', command: magicsOn(missing), answers: 'not-found' },
    {
      name: 'sfdisk/create-missing',
      command: createTable(missing, { type: 'gpt', id: '5e1f0000-0000-4000-8000-0000000000aa' }),
      answers: 'not-found',
    },
    {
      name: 'sfdisk/json-gpt-empty',
      given: `echo 'label: gpt' | sfdisk --quiet ${disk}; sfdisk --disk-id ${disk} 5e1f0000-0000-4000-8000-0000000000aa`,
      command: readTable(disk),
      answers: 'parsed',
    },
    { name: 'sfdisk/json-gpt', given: write(disk, tables.gpt), command: readTable(disk), answers: 'parsed' },
    { name: 'wipefs/list-gpt', command: magicsOn(disk), answers: 'parsed' },
    {
      name: 'sfdisk/append-full',
      command: appendPartition(disk, 512, {
        ...{ start: 80 * 1024 ** 2, size: 1024 ** 2, type: '0FC63DAF-8483-4772-8E79-3D69D8477DE4' },
        ...{ number: 3, path: `${disk}p3`, uuid: null, name: null, bootable: false, attributes: null },
      }),
      answers: 'unknown',
    },
    {
      name: 'partx/update-missing',
      command: tellKernel(missing, 1),
      answers: 'not-found',
    },
    {
      name: 'blkid/blank-partition',
      given: `partx --update ${disk}; udevadm settle`,
      command: blkidProbe(`${disk}p1`),
      answers: 'parsed',
    },
    {
      name: 'partx/delete-busy',
      given: `mkfs.ext4 -q ${disk}p1; mount ${disk}p1 /srv/x`,
      command: forgetPartition(disk, 1),
      answers: 'busy',
    },
    {
      name: 'wipefs/wipe-gpt',
      given: `umount /srv/x; wipefs --quiet --all ${disk}p1; partx --delete ${disk}`,
      command: wipeSignatures(disk),
      answers: 'parsed',
    },
    {
      name: 'sfdisk/json-dos-empty',
      given: `${blank(disk)}; printf '%s\\n' 'label: dos' 'label-id: 0x5e1f00aa' | sfdisk --quiet --no-reread ${disk}`,
      command: readTable(disk),
      answers: 'parsed',
    },
    { name: 'sfdisk/json-dos', given: write(disk, tables.dos), command: readTable(disk), answers: 'parsed' },
    { name: 'wipefs/list-dos', command: magicsOn(disk), answers: 'parsed' },
    {
      name: 'wipefs/list-ext4',
      given: `${blank(disk)}; mkfs.ext4 -q -L root -U 5e1f0000-0000-4000-8000-000000000001 ${disk}`,
      command: magicsOn(disk),
      answers: 'parsed',
    },
    { name: 'sfdisk/json-ext4', command: readTable(disk), answers: 'parsed' },
    {
      name: 'wipefs/list-ext4-dos',
      given: `printf '\\125\\252' | dd of=${disk} bs=1 seek=510 conv=notrunc status=none`,
      command: magicsOn(disk),
      answers: 'parsed',
    },
    {
      name: 'wipefs/list-vfat',
      given: `${blank(disk)}; mkfs.vfat -i 5e1f0001 ${disk}`,
      command: magicsOn(disk),
      answers: 'parsed',
    },
    {
      name: 'wipefs/list-luks2',
      given: `
        ${blank(disk)}; printf x | cryptsetup luksFormat --batch-mode --type luks2 --pbkdf pbkdf2 \\
          --pbkdf-force-iterations 1000 --uuid 5e1f0000-0000-4000-8000-0000000000c2 --key-file=- ${disk}`,
      command: magicsOn(disk),
      answers: 'parsed',
    },
    {
      name: 'dd/missing',
      command: writeBytes(missing, { offset: 0, bytes: new Uint8Array([0]) }),
      answers: 'not-found',
    },
  ],
};
