import { expect, it } from 'vitest';
import { applyEdit, editAt } from '../../../src/mount/tab/edit.ts';
import { lineText, unreadLine } from '../../../src/mount/tab/fields.ts';
import { changedCrypttab, parseCrypttab } from '../../../src/mount/tab/crypttab.ts';
import { readerTable, type Row } from './table.ts';

/** The lines as `name device key options`; refused by the first line that could not be parsed. */
function read(text: string): readonly string[] {
  const { lines, unread } = parseCrypttab(Buffer.from(text, 'utf8').toString('latin1'));
  if (unread[0] !== undefined) throw unreadLine('/etc/crypttab', unread[0]);
  return lines.map(({ name, device, key, options }) => [name, device, key, options.join('|')].join(' '));
}

const uuid = 'UUID=f81d4fae-7dec-11d0-a765-00a0c91e6bf6';
const options = [
  ...['luks', 'discard', 'no-read-workqueue', 'noauto', 'nofail', 'readonly', 'swap', 'plain', 'tcrypt'],
  ...['tcrypt-hidden', 'tries=3', 'timeout=30s', 'key-slot=1', 'keyfile-offset=8', 'keyfile-size=32'],
  ...['header=/boot/h.img', 'header=/h:UUID=1a2b', 'cipher=aes-xts-plain64', 'hash=sha512', 'size=256'],
  ...['offset=0', 'skip=0', 'sector-size=4096', 'x-initrd.attach', 'x-systemd.device-timeout=0'],
  ...['tpm2-device=auto', 'fido2-device=auto', 'tmp=ext4', 'keyscript=decrypt_keyctl', 'same-cpu-crypt'],
];
const rows: readonly Row<string>[] = [
  ['nothing', '', []],
  ['comments and empty lines', '# <target> <source>\n\n\t\n', []],
  ['two fields', 'a /dev/a\n', ['a /dev/a none ']],
  ['three fields', 'a /dev/a /etc/k\n', ['a /dev/a /etc/k ']],
  ['four fields', `root ${uuid} none luks,discard\n`, [`root ${uuid} none luks|discard`]],
  ['a hyphen for no key', 'a /dev/a - luks\n', ['a /dev/a none luks']],
  ['a hyphen for no options', 'a /dev/a none -\n', ['a /dev/a none ']],
  ['none for no options', 'a /dev/a - none\n', ['a /dev/a none ']],
  ['no newline at the end', 'a /dev/a none luks', ['a /dev/a none luks']],
  ['tabs and blanks', '\ta\t/dev/a  \tnone\tluks  \n', ['a /dev/a none luks']],
  ['an end of DOS', 'a /dev/a none luks\r\n', ['a /dev/a none luks']],
  ['a partition by its label', 'a PARTLABEL=data none\n', ['a PARTLABEL=data none ']],
  [
    'a random key for swap',
    'swap /dev/b /dev/urandom swap,cipher=aes-xts-plain64\n',
    ['swap /dev/b /dev/urandom swap|cipher=aes-xts-plain64'],
  ],
  ['a key on another device', 'a /dev/a /key:UUID=1a2b luks\n', ['a /dev/a /key:UUID=1a2b luks']],
  ['a key with a blank in its name', 'a /dev/a /etc/my\\040key luks\n', ['a /dev/a /etc/my key luks']],
  ['a label with a blank', 'a LABEL=my\\040disk none\n', ['a LABEL=my disk none ']],
  ['a name in UTF-8', 'bücher /dev/a none\n', ['bücher /dev/a none ']],
  ['a file as the device', 'a /srv/a.img none luks\n', ['a /srv/a.img none luks']],
  ['a name with a hyphen and a point', 'vg0-a.b_crypt /dev/vg0/a none\n', ['vg0-a.b_crypt /dev/vg0/a none ']],
  ['commas before, behind and twice', 'a /dev/a none ,luks,,discard,\n', ['a /dev/a none luks|discard']],
  ['the same name twice', 'a /dev/a\na /dev/b\n', ['a /dev/a none ', 'a /dev/b none ']],
  ['a hash within a field', 'a /dev/a#b none\n', ['a /dev/a#b none ']],
  ...options.map(
    (option): Row<string> => [
      `the option ${option}`,
      `a /dev/a none luks,${option}\n`,
      [`a /dev/a none luks|${option}`],
    ],
  ),
  ['one field', 'a\n', /line 1 could not be parsed: it has fewer than two fields/],
  ['one field, beneath a good line', 'a /dev/a\nb\n', /line 2 /],
  [
    'a comment behind the options',
    'a /dev/a none luks # mine\n',
    /more than four fields: a comment needs a line of its own/,
  ],
  ['a fifth field', 'a /dev/a none luks x\n', /it has more than four fields/],
  ['a blank in the options', 'a /dev/a none luks, discard\n', /it has more than four fields/],
  ['a NUL byte', 'a\0 /dev/a\n', /it holds a NUL byte/],
];

readerTable('crypttab', read, rows);

it('an edit of any line changes the named field, and no other byte', () => {
  const content = Buffer.from(
    rows.map(([, input]) => input.replace(/(?<!\n)$/, '\n')).join(''),
    'utf8',
  ).toString('latin1');
  const to = { name: 'new', device: '/dev/new', key: '/new', options: ['new', 'more'] };
  let edited = 0;
  for (const field of ['name', 'device', 'key', 'options'] as const)
    for (const line of parseCrypttab(content).lines) {
      const bytes = changedCrypttab(line.bytes, { [field]: to[field] });
      const [was = '', becomes = ''] = [lineText(line.bytes), lineText(bytes)];
      const after = applyEdit(
        content,
        editAt(content, { index: line.number - 1, before: was, after: becomes }),
      );
      const others = (text: string): readonly string[] => text.split('\n').toSpliced(line.number - 1, 1);
      expect(others(after)).toEqual(others(content));
      const { bytes: _, ...rest } = { ...line, [field]: to[field] };
      const found = parseCrypttab(after).lines.find(({ number }) => number === line.number);
      expect(found).toMatchObject({ ...rest, odd: found?.odd });
      const gaps = (text: string): readonly string[] => text.match(/^[ \t]+|[ \t]+(?=\S)|[ \t\r]+$/g) ?? [];
      expect(gaps(bytes).join('').startsWith(gaps(line.bytes).join('').trimEnd())).toBe(true);
      edited += 1;
    }
  expect(edited).toBeGreaterThan(150);
});
