import { describe, expect, test } from 'vitest';
import { receive, send } from '../../../src/btrfs/send-commands.ts';
import { streamHead } from '../../../src/btrfs/stream.ts';
import { classify } from '../../../src/btrfs/commands.ts';

// The first 95 bytes of what `btrfs send -p s2 s3` of btrfs-progs 6.2 on Linux 6.18 wrote: all of its first command.
const recorded = Buffer.from(
  '62747266732d73747265616d0001000000' +
    '460000000200e49bdb15' +
    '0f0002007333' +
    '01001000fca2698adfd03b4688722282' +
    '57a30713' +
    '020008000900000000000000' +
    '140010006d54dc3256417c45b43334e513abe792' +
    '150008000800000000000000',
  'hex',
);

const head = (bytes: Uint8Array) => streamHead(new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
const spoiled = (at: number, value: number): Buffer => {
  const copy = Buffer.from(recorded);
  copy.writeUInt8(value, at);
  return copy;
};

describe('the head of a stream', () => {
  test('contains what was sent, and its parent', () => {
    expect(head(recorded)).toEqual({
      name: 's3',
      uuid: 'fca2698a-dfd0-3b46-8872-228257a30713',
      parentUuid: '6d54dc32-5641-7c45-b433-34e513abe792',
    });
    // Bytes of what follows do not matter.
    expect(head(Buffer.concat([recorded, Buffer.from('more')]))?.name).toBe('s3');
  });

  test('of a full send has no parent', () => {
    expect(head(spoiled(21, 1))?.parentUuid).toBeUndefined();
  });

  test('of other data is no stream', () => {
    expect(head(spoiled(0, 0x63))).toBeUndefined();
    expect(head(recorded.subarray(0, 20))).toBeUndefined();
  });

  test.each([
    ['another command', spoiled(21, 3)],
    ['a version that is not known', spoiled(13, 9)],
    ['no name', spoiled(27, 0x10)],
    ['no uuid', spoiled(33, 3)],
    ['a snapshot without a parent', spoiled(65, 0x15)],
    ['an attribute that is too long', spoiled(29, 0xff)],
    ['a name with a slash', spoiled(31, 0x2f)],
    ['a name that is no UTF-8', spoiled(31, 0xff)],
    ['a uuid of another length', spoiled(35, 15)],
    ['an end within the command', recorded.subarray(0, 90)],
  ])('with %s is an error', (_what, bytes) => {
    expect(() => head(bytes)).toThrow(/stream/);
  });

  test('cut anywhere is an error, or no stream', () => {
    for (let length = 0; length < recorded.length; length += 1) {
      const cut = recorded.subarray(0, length);
      if (length < 27) expect(head(cut)).toBeUndefined();
      else expect(() => head(cut)).toThrow(/cut off/);
    }
  });
});

describe('send and receive', () => {
  test('are the commands of btrfs-progs 6.2', () => {
    expect(send({ source: '/p/s2', parent: '/p/s1' }).argv).toEqual(['send', '-p', '/p/s1', '/p/s2']);
    expect(send({ source: '/p/s2', file: '/f' }).argv).toEqual(['send', '-f', '/f', '/p/s2']);
    expect(receive({ directory: '/d' }).argv).toEqual(['receive', '/d']);
    expect(receive({ directory: '/d', file: '/f' }).argv).toEqual(['receive', '-f', '/f', '/d']);
  });

  test('may be ended half-way', () => {
    expect([send({ source: '/p' }).stop, receive({ directory: '/d' }).stop]).toEqual(['safe', 'safe']);
  });

  test.each([
    ['At snapshot s3\nERROR: cannot find parent subvolume\n', 'not-found'],
    ['At snapshot s3\nERROR: creating snapshot s2 -> s3 failed: File exists\n', 'exists'],
    ['At subvol s1\nERROR: short read from stream: expected 10 read 5\n', 'unknown'],
    ['At subvol s1\nERROR: write to file failed: No space left on device\n', 'no-space'],
  ])('%j is %s', (stderr, reason) => {
    expect(classify({ exitCode: 1, stdout: '', stderr })).toBe(reason);
  });
});
