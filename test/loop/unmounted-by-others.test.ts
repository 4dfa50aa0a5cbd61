import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openJournals, recover } from '../../src/atomic/recovery/recover.ts';
import { mountsUnder } from '../../src/blockdevice/index.ts';
import { StuckError } from '../../src/core/errors.ts';
import { create, remove } from '../../src/file/index.ts';
import { rejectionOf } from '../support/rejection.ts';
import { sequence, sh, storage, testEngine } from './sequence.ts';

// A step changes files in a filesystem of others, who unmount it before the undo. What is below the mount point then looks
// as if the step were undone.

let disk: ReturnType<typeof storage>;
beforeEach(() => {
  disk = storage();
});
afterEach(() => disk.clean());

function made(type: string): string {
  if (type === 'ext4') return disk.ext4('a.img').device;
  if (type === 'btrfs') return disk.btrfs('a.img');
  const device = disk.blank('a.img', 320);
  sh(`mkfs.${type}`, device);
  return device;
}

it.each<readonly [string, string, readonly string[]]>([
  ['ext4', 'ext4', []],
  ['xfs', 'xfs', []],
  ['btrfs', 'btrfs', []],
  ['a bind mount of a directory of the same filesystem', 'none', ['--bind']],
])(
  'files in an unmounted filesystem are not undone until it is mounted again: %s',
  async (_, type, options) => {
    const path = disk.makeDir('mnt');
    const source = options.length > 0 ? disk.makeDir('source') : made(type);
    const mount = (): string => sh('mount', ...options, source, path);
    mount();
    mkdirSync(join(path, 'below'));
    // The names lead through a symbolic link.
    symlinkSync(path, disk.path('link'));
    const directory = disk.path('link/below');
    const [kept, fresh] = [join(directory, 'kept'), join(directory, 'fresh')];
    writeFileSync(kept, 'kept\n');
    const own = { ...testEngine(disk.dir), mountsUnder };

    const stuck = await rejectionOf(
      sequence(own, async (tx) => {
        await tx.step(create, { path: fresh, content: 'fresh\n' });
        await tx.step(remove, { path: kept });
        sh('umount', path);
        throw new Error('on purpose');
      }),
    );
    expect(stuck).toBeInstanceOf(StuckError);
    expect(String(stuck)).toContain(`filesystem that was at ${path} is not mounted there`);

    const [open] = await openJournals(own);
    const again = (): Promise<unknown> => recover(open?.id ?? '', { engine: own, yes: true });
    expect(await rejectionOf(again())).toBeInstanceOf(StuckError);
    // Others make the same directory below the mount point.
    mkdirSync(join(path, 'below'));
    expect(await rejectionOf(again())).toBeInstanceOf(StuckError);

    mount();
    expect(await again()).toMatchObject({ end: 'rolled-back', leftUntouched: [] });
    expect(readdirSync(directory)).toEqual(['kept']);
    expect(readFileSync(kept, 'utf8')).toBe('kept\n');
  },
);

it('files in an unmounted tmpfs are gone', async () => {
  const path = disk.makeDir('mnt');
  sh('mount', '-t', 'tmpfs', 'none', path);
  const own = { ...testEngine(disk.dir), mountsUnder };
  const failed = sequence(own, async (tx) => {
    await tx.step(create, { path: join(path, 'fresh'), content: 'fresh\n' });
    sh('umount', path);
    throw new Error('on purpose');
  });
  await expect(failed).rejects.toMatchObject({ code: 'rolled-back' });
  expect(existsSync(join(path, 'fresh'))).toBe(false);
});

it.each<readonly [string, (path: string) => void, (path: string) => void]>([
  ['only during the step', bindOnItself, (path) => void sh('umount', path)],
  ['only during the undo', () => undefined, bindOnItself],
])(
  'a bind mount of a directory on itself, as systemd protects it, hides nothing: %s',
  async (_, before, then) => {
    const path = disk.makeDir('mnt');
    mkdirSync(join(path, 'below'));
    const [kept, fresh] = [join(path, 'below/kept'), join(path, 'below/fresh')];
    writeFileSync(kept, 'kept\n');
    const own = { ...testEngine(disk.dir), mountsUnder };
    before(path);
    const failed = sequence(own, async (tx) => {
      await tx.step(create, { path: fresh, content: 'fresh\n' });
      await tx.step(remove, { path: kept });
      then(path);
      throw new Error('on purpose');
    });

    await expect(failed).rejects.toMatchObject({ code: 'rolled-back', leftUntouched: [] });
    expect(readdirSync(join(path, 'below'))).toEqual(['kept']);
  },
);

function bindOnItself(path: string): void {
  sh('mount', '--bind', path, path);
}

it.each(['ext4', 'tmpfs'])(
  'files that a later mount of others hides are not undone until it is unmounted: %s',
  async (type) => {
    const path = disk.makeDir('mnt');
    const [kept, fresh] = [join(path, 'kept'), join(path, 'fresh')];
    writeFileSync(kept, 'kept\n');
    const own = { ...testEngine(disk.dir), mountsUnder };

    const stuck = await rejectionOf(
      sequence(own, async (tx) => {
        await tx.step(create, { path: fresh, content: 'fresh\n' });
        await tx.step(remove, { path: kept });
        if (type === 'tmpfs') sh('mount', '-t', type, 'none', path);
        else sh('mount', made(type), path);
        throw new Error('on purpose');
      }),
    );
    expect(stuck).toBeInstanceOf(StuckError);
    expect(String(stuck)).toContain(`the ${type} filesystem at ${path} was mounted over it later`);

    const [open] = await openJournals(own);
    sh('umount', path);
    expect(await recover(open?.id ?? '', { engine: own, yes: true })).toMatchObject({ end: 'rolled-back' });
    expect(readdirSync(path)).toEqual(['kept']);
  },
);
