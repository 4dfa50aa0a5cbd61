import { parseMountinfo } from '../../../src/blockdevice/mountinfo.ts';
import { readerTable, type Row } from './table.ts';

const read = (text: string): readonly string[] =>
  parseMountinfo(text).map((mount) =>
    [mount.id, mount.device, mount.root, mount.path, mount.type, mount.source].join(' '),
  );
/** A line with what comes before the separator, and behind it. */
const line = (what: string, rest: string): string => `36 35 ${what} - ${rest}\n`;
const types = [
  ...['proc proc', 'sysfs sysfs', 'devtmpfs udev', 'devpts devpts', 'tmpfs tmpfs', 'securityfs securityfs'],
  ...[
    'cgroup2 cgroup2',
    'pstore pstore',
    'efivarfs efivarfs',
    'bpf bpf',
    'autofs systemd-1',
    'mqueue mqueue',
  ],
  ...['debugfs debugfs', 'tracefs tracefs', 'hugetlbfs hugetlbfs', 'configfs configfs', 'fusectl fusectl'],
  ...[
    'ramfs ramfs',
    'binfmt_misc binfmt_misc',
    'xenfs xenfs',
    'nsfs nsfs',
    'fuse.sshfs me@h:/d',
    'nfs4 nas:/e',
  ],
  ...['cifs //s/share', 'overlay overlay', 'squashfs /dev/loop3', 'zfs tank/data', 'rpc_pipefs sunrpc'],
];
const rows: readonly Row<string>[] = [
  ...types.map(
    (of): Row<string> => [
      `a mount of ${of}`,
      line('0:5 / /m rw,relatime shared:2', `${of} rw`),
      [`36 0:5 / /m ${of}`],
    ],
  ),
  ['no optional field', line('8:1 / / rw', 'ext4 /dev/sda1 rw'), ['36 8:1 / / ext4 /dev/sda1']],
  [
    'two optional fields',
    line('8:1 / / rw shared:1 master:7', 'ext4 /dev/sda1 rw'),
    ['36 8:1 / / ext4 /dev/sda1'],
  ],
  [
    'an optional field that is new',
    line('8:1 / / rw unbindable propagate_from:3 x:1', 'ext4 /dev/sda1 rw'),
    ['36 8:1 / / ext4 /dev/sda1'],
  ],
  [
    'a subvolume of btrfs',
    line('0:30 /@home /home rw', 'btrfs /dev/sda2 rw,subvolid=257,subvol=/@home'),
    ['36 0:30 /@home /home btrfs /dev/sda2'],
  ],
  [
    'a bind mount of a file',
    line('8:1 /etc/hosts /srv/hosts ro', 'ext4 /dev/sda1 rw'),
    ['36 8:1 /etc/hosts /srv/hosts ext4 /dev/sda1'],
  ],
  [
    'a directory that is gone',
    line('8:1 /a//deleted /m rw', 'ext4 /dev/sda1 rw'),
    ['36 8:1 /a//deleted /m ext4 /dev/sda1'],
  ],
  [
    'a root outside of the namespace',
    line('8:1 /../.. /m rw', 'ext4 /dev/sda1 rw'),
    ['36 8:1 /../.. /m ext4 /dev/sda1'],
  ],
  [
    'a namespace as root',
    line('0:4 net:[4026531992] /run/netns/a rw', 'nsfs nsfs rw'),
    ['36 0:4 net:[4026531992] /run/netns/a nsfs nsfs'],
  ],
  ['an empty source', line('0:40 / /m rw', 'tmpfs  rw'), ['36 0:40 / /m tmpfs ']],
  ['a source of one hyphen', line('0:40 / /m rw', 'tmpfs - rw'), ['36 0:40 / /m tmpfs -']],
  ['a path of one hyphen', line('0:40 / /- rw', 'tmpfs x rw'), ['36 0:40 / /- tmpfs x']],
  [
    'a blank in a path',
    line('8:1 / /my\\040place rw', 'ext4 /dev/sda1 rw'),
    ['36 8:1 / /my place ext4 /dev/sda1'],
  ],
  [
    'a tab, a newline and a backslash',
    line('8:1 / /a\\011b\\012c\\134d rw', 'ext4 /dev/sda1 rw'),
    ['36 8:1 / /a\tb\nc\\d ext4 /dev/sda1'],
  ],
  ['a hash in a source', line('0:50 / /m rw', 'tmpfs \\043a rw'), ['36 0:50 / /m tmpfs #a']],
  [
    'a path in UTF-8',
    line('8:1 / /Bücher/日本 rw', 'ext4 /dev/sda1 rw'),
    ['36 8:1 / /Bücher/日本 ext4 /dev/sda1'],
  ],
  [
    'a carriage return in a path',
    line('8:1 / /a\rb rw', 'ext4 /dev/sda1 rw'),
    ['36 8:1 / /a\rb ext4 /dev/sda1'],
  ],
  [
    'a device of the mapper',
    line('254:0 / / rw', 'ext4 /dev/mapper/vg0-root rw'),
    ['36 254:0 / / ext4 /dev/mapper/vg0-root'],
  ],
  [
    'large numbers',
    '4294967295 1 1048575:1048575 / / rw - ext4 /dev/x rw\n',
    ['4294967295 1048575:1048575 / / ext4 /dev/x'],
  ],
  [
    'two mounts',
    `${line('8:1 / / rw', 'ext4 /dev/sda1 rw')}37 36 8:2 / /b rw - xfs /dev/sda2 rw\n`,
    ['36 8:1 / / ext4 /dev/sda1', '37 8:2 / /b xfs /dev/sda2'],
  ],
  [
    'one mount over another',
    `${line('8:1 / /m rw', 'ext4 /dev/sda1 rw')}37 36 8:2 / /m rw - xfs /dev/sda2 rw\n`,
    ['36 8:1 / /m ext4 /dev/sda1', '37 8:2 / /m xfs /dev/sda2'],
  ],
  ['nothing', '', /is empty or cut off/],
  ['no newline at the end', '36 35 8:1 / / rw - ext4 /dev/sda1 rw', /is empty or cut off/],
  ['an empty line', '\n', /cannot read the line ""/],
  ['no separator', '36 35 8:1 / / rw ext4 /dev/sda1 rw\n', /cannot read the line/],
  ['nothing behind the type', line('8:1 / / rw', 'ext4'), /cannot read the line/],
  ['no options of the filesystem', line('8:1 / / rw', 'ext4 /dev/sda1'), /cannot read the line/],
  ['a number that is none', '3x 35 8:1 / / rw - ext4 /dev/sda1 rw\n', /cannot read the line/],
  ['a device that is none', '36 35 8 / / rw - ext4 /dev/sda1 rw\n', /cannot read the line/],
  ['a line of /proc/mounts', '/dev/sda1 / ext4 rw 0 0\n', /cannot read the line/],
];

readerTable('mountinfo', read, rows);
