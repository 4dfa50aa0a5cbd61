import { spawnSync } from 'node:child_process';
import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSubvolume, moveTopLevel } from '../../src/btrfs/operations.ts';
import * as btrfs from '../../src/btrfs/index.ts';
import { RolledBackError } from '../../src/core/errors.ts';
import { propagation } from '../support/propagation.ts';
import { sequence, sh, storage, testEngine } from './sequence.ts';

let disk: ReturnType<typeof storage>;
let root: string;

beforeEach(() => {
  disk = storage();
  root = disk.makeDir('root');
  sh('mount', disk.btrfs('a.img'), root);
  mkdirSync(at('etc/deep'), { recursive: true });
  mkdirSync(at('lost+found'));
  writeFileSync(at('etc/deep/file'), 'kept', { mode: 0o640 });
  linkSync(at('etc/deep/file'), at('second name'));
});

afterEach(() => disk.clean());

const at = (name: string): string => join(root, name);
const engine = () => testEngine(disk.path('state'));

/**
 * The files of a process with more capabilities than root, such as the first one of some sandboxes, cannot be
 * read.
 */
const seesAll = ((): boolean => {
  try {
    return readlinkSync('/proc/1/cwd') !== '';
  } catch {
    return false;
  }
})();
// Not `runIf`: it is tested wherever it is possible.
const whereAllIsSeen = (title: string, body: () => Promise<void>): void => {
  if (seesAll) it(title, body);
};
const whereNotAllIsSeen = (title: string, body: () => Promise<void> | void): void => {
  if (!seesAll) it(title, body, 300_000);
};
const starting = ['etc', 'lost+found', 'second name'];

const move = (then?: () => Promise<unknown>) =>
  sequence(engine(), async (tx) => {
    await tx.step(createSubvolume, { path: at('subvolumes') });
    await tx.step(createSubvolume, { path: at('snapshots') });
    const made = await tx.step(moveTopLevel, { path: at('subvolumes/data') });
    await then?.();
    return made;
  });

describe('the content of the top level of a real btrfs', () => {
  whereNotAllIsSeen('is tried where every process can be looked into', () => {
    const vitest = [
      'node_modules/vitest/vitest.mjs',
      ...['run', '--project', 'loop', 'test/loop/btrfs-structure.test.ts'],
    ];
    const own = ['--pid', '--fork', '--mount-proc', '--kill-child', '--propagation', propagation('private')];
    const { status, stdout, stderr } = spawnSync('unshare', [...own, process.execPath, ...vitest], {
      encoding: 'utf8',
    });
    expect(status, `${stdout}${stderr}`).toBe(0);
    expect(stripVTControlCharacters(stdout)).toMatch(/Tests +4 passed/);
  });

  whereAllIsSeen('is in a subvolume afterwards, inode by inode, and nowhere else', async () => {
    const before = statSync(at('etc/deep/file'));
    const made = await move();

    expect(readdirSync(root)).toEqual(['snapshots', 'subvolumes']);
    expect(readdirSync(at('subvolumes'))).toEqual(['data']);
    expect(readdirSync(at('subvolumes/data')).toSorted()).toEqual(starting);
    const { ino, mode, mtimeMs, nlink } = statSync(at('subvolumes/data/second name'));
    expect({ ino, mode, mtimeMs, nlink }).toEqual({
      ...{ ino: before.ino, mode: before.mode, mtimeMs: before.mtimeMs, nlink: 2 },
    });
    expect(readFileSync(at('subvolumes/data/etc/deep/file'), 'utf8')).toBe('kept');
    expect(await btrfs.subvolume(engine().host, at('subvolumes/data'))).toMatchObject({ uuid: made.uuid });
    sh('rmdir', at('subvolumes/data/lost+found'));
  });

  whereAllIsSeen('lies where it lay after a failure', async () => {
    const error = await move(async () => Promise.reject(new Error('later'))).catch((e: unknown) => e);

    expect(error).toBeInstanceOf(RolledBackError);
    expect(readdirSync(root).toSorted()).toEqual(starting);
    expect(String(error)).toContain('later');
    expect(readFileSync(at('second name'), 'utf8')).toBe('kept');
    expect(await btrfs.subvolumes(engine().host, root)).toEqual([]);
  });

  whereNotAllIsSeen('stays where not every process can be looked into', async () => {
    // How many there are is the machine's own affair.
    await expect(move()).rejects.toThrow(/could not examine \d+ process/);
    expect(readdirSync(root).toSorted()).toEqual(starting);
  });

  it('stays while a process has a file in it open, and the process is named', async () => {
    const file = openSync(at('etc/deep/file'), 'r');
    try {
      await expect(move()).rejects.toThrow(
        new RegExp(`process ${process.pid} .* has open ${at('etc/deep/file')}`),
      );
    } finally {
      closeSync(file);
    }
    expect(readdirSync(root).toSorted()).toEqual(starting);
  });

  it('stays while a directory of it is mounted elsewhere', async () => {
    const other = disk.makeDir('other');
    sh('mount', '--bind', at('etc'), other);
    try {
      await expect(move()).rejects.toThrow(`mounted on ${other}`);
    } finally {
      sh('umount', other);
    }
    expect(readdirSync(root).toSorted()).toEqual(starting);
  });
});
