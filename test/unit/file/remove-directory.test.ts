import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChangeHost } from '../../../src/command/index.ts';
import { removeDirectory } from '../../../src/file/operations.ts';
import { mark, scratch, take } from './support.ts';

let dir: string;
let host: ChangeHost;
let clean: () => void;
let path: string;

beforeEach(() => {
  ({ dir, host, remove: clean } = scratch());
  path = join(dir, 'photos');
  mkdirSync(path, { mode: 0o750 });
});

afterEach(() => clean());

const names = () => readdirSync(dir).filter((name) => name !== '.outputs');

describe('a removed directory', () => {
  it('is the same inode after the undo, twice as well', async () => {
    const before = statSync(path).ino;
    const step = await take(removeDirectory, { path }, host);
    await step.run();
    expect(names()).toEqual([`.bofh-gone-${mark}`]);
    await step.goBack('without result');
    await step.goBack();
    expect([names(), statSync(path).ino, statSync(path).mode & 0o777]).toEqual([['photos'], before, 0o750]);
  });

  it('is gone after the commit', async () => {
    const step = await take(removeDirectory, { path }, host);
    await step.run();
    await step.finish();
    await step.finish();
    expect([names(), (await step.look()).state]).toEqual([[], 'gone']);
  });

  it('that others wrote to since is kept, and named', async () => {
    const step = await take(removeDirectory, { path }, host);
    await step.run();
    writeFileSync(join(dir, `.bofh-gone-${mark}`, 'late'), 'x');
    await expect(step.finish()).rejects.toThrow('another process has written to it since');
    await step.goBack();
    expect(existsSync(join(path, 'late'))).toBe(true);
  });

  it('is not restored over another one', async () => {
    const step = await take(removeDirectory, { path }, host);
    await step.run();
    mkdirSync(path);
    await expect(step.goBack()).rejects.toThrow('its name was taken meanwhile');
  });

  it('that others replaced after the step stays, in the undo and after the commit', async () => {
    const step = await take(removeDirectory, { path }, host);
    await step.run();
    const tombstone = join(dir, `.bofh-gone-${mark}`);
    mkdirSync(`${tombstone}.new`);
    rmdirSync(tombstone);
    renameSync(`${tombstone}.new`, tombstone);
    expect(await step.look()).toMatchObject({ state: 'not-ours' });
    await step.goBack();
    await step.finish();
    expect(names()).toEqual([`.bofh-gone-${mark}`]);
  });

  it('that others replaced before the step stays', async () => {
    const step = await take(removeDirectory, { path }, host);
    mkdirSync(`${path}.new`);
    rmdirSync(path);
    mkdirSync(path);
    await expect(step.run()).rejects.toThrow('changed concurrently');
    await step.goBack('without result');
    expect(names()).toEqual(['photos', 'photos.new']);
  });
});

it('refuses a non-empty directory, a file, and a missing path', async () => {
  writeFileSync(join(path, 'x'), '');
  await expect(take(removeDirectory, { path }, host)).rejects.toThrow('is not empty (x)');
  await expect(take(removeDirectory, { path: join(path, 'x') }, host)).rejects.toThrow(
    'not a directory but a file',
  );
  await expect(take(removeDirectory, { path: join(dir, 'none') }, host)).rejects.toThrow(
    'there is no directory',
  );
});

describe('a directory that the sequence empties', () => {
  const emptied = (): readonly string[] => [join(path, 'one'), join(path, 'in')];
  const one = (): string => join(path, `.bofh-gone-${mark.replace(/\d+$/, '')}7`);
  beforeEach(() => writeFileSync(one(), ''));

  it('stays until the commit, and then goes', async () => {
    mkdirSync(join(path, 'in'));
    const step = await take(removeDirectory, { path, emptied: emptied() }, host);
    expect([readdirSync(path).length, (await step.look()).state]).toEqual([2, 'ours']);
    rmSync(one());
    rmdirSync(join(path, 'in'));
    await step.finish();
    await step.finish();
    expect([names(), (await step.look()).state]).toEqual([[], 'gone']);
  });

  it('with another entry, or one that another sequence removes, is refused', async () => {
    writeFileSync(join(path, '.bofh-gone-bofh.00000000000.1'), '');
    await expect(take(removeDirectory, { path, emptied: emptied() }, host)).rejects.toThrow(
      `${path} is not empty (.bofh-gone-bofh.00000000000.1)`,
    );
  });

  it('a path outside is a usage error', async () => {
    await expect(take(removeDirectory, { path, emptied: [`${path}2/one`] }, host)).rejects.toThrow(
      `emptied names ${path}2/one, which is not in ${path}`,
    );
  });

  it('stays with files that others wrote there, and names them', async () => {
    const step = await take(removeDirectory, { path, emptied: emptied() }, host);
    rmSync(one());
    writeFileSync(join(path, 'theirs'), '');
    await expect(step.finish()).rejects.toThrow(
      'cannot be removed: another process has written to it since the step',
    );
    expect(readdirSync(path)).toEqual(['theirs']);
  });
});
