import { describe, expect, test } from 'vitest';
import { drbdShow } from '../../../../src/blockdevice/holders/drbd-stores.ts';
import { everyHolder } from '../../../../src/blockdevice/index.ts';
import { CommandError, ParseError } from '../../../../src/core/errors.ts';
import { recorded } from '../fixtures.ts';
import { mapped, quiet, treeHost, virtual } from '../tree-host.ts';

const shown = recorded('drbdsetup/show@9.22.0-module-8.4.11');
const parse = (stdout: string) => drbdShow().parse({ ...shown, stdout });
const volume = { resource: 'r0', minor: 0, path: '/dev/vg0/data' };

describe('drbdShow', () => {
  test('reports the backing device of a resource', () => {
    const { tool, argv } = drbdShow();

    expect([tool, ...argv]).toEqual(shown.argv);
    expect(parse(shown.stdout)).toEqual([volume]);
  });

  test('reads external metadata, and quoted resource names', () => {
    const external = shown.stdout.replace('internal;', 'flexible "/dev/vg0/meta";');

    expect(parse('')).toEqual([]);
    expect(parse(external.replace('flexible ', ''))).toEqual([volume, { ...volume, path: '/dev/vg0/meta' }]);
    expect(parse(shown.stdout.replace('resource r0 {', 'resource "r 0" {'))[0]?.resource).toBe('r 0');
  });

  test.each([
    ['a line of another form', shown.stdout.replace('options {', 'options = {')],
    ['a disk without its resource', shown.stdout.replace('resource r0 {', 'volume 0 {')],
    ['a disk without its device', shown.stdout.replace(/ +device.*\n/, '')],
    ['a device without its number', shown.stdout.replace('minor 0', 'minor')],
  ])('refuses %s', (_, text) => {
    expect(() => parse(text)).toThrow(ParseError);
  });
});

describe('the backing device of a DRBD resource', () => {
  const tree = {
    ...quiet,
    ...mapped({ name: 'dm-1', number: '253:1', map: 'vg0-data', uuid: 'LVM-x' }, {}),
    ...virtual('drbd0', '147:0'),
    '/dev/vg0/data': '-> ../dm-1',
    '/sys/module/drbd/version': '8.4.11\n',
  };
  const linked = { '/sys/devices/virtual/block/dm-1/holders/drbd0': '-> ../../drbd0' };
  const host = (more: Readonly<Record<string, string>>, tool: 'works' | 'fails') =>
    treeHost({ ...tree, ...more }, (command) => {
      if (command.tool === 'find') return '/proc/1/ns/mnt 4 4026531841 8124 0:0\n';
      if (tool === 'works') return shown.stdout;
      throw new CommandError({ tool: command.tool, argv: [], reason: 'unknown', exitCode: 20 });
    });
  const free = async (...of: Parameters<typeof host>) =>
    (await everyHolder(host(...of), '/dev/dm-1')).map((each) => each.free?.join(' '));

  test('is freed by taking the resource down, whether the kernel lists it or not', async () => {
    expect(await free(linked, 'works')).toEqual(['drbdsetup down r0']);
    expect(await free({}, 'works')).toEqual(['drbdsetup down r0']);
  });

  test('is still recognised when drbdsetup fails', async () => {
    const found = await everyHolder(host(linked, 'fails'), '/dev/dm-1');

    expect(found.map((each) => each.free?.join(' ') ?? each.words)).toEqual([
      'drbdsetup detach 0',
      expect.stringContaining('could not find out which devices DRBD uses: drbdsetup'),
    ]);
  });
});
