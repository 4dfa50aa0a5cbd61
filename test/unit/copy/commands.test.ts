import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { emptyDirectory, syncFilesystem, tarExtract, tarList } from '../../../src/copy/commands.ts';
import { ParseError } from '../../../src/core/errors.ts';
import { debugfsFeatures, debugfsRoot } from '../../../src/filesystem/commands/files.ts';

const fixture = (name: string): string =>
  readFileSync(new URL(`../../fixtures/${name}`, import.meta.url), 'utf8');
const answer = (stdout: string) => ({ exitCode: 0, stdout, stderr: '' });
const listing = (stdout: string) => tarList('/a.tar').parse(answer(stdout));

describe('the list of an archive', () => {
  const odd = fixture('tar/list-odd@1.34.txt');

  it('contains every member, whatever its name', () => {
    expect(listing(odd).members.map(({ type, name, target }) => [type, name, target])).toEqual([
      ['d', './', undefined],
      ['-', './a b -> c', undefined],
      ['-', String.raw`./new\nline`, undefined],
      ['-', String.raw`./\"q\\`, undefined],
      ['-', String.raw`./\303\274n?\303\257c`, undefined],
      ['-', String.raw`./latin\351`, undefined],
      ['d', './etc/', undefined],
      ['l', './mtab', '/proc/mounts'],
      ['l', './x -> y', String.raw`a\" -> \"b\n`],
      ['h', './h link to b', './a b -> c'],
      ['c', './null', undefined],
      ['p', './fifo', undefined],
      ['b', './blk', undefined],
      ['-', './big', undefined],
      ['-', './old', undefined],
    ]);
  });

  it('contains their sizes, none for a device, and that of the archive', () => {
    const { members, archiveBytes, complete } = listing(odd);
    expect(members.find(({ name }) => name === './big')?.bytes).toBe(1234567);
    expect(members.find(({ name }) => name === './blk')?.bytes).toBe(0);
    expect(archiveBytes).toBe(2463 * 512);
    expect(complete).toBe(true);
  });

  it('refuses an archive that was cut between two members, for which tar exits 0', () => {
    expect(listing(fixture('tar/list-cut-between-members@1.34.txt')).complete).toBe(false);
  });

  it('is empty for an archive of zeros', () => {
    expect(listing(fixture('tar/list-nothing@1.34.txt'))).toEqual({
      members: [],
      archiveBytes: 0,
      complete: true,
    });
  });

  it('contains a volume label as a member of its own type', () => {
    expect(listing(fixture('tar/list-volume@1.34.txt')).members[0]).toMatchObject({
      type: 'V',
      name: 'LABEL',
    });
  });

  it('accepts a time that the C library cannot show', () => {
    const line =
      'block 0: -rw-r--r-- 1000/8            1 72057594037927936 "far"\nblock 2: ** Block of NULs **\n';
    expect(listing(line).members).toHaveLength(1);
  });

  const lines = odd.trimEnd().split('\n');
  it.each(lines.map((line, at) => [at, line] as const))('refuses a damaged line %i', (at) => {
    for (const damage of [(text: string) => text.slice(0, -1), (text: string) => text.slice(1), () => '']) {
      const damaged = lines.map((line, other) => (other === at ? damage(line) : line)).join('\n');
      expect(() => listing(`${damaged}\n`)).toThrow(ParseError);
    }
  });

  it.each([
    ['a link without a target', 'lrwxrwxrwx 0/0 0 2023-11-14 22:13:20 "a"'],
    ['a file with a target', '-rw-r--r-- 0/0 0 2023-11-14 22:13:20 "a" -> "b"'],
    ['a name without quotes', '-rw-r--r-- 0/0 0 2023-11-14 22:13:20 a'],
    ['a name that is not ASCII', '-rw-r--r-- 0/0 0 2023-11-14 22:13:20 "ü"'],
    ['an unknown escape', String.raw`-rw-r--r-- 0/0 0 2023-11-14 22:13:20 "\x"`],
  ])('refuses output with %s', (_, line) => {
    expect(() => listing(`block 0: ${line}\nblock 2: ** Block of NULs **\n`)).toThrow(ParseError);
  });

  it('refuses truncated and empty output', () => {
    expect(() => listing('')).toThrow(ParseError);
    expect(() => listing(odd.slice(0, -1))).toThrow(ParseError);
    expect(() => listing(`${lines.slice(0, -1).join('\n')}\n`)).toThrow(ParseError);
  });

  it('names a local file by its full path', () => {
    const { argv, access } = tarList('/srv/a:b.tar');
    expect(argv).toEqual([
      '--list',
      '--verbose',
      '--block-number',
      '--numeric-owner',
      '--full-time',
      '--quoting-style=c',
      '--absolute-names',
      '--force-local',
      '--file=/srv/a:b.tar',
    ]);
    expect(access).toBe('read');
  });
});

describe('unpacking', () => {
  const command = tarExtract({ source: '/srv/a:b.tar', directory: '/run/x', archiveBytes: 4000 * 10240 });

  it('stays in the directory, and keeps owners, modes, capabilities and ACLs', () => {
    expect(command.argv).toEqual([
      '--extract',
      '--force-local',
      '--file=/srv/a:b.tar',
      '--directory=/run/x',
      '--numeric-owner',
      '--same-owner',
      '--same-permissions',
      '--acls',
      '--xattrs',
      '--xattrs-include=*',
      '--delay-directory-restore',
      '--restrict',
      '--warning=no-timestamp',
      '--checkpoint=20',
      '--checkpoint-action=echo=%u',
    ]);
  });

  it('may be ended half-way', () => {
    expect(command.stop).toBe('safe');
  });

  it('reports its progress by the last checkpoint', () => {
    expect(command.progress?.('')).toBeUndefined();
    expect(command.progress?.('tar: 20\n/usr/bin/tar: 1000\ntar: 20')).toBe(0.25);
    expect(command.progress?.('tar: 5000\n')).toBe(1);
  });

  it('reports it for the smallest archive too', () => {
    const tiny = tarExtract({ source: '/a', directory: '/b', archiveBytes: 512 });
    expect(tiny.argv).toContain('--checkpoint=1');
    expect(tiny.progress?.('tar: 1\n')).toBe(1);
  });

  it.each([
    ['tar: x: Cannot write: No space left on device\n', 'no-space'],
    ['tar: /a.tar: Cannot open: No such file or directory\n', 'not-found'],
    ['tar: x: Cannot mknod: Operation not permitted\n', 'denied'],
    ['tar: Exiting with failure status due to previous errors\n', 'unknown'],
  ])('fails with a reason: %s', (stderr, reason) => {
    expect(command.classify?.({ exitCode: 2, stdout: '', stderr })).toBe(reason);
  });
});

describe('the root directory of an unmounted filesystem', () => {
  const names = (stdout: string) => debugfsRoot('/dev/x').parse(answer(stdout));

  it('is read name by name, whatever a name contains', () => {
    expect(names(fixture('debugfs/ls-odd@1.47.0.txt'))).toEqual(['lost+found', 'etc', 'a\nb', 'link']);
    expect(names(fixture('debugfs/ls-empty@1.47.0.txt'))).toEqual(['lost+found']);
  });

  it.each(['', '\n', '/2/040755/0/0/.//\n', 'x', '/2/040755/0/0/.//\n/2/040755/0/0/..//\ngarbage\n'])(
    'is not read from %j',
    (text) => {
      expect(() => names(text)).toThrow(ParseError);
    },
  );

  it('is an error when its journal contains more than debugfs sees', () => {
    const features = (name: string) => debugfsFeatures('/dev/x').parse(answer(fixture(name)));
    expect(features('debugfs/features-mounted@1.47.0.txt')).toContain('needs_recovery');
    expect(features('debugfs/features-clean@1.47.0.txt')).toContain('has_journal');
    expect(features('debugfs/features-clean@1.47.0.txt')).not.toContain('needs_recovery');
    expect(() => debugfsFeatures('/dev/x').parse(answer(''))).toThrow(ParseError);
  });
});

describe('emptying and syncing', () => {
  it('deletes on one filesystem, and never lost+found', () => {
    expect(emptyDirectory('/run/bofh/undo-x').argv).toEqual([
      '/run/bofh/undo-x',
      '-xdev',
      '-mindepth',
      '1',
      '!',
      '-path',
      '/run/bofh/undo-x/lost+found',
      '!',
      '-path',
      '/run/bofh/undo-x/lost+found/*',
      '-delete',
    ]);
    expect(emptyDirectory('/x').access).toBe('destroy');
  });

  it('syncs the whole filesystem of a path', () => {
    expect(syncFilesystem('/mnt').argv).toEqual(['--file-system', '/mnt']);
  });
});
