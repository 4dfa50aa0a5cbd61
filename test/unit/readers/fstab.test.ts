import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { applyEdit, editAt, revertEdit } from '../../../src/mount/tab/edit.ts';
import { lineText, unreadLine } from '../../../src/mount/tab/fields.ts';
import { changedFstab, formatFstab, parseFstab } from '../../../src/mount/tab/fstab.ts';
import { readerTable, type Row } from './table.ts';

/** The lines as `source target type options dump pass`; refused by the first line that could not be parsed. */
function read(text: string): readonly string[] {
  const { lines, unread } = parseFstab(Buffer.from(text, 'utf8').toString('latin1'));
  if (unread[0] !== undefined) throw unreadLine('/etc/fstab', unread[0]);
  return lines.map((line) =>
    [line.source, line.target, line.type, line.options.join('|'), line.dump, line.pass].join(' '),
  );
}

const uuid = 'UUID=0a3407de-014b-458b-b5c1-848e92a327a3';
const rows: readonly Row<string>[] = [
  ['nothing', '', []],
  ['comments and empty lines', '# a\n\n \t\n  # b\n', []],
  ['no newline at the end', '/dev/a / ext4', ['/dev/a / ext4 defaults 0 0']],
  ['six fields', `${uuid} / ext4 errors=remount-ro 0 1\n`, [`${uuid} / ext4 errors=remount-ro 0 1`]],
  ['five fields', '/dev/a /h ext4 noatime,defaults 1\n', ['/dev/a /h ext4 noatime|defaults 1 0']],
  ['four fields', 'foo.example:/share /r nfs noauto\n', ['foo.example:/share /r nfs noauto 0 0']],
  ['three fields', 'proc /proc proc\n', ['proc /proc proc defaults 0 0']],
  ['tabs and blanks between and before', '\t/dev/a\t \t/x\t\text4 ro  0\t2  \n', ['/dev/a /x ext4 ro 0 2']],
  ['a swap partition', '/dev/b none swap sw 0 0\n', ['/dev/b none swap sw 0 0']],
  ['a swap partition in the old way', '/dev/b swap swap pri=5 0 0\n', ['/dev/b swap swap pri=5 0 0']],
  ['a swap file', '/swap.img none swap sw\n', ['/swap.img none swap sw 0 0']],
  ['a label', 'LABEL=root / ext4 rw 0 1\n', ['LABEL=root / ext4 rw 0 1']],
  ['a quoted label', 'LABEL="my\\040disk" /m ext4\n', ['LABEL="my disk" /m ext4 defaults 0 0']],
  [
    'a partition by its uuid',
    'PARTUUID=1a2b-01 /b vfat umask=0077 0 1\n',
    ['PARTUUID=1a2b-01 /b vfat umask=0077 0 1'],
  ],
  ['a partition by its label', 'PARTLABEL=EFI /b vfat\n', ['PARTLABEL=EFI /b vfat defaults 0 0']],
  ['a device by its id', 'ID=wwn-0x5 /d xfs\n', ['ID=wwn-0x5 /d xfs defaults 0 0']],
  ['tmpfs', 'tmpfs /tmp tmpfs nosuid,nodev,size=2g 0 0\n', ['tmpfs /tmp tmpfs nosuid|nodev|size=2g 0 0']],
  ['devpts', 'devpts /dev/pts devpts gid=5,mode=620\n', ['devpts /dev/pts devpts gid=5|mode=620 0 0']],
  [
    'a bind mount',
    '/srv/a /srv/b none bind,x-systemd.requires=/srv 0 0\n',
    ['/srv/a /srv/b none bind|x-systemd.requires=/srv 0 0'],
  ],
  [
    'an overlay',
    'overlay /o overlay lowerdir=/a:/b,upperdir=/u,workdir=/w\n',
    ['overlay /o overlay lowerdir=/a:/b|upperdir=/u|workdir=/w 0 0'],
  ],
  [
    'a subvolume of btrfs',
    `${uuid} /home btrfs subvol=@home,compress=zstd:1 0 0\n`,
    [`${uuid} /home btrfs subvol=@home|compress=zstd:1 0 0`],
  ],
  [
    'a share of cifs',
    '//s/share /c cifs credentials=/root/c,vers=3.0\n',
    ['//s/share /c cifs credentials=/root/c|vers=3.0 0 0'],
  ],
  ['a share with a blank in it', '//s/my\\040share /c cifs guest\n', ['//s/my share /c cifs guest 0 0']],
  ['sshfs', 'me@h:/d /s fuse.sshfs idmap=user,_netdev\n', ['me@h:/d /s fuse.sshfs idmap=user|_netdev 0 0']],
  [
    'ceph',
    '10.0.0.1:6789,10.0.0.2:6789:/ /ceph ceph name=a,secretfile=/k\n',
    ['10.0.0.1:6789,10.0.0.2:6789:/ /ceph ceph name=a|secretfile=/k 0 0'],
  ],
  ['an address of IPv6', '[fe80::1%eth0]:/e /n nfs4 ro\n', ['[fe80::1%eth0]:/e /n nfs4 ro 0 0']],
  [
    'a list of types',
    '/dev/sr0 /cd udf,iso9660 user,noauto 0 0\n',
    ['/dev/sr0 /cd udf,iso9660 user|noauto 0 0'],
  ],
  ['a place with a blank', '/dev/a /my\\040place ext4\n', ['/dev/a /my place ext4 defaults 0 0']],
  [
    'a place with a tab, a newline and a backslash',
    '/dev/a /a\\011b\\012c\\134d ext4\n',
    ['/dev/a /a\tb\nc\\d ext4 defaults 0 0'],
  ],
  ['a place in UTF-8', '/dev/a /Bücher/日本 ext4\n', ['/dev/a /Bücher/日本 ext4 defaults 0 0']],
  ['UTF-8 in octal', '/dev/a /B\\303\\274cher ext4\n', ['/dev/a /Bücher ext4 defaults 0 0']],
  [
    'a slash at the end of a place',
    '/dev/foo /any/foo/ auto defaults 0 0\n',
    ['/dev/foo /any/foo/ auto defaults 0 0'],
  ],
  [
    'a device by the mapper',
    '/dev/mapper/vg0-root--b / xfs\n',
    ['/dev/mapper/vg0-root--b / xfs defaults 0 0'],
  ],
  [
    'a comma within quotes',
    '/dev/a /x ext4 context="system_u:object_r:t:s0:c127,c456",ro\n',
    ['/dev/a /x ext4 context="system_u:object_r:t:s0:c127,c456"|ro 0 0'],
  ],
  ['quotes of nothing', '/dev/a /x ext4 a="",b\n', ['/dev/a /x ext4 a=""|b 0 0']],
  ['a quote that is not closed', '/dev/a /x ext4 a="b,c\n', ['/dev/a /x ext4 a="b|c 0 0']],
  ['commas before, behind and twice', '/dev/a /x ext4 ,ro,,nodev,\n', ['/dev/a /x ext4 ro|nodev 0 0']],
  [
    'an end of DOS',
    '/dev/a /x ext4 defaults\r\n/dev/b /y xfs\r\n',
    ['/dev/a /x ext4 defaults 0 0', '/dev/b /y xfs defaults 0 0'],
  ],
  ['an end of DOS behind the numbers', '/dev/a /x ext4 ro 0 2\r\n', ['/dev/a /x ext4 ro 0 2']],
  ['a comment behind six fields', '/dev/a /x ext4 ro 0 2 # of a\n', ['/dev/a /x ext4 ro 0 2']],
  [
    'options of systemd',
    '/dev/a /x ext4 nofail,x-systemd.device-timeout=5s\n',
    ['/dev/a /x ext4 nofail|x-systemd.device-timeout=5s 0 0'],
  ],
  ['a source with an equals sign', 'a=b /x 9p trans=virtio\n', ['a=b /x 9p trans=virtio 0 0']],
  ['a type that is ignored', '/dev/a /x ignore\n', ['/dev/a /x ignore defaults 0 0']],
  [
    'the same place twice',
    '/dev/a /x ext4\n/dev/b /x ext4\n',
    ['/dev/a /x ext4 defaults 0 0', '/dev/b /x ext4 defaults 0 0'],
  ],
  ['a backslash that is no octal', '/dev/a /x\\y ext4\n', ['/dev/a /x\\y ext4 defaults 0 0']],
  ['a hash within a field', '/dev/a /x#y ext4\n', ['/dev/a /x#y ext4 defaults 0 0']],
  ['one field', 'bug\n', /line 1 could not be parsed: it has fewer than three fields/],
  ['two fields, beneath a good line', '/dev/a / ext4\n/dev/b /x\n', /line 2 .*fewer than three fields/],
  ['a sentence', 'this is a broken line of words\n', /line 1 .*fifth field is not a number/],
  [
    'a comment behind the options',
    '/dev/a /x ext4 ro # of a\n',
    /fifth field is not a number: a comment needs a line/,
  ],
  [
    'a comment behind the fifth field',
    '/dev/a /x ext4 ro 0 # of a\n',
    /sixth field is not a number: a comment/,
  ],
  ['a blank in the options', '/dev/a /x ext4 ro, nodev\n', /fifth field is not a number/],
  ['a fifth field with a letter', '/dev/a /x ext4 ro 1x 0\n', /fifth field is not a number/],
  ['a number below zero', '/dev/a /x ext4 ro 0 -1\n', /sixth field is not a number/],
  ['a number with a point', '/dev/a /x ext4 ro 0 1.5\n', /sixth field is not a number/],
  ['a seventh field', '/dev/a /x ext4 ro 0 0 x\n', /it has more than six fields/],
  ['a NUL byte', '/dev/a\0 /x ext4\n', /it holds a NUL byte/],
  ['a NUL byte in octal', '/dev/a /x\\000y ext4\n', /it holds a NUL byte/],
  [
    'a carriage return between two lines alone',
    '/dev/a /x ext4\r/dev/b /y ext4\n',
    /fifth field is not a number/,
  ],
];

readerTable('fstab', read, rows);

it('an edit of any line changes the named field, and no other byte', () => {
  const texts = rows.map(([, input]) => Buffer.from(input, 'utf8').toString('latin1'));
  let edited = 0;
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...texts), { minLength: 1, maxLength: 4 }),
      fc.nat(),
      fc.constantFrom('source', 'target', 'type', 'options', 'dump', 'pass'),
      (parts, pick, field) => {
        const content = parts.join('');
        const { lines } = parseFstab(content);
        const line = lines[pick % Math.max(1, lines.length)];
        if (line === undefined) return;
        const to = { source: '/dev/new', target: '/new', type: 'f2fs', options: ['new'], dump: 7, pass: 8 };
        const bytes = changedFstab(line.bytes, { [field]: to[field] });
        const [was, becomes] = [lineText(line.bytes), lineText(bytes)];
        if (was === undefined || becomes === undefined) return;
        edited += 1;
        const edit = editAt(content, { index: line.number - 1, before: was, after: becomes });
        const after = applyEdit(content, edit);
        const others = (text: string): readonly string[] =>
          text.split('\n').filter((_, index) => index !== line.number - 1);
        expect(others(after)).toEqual(others(content));
        const read = parseFstab(after).lines.find(({ number }) => number === line.number);
        const { bytes: _, ...rest } = { ...line, [field]: to[field] };
        expect(read).toMatchObject({ ...rest, secret: read?.secret, odd: read?.odd });
        // What is left of the line when the words that differ are taken out is the same.
        const words = line.bytes.split(/[ \t\r]+/).filter((word) => bytes.includes(word));
        for (const gap of line.bytes.match(/[ \t]+/g) ?? []) expect(bytes).toContain(gap);
        expect(words.length).toBeGreaterThanOrEqual(line.bytes.trim().split(/[ \t\r]+/).length - 1);
        expect(revertEdit(after, edit)).toBe(content);
      },
    ),
  );
  expect(edited).toBeGreaterThan(30);
});

it('an added line comes last, and is undone without a trace', () => {
  for (const [, input] of rows) {
    const content = Buffer.from(input, 'utf8').toString('latin1');
    const line = formatFstab({
      source: 'UUID=1',
      target: '/new',
      type: 'ext4',
      options: [],
      dump: 0,
      pass: 2,
    });
    const count = content === '' ? 0 : content.replace(/\n$/, '').split('\n').length;
    const edit = editAt(content, { index: count, before: null, after: line });
    const ended = content === '' || content.endsWith('\n') ? content : `${content}\n`;
    expect(applyEdit(content, edit)).toBe(`${ended}${line}\n`);
    expect(revertEdit(applyEdit(content, edit), edit)).toBe(ended);
  }
});
