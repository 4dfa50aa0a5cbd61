import { blkidProbe } from '../../../src/blockdevice/commands.ts';
import { readerTable, type Row } from './table.ts';

interface Input {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}
const read = (input: Input): unknown => blkidProbe('/dev/x').parse(input) ?? 'nothing';
const of = (what: string, lines: string, expected: unknown): Row<Input> => [
  what,
  { exitCode: 0, stdout: `DEVNAME=/dev/x\n${lines}`, stderr: '' },
  expected,
];
const uuid = '11111111-2222-4333-8444-555555555555';
const filesystems = [
  ...['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'vfat', 'exfat', 'ntfs', 'f2fs', 'bcachefs', 'reiserfs', 'jfs'],
  ...[
    'nilfs2',
    'ocfs2',
    'gfs2',
    'udf',
    'iso9660',
    'squashfs',
    'erofs',
    'zonefs',
    'hfsplus',
    'apfs',
    'ufs',
    'minix',
  ],
];
const raids = [
  'linux_raid_member',
  'LVM2_member',
  'drbd',
  'zfs_member',
  'isw_raid_member',
  'ddf_raid_member',
  'vmfs_volume_member',
];
const others = ['swap', 'swsuspend', 'bcache', 'jbd', 'ubi', 'vdo', 'ceph_bluestore', 'xfs_external_log'];
const tables = ['gpt', 'dos', 'bsd', 'sun', 'sgi', 'atari', 'mac', 'dasd'];
const member = (type: string, usage: string): Row<Input> =>
  of(type, `UUID=${uuid}\nTYPE=${type}\nUSAGE=${usage}\n`, { type, usage, uuid });

readerTable('blkid', read, [
  ...filesystems.map((type) => member(type, 'filesystem')),
  ...raids.map((type) => member(type, 'raid')),
  ...others.map((type) => member(type, 'other')),
  ...['crypto_LUKS', 'BitLocker', 'cs_fvault2'].map((type) => member(type, 'crypto')),
  ...tables.map((type) =>
    of(`a table of ${type}`, `PTUUID=1a2b3c4d\nPTTYPE=${type}\n`, {
      type,
      usage: 'partition-table',
      uuid: '1a2b3c4d',
    }),
  ),
  of('a table without an id', 'PTTYPE=dos\n', { type: 'dos', usage: 'partition-table' }),
  of('a filesystem with a table beside it', `UUID=1a-2b\nTYPE=vfat\nUSAGE=filesystem\nPTTYPE=dos\n`, {
    type: 'vfat',
    ptType: 'dos',
    uuid: '1a-2b',
  }),
  of(
    'all that blkid 2.41 says',
    `LABEL=a\nUUID=${uuid}\nVERSION=1.0\nFSSIZE=1\nFSLASTBLOCK=2\nFSBLOCKSIZE=4096\nBLOCK_SIZE=4096\nTYPE=ext4\nUSAGE=filesystem\n`,
    { type: 'ext4', label: 'a' },
  ),
  of(
    'a second type, and what is on a partition',
    `SEC_TYPE=msdos\nTYPE=vfat\nUSAGE=filesystem\nPART_ENTRY_SCHEME=gpt\nPART_ENTRY_NUMBER=1\n`,
    { type: 'vfat' },
  ),
  of('one device of several', `UUID=${uuid}\nUUID_SUB=2\nTYPE=btrfs\nUSAGE=filesystem\n`, {
    type: 'btrfs',
    uuid,
  }),
  of('no uuid', 'TYPE=squashfs\nUSAGE=filesystem\n', { type: 'squashfs' }),
  of('a blank partition', 'PART_ENTRY_SCHEME=dos\nPART_ENTRY_TYPE=0x83\nPART_ENTRY_NUMBER=1\n', 'nothing'),
  of(
    'a label with blanks and quotes',
    'LABEL=a\\ b\\"c\\\'d\\$e\\`f\\\\g\\<h\\>\nTYPE=ext4\nUSAGE=filesystem\n',
    { label: 'a b"c\'d$e`f\\g<h>' },
  ),
  of('an equals sign in a label', 'LABEL=a=b\nTYPE=ext4\nUSAGE=filesystem\n', { label: 'a=b' }),
  of('an empty label', 'LABEL=\nTYPE=ext4\nUSAGE=filesystem\n', { label: '' }),
  ['nothing', { exitCode: 2, stdout: '', stderr: '' }, 'nothing'],
  [
    'several signatures',
    { exitCode: 8, stdout: '', stderr: 'blkid: /dev/x: ambivalent result\n' },
    { type: 'ambivalent' },
  ],
  [
    'a device that may not be read',
    { exitCode: 2, stdout: '', stderr: 'blkid: error: /dev/x: Permission denied\n' },
    /Permission denied/,
  ],
  [
    'a drive without a medium',
    { exitCode: 2, stdout: '', stderr: 'blkid: error: /dev/x: No medium found\n' },
    /No medium found/,
  ],
  ['half an answer', { exitCode: 2, stdout: 'DEVNAME=/dev/x\n', stderr: '' }, /DEVNAME/],
  ['an empty answer', { exitCode: 0, stdout: '', stderr: '' }, /cannot read the line ""/],
  of('something without a type', `UUID=${uuid}\n`, /names no type/),
  of('a type without its use', 'TYPE=ext4\n', /usage/),
  of('a use that is new', 'TYPE=ext4\nUSAGE=tape\n', /usage/),
  of('an empty type', 'TYPE=\nUSAGE=filesystem\n', /type/),
  of('a key twice', 'TYPE=ext4\nTYPE=xfs\nUSAGE=filesystem\n', /cannot read the line "TYPE=xfs"/),
  of('a line without a value', 'TYPE\nUSAGE=filesystem\n', /cannot read the line "TYPE"/),
  of('a key in small letters', 'type=ext4\n', /cannot read the line "type=ext4"/),
  of('a label with a newline', 'LABEL=a\nb\nTYPE=ext4\nUSAGE=filesystem\n', /cannot read the line "b"/),
]);
