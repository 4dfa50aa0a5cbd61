import { beforeEach, describe, expect, test } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { ParseError, UsageError } from '../../../src/core/errors.ts';
import {
  btrfsChanging,
  keepSeed,
  setUuid,
  xfsLog,
  xfsLogBegins,
  xfsState,
} from '../../../src/filesystem/commands/uuid.ts';
import type { Makeable } from '../../../src/filesystem/types.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { runVerb } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, recoverAll } from '../simulator/support.ts';
import { expectRefused } from '../simulator/recovery.ts';

const device = '/dev/vg0/web1';
const old = '5e1f0000-0000-4000-8000-000000000001';
const fresh = '5e1f0000-0000-4000-8000-0000000000ff';

describe('the commands', () => {
  const words = (type: Makeable, uuid = fresh) => {
    const { tool, argv } = setUuid({ type, device, uuid });
    return [tool, ...argv].join(' ');
  };

  test('of each type', () => {
    expect(words('ext3')).toBe(`tune2fs -U ${fresh} ${device}`);
    expect(words('xfs')).toBe(`xfs_db -x -c uuid ${fresh} ${device}`);
    expect(words('btrfs')).toBe(`btrfstune -f -U ${fresh} ${device}`);
    expect(words('vfat', '1234-ABCD')).toBe(`fatlabel -i ${device} 1234ABCD`);
    expect(words('swap')).toBe(`swaplabel --uuid ${fresh} ${device}`);
    expect(keepSeed(device, 'keep').argv).toEqual(['-O', 'metadata_csum_seed', device]);
    expect(keepSeed(device, 'drop').argv).toEqual(['-O', '^metadata_csum_seed', device]);
  });

  const said = (stdout: string, exitCode = 0, stderr = '') => ({ stdout, stderr, exitCode });
  // As xfsprogs 6.1 wrote it on a loop device.
  const log = (state: string) =>
    `xfs_logprint:\n    data device: 0xffffffffffffffff\n    log device: 0xffffffffffffffff daddr: 327728 length: 131072\n\n    log tail: 41 head: 41 state: <${state}>\n\n`;

  test('of an xfs: the state of the log, and its offset', () => {
    const { parse } = xfsLog(device);
    expect(parse(said(log('CLEAN')))).toEqual({ start: 327_728 * 512, state: 'clean' });
    expect(parse(said(log('DIRTY')))).toMatchObject({ state: 'dirty' });
    const head = log('').split('\n\n')[0] ?? '';
    expect(parse(said(`${head}\n`, 1, 'xfs_logprint: failed to find head and tail, error: 22\n'))).toBe(
      'unreadable',
    );
    for (const odd of [said(head), said(log('CLEAN'), 1), said(log('ODD')), said('')])
      expect(() => parse(odd)).toThrow(ParseError);
  });

  test('of an xfs: whether it starts like a log', () => {
    const { argv, parse } = xfsLogBegins(device, 1024);
    expect(argv).toEqual(['-r', '-c', 'daddr 2', '-c', 'type data', '-c', 'print', device]);
    expect(parse(said('000: feedbabe 00000001 00000002\n'))).toBe(true);
    expect(parse(said('000: 00000000 00000000 00000000\n'))).toBe(false);
    expect(() => parse(said(''))).toThrow(ParseError);
  });

  test('of an xfs: whether its superblocks agree, and whether a repair was interrupted', () => {
    const { parse } = xfsState(device);
    const version = 'versionnum [0xb4b5+0x18a] = V5,NLINK,SPARSE_INODES,CRC';
    expect(parse(said(`${version}\nUUID = ${old}\n`))).toEqual({ agrees: true, needsRepair: false });
    const torn = said(
      `${version},NEEDSREPAIR\nUUID = ${old}\n`,
      0,
      'warning: UUID in AG 1 differs to the primary SB\n',
    );
    expect(parse(torn)).toEqual({ agrees: false, needsRepair: true });
    for (const odd of [`${version}\n`, `UUID = ${old}\n`, ''])
      expect(() => parse(said(odd))).toThrow(ParseError);
  });

  test.each([
    ['0x1', false],
    ['0x800000001', true],
    ['0x1000000001', true],
  ])('of a btrfs: whether a change was interrupted: %s', (flags, is) => {
    const { parse } = btrfsChanging(device);
    expect(parse(said(`csum_type\t\t0\nflags\t\t\t${flags}\n\t\t\t( WRITTEN )\n`))).toBe(is);
    expect(() => parse(said('csum_type\t\t0\n'))).toThrow(ParseError);
  });
});

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 16 });
});

const put = (type: Makeable, more: object = {}): void =>
  host.admin.format(device, {
    ...{ type, usage: type === 'swap' ? 'other' : 'filesystem' },
    ...{ uuid: type === 'vfat' ? 'ABCD-1234' : old },
    ...more,
  });
const superblock = (of = host) => {
  const lv = of.world.lvm[0]?.lvs.find(({ name }) => name === 'web1');
  return of.world.live.get(`lv:${lv?.uuid ?? ''}`)?.superblock;
};
type Args = Parameters<Tx['filesystem']['uuid']>[0];
const does = (body: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
  withBofh(bofhOn(host), () => atomic('uuid', body));
const sets = (more: Partial<Args> = {}) => does((tx) => tx.filesystem.uuid({ device, uuid: fresh, ...more }));
const failing = (more: Partial<Args> = {}) =>
  does(async (tx) => {
    await tx.filesystem.uuid({ device, uuid: fresh, ...more });
    throw new Error('the script failed');
  });

const refused = (work: Promise<unknown>, kind?: Parameters<typeof expectRefused>[2]) =>
  expectRefused(host, work, kind);

describe.each(['ext2', 'ext4', 'swap', 'vfat'] as const)('of %s', (type) => {
  const to = type === 'vfat' ? '1234-ABCD' : fresh;

  test('is set, and restored after a later failure', async () => {
    put(type);
    const before = host.snapshot();
    await failureOf(failing({ uuid: to }));
    expect(host.snapshot()).toBe(before);
    expect(await sets({ uuid: to })).toMatchObject({ uuid: to, when: 'now' });
    expect(superblock()?.uuid).toBe(to);
  });
});

describe('of an ext4 whose checksums depend on its UUID', () => {
  beforeEach(() => put('ext4', { features: ['metadata_csum'] }));

  test('is refused, unless the feature that keeps them may be set', async () => {
    expect((await refused(sets())).remedy).toContain("seed: 'may be added'");
    await sets({ seed: 'may be added' });
    expect(superblock()).toMatchObject({ uuid: fresh, features: ['metadata_csum', 'metadata_csum_seed'] });
  });

  test('the undo clears the feature', async () => {
    const before = host.snapshot();
    await failureOf(failing({ seed: 'may be added' }));
    expect(host.snapshot()).toBe(before);
    expect(superblock()?.features).toEqual(['metadata_csum']);
  });

  test('recovery clears the feature after a kill between both', async () => {
    host.fault({ tool: 'tune2fs', nth: 2, mode: 'crash here' });
    await failureOf(sets({ seed: 'may be added' }));
    host.clearFaults();
    expect(superblock()?.features).toContain('metadata_csum_seed');
    const next = host.restart();
    await recoverAll(next);
    expect(superblock(next)).toMatchObject({ uuid: old, features: ['metadata_csum'] });
  });
});

describe.each(['xfs', 'btrfs'] as const)('of %s', (type) => {
  beforeEach(() => put(type));
  const tool = type === 'xfs' ? 'xfs_db' : 'btrfstune';

  test('is set after the commit', async () => {
    await does(async (tx) => {
      expect(await tx.filesystem.uuid({ device, uuid: fresh })).toMatchObject({ when: 'after the commit' });
      expect(superblock()?.uuid).toBe(old);
    });
    expect(superblock()?.uuid).toBe(fresh);
  });

  test('is not set when the sequence fails', async () => {
    await failureOf(failing());
    expect(superblock()?.uuid).toBe(old);
    expect(host.changes.filter((each) => each.what === 'command' && each.command.tool === tool)).toEqual([]);
  });

  test('is finished by recovery after a kill after the commit', async () => {
    host.fault({ tool, mode: 'crash here' });
    await failureOf(sets());
    host.clearFaults();
    const next = host.restart();
    await recoverAll(next);
    expect(superblock(next)?.uuid).toBe(fresh);
  });

  test('notices a program that ends with 0 and does nothing', async () => {
    host.fault({ tool, mode: 'no effect, exit 0' });
    expect(String(await failureOf(sets()))).toContain(`has the uuid ${old}; expected ${fresh}`);
  });
});

test('of a btrfs is finished by recovery when btrfstune was killed', async () => {
  put('btrfs');
  host.fault({ tool: 'btrfstune', mode: 'crash here' });
  await failureOf(sets());
  host.clearFaults();
  put('btrfs', { uuid: fresh, changing: fresh });
  const next = host.restart();
  await recoverAll(next);
  expect(superblock(next)).not.toHaveProperty('changing');
});

describe('is refused, and nothing changes', () => {
  test('while mounted', async () => {
    put('ext4');
    host.admin.mkdir('/mnt/a');
    host.admin.mount(device, '/mnt/a');
    expect(String(await refused(sets()))).toContain('is in use: mounted on /mnt/a');
  });

  test.each([
    ['ext4', { features: ['uninit_bg'] }, 'the checksums of its block groups depend on the uuid'],
    ['ext4', { errors: true }, 'is not clean'],
    ['btrfs', { changing: fresh }, 'was interrupted'],
    ['iso9660', {}, 'bofh cannot change its uuid'],
  ] as const)('of %s with %o', async (type, more, words) => {
    put(type as Makeable, more);
    expect(String(await refused(sets()))).toContain(words);
  });

  test('with a uuid of another form', async () => {
    put('vfat');
    expect(String(await refused(sets(), UsageError))).toContain('is not a uuid of vfat');
  });
});

test('bofh filesystem uuid prints both UUIDs; it succeeds without a change if the device has that UUID', async () => {
  put('ext4');
  const says = async () => {
    const { runtime, stdout } = testRuntime(simulatedBofh({ host }), { json: true });
    expect(await runVerb(runtime, `filesystem uuid ${device} --uuid ${fresh}`)).toBe(0);
    return answers.filesystemUuid.parse(JSON.parse(stdout()));
  };
  expect(await says()).toEqual({ device, uuid: fresh, was: old });
  const changes = host.changes.length;
  expect(await says()).toEqual({ device, uuid: fresh, was: fresh });
  expect(host.changes.slice(changes).filter(({ what }) => what === 'command')).toEqual([]);
});
