import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mountEntries } from '../../src/blockdevice/index.ts';
import { RefusedError, RolledBackError, UsageError } from '../../src/core/errors.ts';
import { bind, mount, unmount } from '../../src/mount/operations.ts';
import { userEntries } from '../../src/mount/table.ts';
import { scratch, take } from '../unit/file/support.ts';
import { mountedPaths, sequence, sh, storage, testEngine } from './sequence.ts';

let disk: ReturnType<typeof storage>;
let step: ReturnType<typeof scratch>;

beforeEach(() => {
  disk = storage();
  step = scratch();
  mkdirSync('/run/bofh/mnt', { recursive: true, mode: 0o700 });
});

afterEach(() => {
  disk.clean();
  step.remove();
});

/** What the kernel and libmount say of it, but for its number. */
async function shape(path: string) {
  const user = (await userEntries(step.host)).filter((entry) => entry.path === path);
  const kernel = (await mountEntries(step.host))
    .filter((entry) => entry.path === path)
    .map(({ root, source, type, options, superOptions }) => ({ root, source, type, options, superOptions }));
  return { kernel, user };
}

const at = (path: string, mountId?: number) =>
  take(unmount, mountId === undefined ? { path } : { path, mountId }, step.host);

describe('an unmount', () => {
  it.each([
    ['with options of all sorts', ['-o', 'nodev,noatime,commit=11,x-of=admin'], 'mnt'],
    ['read-only', ['-o', 'ro'], 'mnt'],
    ['on an odd path', ['-o', 'nosuid'], 'a b\tc\\040d\nü,"'],
  ])('is undone to the same mount: %s', async (_, options, name) => {
    const path = disk.makeDir(name);
    sh('mount', ...options, disk.ext4('a.img').device, path);
    const before = await shape(path);

    const taken = await at(path);
    await taken.run();
    expect(await shape(path)).toEqual({ kernel: [], user: [] });
    expect(await taken.look()).toEqual({ state: 'ours' });
    await taken.goBack('without result');

    expect(await shape(path)).toEqual(before);
    expect(await taken.look()).toEqual({ state: 'gone' });
    await taken.goBack();
    expect(await shape(path)).toEqual(before);
  });

  it.each(['xfs', 'btrfs'])('of %s too', async (type) => {
    const [image, path] = [disk.path('x.img'), disk.makeDir('mnt')];
    sh('truncate', '-s', '320M', image);
    sh(`mkfs.${type}`, '-q', image);
    const device = sh('losetup', '--find', '--show', image).trim();
    try {
      sh('mount', '-o', 'nodev', device, path);
      const before = await shape(path);
      const taken = await at(path);
      await taken.run();
      expect(mountedPaths(device)).toEqual([]);
      await taken.goBack();
      expect(await shape(path)).toEqual(before);
    } finally {
      sh('umount', path);
      sh('losetup', '--detach', device);
    }
  });

  it('of a subvolume of btrfs mounts that subvolume again', async () => {
    const [image, path] = [disk.path('x.img'), disk.makeDir('mnt')];
    sh('truncate', '-s', '320M', image);
    sh('mkfs.btrfs', '-q', image);
    const device = sh('losetup', '--find', '--show', image).trim();
    try {
      sh('mount', device, path);
      sh('btrfs', 'subvolume', 'create', join(path, '@web'));
      sh('umount', path);
      const mounted = await take(
        mount,
        { device, path, mode: 'rw', options: { subvol: '@web', noatime: true } },
        step.host,
      );
      await mounted.run();
      expect(await mounted.look('without result')).toEqual({ state: 'ours', holders: [] });
      const before = await shape(path);
      expect(before.kernel[0]?.root).toBe('/@web');
      const taken = await at(path);
      await taken.run();
      await taken.goBack();
      expect((await shape(path)).kernel).toEqual(before.kernel);
      expect((await mounted.look()).state).toBe('ours');
      await mounted.goBack();
      expect(mountedPaths(device)).toEqual([]);
    } finally {
      if (mountedPaths(device).length > 0) sh('umount', path);
      sh('losetup', '--detach', device);
    }
  });

  it('of a bind mount is undone from the other mount of its filesystem', async () => {
    const [whole, part] = [disk.makeDir('whole'), disk.makeDir('part')];
    sh('mount', disk.ext4('a.img').device, whole);
    mkdirSync(join(whole, 'in side'));
    sh('mount', '--bind', join(whole, 'in side'), part);
    sh('mount', '-o', 'remount,bind,ro,nodev', part);
    const before = await shape(part);
    const taken = await at(part);
    await taken.run();
    expect((await shape(part)).kernel).toEqual([]);
    await taken.goBack();
    expect((await shape(part)).kernel).toEqual(before.kernel);
  });

  it('unmounts the topmost of several at one place, and restores it there', async () => {
    const path = disk.makeDir('mnt');
    sh('mount', disk.ext4('a.img').device, path);
    sh('mount', disk.ext4('b.img').device, path);
    const before = await shape(path);
    const taken = await at(path);
    await taken.run();
    expect((await shape(path)).kernel).toEqual([before.kernel[0]]);
    expect(await taken.look('without result')).toEqual({ state: 'ours' });
    await taken.goBack('without result');
    expect(await shape(path)).toEqual(before);
  });

  it('is refused while it is in use, and names the holders', async () => {
    const path = disk.makeDir('mnt');
    sh('mount', disk.ext4('a.img').device, path);
    const file = await open(join(path, 'file'), 'w');
    await expect(at(path)).rejects.toThrow(/is in use: process \d+ \(.*\) has open .*\/file/);
    await file.close();
    mkdirSync(join(path, 'deep'));
    sh('mount', '-t', 'tmpfs', 'deep', join(path, 'deep'));
    const refusal: unknown = await at(path).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(RefusedError);
    expect(refusal).toMatchObject({ holders: [{ kind: 'mount', path: join(path, 'deep') }] });
    expect(mountedPaths()).toContain(path);
  });

  it('is refused where nothing is mounted, for another mount than expected, and for the root', async () => {
    const path = disk.makeDir('mnt');
    await expect(at(path)).rejects.toThrow('nothing is mounted on');
    await expect(at('/')).rejects.toThrow('the root of this host');
    await expect(at('mnt')).rejects.toThrow(UsageError);
    sh('mount', disk.ext4('a.img').device, path);
    await expect(at(path, 1)).rejects.toThrow(`${path} has another mount now`);
  });

  it('is refused where it could not be mounted again', async () => {
    const [memory, alone, looped] = [disk.makeDir('memory'), disk.makeDir('alone'), disk.makeDir('looped')];
    sh('mount', '-t', 'tmpfs', 'memory', memory);
    await expect(at(memory)).rejects.toThrow('(tmpfs) again: it can mount only');

    const whole = disk.makeDir('whole');
    sh('mount', disk.ext4('a.img').device, whole);
    mkdirSync(join(whole, 'part'));
    sh('mount', '--bind', join(whole, 'part'), alone);
    sh('umount', whole);
    await expect(at(alone)).rejects.toThrow('an undo could not mount');

    const image = disk.path('loop.img');
    sh('truncate', '-s', '16M', image);
    sh('mkfs.ext4', '-q', image);
    sh('mount', '-o', 'loop', image, looped);
    await expect(at(looped)).rejects.toThrow('the kernel detaches the loop device');
    expect(mountedPaths()).toEqual(expect.arrayContaining([memory, alone, looped]));
  });

  it('is not undone over a newer mount, and does nothing where it was mounted again', async () => {
    const path = disk.makeDir('mnt');
    const [ours, other] = [disk.ext4('a.img').device, disk.ext4('b.img').device];
    sh('mount', ours, path);
    const taken = await at(path);
    await taken.run();
    sh('mount', other, path);
    expect(await taken.look()).toMatchObject({ state: 'not-ours' });
    await taken.goBack();
    expect(mountedPaths(ours)).toEqual([]);
    sh('umount', path);
    sh('mount', '-o', 'ro', ours, path);
    const look = await taken.look();
    expect(look.state).toBe('not-ours');
    expect(look.found).toContain('there again, but ro');
    sh('umount', path);
    sh('mount', ours, path);
    expect(await taken.look()).toEqual({ state: 'gone' });
    await taken.goBack();
    expect(mountedPaths(ours)).toEqual([path]);
  });

  it('does nothing when the mount was replaced before the act', async () => {
    const path = disk.makeDir('mnt');
    const [ours, other] = [disk.ext4('a.img').device, disk.ext4('b.img').device];
    sh('mount', ours, path);
    const taken = await at(path);
    sh('umount', path);
    sh('mount', other, path);
    await expect(taken.run()).rejects.toThrow('is not mounted on');
    expect(mountedPaths(other)).toEqual([path]);
  });

  it('is stuck when its device is a different one now', async () => {
    const path = disk.makeDir('mnt');
    const [{ device }] = [disk.ext4('a.img'), disk.ext4('b.img')];
    sh('mount', device, path);
    const taken = await at(path);
    await taken.run();
    sh('losetup', '--detach', device);
    sh('losetup', device, disk.path('b.img'));
    await expect(taken.goBack()).rejects.toThrow(`${device} is missing`);
    expect(mountedPaths(device)).toEqual([]);
    sh('losetup', '--detach', device);
    sh('losetup', device, disk.path('a.img'));
    await taken.goBack();
    expect(mountedPaths(device)).toEqual([path]);
  });
});

describe('in a sequence', () => {
  it('its own mount that it also unmounts is absent after the undo', async () => {
    const engine = testEngine(disk.path('state'));
    const { device } = disk.ext4('a.img');
    const path = disk.makeDir('mnt');
    const failure = sequence(engine, async (tx) => {
      await tx.step(mount, { device, path, mode: 'rw', options: { nodev: true, commit: 11 } });
      writeFileSync(join(path, 'x'), 'x');
      await tx.step(unmount, { path });
      // It takes the number that the mount had, so that this comes back under another one.
      sh('mount', '-t', 'tmpfs', 'between', disk.makeDir('between'));
      await tx.step(mount, { device, path, mode: 'ro' });
      await tx.step(unmount, { path });
      throw new Error('at the end');
    });
    await expect(failure).rejects.toThrow(RolledBackError);
    expect((await failure.catch((error: unknown) => error)) as RolledBackError).toMatchObject({
      leftUntouched: [],
    });
    expect(mountedPaths(device)).toEqual([]);
    expect(readFileSync('/run/mount/utab', 'utf8')).not.toContain(path);
  });

  it('unmounts a bind mount and its source, and mounts both again when it fails', async () => {
    const engine = testEngine(disk.path('state'));
    const { device } = disk.ext4('a.img');
    const [path, shown] = [disk.makeDir('mnt'), disk.makeDir('shown')];
    sh('mount', device, path);
    mkdirSync(join(path, 'sub'));
    await sequence(engine, (tx) => tx.step(bind, { source: join(path, 'sub'), path: shown, mode: 'rw' }));
    const failure = sequence(engine, async (tx) => {
      await tx.step(unmount, { path: shown });
      await tx.step(unmount, { path });
      throw new Error('at the end');
    });
    await expect(failure).rejects.toThrow(RolledBackError);
    expect(mountedPaths(device)).toEqual([path, shown]);
  });
});
