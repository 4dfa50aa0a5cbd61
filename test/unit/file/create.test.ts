import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
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
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import { create } from '../../../src/file/index.ts';
import { mark, scratch, take } from './support.ts';

let dir: string;
let host: ChangeHost;
let remove: () => void;
let path: string;
let own: string;

beforeEach(() => {
  ({ dir, host, remove } = scratch());
  path = join(dir, 'web1.cfg');
  own = join(dir, `.bofh-${mark}`);
});

afterEach(() => remove());

const args = () => ({ path, content: 'name = "web1"\n', mode: 0o640 });
const leftovers = () => readdirSync(dir).filter((name) => name.startsWith('.bofh-'));

describe('a new file', () => {
  it('has the requested content and mode, and keeps its private name until the commit', async () => {
    const step = await take(create, args(), host);
    expect(await step.run()).toEqual({ path });
    expect(readFileSync(path, 'utf8')).toBe('name = "web1"\n');
    expect(statSync(path).mode & 0o7777).toBe(0o640);
    expect(statSync(own).ino).toBe(statSync(path).ino);
    expect(await step.look()).toEqual({ state: 'ours' });
  });

  it('loses only its private name after the commit, and has no tag then', async () => {
    const step = await take(create, args(), host);
    await step.run();
    await step.finish();
    await step.finish();
    expect(readFileSync(path, 'utf8')).toBe('name = "web1"\n');
    expect(leftovers()).toEqual([]);
    expect(await step.look()).toEqual({ state: 'gone' });
  });

  it('is removed by the undo without a trace, also without a result and twice', async () => {
    const step = await take(create, args(), host);
    await step.run();
    await step.goBack('without result');
    await step.goBack();
    expect(readdirSync(dir)).toEqual(['.outputs']);
    expect(await step.look()).toEqual({ state: 'gone' });
  });

  it('is undone after a kill between the write and the link', async () => {
    const step = await take(create, args(), host);
    await expect(step.run({ ...host, link: () => Promise.reject(new Error('killed')) })).rejects.toThrow(
      'killed',
    );
    expect(await step.look('without result')).toEqual({ state: 'ours' });
    await step.goBack('without result');
    expect(leftovers()).toEqual([]);
    expect(await step.look()).toEqual({ state: 'gone' });
  });

  it('is undone after a kill during the write', async () => {
    const step = await take(create, args(), host);
    writeFileSync(own, 'name');
    await step.goBack('without result');
    expect(leftovers()).toEqual([]);
  });

  it('is undone after a kill during the undo', async () => {
    const step = await take(create, args(), host);
    await step.run();
    rmSync(path);
    expect(await step.look()).toEqual({ state: 'ours' });
    await step.goBack();
    expect(leftovers()).toEqual([]);
  });

  it('has a private name that no program reads as its configuration', async () => {
    const step = await take(create, { ...args(), path: join(dir, 'r0.res') }, host);
    await step.run();
    expect(leftovers()).toHaveLength(1);
    expect(leftovers()[0]).not.toMatch(/\.(?:cfg|conf|res)$/);
  });

  it('may be empty', async () => {
    const step = await take(create, { ...args(), content: '' }, host);
    await step.run();
    expect(await step.look()).toEqual({ state: 'ours' });
    await step.goBack();
    expect(existsSync(path)).toBe(false);
  });
});

describe('the file of another user', () => {
  it('is not replaced when it appears between the check and the act', async () => {
    const step = await take(create, args(), host);
    // Not in `link` itself: a rename in its place would pass by unseen.
    const meddled: typeof host = {
      ...host,
      writeNew: async (...file) => {
        const made = await host.writeNew(...file);
        writeFileSync(path, 'foreign');
        return made;
      },
    };
    await expect(step.run(meddled)).rejects.toThrow(RefusedError);
    expect((await step.look()).found).toContain(path);
    await step.goBack('without result');
    expect(readFileSync(path, 'utf8')).toBe('foreign');
    expect(leftovers()).toEqual([]);
    expect(await step.look()).toEqual({ state: 'gone' });
  });

  it('stays when an editor replaced ours by rename', async () => {
    const step = await take(create, args(), host);
    await step.run();
    writeFileSync(join(dir, 'web1.cfg.new'), 'name = "web1"\n');
    renameSync(join(dir, 'web1.cfg.new'), path);
    const inode = statSync(path).ino;
    expect((await step.look()).found).toContain('another file');
    await step.goBack();
    expect(statSync(path).ino).toBe(inode);
    expect(leftovers()).toEqual([]);
  });

  it('stays when it was edited in place, and is named', async () => {
    const step = await take(create, args(), host);
    await step.run();
    writeFileSync(path, 'name = "web2"\n');
    expect(await step.look()).toEqual({ state: 'ours', found: `${path} was edited since and stays` });
    await step.goBack();
    expect(readFileSync(path, 'utf8')).toBe('name = "web2"\n');
    expect(leftovers()).toEqual([]);
  });

  it('stays when it is a symbolic link to our private name', async () => {
    const step = await take(create, args(), host);
    await step.run();
    rmSync(path);
    symlinkSync(own, path);
    await step.goBack();
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
    expect(leftovers()).toEqual([]);
  });

  it('stays when it is another link to our file', async () => {
    const step = await take(create, args(), host);
    await step.run();
    linkSync(path, join(dir, 'backup'));
    await step.goBack();
    expect(readFileSync(join(dir, 'backup'), 'utf8')).toBe('name = "web1"\n');
    expect(existsSync(path)).toBe(false);
  });

  it('a directory with our private name is left untouched', async () => {
    const step = await take(create, args(), host);
    mkdirSync(own);
    await expect(step.run()).rejects.toThrow();
    expect((await step.look()).state).toBe('not-ours');
    await step.goBack('without result');
    await create.revert({ undo: step.undo, host });
    expect(existsSync(own)).toBe(true);
  });

  it('stays with a private name of another step', async () => {
    writeFileSync(join(dir, `.bofh-${mark}2`), 'x');
    const step = await take(create, args(), host);
    await step.run();
    await step.goBack();
    expect(leftovers()).toEqual([`.bofh-${mark}2`]);
  });
});

describe('before anything changes', () => {
  it.each([
    ['a path that does not begin at the root', 'etc/hostname'],
    ['a path that climbs', '/etc/../shadow'],
    ['a path with a slash too many', '/etc//hostname'],
    ['a directory', '/etc/'],
    ['the root', '/'],
    ['a path with a NUL', '/etc/a\0b'],
  ])('%s is refused', async (_, bad) => {
    await expect(take(create, { ...args(), path: bad }, host)).rejects.toThrow(UsageError);
  });

  it('a name that exists is refused, whatever has it', async () => {
    symlinkSync('/nowhere', path);
    await expect(take(create, args(), host)).rejects.toThrow(
      `${path} exists already: there is a symbolic link`,
    );
  });

  it('a name with a space is one word in the remedy', async () => {
    const odd = join(dir, 'a b');
    symlinkSync('/nowhere', odd);
    await expect(take(create, { ...args(), path: odd }, host)).rejects.toMatchObject({
      remedy: `see what it is: ls -ld '${odd}'; then move it away: mv '${odd}' '${odd}.old'; or choose another name`,
    });
  });

  it('a missing directory is refused and named', async () => {
    await expect(take(create, { ...args(), path: join(dir, 'no/file') }, host)).rejects.toThrow(
      `there is no directory ${dir}/no for file`,
    );
  });

  it('a symbolic link in the place of the directory is refused', async () => {
    symlinkSync(dir, join(dir, 'link'));
    await expect(take(create, { ...args(), path: join(dir, 'link/file') }, host)).rejects.toThrow(
      'not a directory but a symbolic link',
    );
  });

  it('the claim is on the path', async () => {
    const step = await take(create, args(), host);
    const claims = await create.claims({
      args: args(),
      undo: step.undo,
      on: () => Promise.reject(new Error()),
    });
    expect(claims).toEqual({ makes: [`file:${path}`] });
  });
});
