import { existsSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/atomic/engine.ts';
import { recover } from '../../src/atomic/recovery/recover.ts';
import {
  CommandError,
  JournalError,
  RefusedError,
  RolledBackError,
  StuckError,
  UsageError,
} from '../../src/core/errors.ts';
import { isMountpoint, MountPool, mounts } from '../../src/mount/index.ts';
import { mount } from '../../src/mount/operations.ts';
import { mark, scratch, take } from '../unit/file/support.ts';
import { mountedPaths, sequence, sh, storage, testEngine } from './sequence.ts';

let disk: ReturnType<typeof storage>;
let step: ReturnType<typeof scratch>;
let engine: Engine;

beforeEach(() => {
  disk = storage();
  step = scratch();
  engine = testEngine(disk.path('state'));
  mkdirSync('/run/bofh/mnt', { recursive: true, mode: 0o700 });
});

afterEach(() => {
  disk.clean();
  step.remove();
});

const own = `/run/bofh/mnt/${mark}`;

describe('a mount on a private directory', () => {
  it('lasts until it is undone, and its directory too', async () => {
    const { device } = disk.ext4('a.img');
    const mounted = await take(mount, { device, mode: 'rw', options: ['nodev'] }, step.host);
    expect(await mounted.run()).toEqual({ path: own });
    expect(mountedPaths(device)).toEqual([own]);
    expect(statSync('/run/bofh/mnt').mode & 0o777).toBe(0o700);
    expect(await mounted.look()).toEqual({ state: 'ours', holders: [] });
    await mounted.goBack();
    expect(mountedPaths(device)).toEqual([]);
    expect(existsSync(own)).toBe(false);
    expect(await mounted.look()).toEqual({ state: 'gone' });
  });

  it.each(['a private directory', 'a given directory'])(
    'may get the number of a mount that others end meanwhile: on %s',
    // Another program may get it instead.
    { retry: 5 },
    async (where) => {
      const { device } = disk.ext4('a.img');
      const other = disk.makeDir('other');
      sh('mount', '-t', 'tmpfs', 'other', other);
      const numberAt = (path: string): string => sh('findmnt', '--noheadings', '--output', 'ID', path).trim();
      const number = numberAt(other);
      const given = where === 'a given directory' ? { path: disk.makeDir('given') } : {};
      const mounted = await take(mount, { device, ...given, mode: 'rw' }, step.host);
      const { host } = step;
      await mounted.run({
        ...host,
        run: (command) => {
          if (command.tool === 'mount') sh('umount', other);
          return host.run(command);
        },
      });

      expect(numberAt(given.path ?? own)).toBe(number);
      await mounted.goBack();
      expect(mountedPaths(device)).toEqual([]);
    },
  );

  it('is undone without a result, and twice', async () => {
    const { device } = disk.ext4('a.img');
    const mounted = await take(mount, { device, mode: 'ro' }, step.host);
    await mounted.run();
    await mounted.goBack('without result');
    await mounted.goBack('without result');
    expect(await mounted.look('without result')).toEqual({ state: 'gone' });
  });

  it('leaves no directory behind when it is killed before the mount', async () => {
    const { device } = disk.ext4('a.img');
    const mounted = await take(mount, { device, mode: 'rw' }, step.host);
    await expect(
      mounted.run({ ...step.host, run: () => Promise.reject(new Error('killed')) }),
    ).rejects.toThrow();
    expect(await mounted.look('without result')).toEqual({ state: 'ours' });
    await mounted.goBack('without result');
    expect(existsSync(own)).toBe(false);
  });

  it('names the mounts above it, and is not undone before those', async () => {
    const { device } = disk.ext4('a.img');
    const mounted = await take(mount, { device, mode: 'rw' }, step.host);
    await mounted.run();
    sh('mkdir', `${own}/deep`);
    sh('mount', '-t', 'tmpfs', 'deep', `${own}/deep`);
    sh('mount', '-t', 'tmpfs', 'over', own);
    const look = await mounted.look();
    expect(look.state).toBe('ours');
    expect(look.holders?.map(({ words }) => words.replace(/ \(mount \d+\)/, ''))).toEqual([
      `deep mounted on ${own}/deep`,
      `over mounted on ${own}`,
    ]);
    await expect(mounted.goBack()).rejects.toMatchObject({ reason: 'busy' });
    expect(mountedPaths()).toContain(`${own}/deep`);
    sh('umount', own);
    sh('umount', `${own}/deep`);
    await mounted.goBack();
    expect(await mounted.look()).toEqual({ state: 'gone' });
  });

  it('is not undone while a file in it is open, and the error says so', async () => {
    const { device } = disk.ext4('a.img');
    const mounted = await take(mount, { device, mode: 'rw' }, step.host);
    await mounted.run();
    const file = await open(join(own, 'file'), 'w');
    await expect(mounted.goBack()).rejects.toThrow(
      /is in use: process \d+ \(.*\) has open .*\/file(?: \[|;|$)/,
    );
    expect(mountedPaths(device)).toEqual([own]);
    await file.close();
    await mounted.goBack();
    expect(mountedPaths(device)).toEqual([]);
  });

  it('leaves alone the mount of another process at the same path', async () => {
    const [ours, foreign] = [disk.ext4('a.img'), disk.ext4('b.img')];
    const mounted = await take(mount, { device: ours.device, mode: 'rw' }, step.host);
    await mounted.run();
    sh('umount', own);
    sh('mount', foreign.device, own);
    expect((await mounted.look()).state).toBe('not-ours');
    await mounted.goBack();
    expect(mountedPaths(foreign.device)).toEqual([own]);
    sh('umount', own);
    rmSync(own, { recursive: true });
  });

  it('leaves alone another mount of the same device once its mount ID is known', async () => {
    const { device } = disk.ext4('a.img');
    const mounted = await take(mount, { device, mode: 'rw' }, step.host);
    await mounted.run();
    sh('umount', own);
    const between = disk.makeDir('between');
    sh('mount', '-t', 'tmpfs', 'between', between);
    sh('mount', device, own);
    expect((await mounted.look()).state).toBe('not-ours');
    sh('umount', own);
    rmSync(own, { recursive: true });
  });
});

describe('a mount on a directory of the administrator', () => {
  it.each(['plain', 'with space', 'new\nline', 'back\\slash', 'ünïcode', '\\040'])(
    'works on "%s"',
    async (name) => {
      const { device } = disk.ext4('a.img');
      const path = disk.makeDir(name);
      const mounted = await take(mount, { device, path, mode: 'rw' }, step.host);
      await mounted.run();
      expect(await mounted.look('without result')).toEqual({ state: 'ours', holders: [] });
      expect(await isMountpoint(step.host, path)).toBe(true);
      await mounted.goBack('without result');
      expect(await isMountpoint(step.host, path)).toBe(false);
      expect(readdirSync(path)).toEqual([]);
      expect(await mounted.look()).toEqual({ state: 'gone' });
    },
  );

  it('may be reached through a symbolic link', async () => {
    const { device } = disk.ext4('a.img');
    const path = disk.makeDir('real');
    symlinkSync(path, disk.path('link'));
    const mounted = await take(mount, { device, path: disk.path('link'), mode: 'rw' }, step.host);
    expect(await mounted.run()).toEqual({ path });
    await mounted.goBack();
    expect(mountedPaths(device)).toEqual([]);
  });

  it('is refused where a mount is, or a non-empty or missing directory, or a file', async () => {
    const { device } = disk.ext4('a.img');
    const [busy, full] = [disk.makeDir('busy'), disk.makeDir('full')];
    sh('mount', '-t', 'tmpfs', 'thing', busy);
    writeFileSync(join(full, 'file'), '');
    const at = (path: string) => take(mount, { device, path, mode: 'rw' }, step.host);
    await expect(at(busy)).rejects.toThrow(`${busy} is in use: thing mounted on ${busy}`);
    await expect(at(full)).rejects.toThrow('is not empty (file)');
    await expect(at(join(full, 'file'))).rejects.toThrow('not a directory but a file');
    await expect(at(disk.path('none'))).rejects.toThrow(CommandError);
    await expect(take(mount, { device: full, mode: 'rw' }, step.host)).rejects.toThrow('not a block device');
  });

  it('does not adopt a mount of the same device that another process made between check and act', async () => {
    const { device } = disk.ext4('a.img');
    const path = disk.makeDir('mnt');
    const mounted = await take(mount, { device, path, mode: 'rw' }, step.host);
    sh('mount', device, path);
    await expect(mounted.run()).rejects.toThrow(CommandError);
    expect((await mounted.look('without result')).state).toBe('not-ours');
    await mounted.goBack('without result');
    expect(mountedPaths(device)).toEqual([path]);
  });

  it('undoes only its own when it covers a foreign mount', async () => {
    const [ours, foreign] = [disk.ext4('a.img'), disk.ext4('b.img')];
    const path = disk.makeDir('mnt');
    const mounted = await take(mount, { device: ours.device, path, mode: 'rw' }, step.host);
    sh('mount', foreign.device, path);
    await mounted.run();
    await mounted.goBack('without result');
    expect(mountedPaths(ours.device)).toEqual([]);
    expect(mountedPaths(foreign.device)).toEqual([path]);
    expect((await mounted.look()).state).toBe('not-ours');
  });

  it('is not undone below a foreign mount, which is named', async () => {
    const [ours, foreign] = [disk.ext4('a.img'), disk.ext4('b.img')];
    const path = disk.makeDir('mnt');
    const mounted = await take(mount, { device: ours.device, path, mode: 'rw' }, step.host);
    await mounted.run();
    sh('mount', foreign.device, path);
    await expect(mounted.goBack()).rejects.toThrow(`${foreign.device} mounted on ${path}`);
    expect(mountedPaths(foreign.device)).toEqual([path]);
    expect(mountedPaths(ours.device)).toEqual([path]);
  });

  it('that another of the same device makes ambiguous stops the undo', async () => {
    const { device } = disk.ext4('a.img');
    const path = disk.makeDir('mnt');
    const mounted = await take(mount, { device, path, mode: 'rw' }, step.host);
    await mounted.run();
    const other = disk.makeDir('other');
    sh('mount', device, other);
    sh('mount', '--bind', other, path);
    await expect(mounted.look('without result')).rejects.toThrow(
      'it is unknown which one this sequence created',
    );
    expect((await mounted.look()).state).toBe('ours');
  });
});

describe('a mount', () => {
  it('of a write-protected device does not claim to be read-write', async () => {
    const { device } = disk.ext4('a.img', { attach: ['--read-only'] });
    const mounted = await take(mount, { device, mode: 'rw' }, step.host);
    await expect(mounted.run()).rejects.toThrow('write-protected');
    await mounted.goBack('without result');
    expect(mountedPaths(device)).toEqual([]);
    expect(existsSync(own)).toBe(false);
  });

  it('of a device without a filesystem fails and leaves nothing behind', async () => {
    const { device } = disk.ext4('a.img');
    sh('wipefs', '--all', device);
    const before = readdirSync('/run/bofh/mnt');
    const failure = sequence(engine, (tx) => tx.step(mount, { device, mode: 'rw' }));
    await expect(failure).rejects.toThrow(RolledBackError);
    expect(readdirSync('/run/bofh/mnt')).toEqual(before);
  });

  it.each([
    'rw',
    'bind',
    'remount',
    'loop',
    'offset=4',
    'X-mount.mkdir',
    'x-bofh.mark=a',
    'rshared',
    'a,b',
    'a b',
  ])('has no option "%s"', async (option) => {
    const refused = take(mount, { device: '/dev/null', mode: 'ro', options: [option] }, step.host);
    await expect(refused).rejects.toThrow(UsageError);
  });

  it('of a second xfs with the UUID of a mounted one is refused without nouuid', async () => {
    const [first, second] = [disk.blank('first', 320), disk.blank('second', 320)];
    sh('mkfs.xfs', '-q', first);
    sh('dd', `if=${first}`, `of=${second}`, 'bs=4M', 'conv=sparse,fsync', 'status=none');
    sh('mount', first, disk.makeDir('first at'));
    await expect(take(mount, { device: second, mode: 'rw' }, step.host)).rejects.toThrow(
      /holds an xfs with the uuid .*, as \S+ does, which is mounted on/,
    );
    const mounted = await take(mount, { device: second, mode: 'rw', options: ['nouuid'] }, step.host);
    await mounted.run();
    expect(mountedPaths(second)).toEqual([own]);
    await mounted.goBack();
  });

  it('locks the path and the device, so that no other sequence removes them meanwhile', async () => {
    const { device } = disk.ext4('a.img');
    const { undo } = await take(mount, { device, mode: 'ro' }, step.host);
    const claims = await mount.claims({ args: { device, mode: 'ro' }, undo, on: engine.on });
    const { key } = await engine.on(device);
    expect(claims).toEqual({ changes: [`mnt:${own}`, key], needs: [`file:${disk.path('a.img')}`] });
  });
});

describe('in a sequence', () => {
  it('a temporary mount is unmounted after the commit, also one that was not released', async () => {
    const { device } = disk.ext4('a.img');
    const before = readdirSync('/run/bofh/mnt');
    await sequence(engine, async (tx) => {
      const first = await tx.temporary(mount, { device, mode: 'rw' });
      writeFileSync(join(first.path, 'file'), 'x');
      await first.release();
      expect(mountedPaths(device)).toEqual([]);
      await tx.temporary(mount, { device, mode: 'ro' });
    });
    expect(mountedPaths(device)).toEqual([]);
    expect(readdirSync('/run/bofh/mnt')).toEqual(before);
  });

  it('a mount that stays busy leaves the journal open, and recovery finishes it', async () => {
    const { device } = disk.ext4('a.img');
    let file: Awaited<ReturnType<typeof open>> | undefined;
    const failure = await sequence(engine, async (tx) => {
      const { path } = await tx.step(mount, { device, mode: 'rw' });
      file = await open(join(path, 'file'), 'w');
      throw new Error('after the mount');
    }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StuckError);
    const id = (failure as StuckError).id ?? '';
    await file?.close();
    expect((await recover(id, { engine, yes: true })).end).toBe('rolled-back');
    expect(mountedPaths(device)).toEqual([]);
  });

  it('a pool mounts, unmounts also on an error, and is refused a device of another sequence', async () => {
    const { device } = disk.ext4('a.img');
    const paths = [disk.makeDir('one'), disk.makeDir('two')];
    const pool = new MountPool(paths, {
      isMountpoint: (path) => isMountpoint(engine.host, path),
      run: (request, body) =>
        sequence(engine, async (tx) => {
          const { device: asked, path, mode } = request;
          const held = await tx.temporary(mount, { device: asked, path, mode });
          return body(held.path);
        }),
    });
    await pool.with(device, async (path) => {
      expect(mountedPaths(device)).toEqual([path]);
      await expect(pool.with(device, async () => undefined)).rejects.toThrow(JournalError);
    });
    await expect(pool.with(device, () => Promise.reject(new Error('body')))).rejects.toThrow(/body/);
    expect(mountedPaths(device)).toEqual([]);
    sh('mount', '-t', 'tmpfs', 'foreign', paths[0] ?? '');
    const held = await pool.mount(device);
    expect(held.path).toBe(paths[1]);
    await expect(pool.mount(device)).rejects.toThrow(RefusedError);
    await held[Symbol.asyncDispose]();
    expect((await mounts(engine.host)).some(({ source }) => source === device)).toBe(false);
  });
});
