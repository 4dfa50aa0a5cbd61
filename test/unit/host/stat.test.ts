import { lstatSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { statOf } from '../../../src/host/stat.ts';

test('reads an inode number digit by digit, also where a JavaScript number would round it', () => {
  const directory = mkdtempSync(join(tmpdir(), 'bofh-stat-'));
  const real = lstatSync(directory, { bigint: true });
  rmSync(directory, { recursive: true });
  // As overlayfs with `xino=on` gives them: the number of the layer in the high bits.
  const numbers = [2n ** 63n + 1n, 2n ** 63n + 2n, 2n ** 53n + 1n];

  const told = numbers.map((ino) => statOf(Object.assign(Object.create(real) as typeof real, { ino })).inode);

  expect(told).toEqual(['9223372036854775809', '9223372036854775810', '9007199254740993']);
});
