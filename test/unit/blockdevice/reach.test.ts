import { describe, expect, test } from 'vitest';
import { bytesAt } from '../../../src/blockdevice/bytes-at.ts';
import { mappingEnds, reachOf, usersBeyond } from '../../../src/blockdevice/reach.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import type { Answer } from '../../../src/command/index.ts';
import { recorded } from './fixtures.ts';
import { withUnreadable } from './unreadable.ts';

const mib = 1024 ** 2;

/** A host with one volume of 64 MiB, whose content is what was recorded of a device. */
function withRecorded(type: string): SimulatedHost {
  const host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 16 });
  host.admin.format('/dev/vg0/a', {
    type,
    usage: 'filesystem',
    uuid: '0c0ffee0-0000-4000-8000-00000000000f',
  });
  return answering(host, recorded(`od/superblock-${type}@9.1`));
}

/** The same host, but for what od says. */
function answering(host: SimulatedHost, answer: Answer): SimulatedHost {
  const run: SimulatedHost['run'] = async (command) =>
    command.tool === 'od' ? command.parse(answer) : host.run(command);
  return { ...host, run };
}

describe('the end of a filesystem', () => {
  // What mkfs was given: an ext4 of 64 MiB on a file of 100 MiB, the others as large as their files.
  test.each([
    ['ext4', 64 * mib],
    ['xfs', 320 * mib],
    ['btrfs', 128 * mib],
    ['swap', 40 * mib],
  ])('%s stores it', async (type, bytes) => {
    expect(await reachOf(withRecorded(type), '/dev/vg0/a')).toEqual({ type, bytes });
  });

  test.each(['ext4', 'xfs', 'btrfs', 'swap'])('%s is read from the recorded place', async (type) => {
    const asked: (readonly string[])[] = [];
    const host = withRecorded(type);
    const run: SimulatedHost['run'] = async (command) => {
      if (command.tool === 'od') asked.push(command.argv.slice(0, -1));
      return host.run(command);
    };
    await reachOf({ ...host, run }, '/dev/vg0/a');
    expect(asked).toEqual([recorded(`od/superblock-${type}@9.1`).argv.slice(1, -1)]);
  });

  test('is unknown for content without a size, and absent on a blank device', async () => {
    const host = simulatedHost();
    host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 16 });
    expect(await reachOf(host, '/dev/vg0/a')).toBeUndefined();
    host.admin.format('/dev/vg0/a', { type: 'crypto_LUKS', usage: 'crypto', uuid: 'x' });
    expect(await reachOf(host, '/dev/vg0/a')).toEqual({ type: 'crypto_LUKS', bytes: 'unknown' });
  });

  test('is unknown for a btrfs send stream, which blkid does not see', async () => {
    const host = simulatedHost();
    host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 16 });
    const start = Buffer.alloc(8192);
    start.write('btrfs-stream\0');
    const stdout = `${start.toString('hex').replaceAll(/../g, ' $&')}\n`;
    const there = answering(host, { exitCode: 0, stdout, stderr: '' });
    expect(await reachOf(there, '/dev/vg0/a')).toEqual({ type: 'btrfs-stream', bytes: 'unknown' });
  });

  test('cannot be decided on a device with I/O errors, nor its holders', async () => {
    const host = simulatedHost();
    host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 16 });
    const bad = withUnreadable(host, '/dev/dm-0');
    await expect(reachOf(bad, '/dev/vg0/a')).rejects.toThrow(/Input\/output error/);
    await expect(usersBeyond(bad, '/dev/vg0/a', mib)).rejects.toThrow(/Input\/output error/);
  });

  test('is computed in 64 bits for more than 32 bits of blocks', async () => {
    const answer = recorded('od/superblock-ext4@9.1');
    const lines = answer.stdout.split('\n');
    // s_feature_incompat gets 64bit, s_blocks_count_hi becomes 1; the block size is 1 KiB.
    const at = (offset: number): number => Math.floor(offset / 16);
    lines[at(0x60)] = ` 82${(lines[at(0x60)] ?? '').slice(3)}`;
    lines[at(0x150)] = ` 01${(lines[at(0x150)] ?? '').slice(3)}`;
    const large = answering(withRecorded('ext4'), { ...answer, stdout: lines.join('\n') });
    expect((await reachOf(large, '/dev/vg0/a'))?.bytes).toBe(2 ** 32 * 1024 + 64 * mib);
  });

  test('is an error when a line of the answer is missing or damaged', () => {
    const { parse } = bytesAt('/dev/x', { from: 1024, count: 1024 });
    const answer = recorded('od/superblock-ext4@9.1');
    const lines = answer.stdout.split('\n');
    for (const spoiled of [lines.slice(1), lines.map((line) => line.replace('00', '0')), ['', ...lines]])
      expect(() => parse({ ...answer, stdout: spoiled.join('\n') })).toThrow();
  });
});

describe('the end of a mapping on a device', () => {
  const ends = (stdout: string) =>
    mappingEnds('x', '253:1').parse({ exitCode: 0, stdout: `${stdout}\n`, stderr: '' });

  test.each([
    ['linear', '0 98304 linear 253:1 2048', [(98304 + 2048) * 512]],
    [
      'crypt, with its key left out',
      '0 98304 crypt aes-xts-plain64 :64:logon:cryptsetup:5e1f-d0 0 253:1 32768',
      [(98304 + 32768) * 512],
    ],
    ['of another device', '0 98304 linear 253:7 2048', [0]],
    ['of a kind that does not tell', '0 98304 snapshot 253:1 253:2 P 8', [Number.POSITIVE_INFINITY]],
    ['of a kind that has no device, and no words behind it', '0 8 error \n8 8 zero ', [0, 0]],
    ['in two parts', '0 8 linear 253:1 8\n8 8 linear 253:1 0', [16 * 512, 8 * 512]],
  ])('%s', (_, table, expected) => {
    expect(ends(table)).toEqual(expected);
  });

  test.each(['', '0 98304', 'x 1 linear 253:1 0', '0 98304 linear 253:1'])('refuses "%s"', (table) => {
    expect(() => ends(table)).toThrow();
  });
});

describe('holders beyond the end', () => {
  test.each(['ext2', 'ext3', 'ext4'] as const)('are the %s itself, and its mounts', async (type) => {
    const host = simulatedHost();
    host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 16 });
    host.admin.format('/dev/vg0/a', { type, usage: 'filesystem', uuid: 'x', blocks: 8192 });
    host.admin.mount('/dev/vg0/a', '/mnt');

    const words = async (size: number) =>
      (await usersBeyond(host, '/dev/vg0/a', size)).map((holder) => holder.words);

    expect(await words(32 * mib)).toEqual([]);
    expect(await words(32 * mib - 1)).toEqual([
      `its ${type} reaches to 32 MiB (33554432 bytes)`,
      expect.stringMatching(/^mounted on \/mnt \(/),
    ]);
  });
});
