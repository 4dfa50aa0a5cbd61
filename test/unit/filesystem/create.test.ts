import { beforeEach, describe, expect, test } from 'vitest';
import type { Signature } from '../../../src/blockdevice/index.ts';
import type { ChangeHost } from '../../../src/command/index.ts';
import { CommandError, RefusedError, UsageError } from '../../../src/core/errors.ts';
import { mkfs, mkfsExt4, mkswap } from '../../../src/filesystem/commands.ts';
import { makeable, rules } from '../../../src/filesystem/types.ts';
import { create } from '../../../src/filesystem/operations.ts';
import { everyVersion, recorded } from '../blockdevice/fixtures.ts';
import { mapped, quiet, type Tree, treeHost } from '../blockdevice/tree-host.ts';

const mark = 'bofh.0a.1';
const device = '/dev/mapper/vg0-web1';
const uuid = '11111111-2222-3333-4444-555555555555';
const foreign: Signature = { type: 'xfs', usage: 'filesystem', uuid: 'f0' };
const table: Signature = { type: 'dos', usage: 'partition-table' };
const volume = (id: string, name = 'web1') =>
  mapped({ name: 'dm-1', number: '253:1', map: `vg0-${name}`, uuid: `LVM-${id}` }, {});

let tree: Tree = {};
let content: Signature | undefined;
let size = 64 * 1024 ** 2;
let known: readonly string[] = [];
let ran: string[] = [];
/** What a change is cut short after. */
let killAfter = '';
/** What debugfs says of a device that blkid calls blank. */
const blank = 'Bad magic number in super-block while trying to open /dev/x';
let debugfs = blank;
/** What wipefs would erase of a partition table. */
const dos = { offset: '0x1fe', length: 2, type: 'dos', usage: 'partition-table', uuid: null };
let listed: readonly object[] = [dos];

beforeEach(() => {
  tree = { ...quiet, ...volume('one') };
  content = undefined;
  size = 64 * 1024 ** 2;
  known = [];
  ran = [];
  killAfter = '';
  debugfs = blank;
  listed = [dos];
});

function answer(
  tool: string,
  argv: readonly string[],
): { stdout?: string; stderr?: string; exitCode?: number } {
  // Zeros, as many as are asked for.
  if (tool === 'od')
    return { stdout: ' 00'.repeat(Number(argv.find((word) => word.startsWith('--read-bytes='))?.slice(13))) };
  if (tool === 'debugfs') return { stderr: `debugfs: ${debugfs}\n` };
  if (tool === 'vgs')
    return {
      stdout: JSON.stringify({ report: [{ vg: [{ vg_uuid: 'one', vg_name: 'vg0', vg_exported: '' }] }] }),
    };
  if (tool === 'lvs') {
    const lv = known.map((id) => ({ vg_uuid: id, lv_uuid: '' }));
    return { stdout: JSON.stringify({ report: [{ lv }] }) };
  }
  if (tool === 'wipefs' && argv.includes('--json')) return { stdout: JSON.stringify({ signatures: listed }) };
  if (tool === 'wipefs') content = undefined;
  const made = argv[argv.indexOf('-U') + 1] ?? '';
  if (tool === 'mkfs.ext4') content = { type: 'ext4', usage: 'filesystem', uuid: made };
  if (tool === 'mkswap') content = { type: 'swap', usage: 'other', uuid: made };
  if (tool === 'sfdisk') {
    const partitiontable = { label: 'dos', id: '0x1', device, unit: 'sectors', sectorsize: 512 };
    return { stdout: JSON.stringify({ partitiontable }) };
  }
  return tool === 'blkid' ? probed() : {};
}

function probed(): { stdout?: string; exitCode?: number } {
  if (content === undefined) return { exitCode: 2 };
  if (content.usage === 'ambivalent') return { exitCode: 8 };
  const { type, usage, ptType } = content;
  const is = usage === 'partition-table' ? [`PTTYPE=${type}`] : [`TYPE=${type}`, `USAGE=${usage}`];
  const has =
    content.uuid === undefined ? [] : [`${usage === 'partition-table' ? 'PTUUID' : 'UUID'}=${content.uuid}`];
  const beside = [
    ...(ptType === undefined ? [] : [`PTTYPE=${ptType}`]),
    ...(content.label === undefined ? [] : [`LABEL=${content.label}`]),
  ];
  return { stdout: `${['DEVNAME=/dev/x', ...is, ...has, ...beside].join('\n')}\n` };
}

function host(): ChangeHost {
  const none = (): never => {
    throw new Error('not for this driver');
  };
  return {
    ...treeHost({ ...tree, '/sys/devices/virtual/block/dm-1/size': `${size / 512}\n` }),
    run: async (command) => {
      if (command.access !== 'read') ran.push(command.tool);
      const said = { exitCode: 0, stdout: '', stderr: '', ...answer(command.tool, command.argv) };
      if (command.tool === killAfter)
        throw new CommandError({ tool: command.tool, argv: [], reason: 'killed' });
      return command.parse(said);
    },
    sync: async (path) => {
      ran.push(`sync ${path}`);
    },
    ...{
      pipe: none,
      writeNew: none,
      link: none,
      rename: none,
      removeFile: none,
      makeDir: none,
      removeDir: none,
    },
  };
}

const args = { device, type: 'ext4' as const, uuid };
const prepare = (more: object = {}) =>
  create.prepare({ args: create.parseArgs({ ...args, ...more }), mark, host: host() });
const prepareAgain = (chosen: unknown) =>
  create.prepare({ args: create.parseArgs(args), mark, host: host(), chosen });
const look = async (undo: unknown) => create.look({ undo, host: host() });

describe('the commands', () => {
  test('set the uuid and the label, and never force', () => {
    const make = { device, uuid, label: '-x' };
    expect(mkfsExt4(make).argv).toEqual(['-U', uuid, '-L', '-x', device]);
    expect(mkswap({ device, uuid }).argv).toEqual(['-U', uuid, device]);
    const named = { device, uuid, label: 'A' };
    const argv = { xfs: ['-m', `uuid=${uuid}`, '-L', 'A', device], btrfs: ['-U', uuid, '-L', 'A', device] };
    for (const type of ['xfs', 'btrfs'] as const)
      expect(mkfs[type](named)).toMatchObject({ argv: argv[type] });
    expect(mkfs.ext3(named)).toMatchObject({ tool: 'mkfs.ext3', argv: ['-U', uuid, '-L', 'A', device] });
    expect(mkfs.vfat({ ...named, uuid: 'ABCD-1234' }).argv).toEqual(['-i', 'abcd1234', '-n', 'A', device]);
  });

  test('they set the UUID and the label, and never force', () => {
    const ext = { blockSize: 1024, bytesPerInode: 4096, reservedPercent: 0 };
    const words = (type: 'ext2' | 'xfs' | 'btrfs' | 'vfat', options: object) =>
      mkfs[type]({ device, uuid, options }).argv.slice(0, -3);
    expect(words('ext2', ext)).toEqual(['-b', '1024', '-i', '4096', '-m', '0']);
    expect(words('xfs', { blockSize: 1024 })).toEqual(['-b', 'size=1024']);
    expect(words('btrfs', { nodeSize: 4096, checksum: 'xxhash' })).toEqual([
      '--nodesize',
      '4096',
      '--csum',
      'xxhash',
    ]);
    expect(words('vfat', { fatBits: 32 })).toEqual(['-F', '32']);
  });

  test.each(
    everyVersion([
      ['mkfs.xfs/exists', 'xfs', 'exists'],
      ['mkfs.xfs/mounted', 'xfs', 'busy'],
      ['mkfs.xfs/missing', 'xfs', 'not-found'],
      ['mkfs.xfs/small', 'xfs', 'unknown'],
      ['mkfs.btrfs/exists', 'btrfs', 'exists'],
      ['mkfs.btrfs/small', 'btrfs', 'unknown'],
      ['mkfs.vfat/missing', 'vfat', 'not-found'],
    ] as const),
  )('they explain their failure: %s', (name, type, reason) => {
    const answer = recorded(name);
    expect(answer.exitCode).toBe(1);
    expect(mkfs[type]({ device, uuid }).classify?.(answer)).toBe(reason);
  });

  test('mkfs.btrfs refuses the UUID of another device', () => {
    const { classify } = mkfs.btrfs({ device, uuid });
    expect(classify?.(recorded('mkfs.btrfs/non-unique@6.2'))).toBe('exists');
    expect(recorded('mkfs.btrfs/non-unique@6.14').exitCode).toBe(0);
  });

  test('they report the progress of mkfs.ext4', () => {
    const { progress } = mkfsExt4({ device, uuid });
    expect(progress?.('Discarding device blocks: ')).toBeUndefined();
    expect(progress?.('Writing inode tables:  3/16\b\b\b\b\b 12/16')).toBe(0.75);
    expect(progress?.(recorded('mkfs.ext4/made@1.47.0').stdout)).toBe(1);
  });
});

describe('prepare of create', () => {
  test('keeps the chosen UUID when called again', async () => {
    const first = await create.prepare({ args: { device, type: 'swap' }, mark, host: host() });
    const second = await create.prepare({
      args: { device, type: 'swap' },
      mark,
      host: host(),
      chosen: first,
    });
    const third = await create.prepare({ args: { device, type: 'swap' }, mark, host: host() });
    expect(second).toEqual(first);
    expect(third).not.toEqual(first);
  });

  test('locks the device and everything beneath, and is contained in the volume', async () => {
    const undo = await prepare();
    const on = async () => ({ key: 'lv:vg0/web1', beneath: ['vg:vg0'] });
    expect(await create.claims({ args, undo, on })).toEqual({
      ...{ makes: [`fs:${uuid}`], changes: ['lv:vg0/web1'], needs: ['vg:vg0'] },
    });
    expect(create.within({ args, undo })).toBe('lv:vg0/web1');
    expect(create.contains({ args, undo })).toBe(`fs:${uuid}`);
  });

  test.each([
    [{ uuid: 'ABC' }],
    [{ label: '' }],
    [{ label: 'a\nb' }],
    [{ type: 'ntfs' }],
    [{ label: 'é'.repeat(9) }],
    [{ type: 'xfs', label: 'x'.repeat(13) }],
    [{ type: 'xfs', label: 'a b' }],
    [{ type: 'xfs', label: 'é' }],
    [{ type: 'btrfs', label: 'x'.repeat(255) }],
    [{ type: 'vfat', uuid: 'ABCD-1234', label: 'small' }],
    [{ type: 'vfat', uuid: 'ABCD-1234', label: 'TWELVE BYTES' }],
    [{ type: 'vfat', uuid: 'ABCD-1234', label: 'A.B' }],
    [{ type: 'vfat', uuid: 'ABCD-1234', label: 'NO NAME' }],
    [{ type: 'vfat', uuid: 'ABCD-1234', label: ' A' }],
    [{ type: 'vfat' }],
    [{ type: 'vfat', uuid: 'abcd-1234' }],
    [{ uuid: 'ABCD-1234' }],
    [{ options: { nodeSize: 4096 } }],
    [{ type: 'swap', options: { blockSize: 4096 } }],
    [{ type: 'vfat', uuid: 'ABCD-1234', options: { fatBits: 8 } }],
    [{ options: { blockSize: 3000 } }],
    [{ options: { reservedPercent: 51 } }],
    [{ type: 'swap', label: 'x'.repeat(16) }],
    [{ overwrite: {} }],
    [{ overwrite: { uuid } }],
    [{ force: true }],
  ])('rejects %j', async (more) => {
    await expect((async () => prepare(more))()).rejects.toThrow(UsageError);
  });

  test.each(makeable)('refuses a device that is too small for %s, and accepts the smallest', async (type) => {
    size = rules[type].smallest - 512;
    const asked = type === 'vfat' ? { type, uuid: 'ABCD-1234' } : { type };
    await expect(prepare(asked)).rejects.toThrow(/needs/);
    size += 512;
    await expect(prepare(asked)).resolves.toBeDefined();
  });

  test.each(['ext3', 'ext4'] as const)(
    'refuses an %s whose blocks are too few for a journal',
    async (type) => {
      size = 8 * 1024 ** 2 - 4096;
      await expect(prepare({ type, options: { blockSize: 4096 } })).rejects.toThrow(
        `${type} needs 8 MiB: below 8 MiB it has no journal`,
      );
      size += 4096;
      await expect(prepare({ type, options: { blockSize: 4096 } })).resolves.toBeDefined();
    },
  );

  test('does not treat an unreadable device as blank, with locks and after', async () => {
    const undo = await prepare();
    await expect(prepareAgain(undo)).resolves.toEqual(undo);
    debugfs = 'Input/output error while trying to open /dev/x';

    await expect(prepareAgain(undo)).rejects.toThrow(/blkid finds nothing on .*Input\/output error/);
    await expect(look(undo)).rejects.toThrow(/Input\/output error/);
  });

  test('cannot decide about the content of an empty drive', async () => {
    const undo = await prepare();
    size = 0;
    await expect(look(undo)).rejects.toThrow('has no medium (it has no size): nothing can be on it');
  });

  test.each([
    [foreign, { uuid: 'f0' }],
    [foreign, { uuid: 'f0', type: 'xfs' }],
    [table, { type: 'dos' }],
  ])('refuses %j unless it is named, for example by %j', async (there, overwrite) => {
    content = there;
    await expect(prepare()).rejects.toThrow(RefusedError);
    await expect(prepare({ overwrite: { uuid: 'other' } })).rejects.toThrow(RefusedError);
    expect(await prepare({ overwrite })).toMatchObject({ before: there });
  });

  test.each([
    [{ type: 'ambivalent', usage: 'ambivalent' } as const, { type: 'ambivalent' }],
    [{ ...foreign, ptType: 'dos' }, { uuid: 'f0' }],
    [foreign, { type: 'ext4' }],
    [foreign, { uuid: 'f0', type: 'ext4' }],
    [undefined, { uuid: 'f0' }],
  ])('refuses %j also for %j', async (there, overwrite) => {
    content = there;
    await expect(prepare({ overwrite })).rejects.toThrow(RefusedError);
  });

  test('refuses a partition table that wipefs would keep, inside a partition or volume', async () => {
    content = table;
    listed = [];
    await expect(prepare({ overwrite: { type: 'dos' } })).rejects.toThrow(
      /has a partition table \(dos\), which wipefs does not erase/,
    );
  });

  test('refuses a device that is in use, whatever is named', async () => {
    content = foreign;
    tree = { ...tree, '/proc/self/mountinfo': '9 1 253:1 / /mnt rw - xfs /dev/dm-1 rw\n' };
    await expect(prepare({ overwrite: { uuid: 'f0' } })).rejects.toThrow('in use: mounted on /mnt (mount 9)');
  });
});

describe('run and look of create', () => {
  test('creates a filesystem on a blank device, and the undo makes that blank', async () => {
    const undo = await prepare();
    expect(await look(undo)).toEqual({ state: 'gone' });
    await create.run({ args, undo, host: host() });
    expect(await look(undo)).toEqual({ state: 'ours', holders: [] });
    await create.revert({ undo, host: host() });
    expect(await look(undo)).toEqual({ state: 'gone' });
    await create.sync({ undo, host: host() });
    expect(ran).toEqual(['mkfs.ext4', 'wipefs', `sync ${device}`]);
  });

  test('wipes named content first, so that no part of it stays visible', async () => {
    content = table;
    const undo = await prepare({ overwrite: { type: 'dos' } });
    expect(await look(undo)).toEqual({ state: 'gone' });
    killAfter = 'wipefs';
    await expect(create.run({ args, undo, host: host() })).rejects.toThrow('killed');
    expect(await look(undo)).toEqual({ state: 'gone' });
    killAfter = 'mkfs.ext4';
    content = table;
    await expect(create.run({ args, undo, host: host() })).rejects.toThrow('killed');
    expect(await look(undo)).toMatchObject({ state: 'ours' });
  });

  test.each([
    ['something was written to it', () => (content = foreign), /holds xfs/],
    [
      'it was mounted',
      () => (tree = { ...tree, '/proc/self/mountinfo': '9 1 253:1 / /m rw - xfs x rw\n' }),
      /in use/,
    ],
    [
      'another device has its name',
      () => (tree = { ...quiet, ...volume('two') }),
      /names a different device/,
    ],
  ])('nothing is written when, after the check, %s', async (_, change, message) => {
    const undo = await prepare();
    change();
    await expect(create.run({ args, undo, host: host() })).rejects.toThrow(message);
    expect(ran).toEqual([]);
  });

  test('leaves foreign content alone', async () => {
    const undo = await prepare();
    await create.run({ args, undo, host: host() });
    content = { ...foreign, label: 'x' };
    expect(await look(undo)).toMatchObject({ state: 'not-ours', found: `${device} holds xfs "x", uuid f0` });
    await create.revert({ undo, host: host() });
    expect(ran).not.toContain('wipefs');
  });

  test('recognises its vfat by number and label, because 32 bits are no tag', async () => {
    const number = 'ABCD-1234';
    const undo = await prepare({ type: 'vfat', uuid: number, label: 'DATA' });
    content = { type: 'vfat', usage: 'filesystem', uuid: number, label: 'DATA' };
    expect(await look(undo)).toMatchObject({ state: 'ours' });
    for (const other of [{}, { label: 'OTHER' }]) {
      content = { type: 'vfat', usage: 'filesystem', uuid: number, ...other };
      expect(await look(undo)).toMatchObject({ state: 'not-ours' });
    }
  });

  test('does not mistake a swap area with its UUID for its ext4', async () => {
    const undo = await prepare();
    content = { type: 'swap', usage: 'other', uuid };
    expect(await look(undo)).toMatchObject({ state: 'not-ours' });
  });

  test('does not wipe it while in use', async () => {
    const undo = await prepare();
    await create.run({ args, undo, host: host() });
    tree = { ...tree, '/proc/self/mountinfo': '9 1 253:1 / /m rw - ext4 x rw\n' };
    expect(await look(undo)).toEqual({
      state: 'ours',
      holders: [
        {
          kind: 'mount',
          path: '/m',
          mountId: 9,
          words: 'mounted on /m (mount 9)',
          free: ['umount', '/m'],
        },
      ],
    });
    await expect(create.revert({ undo, host: host() })).rejects.toThrow(RefusedError);
    expect(ran).toEqual(['mkfs.ext4']);
  });

  test('follows it to the new name of its volume, and is done when the volume is gone', async () => {
    const undo = await prepare();
    await create.run({ args, undo, host: host() });
    expect(await look(undo)).not.toHaveProperty('movedTo');
    tree = { ...quiet, ...volume('one', 'renamed') };
    expect(await look(undo)).toMatchObject({ state: 'ours', movedTo: 'lv:vg0/renamed' });
    tree = quiet;
    known = ['one'];
    await expect(look(undo)).rejects.toThrow(/not active/);
    known = [];
    expect(await look(undo)).toEqual({ state: 'gone' });
    await expect(create.sync({ undo, host: host() })).resolves.toBeUndefined();
  });
});
