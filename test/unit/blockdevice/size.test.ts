import { describe, expect, test } from 'vitest';
import { size } from '../../../src/blockdevice/index.ts';
import { ParseError } from '../../../src/core/errors.ts';
import { treeHost, virtual } from './tree-host.ts';

const hostWith = (text: string) => treeHost(virtual('loop3', '7:3', { size: text }));

describe('the size of a device', () => {
  test('is reported by the kernel in units of 512 bytes', async () => {
    expect(await size(hostWith('131072\n'), '/dev/loop3')).toBe(64 * 1024 ** 2);
    expect(await size(hostWith('0\n'), '/dev/loop3')).toBe(0);
  });

  test.each(['', '\n', '12', '-1\n', '1e3\n', '12 \n', '99999999999999999999\n'])(
    'is refused for %j',
    async (text) => {
      await expect(size(hostWith(text), '/dev/loop3')).rejects.toThrow(ParseError);
    },
  );

  test('is missing for a device that is absent, or is being removed', async () => {
    for (const tree of [{}, { '/dev/loop3': 'block 7:3' }])
      await expect(size(treeHost(tree), '/dev/loop3')).rejects.toMatchObject({ reason: 'not-found' });
    expect.assertions(2);
  });
});
