import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { CommandError, ToolError } from '../../../src/core/errors.ts';
import { localHost } from '../../../src/host/local.ts';
import { findProgram } from '../../../src/host/program.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { openFile, temporaryDirectory } from './support.ts';

const host = localHost();

/** Another process that locks the file; resolves when it holds the lock, to what makes it let go. */
async function held(path: string, mode: 'shared' | 'exclusive'): Promise<() => Promise<void>> {
  const child = spawn('flock', [`--${mode}`, path, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()));
  const letGo = async (): Promise<void> => {
    child.stdin.end();
    await ended;
  };
  onTestFinished(letGo);
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return letGo;
}

/** Could another process lock the file so now? */
async function free(path: string, mode: 'shared' | 'exclusive'): Promise<boolean> {
  const child = spawn('flock', [`--${mode}`, '--nonblock', path, 'true'], { stdio: 'ignore' });
  return await new Promise((resolve) => child.on('exit', (code) => resolve(code === 0)));
}

test('an exclusive lock blocks every other process until its descriptor is closed', async () => {
  const path = join(temporaryDirectory(), 'a');
  const file = openSync(path, 'a');

  const refused = await host.flock([{ fd: file, mode: 'exclusive' }]);
  const locked = [await free(path, 'shared'), await free(path, 'exclusive')];
  closeSync(file);

  expect(refused).toBeUndefined();
  expect(locked).toEqual([false, false]);
  expect(await free(path, 'exclusive')).toBe(true);
});

test('a shared lock allows other shared ones, and blocks exclusive ones', async () => {
  const path = join(temporaryDirectory(), 'a');

  await host.flock([{ fd: openFile(path), mode: 'shared' }]);

  expect([await free(path, 'shared'), await free(path, 'exclusive')]).toEqual([true, false]);
});

test('a lock of another process is refused at once, and free after its release', async () => {
  const path = join(temporaryDirectory(), 'a');
  const file = openFile(path);
  const letGo = await held(path, 'shared');

  const exclusive = await host.flock([{ fd: file, mode: 'exclusive' }]);
  const shared = await host.flock([{ fd: file, mode: 'shared' }]);
  await letGo();
  const later = await host.flock([{ fd: file, mode: 'exclusive' }]);

  expect([exclusive, shared, later]).toEqual([0, undefined, undefined]);
});

test('locks all or none: the first refused one is named', async () => {
  const directory = temporaryDirectory();
  const paths = ['a', 'b', 'c', 'd'].map((name) => join(directory, name));
  const wanted = paths.map((path, i) => ({
    fd: openFile(path),
    mode: i === 1 ? ('shared' as const) : ('exclusive' as const),
  }));
  await held(paths[2] ?? '', 'shared');

  const refused = await host.flock(wanted);

  expect(refused).toBe(2);
  for (const path of [paths[0], paths[1], paths[3]]) expect(await free(path ?? '', 'exclusive')).toBe(true);
});

test('converts a lock, and keeps the former one when the call fails', async () => {
  const directory = temporaryDirectory();
  const [a, b, c] = [join(directory, 'a'), join(directory, 'b'), join(directory, 'c')];
  const [fileA, fileB, fileC] = [openFile(a), openFile(b), openFile(c)];
  await host.flock([
    { fd: fileA, mode: 'shared' },
    { fd: fileB, mode: 'shared' },
  ]);
  const letGo = await held(b, 'shared');

  const refused = await host.flock([
    { fd: fileC, mode: 'exclusive' },
    { fd: fileA, mode: 'exclusive', from: 'shared' },
    { fd: fileB, mode: 'exclusive', from: 'shared' },
  ]);
  const after = [await free(a, 'shared'), await free(a, 'exclusive'), await free(c, 'exclusive')];
  await letGo();
  // Linux drops a lock that it fails to convert: it must have been taken again.
  const failedOne = [await free(b, 'shared'), await free(b, 'exclusive')];
  const again = await host.flock([{ fd: fileB, mode: 'exclusive', from: 'shared' }]);

  expect(refused).toBe(2);
  expect(after).toEqual([true, false, true]);
  expect(failedOne).toEqual([true, false]);
  expect(again).toBeUndefined();
  expect(await free(b, 'shared')).toBe(false);
});

test('locks all or none also for more descriptors than one perl takes', async () => {
  const directory = temporaryDirectory();
  const paths = Array.from({ length: 250 }, (_, i) => join(directory, String(i)));
  const wanted = paths.map((path) => ({ fd: openFile(path), mode: 'exclusive' as const }));
  const letGo = await held(paths[240] ?? '', 'exclusive');

  const refused = await host.flock(wanted);
  const firstIsFree = await free(paths[0] ?? '', 'exclusive');
  await letGo();
  const all = await host.flock(wanted);

  expect([refused, firstIsFree, all]).toEqual([240, true, undefined]);
  expect(await free(paths[249] ?? '', 'shared')).toBe(false);
});

test('an empty list succeeds at once', async () => {
  expect(await host.flock([])).toBeUndefined();
});

test('a descriptor that is not open is an error, not a refusal', async () => {
  const error = await rejectionOf(host.flock([{ fd: 987, mode: 'shared' }]));

  expect(error instanceof CommandError || error instanceof ToolError).toBe(true);
});

test('a missing perl is a ToolError that names perl-base', async () => {
  const error = await rejectionOf(findProgram('perl', 'perl-base', ['/nowhere/perl']));

  expect(error).toBeInstanceOf(ToolError);
  expect((error as ToolError).remedy).toContain('perl-base');
});
