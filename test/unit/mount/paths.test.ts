import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChangeHost } from '../../../src/command/index.ts';
import { CommandError, RefusedError, UsageError } from '../../../src/core/errors.ts';
import { emptyDirectory, realPath } from '../../../src/mount/paths.ts';
import { scratch } from '../file/support.ts';

let dir: string;
let host: ChangeHost;
let remove: () => void;

beforeEach(() => {
  ({ dir, host, remove } = scratch());
  dir = realpathSync(dir);
  mkdirSync(join(dir, 'a/b'), { recursive: true });
  symlinkSync('a', join(dir, 'relative'));
  symlinkSync(join(dir, 'a/b'), join(dir, 'absolute'));
  symlinkSync('../../relative/b', join(dir, 'a/b/climbing'));
  symlinkSync('circle', join(dir, 'circle'));
});

afterEach(() => remove());

describe('the real path', () => {
  it.each(['a/b', 'relative/b', 'absolute', 'a/b/climbing', 'relative/../a//b/', 'absolute/climbing/.'])(
    'of %s is that of the kernel',
    async (path) => {
      expect(await realPath(host, join(dir, 'x').replace(/x$/, path))).toBe(join(dir, 'a/b'));
    },
  );

  it('of the root is the root', async () => {
    expect(await realPath(host, '/')).toBe('/');
    expect(await realPath(host, '/..')).toBe('/');
  });

  it('is refused for a circle, a missing part and a relative path', async () => {
    await expect(realPath(host, join(dir, 'circle/x'))).rejects.toThrow(RefusedError);
    await expect(realPath(host, join(dir, 'a/none'))).rejects.toThrow(CommandError);
    await expect(realPath(host, 'a/b')).rejects.toThrow(UsageError);
  });
});

describe('a directory to mount on', () => {
  it('is empty', async () => {
    mkdirSync(join(dir, 'empty'));
    expect(await emptyDirectory(host, join(dir, 'empty'))).toBe(join(dir, 'empty'));
  });

  it('is refused with something in it, or when it is none', async () => {
    writeFileSync(join(dir, 'a/file'), '');
    await expect(emptyDirectory(host, join(dir, 'a'))).rejects.toThrow('is not empty (b, file)');
    await expect(emptyDirectory(host, join(dir, 'a/file'))).rejects.toThrow('not a directory but a file');
  });
});
