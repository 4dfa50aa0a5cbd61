import { gzipSync } from 'node:zlib';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ReadHost } from '../../../src/command/index.ts';
import { checkTar } from '../../../src/copy/index.ts';
import { CommandError, ToolError, UsageError } from '../../../src/core/errors.ts';
import { scratch } from '../file/support.ts';
import { tarOf } from './tar.ts';

let dir: string;
let host: ReadHost;
let remove: () => void;

beforeEach(() => {
  ({ dir, host, remove } = scratch());
});

afterEach(() => remove());

const good = tarOf([
  { name: './', type: 'dir' },
  { name: './etc/', type: 'dir' },
  { name: './etc/a b -> c', content: 'hello' },
  { name: './etc/new\nline', content: 'x'.repeat(1000) },
  { name: Buffer.from([0x2e, 0x2f, 0xe9]), content: '' },
  { name: './dev', type: 'char' },
  { name: './mtab', type: 'link', to: '/proc/mounts' },
  { name: './same', type: 'hard', to: './etc/a b -> c' },
]);

async function check(content: Uint8Array, name = 'a b:c.tar') {
  writeFileSync(join(dir, name), content);
  return checkTar({ host, source: join(dir, name) });
}

describe('an archive', () => {
  it('is identified by its members and the bytes of its files', async () => {
    expect(await check(good)).toEqual({ members: 8, bytes: 1005, archiveBytes: good.length - 1024 });
  });

  it('is identified independently of its compression', async () => {
    expect(await check(gzipSync(good))).toEqual({
      members: 8,
      bytes: 1005,
      archiveBytes: good.length - 1024,
    });
  });

  it('may be reached through a symbolic link', async () => {
    await check(good, 'real.tar');
    symlinkSync('real.tar', join(dir, 'link.tar'));
    expect((await checkTar({ host, source: join(dir, 'link.tar') })).members).toBe(8);
  });
});

describe('a source that is no archive to unpack', () => {
  it.each<[string, Uint8Array, RegExp]>([
    ['an empty file', Buffer.alloc(0), /is empty/],
    ['a short text', Buffer.from('hello\n'), /is not a tar archive/],
    ['a long text', Buffer.from('hello\n'.repeat(1000)), /is not a tar archive/],
    ['a compressed text', gzipSync('hello\n'.repeat(1000)), /is not a tar archive/],
    ['an archive with nothing in it', tarOf([]), /without members/],
    ['one that is cut in a header', good.subarray(0, 1300), /is incomplete: its end is missing/],
    ['one that is cut in a content', good.subarray(0, 512 * 5 + 100), /is incomplete: its end is missing/],
    ['one that is cut between two members', good.subarray(0, 512 * 4), /is incomplete: its end is missing/],
    ['one that is cut and compressed', gzipSync(good).subarray(0, 120), /is incomplete: its end is missing/],
    [
      'one that is damaged',
      Buffer.concat([good.subarray(0, 1024), Buffer.alloc(512, 7), good.subarray(1536)]),
      /cannot be read as a tar archive/,
    ],
    ['one with an absolute name', tarOf([{ name: '/etc/passwd', content: 'x' }]), /has an absolute path/],
    ['one that climbs', tarOf([{ name: '../x', content: 'x' }]), /leads out/],
    ['one through a link', tarOf([{ name: 'd', type: 'link', to: '/etc' }, { name: 'd/x' }]), /may lead out/],
    ['a part of a split one', tarOf([{ name: 'label', type: 'V' }]), /type "V"/],
  ])('is refused in one sentence: %s', async (_, content, sentence) => {
    const failure: unknown = await check(content).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UsageError);
    expect((failure as Error).message).toMatch(sentence);
    expect((failure as Error).message).not.toContain('\n');
  });

  it('is refused when missing, a directory, a device, or without an absolute path', async () => {
    mkdirSync(join(dir, 'd'));
    await expect(checkTar({ host, source: join(dir, 'none') })).rejects.toThrow('there is no file');
    await expect(checkTar({ host, source: join(dir, 'd') })).rejects.toThrow('is not a file but a directory');
    await expect(checkTar({ host, source: '/dev/zero' })).rejects.toThrow(
      'is not a file but a character device',
    );
    await expect(checkTar({ host, source: 'a.tar' })).rejects.toThrow('not an absolute path');
  });
});

describe('a failure that the archive did not cause', () => {
  const failing = (failure: Partial<ConstructorParameters<typeof CommandError>[0]>): ReadHost => ({
    ...host,
    run: () => Promise.reject(new CommandError({ tool: 'tar', argv: [], reason: 'unknown', ...failure })),
  });

  it('is a missing decompressor, with the package to install', async () => {
    const stderr = 'tar (child): xz: Cannot exec: No such file or directory\ntar: Child returned status 2\n';
    const source = join(dir, 'a.tar.xz');
    writeFileSync(source, 'x');
    const failure: unknown = await checkTar({ host: failing({ exitCode: 2, stderr }), source }).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(ToolError);
    expect(failure).toMatchObject({ remedy: 'apt-get install xz-utils' });
  });

  it('is not attributed to the archive', async () => {
    const source = join(dir, 'a.tar');
    writeFileSync(source, 'x');
    const failure = checkTar({ host: failing({ reason: 'timeout' }), source });
    await expect(failure).rejects.toThrow(CommandError);
  });
});
