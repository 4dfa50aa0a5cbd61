import {
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChangeHost } from '../../../src/command/index.ts';
import { RefusedError } from '../../../src/core/errors.ts';
import { remove, sha256 } from '../../../src/file/index.ts';
import { mark, scratch, take } from './support.ts';

let dir: string;
let host: ChangeHost;
let clean: () => void;
let path: string;
let tombstone: string;

beforeEach(() => {
  ({ dir, host, remove: clean } = scratch());
  path = join(dir, 'web1.cfg');
  tombstone = join(dir, `.bofh-gone-${mark}`);
  writeFileSync(path, 'old', { mode: 0o600 });
});

afterEach(() => clean());

const names = () => readdirSync(dir).filter((name) => name !== '.outputs');

describe('a removed file', () => {
  it('loses its name at once, and stays beside it until the commit', async () => {
    const inode = statSync(path).ino;
    const step = await take(remove, { path }, host);
    await step.run();
    expect(names()).toEqual([`.bofh-gone-${mark}`]);
    expect(statSync(tombstone).ino).toBe(inode);
    expect(await step.look()).toEqual({ state: 'ours' });
  });

  it('is restored by the undo, also without a result and twice', async () => {
    const before = statSync(path);
    const step = await take(remove, { path }, host);
    await step.run();
    await step.goBack('without result');
    await step.goBack('without result');
    const after = statSync(path);
    expect([after.ino, after.mode, after.mtimeMs, after.nlink]).toEqual([
      before.ino,
      before.mode,
      before.mtimeMs,
      1,
    ]);
    expect(names()).toEqual(['web1.cfg']);
    expect(await step.look()).toEqual({ state: 'gone' });
  });

  it('is identified by its whole inode number, also where a JavaScript number would round it', async () => {
    // As overlayfs with `xino=on` gives them. Rounded to a number both are 2^63.
    const numbered = (inode: string): ChangeHost => ({
      ...host,
      stat: async (at) => {
        const stat = await host.stat(at);
        return stat === undefined ? undefined : { ...stat, inode };
      },
    });
    const step = await take(remove, { path }, numbered('9223372036854775809'));
    await step.run();
    expect(await step.look()).toEqual({ state: 'ours' });

    const undo = JSON.parse(JSON.stringify(step.undo)) as unknown;
    const other = await remove.look({ undo, host: numbered('9223372036854775810') });

    expect(undo).toMatchObject({ inode: '9223372036854775809' });
    expect(other.state).toBe('not-ours');
  });

  it('is deleted after the commit, and a second finish does nothing', async () => {
    const step = await take(remove, { path }, host);
    await step.run();
    await step.finish();
    await step.finish();
    expect(names()).toEqual([]);
    expect(await step.look()).toEqual({ state: 'gone' });
  });

  it.each(['link', 'removeFile'] as const)(
    'is restored after a kill before or after the %s',
    async (call) => {
      const step = await take(remove, { path }, host);
      await expect(step.run({ ...host, [call]: () => Promise.reject(new Error('killed')) })).rejects.toThrow(
        'killed',
      );
      await step.goBack('without result');
      expect(names()).toEqual(['web1.cfg']);
    },
  );

  it('is restored after a kill during the undo', async () => {
    const step = await take(remove, { path }, host);
    await step.run();
    linkSync(tombstone, path);
    await step.goBack();
    expect(names()).toEqual(['web1.cfg']);
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  it('is restored with data that a process wrote meanwhile', async () => {
    const step = await take(remove, { path }, host);
    await step.run();
    writeFileSync(tombstone, 'old and new');
    await step.goBack();
    expect(readFileSync(path, 'utf8')).toBe('old and new');
  });

  it('is kept after the commit when a process wrote to it since', async () => {
    const step = await take(remove, { path }, host);
    await step.run();
    writeFileSync(tombstone, 'new');
    await expect(step.finish()).rejects.toThrow(
      `${path} was removed, but another process has written to it since`,
    );
    expect(readFileSync(tombstone, 'utf8')).toBe('new');
  });
});

describe('the file of another user', () => {
  it('in the old place stops the undo with both names, and both stay', async () => {
    const step = await take(remove, { path }, host);
    await step.run();
    writeFileSync(path, 'foreign');
    const failure = expect(step.goBack()).rejects;
    await failure.toThrow(path);
    await expect(step.goBack()).rejects.toThrow(tombstone);
    expect(readFileSync(path, 'utf8')).toBe('foreign');
    expect(readFileSync(tombstone, 'utf8')).toBe('old');
    expect((await step.look()).state).toBe('ours');
  });

  it('in the old place does not block the act after the commit', async () => {
    const step = await take(remove, { path }, host);
    await step.run();
    writeFileSync(path, 'foreign');
    await step.finish();
    expect(names()).toEqual(['web1.cfg']);
    expect(readFileSync(path, 'utf8')).toBe('foreign');
  });

  it('under the name of the tombstone is neither renamed nor deleted', async () => {
    const step = await take(remove, { path }, host);
    await step.run();
    renameSync(tombstone, join(dir, 'kept'));
    writeFileSync(tombstone, 'old');
    expect((await step.look()).state).toBe('not-ours');
    await step.goBack();
    await step.finish();
    expect(readFileSync(tombstone, 'utf8')).toBe('old');
  });

  it.each([
    [
      'replaces it before the act',
      () => {
        writeFileSync(`${path}.new`, 'foreign');
        renameSync(`${path}.new`, path);
      },
    ],
    ['edits it before the act', () => writeFileSync(path, 'foreign')],
  ])('stays when another process %s', async (_, meddle) => {
    const step = await take(remove, { path }, host);
    meddle();
    await expect(step.run()).rejects.toThrow(RefusedError);
    await step.goBack('without result');
    expect(names()).toEqual(['web1.cfg']);
    expect(readFileSync(path, 'utf8')).toBe('foreign');
  });

  it('stays when it takes the name between the link and the removal', async () => {
    const step = await take(remove, { path }, host);
    const meddled = {
      ...host,
      link: async (from: string, to: string) => {
        await host.link(from, to);
        rmSync(path);
        writeFileSync(path, 'foreign');
      },
    };
    await expect(step.run(meddled)).rejects.toThrow('changed concurrently');
    await step.goBack('without result');
    expect(names()).toEqual(['web1.cfg']);
    expect(readFileSync(path, 'utf8')).toBe('foreign');
  });
});

describe('before anything changes', () => {
  it('a symbolic link is refused', async () => {
    symlinkSync(path, join(dir, 'link'));
    await expect(take(remove, { path: join(dir, 'link') }, host)).rejects.toThrow('is a symbolic link');
  });

  it('a directory and a missing file are refused', async () => {
    await expect(take(remove, { path: join(dir, '.outputs') }, host)).rejects.toThrow('not a regular file');
    await expect(take(remove, { path: join(dir, 'none') }, host)).rejects.toThrow('there is no file');
  });

  it('refuses content other than expected', async () => {
    await expect(take(remove, { path, sha256: sha256('older') }, host)).rejects.toThrow(
      'content has changed',
    );
    const step = await take(remove, { path, sha256: sha256('old') }, host);
    await step.run();
    expect(existsSync(path)).toBe(false);
  });
});
