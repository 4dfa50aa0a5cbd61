import {
  existsSync,
  lstatSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChangeHost } from '../../../src/command/index.ts';
import { RefusedError } from '../../../src/core/errors.ts';
import { link } from '../../../src/file/operations.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { mark, scratch, take } from './support.ts';

let dir: string;
let host: ChangeHost;
let clean: () => void;
let path: string;

beforeEach(() => {
  ({ dir, host, remove: clean } = scratch());
  path = join(dir, 'web1.cfg');
});

afterEach(() => clean());

const names = () => readdirSync(dir).filter((name) => name !== '.outputs');

describe('a new link', () => {
  it('leads to its target, and the undo removes it', async () => {
    const step = await take(link, { path, to: '../web1.cfg' }, host);
    await step.run();
    expect(readlinkSync(path)).toBe('../web1.cfg');
    expect(names()).toEqual([`.bofh-${mark}`, 'web1.cfg']);

    await step.goBack('without result');
    expect(names()).toEqual([]);
  });

  it('has no other name after the commit', async () => {
    const step = await take(link, { path, to: '../web1.cfg' }, host);
    await step.run();
    await step.finish();
    expect(names()).toEqual(['web1.cfg']);
    expect(lstatSync(path).nlink).toBe(1);
  });

  it('that others replaced stays', async () => {
    const step = await take(link, { path, to: '../web1.cfg' }, host);
    await step.run();
    rmSync(path);
    symlinkSync('theirs', path);

    expect((await step.look()).found).toContain('is another object now and stays');
    await step.goBack();
    expect([readlinkSync(path), names()]).toEqual(['theirs', ['web1.cfg']]);
  });

  it('does not replace one that appeared meanwhile', async () => {
    const step = await take(link, { path, to: '../web1.cfg' }, host);
    symlinkSync('theirs', path);
    await expect(step.run()).rejects.toThrow('exists already');
    await step.goBack('without result');
    expect([readlinkSync(path), names()]).toEqual(['theirs', ['web1.cfg']]);
  });
});

describe('a removed link', () => {
  beforeEach(() => symlinkSync('../web1.cfg', path));

  it('is the same inode after the undo', async () => {
    const before = lstatSync(path).ino;
    const step = await take(link, { path, to: null }, host);
    await step.run();
    expect(existsSync(path)).toBe(false);
    await step.goBack('without result');
    expect([readlinkSync(path), lstatSync(path).ino, names()]).toEqual(['../web1.cfg', before, ['web1.cfg']]);
  });

  it('is gone after the commit', async () => {
    const step = await take(link, { path, to: null }, host);
    await step.run();
    await step.finish();
    expect(names()).toEqual([]);
  });

  it('that was changed meanwhile stays', async () => {
    const step = await take(link, { path, to: null }, host);
    rmSync(path);
    symlinkSync('theirs', path);
    await expect(step.run()).rejects.toThrow('changed concurrently');
    await step.goBack('without result');
    expect([readlinkSync(path), names()]).toEqual(['theirs', ['web1.cfg']]);
  });
});

describe('a changed link', () => {
  const asked = () => ({ path, from: '../web1.cfg', to: '../web2.cfg' });
  beforeEach(() => symlinkSync('../web1.cfg', path));

  it('is the same inode after the undo, twice as well', async () => {
    const before = lstatSync(path).ino;
    const step = await take(link, asked(), host);
    await step.run();
    expect([readlinkSync(path), names()]).toEqual(['../web2.cfg', [`.bofh-gone-${mark}`, 'web1.cfg']]);
    await step.goBack('without result');
    await step.goBack();
    expect([readlinkSync(path), lstatSync(path).ino, names()]).toEqual(['../web1.cfg', before, ['web1.cfg']]);
  });

  it('has no other name after the commit', async () => {
    const step = await take(link, asked(), host);
    await step.run();
    await step.finish();
    expect([readlinkSync(path), names()]).toEqual(['../web2.cfg', ['web1.cfg']]);
  });

  it('that others changed since stays', async () => {
    const step = await take(link, asked(), host);
    await step.run();
    rmSync(path);
    symlinkSync('theirs', path);
    expect((await step.look()).found).toContain('is another object now and stays');
    await step.goBack();
    expect([readlinkSync(path), names()]).toEqual(['theirs', ['web1.cfg']]);
  });

  it('that others changed before the step stays', async () => {
    const step = await take(link, asked(), host);
    rmSync(path);
    symlinkSync('theirs', path);
    await expect(step.run()).rejects.toThrow('changed concurrently');
    await step.goBack('without result');
    expect([readlinkSync(path), names()]).toEqual(['theirs', ['web1.cfg']]);
  });

  it('that has another target than expected is refused', async () => {
    await expect(take(link, { path, from: 'x', to: 'y' }, host)).rejects.toThrow('is not a link to x');
  });
});

const rows: readonly (readonly [string, () => void, string | null, string])[] = [
  ['a file at its place', () => writeFileSync(path, 'x'), '../web1.cfg', 'exists already: there is a file'],
  ['a file instead of the link', () => writeFileSync(path, 'x'), null, 'is not a link but a file'],
  ['no link to remove', () => undefined, null, 'there is no link'],
];

it.each(rows)('%s is refused', async (_, before, to, message) => {
  before();
  const error: unknown = await take(link, { path, to }, host).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(RefusedError);
  expect((error as RefusedError).message).toContain(message);
});

it('is not removed if it does not lead to the target that the caller has seen', async () => {
  symlinkSync('theirs', path);
  const error = await rejectionOf(take(link, { path, to: null, from: 'ours' }, host));
  expect(error).toBeInstanceOf(RefusedError);
  expect(String(error)).toContain('is not a link to ours');

  const step = await take(link, { path, to: null, from: 'theirs' }, host);
  await step.run();
  expect(existsSync(path)).toBe(false);
});
