import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CommandError } from '../../../src/core/errors.ts';
import { localHost } from '../../../src/host/local.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { runScript, temporaryDirectory } from './support.ts';

const host = localHost();
const change = host.during({ outputs: '/nonexistent', lock: -1 });
const asRoot = process.getuid?.() === 0;

describe('stat', () => {
  test('is lstat: kind, inode, birth, device, size, mode, owner and links of the path itself', async () => {
    const directory = temporaryDirectory();
    const [file, link] = [join(directory, 'file'), join(directory, 'link')];
    writeFileSync(file, 'four');
    chmodSync(file, 0o4640);
    symlinkSync(file, link);

    const [ofFile, ofLink] = [await host.stat(file), await host.stat(link)];

    const real = lstatSync(file);
    const device = `${real.dev >> 8}:${real.dev & 0xff}`;
    const { uid, gid } = real;
    const inode = String(real.ino);
    const birth = String(lstatSync(file, { bigint: true }).birthtimeNs);
    expect(ofFile).toEqual({ kind: 'file', inode, birth, device, size: 4, mode: 0o4640, uid, gid, links: 1 });
    expect(ofLink?.kind).toBe('symlink');
    expect((await host.stat(directory))?.kind).toBe('directory');
  });

  test('gives the numbers of a device node', async () => {
    expect(await host.stat('/dev/null')).toMatchObject({ kind: 'character', node: '1:3' });
  });

  test('is undefined where there is no such path, also beneath a file', async () => {
    expect(await host.stat('/nowhere/at/all')).toBeUndefined();
    expect(await host.stat('/etc/passwd/beneath')).toBeUndefined();
  });

  test('is an error when the path cannot be read', async () => {
    const directory = temporaryDirectory();
    symlinkSync('loop', join(directory, 'loop'));

    const looping = await rejectionOf(host.stat(join(directory, 'loop', 'x')));
    const tooLong = await rejectionOf(host.stat(join(directory, 'x'.repeat(300))));

    expect(looping).toBeInstanceOf(CommandError);
    expect(looping).toMatchObject({ tool: 'file', argv: ['stat', join(directory, 'loop', 'x')] });
    expect(tooLong).toBeInstanceOf(CommandError);
  });

  test.runIf(asRoot)('is "denied", not "missing", in a directory without search permission', () => {
    const directory = temporaryDirectory();
    mkdirSync(join(directory, 'closed'), { mode: 0o700 });
    chmodSync(directory, 0o755);

    const said = runScript(
      directory,
      `process.setuid?.(65534);
       const read = localHost().stat(${JSON.stringify(join(directory, 'closed/file'))});
       console.log(await read.then(String, (error) => error.reason));`,
    );

    expect(said).toBe('denied\n');
  });
});

describe('reading', () => {
  test('returns the bytes of a file, also in /proc and /sys', async () => {
    const path = join(temporaryDirectory(), 'file');
    const bytes = Buffer.from([0, 255, 10]);
    writeFileSync(path, bytes);

    expect(Buffer.from(await host.readFile(path))).toEqual(bytes);
    expect(Buffer.from(await host.readFile('/proc/self/mounts')).toString()).toContain(' /proc ');
    expect(
      Buffer.from(await host.readFile('/sys/kernel/mm/transparent_hugepage/enabled')).toString(),
    ).toMatch(/never/);
  });

  test('refuses other files: a FIFO is not empty, a device has no end', async () => {
    const fifo = join(temporaryDirectory(), 'fifo');
    execFileSync('mkfifo', [fifo]);

    for (const path of [fifo, '/dev/zero', '/etc'])
      expect(await rejectionOf(host.readFile(path))).toBeInstanceOf(CommandError);
  });

  test('a missing file, directory or link is "not-found"', async () => {
    for (const verb of ['readFile', 'readDir', 'readLink'] as const)
      expect(await rejectionOf(host[verb]('/nowhere'))).toMatchObject({ tool: 'file', reason: 'not-found' });
  });

  test('returns the names of a directory in order, and the target of a link unchanged', async () => {
    const directory = temporaryDirectory();
    for (const name of ['b', 'a', '.c']) writeFileSync(join(directory, name), '');
    symlinkSync('../some where', join(directory, 'link'));

    expect(await host.readDir(directory)).toEqual(['.c', 'a', 'b', 'link']);
    expect(await host.readLink(join(directory, 'link'))).toBe('../some where');
  });
});

describe('sync', () => {
  // fsync(2) fails with EINVAL there, and in a squashfs.
  test('of a filesystem without a disk does nothing', async () => {
    await expect(change.sync('/proc')).resolves.toBeUndefined();
  });

  test('of a missing directory is "not-found"', async () => {
    expect(await rejectionOf(change.sync('/nowhere'))).toMatchObject({ tool: 'file', reason: 'not-found' });
  });
});

describe('writeNew', () => {
  test('creates the file with exactly the content and mode, whatever the umask', async () => {
    const path = join(temporaryDirectory(), 'file');
    const umask = process.umask(0o077);
    try {
      const stat = await change.writeNew(path, 'content', { mode: 0o664 });

      expect(stat).toEqual(await host.stat(path));
      expect(stat).toMatchObject({ kind: 'file', mode: 0o664, size: 7 });
      expect(readFileSync(path, 'utf8')).toBe('content');
    } finally {
      process.umask(umask);
    }
  });

  test('never replaces a file and never follows a link, dangling or not', async () => {
    const directory = temporaryDirectory();
    const [file, link, dangling] = ['file', 'link', 'dangling'].map((name) => join(directory, name));
    if (file === undefined || link === undefined || dangling === undefined) throw new Error('unreachable');
    writeFileSync(file, 'theirs');
    symlinkSync(file, link);
    symlinkSync(join(directory, 'target'), dangling);

    for (const path of [file, link, dangling])
      expect(await rejectionOf(change.writeNew(path, 'ours', { mode: 0o600 }))).toMatchObject({
        reason: 'exists',
      });

    expect(readFileSync(file, 'utf8')).toBe('theirs');
    expect(existsSync(join(directory, 'target'))).toBe(false);
  });

  // Only a filesystem of its own can be full, and only root can mount one.
  test.runIf(asRoot)('leaves nothing behind when the content does not fit', async (context) => {
    const directory = temporaryDirectory();
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', directory], { stdio: 'pipe' });
    } catch {
      context.skip('no filesystem can be mounted here');
    }
    try {
      const path = join(directory, 'file');
      const error = await rejectionOf(change.writeNew(path, Buffer.alloc(1024 * 1024), { mode: 0o600 }));

      expect(error).toMatchObject({ reason: 'no-space' });
      expect(existsSync(path)).toBe(false);
    } finally {
      execFileSync('umount', [directory]);
    }
  });
});

describe('the other changes of files', () => {
  test('link refuses a name that is taken and does not follow links', async () => {
    const directory = temporaryDirectory();
    const [ours, theirs, link] = [
      join(directory, 'ours'),
      join(directory, 'theirs'),
      join(directory, 'link'),
    ];
    writeFileSync(ours, 'ours');
    writeFileSync(theirs, 'theirs');
    symlinkSync(join(directory, 'target'), link);

    await change.link(ours, join(directory, 'new'));

    expect((await host.stat(ours))?.links).toBe(2);
    for (const path of [theirs, link])
      expect(await rejectionOf(change.link(ours, path))).toMatchObject({
        reason: 'exists',
        argv: ['link', ours, path],
      });
    expect(readFileSync(theirs, 'utf8')).toBe('theirs');
  });

  test('rename, removeFile and sync work, and fail on missing files', async () => {
    const directory = temporaryDirectory();
    const [a, b] = [join(directory, 'a'), join(directory, 'b')];
    writeFileSync(a, 'a');

    await change.rename(a, b);
    await change.sync(b);
    await change.sync(directory);
    await change.removeFile(b);

    expect(await host.readDir(directory)).toEqual([]);
    for (const work of [() => change.rename(a, b), () => change.removeFile(b), () => change.sync(b)])
      expect(await rejectionOf(work())).toMatchObject({ tool: 'file', reason: 'not-found' });
  });

  test('makeDir creates one directory with exactly the mode; with parents, the missing ones too', async () => {
    const directory = temporaryDirectory();
    const [one, deep] = [join(directory, 'one'), join(directory, 'one/two/three')];
    const umask = process.umask(0o077);
    try {
      await change.makeDir(one, { mode: 0o755 });
      expect(await rejectionOf(change.makeDir(deep, { mode: 0o755 }))).toMatchObject({ reason: 'not-found' });
      await change.makeDir(deep, { mode: 0o750, parents: true });
      await change.makeDir(one, { mode: 0o700, parents: true });
    } finally {
      process.umask(umask);
    }

    expect(await rejectionOf(change.makeDir(one, { mode: 0o755 }))).toMatchObject({ reason: 'exists' });
    const modes = await Promise.all(
      [one, join(one, 'two'), deep].map(async (path) => (await host.stat(path))?.mode),
    );
    // One that is there keeps its mode.
    expect(modes).toEqual([0o755, 0o750, 0o750]);
  });

  test('makeDir with parents does not treat a file as a directory', async () => {
    const file = join(temporaryDirectory(), 'file');
    writeFileSync(file, '');

    expect(await rejectionOf(change.makeDir(file, { mode: 0o755, parents: true }))).toMatchObject({
      reason: 'exists',
    });
    expect(await rejectionOf(change.makeDir(join(file, 'x'), { mode: 0o755, parents: true }))).toBeInstanceOf(
      CommandError,
    );
  });

  test('removeDir removes an empty directory only', async () => {
    const directory = temporaryDirectory();
    const path = join(directory, 'one');
    mkdirSync(path);
    writeFileSync(join(path, 'file'), '');

    const full = await rejectionOf(change.removeDir(path));
    await change.removeFile(join(path, 'file'));
    await change.removeDir(path);

    expect(full).toMatchObject({ reason: 'exists' });
    expect(await host.stat(path)).toBeUndefined();
  });
});
