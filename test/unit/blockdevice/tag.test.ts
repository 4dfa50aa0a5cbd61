import { describe, expect, test } from 'vitest';
import { blkidTagged } from '../../../src/blockdevice/commands.ts';
import { deviceNode } from '../../../src/blockdevice/index.ts';
import { linkOf, tagIn } from '../../../src/blockdevice/tag.ts';
import type { Answer, ReadHost } from '../../../src/command/index.ts';
import { CommandError, ParseError, RefusedError, UsageError } from '../../../src/core/errors.ts';
import { recorded } from './fixtures.ts';
import { disk, treeHost, virtual } from './tree-host.ts';

const tree = {
  ...virtual('loop0', '7:0', { size: '40960\n' }),
  ...virtual('loop1', '7:1', { size: '0\n' }),
  ...disk('vda', '254:0'),
};
const none: Answer = recorded('blkid/tagged-none@2.38.1');
const blind: Answer = recorded('blkid/not-root@2.38.1');

/** A host on which no udev runs, and what blkid says there of a tag and of a device. */
function without(udevsLinks: Readonly<Record<string, string>>, tagged: Answer, probed: Answer): ReadHost {
  return {
    ...treeHost({ ...tree, ...udevsLinks }),
    run: async (command) => command.parse(command.argv.includes('-t') ? tagged : probed),
  };
}
const blank: Answer = { exitCode: 2, stdout: '', stderr: '' };

describe('a tag', () => {
  test.each([
    ['LABEL=my home', '/dev/disk/by-label/my\\x20home'],
    ['LABEL="my home"', '/dev/disk/by-label/my\\x20home'],
    ["PARTLABEL='EFI System Partition'", '/dev/disk/by-partlabel/EFI\\x20System\\x20Partition'],
    ['LABEL=ä/\\"#+-.:=@_', '/dev/disk/by-label/ä\\x2f\\x5c\\x22#+-.:=@_'],
    ['UUID="A40D-85E7"', '/dev/disk/by-uuid/A40D-85E7'],
    ['ID=ata-x', '/dev/disk/by-id/ata-x'],
  ])('%s has the link %s of udev', (text, link) => {
    const tag = tagIn(text);
    expect(tag === undefined ? undefined : linkOf(tag)).toBe(link);
  });

  test.each(['LABEL="my home', 'LABEL=""', 'UUID=\'a"'])('%s is refused', (text) => {
    expect(() => tagIn(text)).toThrow(UsageError);
  });

  test.each(['/dev/vda', 'LABEL=', 'label=x', 'nas:/UUID=x'])('%s is none', (text) => {
    expect(tagIn(text)).toBeUndefined();
  });
});

describe('the device of a tag without a link of udev', () => {
  test('is found by reading every device', async () => {
    const host = without({}, recorded('blkid/tagged@2.38.1'), blank);
    expect(await deviceNode(host, 'LABEL="my home"')).toEqual({ path: '/dev/loop0', number: '7:0' });
  });

  test('is read from its link, and no device is read where udev runs', async () => {
    const link = { '/dev/disk/by-label/x': '-> ../../vda' };
    expect((await deviceNode(treeHost({ ...tree, ...link }), 'LABEL=x')).path).toBe('/dev/vda');
    const running = treeHost({ ...tree, '/run/udev/control': '' });
    await expect(deviceNode(running, 'LABEL=x')).rejects.toMatchObject({ reason: 'not-found' });
  });

  test('is missing when all devices can be read and none has it', async () => {
    const failure = deviceNode(without({}, none, blank), 'LABEL=none');
    await expect(failure).rejects.toBeInstanceOf(CommandError);
    await expect(failure).rejects.toMatchObject({ reason: 'not-found' });
  });

  test('cannot be decided by a user who cannot read devices', async () => {
    await expect(deviceNode(without({}, none, blind), 'LABEL=none')).rejects.toThrow(/Permission denied/);
  });

  test('is refused when several have it, unless they are one btrfs', async () => {
    const twice = deviceNode(without({}, recorded('blkid/tagged-twice@2.38.1'), blank), 'LABEL=my home');
    await expect(twice).rejects.toBeInstanceOf(RefusedError);
    await expect(twice).rejects.toThrow('/dev/loop0, /dev/loop1');
    const pool = recorded('blkid/tagged-btrfs@2.38.1');
    const host = without(virtual('loop2', '7:2'), pool, blank);
    expect((await deviceNode(host, 'LABEL=pool')).path).toBe('/dev/loop1');
    const copied = {
      ...pool,
      stdout: pool.stdout.replace(/UUID_SUB=9.*/, 'UUID_SUB=7e506a7e-d21c-4c2c-9c66-0f55b54440a8'),
    };
    await expect(deviceNode(without({}, copied, blank), 'LABEL=pool')).rejects.toBeInstanceOf(RefusedError);
  });

  test('is unknown for an ID, which only udev creates', async () => {
    await expect(deviceNode(without({}, none, blank), 'ID=ata-x')).rejects.toThrow('only udev');
  });
});

describe('blkidTagged', () => {
  const tagged = recorded('blkid/tagged-twice@2.38.1');

  test('asks for the recorded tag without a cache', () => {
    const { tool, argv } = blkidTagged({ name: 'LABEL', value: 'my home' });
    expect([tool, ...argv]).toEqual(tagged.argv);
  });

  test.each([
    ['cut off', { stdout: tagged.stdout.slice(0, -1) }],
    ['without a name', { stdout: tagged.stdout.replace('DEVNAME=/dev/loop0\n', '') }],
    ['with an odd line', { stdout: tagged.stdout.replace('TYPE=', 'TYPE:') }],
    ['of nothing, with success', { stdout: '' }],
    ['of something, with a failure', { exitCode: 2 }],
    ['with a complaint', { stderr: 'blkid: odd' }],
  ])('refuses an answer %s', (_, spoiled) => {
    const { parse } = blkidTagged({ name: 'LABEL', value: 'my home' });
    expect(() => parse({ ...tagged, ...spoiled })).toThrow(ParseError);
  });
});
