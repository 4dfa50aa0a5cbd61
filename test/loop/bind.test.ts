import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mountEntries } from '../../src/blockdevice/index.ts';
import { bind, mount } from '../../src/mount/operations.ts';
import { RolledBackError } from '../../src/core/errors.ts';
import { mark, scratch, take } from '../unit/file/support.ts';
import { mountedPaths, sequence, sh, storage, testEngine } from './sequence.ts';

let disk: ReturnType<typeof storage>;
let step: ReturnType<typeof scratch>;
let volume: string;

beforeEach(() => {
  disk = storage();
  step = scratch();
  mkdirSync('/run/bofh/mnt', { recursive: true, mode: 0o700 });
  volume = disk.makeDir('volume');
  sh('mount', '-o', 'nodev,nosuid', disk.ext4('a.img').device, volume);
  mkdirSync(join(volume, 'www'));
  writeFileSync(join(volume, 'www', 'index.html'), 'hello');
});

afterEach(() => {
  disk.clean();
  step.remove();
});

const own = `/run/bofh/mnt/${mark}`;
const entryAt = async (path: string) => (await mountEntries(step.host)).find((entry) => entry.path === path);

describe('a bind mount', () => {
  it('shows the directory at a private one, until it is undone', async () => {
    const bound = await take(bind, { source: join(volume, 'www'), mode: 'rw' }, step.host);
    expect(await bound.run()).toEqual({ path: own });
    expect(readFileSync(join(own, 'index.html'), 'utf8')).toBe('hello');
    expect((await entryAt(own))?.root).toBe('/www');
    expect(await bound.look()).toEqual({ state: 'ours', holders: [] });
    await bound.goBack('without result');
    expect(existsSync(own)).toBe(false);
    expect(await bound.look()).toEqual({ state: 'gone' });
    expect(readdirSync(join(volume, 'www'))).toEqual(['index.html']);
  });

  it('is read-only while the other path stays writable', async () => {
    const path = disk.makeDir('shown');
    const bound = await take(bind, { source: join(volume, 'www'), path, mode: 'ro' }, step.host);
    await bound.run();
    expect(() => writeFileSync(join(path, 'new'), '')).toThrow(/EROFS/);
    writeFileSync(join(volume, 'www', 'new'), '');
    expect(readdirSync(path)).toEqual(['index.html', 'new']);
    await bound.goBack();
    expect(mountedPaths()).not.toContain(path);
  });

  it('keeps the restrictions of the other mount, unless options change them', async () => {
    const [plain, looser] = [disk.makeDir('plain'), disk.makeDir('looser')];
    const source = join(volume, 'www');
    await (await take(bind, { source, path: plain, mode: 'ro' }, step.host)).run();
    await (
      await take(bind, { source, path: looser, mode: 'rw', options: { dev: true, noexec: true } }, step.host)
    ).run();
    expect((await entryAt(plain))?.options).toBe('ro,nosuid,nodev,relatime');
    expect((await entryAt(looser))?.options).toBe('rw,nosuid,noexec,relatime');
  });

  it('leaves a mount alone that another process made at its place', async () => {
    const path = disk.makeDir('shown');
    const bound = await take(bind, { source: join(volume, 'www'), path, mode: 'rw' }, step.host);
    await bound.run();
    sh('umount', path);
    sh('mount', '--bind', join(volume, 'www'), path);
    expect((await bound.look()).state).toBe('not-ours');
    expect((await bound.look('without result')).state).toBe('not-ours');
    await bound.goBack();
    expect(mountedPaths()).toContain(path);
  });

  it('follows links in its source, and accepts odd names', async () => {
    const name = 'a b\tc\\d\ne,f"ü';
    mkdirSync(join(volume, name));
    symlinkSync(join(volume, name), disk.path('link'));
    const path = disk.makeDir(`at ${name}`);
    const bound = await take(bind, { source: disk.path('link'), path, mode: 'ro' }, step.host);
    await bound.run();
    expect((await entryAt(path))?.root).toBe(`/${name}`);
    expect(await bound.look('without result')).toEqual({ state: 'ours', holders: [] });
    await bound.goBack('without result');
    expect(mountedPaths()).not.toContain(path);
  });

  it('refuses a file, a target below its source, a missing source, and write access to a read-only source', async () => {
    const at = (source: string, path = disk.path('none')) =>
      take(bind, { source, path, mode: 'rw' }, step.host);
    const inside = join(volume, 'www', 'deep');
    mkdirSync(inside);
    await expect(at(join(volume, 'www', 'index.html'))).rejects.toThrow('not a directory but a file');
    await expect(at(join(volume, 'www'), inside)).rejects.toThrow('contain itself');
    await expect(at(join(volume, 'no'))).rejects.toThrow('there is no such directory');
    sh('mount', '-o', 'remount,ro', volume);
    const bound = await at(join(volume, 'www'), disk.makeDir('shown'));
    await expect(bound.run()).rejects.toThrow('is mounted read-only, so its bind mount is read-only too');
    await bound.goBack('without result');
    expect(mountedPaths()).not.toContain(disk.path('shown'));
  });

  it('shows the filesystem that is visible, not one that another mount hides', async () => {
    sh('mount', '-t', 'tmpfs', 'over', join(volume, 'www'));
    mkdirSync(join(volume, 'www', 'x'));
    const bound = await take(bind, { source: join(volume, 'www', 'x'), mode: 'rw' }, step.host);
    await bound.run();
    expect(await entryAt(own)).toMatchObject({ type: 'tmpfs', root: '/x' });
    await bound.goBack();
  });

  it('is undone before the mount whose directory it shows', async () => {
    const engine = testEngine(disk.path('state'));
    const { device } = disk.ext4('b.img');
    const shown = disk.makeDir('shown');
    const failure = sequence(engine, async (tx) => {
      const { path } = await tx.step(mount, { device, mode: 'rw' });
      await tx.step(bind, { source: path, path: shown, mode: 'ro' });
      expect(mountedPaths(device)).toEqual([path, shown]);
      throw new Error('after both');
    });
    await expect(failure).rejects.toThrow(RolledBackError);
    expect(mountedPaths(device)).toEqual([]);
  });
});
