import { chmodSync, linkSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChangeHost } from '../../../src/command/index.ts';
import { RefusedError } from '../../../src/core/errors.ts';
import { sha256 } from '../../../src/file/index.ts';
import { change } from '../../../src/file/operations.ts';
import { mark, scratch, take } from './support.ts';

let dir: string;
let host: ChangeHost;
let clean: () => void;
let path: string;

beforeEach(() => {
  ({ dir, host, remove: clean } = scratch());
  path = join(dir, 'web1.cfg');
  writeFileSync(path, 'old');
  chmodSync(path, 0o640);
});

afterEach(() => clean());

const names = () => readdirSync(dir).filter((name) => name !== '.outputs');
const content = () => readFileSync(path, 'utf8');
const changed = async () => {
  const step = await take(change, { path, content: 'new' }, host);
  await step.run();
  return step;
};

describe('a changed file', () => {
  it('has the new content and the old mode, and the old file stays beside it until the commit', async () => {
    const step = await changed();

    expect([content(), statSync(path).mode & 0o777]).toEqual(['new', 0o640]);
    expect(names()).toEqual([`.bofh-gone-${mark}`, 'web1.cfg']);
    expect(await step.look()).toEqual({ state: 'ours' });
    await step.finish();
    expect(names()).toEqual(['web1.cfg']);
    expect(await step.look()).toEqual({ state: 'gone' });
  });

  it('is the original file after the undo, also when that runs twice', async () => {
    const before = statSync(path);
    const step = await changed();

    await step.goBack('without result');
    await step.goBack('without result');

    const after = statSync(path);
    expect([content(), after.ino, after.mtimeMs, after.nlink]).toEqual([
      'old',
      before.ino,
      before.mtimeMs,
      1,
    ]);
    expect(names()).toEqual(['web1.cfg']);
  });

  it.each(['writeNew', 'link', 'rename'] as const)(
    'is as before after the undo of a step killed after %s',
    async (call) => {
      const step = await take(change, { path, content: 'new' }, host);
      const killed = {
        ...host,
        [call]: async (...args: readonly never[]) => {
          await (host[call] as (...all: readonly never[]) => Promise<unknown>)(...args);
          throw new Error('killed');
        },
      };
      await expect(step.run(killed)).rejects.toThrow('killed');

      expect((await step.look('without result')).state).toBe('ours');
      await step.goBack('without result');

      expect([content(), names()]).toEqual(['old', ['web1.cfg']]);
    },
  );

  it('that others edited after the step is left untouched', async () => {
    const step = await changed();
    writeFileSync(path, 'theirs');

    expect((await step.look()).found).toContain('was edited since and stays');
    await step.goBack();

    expect([content(), names()]).toEqual(['theirs', ['web1.cfg']]);
  });

  it('whose old file others still write to keeps that after the commit, and says where', async () => {
    const step = await changed();
    writeFileSync(join(dir, `.bofh-gone-${mark}`), 'late');

    await expect(step.finish()).rejects.toThrow('another process has written to the old file since');
    expect(names()).toContain(`.bofh-gone-${mark}`);
  });
});

describe('a file is not changed', () => {
  const refused = async (args: object = {}) => {
    const error: unknown = await take(change, { path, content: 'new', ...args }, host).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(RefusedError);
    expect(names().filter((name) => name.startsWith('.bofh'))).toEqual([]);
    return (error as RefusedError).message;
  };

  it('that differs from the one that the caller read', async () => {
    expect(await refused({ sha256: sha256('other') })).toContain('edited concurrently');
  });

  it('that has another hard link', async () => {
    linkSync(path, join(dir, 'other'));
    expect(await refused()).toContain('another hard link');
  });

  it('that is missing', async () => {
    rmSync(path);
    expect(await refused()).toContain('there is no file');
  });

  it('that was edited between the look and the act', async () => {
    const step = await take(change, { path, content: 'new' }, host);
    writeFileSync(path, 'theirs');

    await expect(step.run()).rejects.toThrow('edited concurrently');
    await step.goBack('without result');

    expect([content(), names()]).toEqual(['theirs', ['web1.cfg']]);
  });
});
