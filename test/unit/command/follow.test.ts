import { describe, expect, test } from 'vitest';
import { follow } from '../../../src/command/index.ts';
import { RefusedError } from '../../../src/core/errors.ts';
import { followed } from '../../../src/vm/checks.ts';
import { treeHost } from '../blockdevice/tree-host.ts';

const host = treeHost({
  '/srv/file': 'text',
  '/srv/first': '-> other/../second',
  '/srv/second': '-> /srv/file',
  '/srv/dangling': '-> none',
  '/srv/circle': '-> circle',
});

describe('follow', () => {
  test('ends at the last link target, even if that is missing', async () => {
    expect(await follow(host, '/srv/first')).toMatchObject({ path: '/srv/file', stat: { kind: 'file' } });
    expect(await follow(host, '/srv/dangling')).toEqual({ path: '/srv/none', stat: undefined });
  });

  test('refuses a loop of links, and names it', async () => {
    await expect(follow(host, '/srv/circle')).rejects.toThrow(RefusedError);
    await expect(follow(host, '/srv/circle')).rejects.toThrow(
      '/srv/circle: more than 40 levels of symbolic links, probably a loop',
    );
  });
});

test('a kernel behind a loop of links is not reported as missing', async () => {
  await expect(followed(host, '/srv/circle')).rejects.toThrow('circle');
  expect(await followed(host, '/srv/dangling')).toBeUndefined();
});
