import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseMountinfo } from '../../../src/blockdevice/index.ts';
import { ParseError } from '../../../src/core/errors.ts';
import { describe as inWords, mountOver, mountsAt, mountsOn, parseUtab } from '../../../src/mount/table.ts';

const recorded = readFileSync(new URL('../../fixtures/utab/two@2.38.1.txt', import.meta.url), 'utf8');

describe("libmount's table", () => {
  it('contains path and options of each mount', () => {
    expect(parseUtab(recorded)).toEqual([
      { path: '/srv/sp ace', options: ['x-bofh.mark=bofh.0123456789ab.1', 'uhelper=x'] },
      { path: '/srv/mnt', options: ['x-bofh.mark=bofh.0123456789ab.2'] },
    ]);
  });

  it('is read with the mount id that newer versions add', () => {
    expect(parseUtab('ID=67 SRC=/dev/loop0 TARGET=/mnt ROOT=/ OPTS=x-a=b,c\n')).toEqual([
      { path: '/mnt', options: ['x-a=b', 'c'] },
    ]);
  });

  it('has the same bind mount in version 2.41', () => {
    const newer = readFileSync(new URL('../../fixtures/utab/bind@2.41.5.txt', import.meta.url), 'utf8');
    expect(parseUtab(newer)).toEqual([
      { path: '/srv/m', options: ['x-bofh.mark=bofh.0123456789ab.1'] },
      { path: '/srv/sh', options: ['x-bofh.mark=bofh.0123456789ab.2'] },
    ]);
  });

  it('may be empty', () => {
    expect(parseUtab('')).toEqual([]);
  });

  it('has lines without options', () => {
    expect(parseUtab('TARGET=/mnt ATTRS=x\n')).toEqual([{ path: '/mnt', options: [] }]);
  });

  it.each([
    'garbage\n',
    'SRC=/dev/loop0 OPTS=a\n',
    'TARGET=/mnt  OPTS=a\n',
    'TARGET=/mnt',
    '\n',
    'TARGET=/a\n\n',
  ])('refuses %j in it', (text) => {
    expect(() => parseUtab(text)).toThrow(ParseError);
  });
});

describe('stacked mounts', () => {
  const entries = parseMountinfo(
    [
      '1 0 254:0 / / rw - ext4 /dev/vda rw',
      '60 1 7:0 / /mnt/a\\040b rw shared:1 - ext4 /dev/loop0 rw',
      '61 60 7:1 / /mnt/a\\040b rw - ext4 /dev/loop1 rw',
      '62 61 7:2 / /mnt/a\\040b/deep rw - ext4 /dev/loop2 rw',
      '',
    ].join('\n'),
  );
  const [, lowest, upper] = entries;
  if (lowest === undefined || upper === undefined) throw new Error('the table above is wrong');

  it('are listed for one path, the lowest first', () => {
    expect(mountsAt(entries, '/mnt/a b').map(({ id }) => id)).toEqual([60, 61]);
  });

  it('are ordered by their parents', () => {
    expect(mountsOn(entries, lowest).map(({ id }) => id)).toEqual([61]);
    expect(mountsOn(entries, upper).map(({ id }) => id)).toEqual([62]);
  });

  it('are named with source, path and number', () => {
    expect(inWords(upper)).toBe('/dev/loop1 mounted on /mnt/a b (mount 61)');
  });

  it('a mount that is its own parent, as the first of a namespace may be, is not above itself', () => {
    const [own] = parseMountinfo('1 1 0:1 / / rw - rootfs none rw\n');
    expect(own === undefined ? [] : mountsOn([own], own)).toEqual([]);
  });
});

describe('the mount of a path', () => {
  const entries = parseMountinfo(
    [
      '1 1 0:1 / / rw - rootfs none rw',
      '20 1 254:0 / / rw - ext4 /dev/vda rw',
      '30 20 7:0 / /srv/data rw - ext4 /dev/loop0 rw',
      '31 30 7:1 / /srv/data/deep rw - ext4 /dev/loop1 rw',
      // Over what carries the others: they are hidden, though their paths are longer.
      '40 20 7:2 / /srv rw - ext4 /dev/loop2 rw',
      '41 20 7:3 / /srvs rw - ext4 /dev/loop3 rw',
      '',
    ].join('\n'),
  );

  it.each([
    ['/', 20],
    ['/etc/x', 20],
    ['/srv', 40],
    ['/srv/data/deep/x', 40],
    ['/srvs/x', 41],
    ['/srvsx', 20],
  ])('of %s is that of number %i', (path, id) => {
    expect(mountOver(entries, path)?.id).toBe(id);
  });

  it('is the parent of another one, when nothing hides it', () => {
    const open = entries.filter(({ id }) => id !== 40);
    expect(mountOver(open, '/srv/data/deep/x')?.id).toBe(31);
    expect(mountOver(open, '/srv/data/x')?.id).toBe(30);
  });

  it('is unknown where the table has no root, as after chroot, and nothing else covers the path', () => {
    const inChroot = entries.filter(({ id }) => id >= 40);
    expect(mountOver(inChroot, '/srv/x')?.id).toBe(40);
    expect(mountOver(inChroot, '/etc')).toBeUndefined();
  });
});
