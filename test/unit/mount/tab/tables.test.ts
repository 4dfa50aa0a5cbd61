import { describe, expect, it } from 'vitest';
import { ParseError } from '../../../../src/core/errors.ts';
import { copyAttributes } from '../../../../src/file/attributes.ts';
import { findmntVerify, newProblems } from '../../../../src/mount/tab/commands.ts';
import { formatCrypttab, parseCrypttab } from '../../../../src/mount/tab/crypttab.ts';
import { formatFstab, parseFstab } from '../../../../src/mount/tab/fstab.ts';
import { keyOfFstab } from '../../../../src/mount/tab/tables.ts';
import { recorded } from '../../blockdevice/fixtures.ts';

const latin1 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

describe('an fstab', () => {
  it('is read with everything that an administrator may have written', () => {
    const { lines } = parseFstab(
      latin1(
        '# comment\n\n  \t\nUUID=1 / ext4 errors=remount-ro 0 1\n\t/dev/a\t/ü\\040x\\134  xfs\n' +
          'nas:/x /srv nfs defaults,nofail 0 0 # of the nas\n/dev/b none swap sw\n//s/x /cifs cifs user=a%geheim',
      ),
    );
    expect(
      lines.map(({ number, target, type, options, pass }) => [number, target, type, options, pass]),
    ).toEqual([
      [4, '/', 'ext4', ['errors=remount-ro'], 1],
      [5, '/ü x\\', 'xfs', ['defaults'], 0],
      [6, '/srv', 'nfs', ['defaults', 'nofail'], 0],
      [7, 'none', 'swap', ['sw'], 0],
      [8, '/cifs', 'cifs', ['user=a%geheim'], 0],
    ]);
    expect(lines.map(({ secret }) => secret)).toEqual([false, false, false, false, true]);
  });

  it('shows other bytes than UTF-8 in octal, and reports them', () => {
    expect(parseFstab('/dev/a /\xff\\377x ext4 defaults 0 0\n').lines[0]).toMatchObject({
      target: '/\\377\\377x',
      odd: true,
    });
  });

  it.each([
    ['two fields', '/dev/a /x', 'it has fewer than three fields (device, place and type)'],
    ['a word for a number', '/dev/a /x ext4 defaults zero 0', 'its fifth field is not a number'],
    [
      'a comment behind the options',
      '/dev/a /x ext4 defaults # of a',
      'its fifth field is not a number: a comment needs a line of its own',
    ],
    ['something behind the last field', '/dev/a /x ext4 defaults 0 0 more', 'it has more than six fields'],
    ['a NUL byte', '/dev/a /x\\000y ext4', 'it holds a NUL byte'],
  ])(
    'lists a line with %s separately, with its number and the reason, and reads the others',
    (_, line, why) => {
      const { lines, unread } = parseFstab(`# one\n${line}\n/dev/b /y ext4\n`);
      expect(unread).toMatchObject([{ number: 2, why }]);
      expect(lines.map(({ number, target }) => [number, target])).toEqual([[3, '/y']]);
    },
  );

  it('may have options with quoted commas, and foreign line ends', () => {
    const { lines } = parseFstab(
      '/dev/a /x ext4 context="u:o:t:s0:c127,c456",nodev\r\n/dev/b /y xfs defaults\r\n',
    );
    expect(lines.map(({ options }) => options)).toEqual([
      ['context="u:o:t:s0:c127,c456"', 'nodev'],
      ['defaults'],
    ]);
  });

  it('has lines that are written as they were read', () => {
    const entry = {
      ...{ source: '#LABEL=a b', target: '/ü\tx\n\\y', type: 'ext4', options: ['nodev', 'subvol=a b'] },
      ...{ dump: 0, pass: 2 },
    };
    const bytes = formatFstab(entry);
    expect(Buffer.from(bytes, 'latin1').toString('utf8')).toBe(
      '\\043LABEL=a\\040b /ü\\011x\\012\\134y ext4 nodev,subvol=a\\040b 0 2',
    );
    expect(parseFstab(bytes).lines[0]).toMatchObject(entry);
    expect(formatFstab({ ...entry, source: 'x', target: '/y', options: [], pass: 0 })).toBe(
      'x /y ext4 defaults 0 0',
    );
  });

  it('identifies a line by its mount point, and swap by its device', () => {
    expect(keyOfFstab({ source: '/dev/a', target: '/x//' })).toBe('/x');
    expect(keyOfFstab({ source: '/dev/a', target: '/' })).toBe('/');
    expect(keyOfFstab({ source: '/dev/a', target: 'none' })).toBe('/dev/a');
  });
});

describe('a crypttab', () => {
  it('is read with everything that an administrator may have written', () => {
    expect(
      parseCrypttab(
        '# c\nroot UUID=1 none luks,discard\n home\t/dev/b /etc/k\\040ey\ndata /dev/c -\nx /dev/d',
      ).lines.map(({ name, device, key, options }) => [name, device, key, options]),
    ).toEqual([
      ['root', 'UUID=1', 'none', ['luks', 'discard']],
      ['home', '/dev/b', '/etc/k ey', []],
      ['data', '/dev/c', 'none', []],
      ['x', '/dev/d', 'none', []],
    ]);
  });

  it.each([
    ['one', 'it has fewer than two fields (name and device)'],
    ['a b c d e', 'it has more than four fields'],
    ['a b c d # e', 'it has more than four fields: a comment needs a line of its own'],
  ])('lists the line "%s" separately, and reads the others', (line, why) => {
    const { lines, unread } = parseCrypttab(`${line}\nx /dev/x\n`);
    expect(unread).toMatchObject([{ number: 1, why }]);
    expect(lines.map(({ name }) => name)).toEqual(['x']);
  });

  it('treats `-` and `none` in the third or fourth field as empty', () => {
    expect(parseCrypttab('a /dev/a - -\nb /dev/b none none\n').lines).toMatchObject([
      { key: 'none', options: [] },
      { key: 'none', options: [] },
    ]);
  });

  it('has lines that are written as they were read', () => {
    const entry = { name: 'a', device: 'LABEL=x y', key: '/k ü', options: ['luks', 'nofail'] };
    expect(parseCrypttab(formatCrypttab(entry)).lines[0]).toMatchObject(entry);
  });
});

describe('findmnt --verify', () => {
  const { parse, accepts, argv } = findmntVerify('/tmp/fstab');

  it('checks one file', () => {
    expect(argv).toEqual(['--verify', '--tab-file', '/tmp/fstab']);
    expect(accepts).toEqual([0, 1]);
  });

  it.each(['verify-success@2.38.1', 'verify-empty@2.38.1', 'verify-success@2.41.5', 'verify-empty@2.41.5'])(
    'reports nothing: %s',
    (name) => {
      expect(parse(recorded(`findmnt/${name}`))).toEqual({ complaints: [], unreadable: 0 });
    },
  );

  it('reports the problem of each mount point', () => {
    const { complaints, unreadable } = parse(recorded('findmnt/verify-wrong@2.38.1'));
    expect(unreadable).toBe(0);
    expect(
      complaints.filter(({ level }) => level === 'error').map(({ target, says }) => `${target}: ${says}`),
    ).toEqual([
      '/srv: unreachable on boot required source: UUID=5e1f0000-0000-4000-8000-0000000000ff',
      '/srv: unreachable on boot required source: UUID=5e1f0000-0000-4000-8000-0000000000fe',
      '/srv/a b: wrong order: /srv/a b specified before /srv',
      '/srv/a b: wrong order: /srv/a b specified before /srv',
      '/srv/a b: wrong order: /srv/a b specified before /srv',
      '/srv: xfs does not match with on-disk ext4',
      '/srv/none: unreachable on boot required target: No such file or directory',
      'none: swap does not match with on-disk ext4',
    ]);
    expect(complaints).toHaveLength(29);
  });

  it.each(['2.38.1', '2.41.5'])(
    'reports the same problem in version %s, as an error or a warning',
    (version) => {
      const found = newProblems(
        { complaints: [], unreadable: 0 },
        parse(recorded(`findmnt/verify-wrong@${version}`)),
        undefined,
      );
      expect([...new Set(found.map(({ target, says }) => `${target}: ${says}`))]).toEqual([
        '/srv: unreachable on boot required source: UUID=5e1f0000-0000-4000-8000-0000000000ff',
        '/srv: unreachable on boot required source: UUID=5e1f0000-0000-4000-8000-0000000000fe',
        '/srv: unreachable source: /dev/loop77: No such file or directory',
        '/srv/a b: wrong order: /srv/a b specified before /srv',
        '/srv: xfs does not match with on-disk ext4',
        '/srv/none: unreachable on boot required target: No such file or directory',
        'none: swap does not match with on-disk ext4',
        'none: unreachable source: /swapfile: No such file or directory',
      ]);
    },
  );

  it('matters only for new problems, and not for optional devices', () => {
    const wrong = parse(recorded('findmnt/verify-wrong@2.38.1'));
    const none = { complaints: [], unreadable: 0 };
    expect(newProblems(wrong, wrong, undefined)).toEqual([]);
    const excused = newProblems(none, wrong, { target: '/srv/none', options: ['nofail'] });
    expect(excused.some(({ target }) => target === '/srv/none')).toBe(false);
    const needed = newProblems(none, wrong, { target: '/srv/none', options: ['nodev'] });
    expect(needed.some(({ target }) => target === '/srv/none')).toBe(true);
    const other = newProblems(none, wrong, { target: '/srv', options: ['noauto'] });
    expect(other.map(({ says }) => says)).toContain('xfs does not match with on-disk ext4');
  });

  it('counts skipped lines, and treats a mount point with a newline as one', () => {
    expect(parse(recorded('findmnt/verify-unreadable@2.38.1'))).toMatchObject({ unreadable: 2 });
    for (const version of ['2.38.1', '2.41.5']) {
      const { complaints } = parse(recorded(`findmnt/verify-newline@${version}`));
      expect(complaints.map(({ target }) => target)).toEqual(['/srv/a\nb', '/srv/a\nb']);
    }
  });

  it('is refused without output, as for an unreadable file, or with a wrong sum', () => {
    expect(() => parse(recorded('findmnt/verify-missing@2.38.1'))).toThrow(ParseError);
    expect(() => parse(recorded('findmnt/verify-missing@2.41.5'))).toThrow(ParseError);
    const wrong = recorded('findmnt/verify-wrong@2.38.1');
    const [, ...lines] = wrong.stdout.split('\n');
    expect(() => parse({ ...wrong, stdout: lines.slice(1).join('\n') })).toThrow(ParseError);
    expect(() => parse({ ...wrong, stdout: wrong.stdout.replace('[E]', '[X]') })).toThrow(ParseError);
    expect(() => parse({ ...wrong, stderr: '' })).toThrow(ParseError);
  });
});

it('attributes are copied without content and times, and cp must say so', () => {
  const { argv, classify, parse } = copyAttributes('/a', '/b');
  expect(argv).toEqual([
    ...['--attributes-only', '--verbose', '--preserve=ownership,xattr', '--no-target-directory'],
    ...['--', '/a', '/b'],
  ]);
  expect(() => parse({ exitCode: 0, stdout: '', stderr: '' })).toThrow(ParseError);
  expect(
    classify?.({ exitCode: 1, stdout: '', stderr: "cp: cannot stat '/a': No such file or directory\n" }),
  ).toBe('not-found');
});
