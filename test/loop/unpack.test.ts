import {
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openJournals, recover } from '../../src/atomic/recovery/recover.ts';
import { identityOf } from '../../src/blockdevice/index.ts';
import { unpack } from '../../src/copy/operations.ts';
import { RefusedError, RolledBackError } from '../../src/core/errors.ts';
import { debugfsFeatures, debugfsRoot } from '../../src/filesystem/index.ts';
import { mount } from '../../src/mount/operations.ts';
import { type Made, pax, tarOf } from '../unit/copy/tar.ts';
import { mark, scratch, take } from '../unit/file/support.ts';
import { mountedPaths, sequence, sh, startScript, storage, testEngine } from './sequence.ts';

let disk: ReturnType<typeof storage>;
let step: ReturnType<typeof scratch>;
let root: string;
let victim: string;
let device: string;
let filesystem: string;

beforeEach(() => {
  disk = storage();
  step = scratch();
  root = disk.makeDir('root');
  victim = disk.makeDir('victim');
  writeFileSync(join(victim, 'secret'), 'secret');
  ({ device, filesystem } = disk.ext4('a.img', { mebibytes: 64 }));
  sh('mount', device, root);
});

afterEach(() => {
  try {
    expect(readdirSync(victim)).toEqual(['secret']);
    expect(readFileSync(join(victim, 'secret'), 'utf8')).toBe('secret');
    expect(statSync(join(victim, 'secret')).nlink).toBe(1);
  } finally {
    disk.clean();
    step.remove();
  }
});

const tree: readonly Made[] = [
  { name: './', type: 'dir', mode: 0o755 },
  { name: './etc/', type: 'dir', mode: 0o750 },
  { name: './etc/hostname', content: 'old\n' },
  { name: './etc/mtab', type: 'link', to: '/proc/self/mounts' },
  { name: './su', content: 'x', mode: 0o4755 },
  { name: './null', type: 'char' },
  { name: './a b -> c\n', content: 'odd' },
  { name: Buffer.from([0x2e, 0x2f, 0xe9]), content: 'latin' },
  { name: './same', type: 'hard', to: './su' },
  pax('SCHILY.xattr.trusted.colour', 'blue'),
  { name: './coloured', content: 'x' },
];

function archive(members: readonly Made[], name = 'a.tar'): string {
  writeFileSync(disk.path(name), tarOf(members));
  return disk.path(name);
}

const asked = (
  members: readonly Made[] = tree,
  files: readonly { path: string; content: string; mode: number }[] = [],
) => ({
  source: archive(members),
  root,
  device,
  filesystem,
  files,
});

const filled = () => readdirSync(root).filter((name) => name !== 'lost+found');

describe('unpacking into a new root', () => {
  it('restores names, modes, links, devices and attributes of the archive', async () => {
    const unpacked = await take(unpack, asked(), step.host);
    expect(await unpacked.run()).toEqual({ members: 10, bytes: 14 });
    expect(await unpacked.look()).toMatchObject({ state: 'ours' });
    expect(statSync(join(root, 'etc')).mode & 0o7777).toBe(0o750);
    expect(statSync(join(root, 'su')).mode & 0o7777).toBe(0o4755);
    expect(statSync(join(root, 'same')).ino).toBe(statSync(join(root, 'su')).ino);
    expect(readlinkSync(join(root, 'etc/mtab'))).toBe('/proc/self/mounts');
    expect(lstatSync(join(root, 'null')).isCharacterDevice()).toBe(true);
    expect(readFileSync(join(root, 'a b -> c\n'), 'utf8')).toBe('odd');
    expect(readFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xe9])]), 'utf8')).toBe('latin');
    sh('sync', '--file-system', root);
    expect(sh('debugfs', '-R', 'ea_list /coloured', device)).toContain('trusted.colour (4) = "blue"');
  });

  it('fills a btrfs, whose mount has a device number of its own, and empties it again', async () => {
    sh('umount', root);
    sh('mkfs.btrfs', '--quiet', '--force', '--mixed', device);
    filesystem = sh('blkid', '--probe', '--output', 'value', '--match-tag', 'UUID', device).trim();
    sh('mount', device, root);
    const unpacked = await take(unpack, asked(), step.host);
    await unpacked.run();
    expect(filled()).toContain('etc');
    expect(await unpacked.look()).toMatchObject({ state: 'ours' });
    await unpacked.goBack('without result');
    expect(filled()).toEqual([]);
    expect(await unpacked.look()).toMatchObject({ state: 'gone' });
  });

  it('writes its own files over those of the archive, and never through a link', async () => {
    const files = [
      { path: 'etc/hostname', content: 'web1\n', mode: 0o644 },
      { path: 'etc/mtab', content: 'plain', mode: 0o600 },
      { path: 'etc/network/if.d/eth0', content: 'auto', mode: 0o644 },
    ];
    const unpacked = await take(unpack, asked(tree, files), step.host);
    await unpacked.run();
    expect(readFileSync(join(root, 'etc/hostname'), 'utf8')).toBe('web1\n');
    expect(lstatSync(join(root, 'etc/mtab')).isFile()).toBe(true);
    expect(statSync(join(root, 'etc/mtab')).mode & 0o7777).toBe(0o600);
    expect(readFileSync(join(root, 'etc/network/if.d/eth0'), 'utf8')).toBe('auto');
    expect(sh('find', root, '-name', '.bofh-*')).toBe('');
  });

  it.each<[string, string, readonly Made[]]>([
    ['an absolute link', 'etc/secret', [{ name: 'etc', type: 'link', to: '/VICTIM' }]],
    ['a climbing link', 'etc/secret', [{ name: 'etc', type: 'link', to: '../victim' }]],
    [
      'a link deeper down',
      'etc/a/secret',
      [
        { name: 'etc/', type: 'dir' },
        { name: 'etc/a', type: 'link', to: '/VICTIM' },
      ],
    ],
    ['a file in the way', 'etc/secret', [{ name: 'etc', content: 'x' }]],
    ['a directory in its place', 'etc/secret', [{ name: 'etc/secret/', type: 'dir' }]],
  ])('refuses to write a file of its own through %s, and is undone', async (_, path, members) => {
    const made = members.map((one) =>
      one.to === undefined ? one : { ...one, to: one.to.replace('/VICTIM', victim) },
    );
    const unpacked = await take(unpack, asked(made, [{ path, content: 'pwned', mode: 0o644 }]), step.host);
    await expect(unpacked.run()).rejects.toThrow(RefusedError);
    await unpacked.goBack('without result');
    expect(filled()).toEqual([]);
  });

  it('reports its progress', async () => {
    const told: (number | undefined)[] = [];
    const engine = {
      ...testEngine(disk.path('state')),
      onProgress: (_: unknown, { fraction }: { fraction?: number }) => told.push(fraction),
    };
    const many = Array.from({ length: 300 }, (_, i) => ({ name: `f${i}`, content: 'x'.repeat(20000) }));
    await sequence(engine, (tx) => tx.step(unpack, asked(many)));
    const fractions = told.filter((one) => one !== undefined);
    expect(fractions.length).toBeGreaterThan(0);
    expect(fractions.at(-1)).toBeGreaterThan(0.9);
    expect(fractions.toSorted((a, b) => a - b)).toEqual(fractions);
  });
});

describe('an archive that changes between check and act', () => {
  const swap = (members: readonly Made[], size: number): void => {
    const hostile = tarOf(members);
    writeFileSync(disk.path('a.tar'), Buffer.concat([hostile, Buffer.alloc(size - hostile.length)]));
  };
  const big: readonly Made[] = [{ name: 'good', content: 'x'.repeat(20000) }];

  it.each<[string, () => readonly Made[]]>([
    [
      'an absolute link',
      () => [
        { name: 'd', type: 'link', to: victim },
        { name: 'd/pwned', content: 'x' },
      ],
    ],
    [
      'a climbing link',
      () => [
        { name: 'd', type: 'link', to: '../victim' },
        { name: 'd/pwned', content: 'x' },
      ],
    ],
    [
      'two links',
      () => [
        { name: 'a', type: 'link', to: victim },
        { name: 'b', type: 'link', to: 'a' },
        { name: 'b/pwned', content: 'x' },
      ],
    ],
    [
      'a hard link to a link',
      () => [
        { name: 'a', type: 'link', to: victim },
        { name: 'h', type: 'hard', to: 'a' },
        { name: 'h/pwned', content: 'x' },
      ],
    ],
    [
      'a link that a directory replaces',
      () => [
        { name: 'd', type: 'link', to: victim },
        { name: 'd/', type: 'dir' },
        { name: 'd/pwned', content: 'x' },
      ],
    ],
    [
      'a hard link to an absolute name',
      () => [
        { name: 'h', type: 'hard', to: join(victim, 'secret') },
        { name: 'h', content: 'pwned' },
      ],
    ],
    [
      'a hard link that climbs',
      () => [
        { name: 'h', type: 'hard', to: '../victim/secret' },
        { name: 'h', content: 'pwned' },
      ],
    ],
    [
      'a file over a link to a file',
      () => [
        { name: 'h', type: 'link', to: join(victim, 'secret') },
        { name: 'h', content: 'pwned' },
      ],
    ],
    [
      'names that are absolute and climb',
      () => [
        { name: join(victim, 'pwned'), content: 'x' },
        { name: '../victim/pwned', content: 'x' },
        { name: 'a/../../victim/pwned', content: 'x' },
      ],
    ],
  ])('writes nothing outside with %s', async (_, members) => {
    const unpacked = await take(unpack, asked(big), step.host);
    const { size } = statSync(disk.path('a.tar'));
    swap(members(), size);
    await unpacked.run().catch(() => undefined);
    expect(readdirSync(victim)).toEqual(['secret']);
    expect(readFileSync(join(victim, 'secret'), 'utf8')).toBe('secret');
    await unpacked.goBack('without result');
    expect(filled()).toEqual([]);
    expect(await unpacked.look()).toEqual({ state: 'gone' });
  });

  it('is refused when it is a different file', async () => {
    const unpacked = await take(unpack, asked(big), step.host);
    archive([...big, { name: 'more' }]);
    await expect(unpacked.run()).rejects.toThrow('was replaced');
    expect(filled()).toEqual([]);
  });
});

describe('the undo of unpacking', () => {
  it('empties the mounted root, and keeps lost+found', async () => {
    const inode = statSync(join(root, 'lost+found')).ino;
    const unpacked = await take(unpack, asked(), step.host);
    await unpacked.run();
    await unpacked.goBack();
    expect(readdirSync(root)).toEqual(['lost+found']);
    expect(statSync(join(root, 'lost+found')).ino).toBe(inode);
    expect(mountedPaths(device)).toEqual([root]);
    expect(existsSync(`/run/bofh/undo-${mark}`)).toBe(false);
  });

  it('empties it too when it is not mounted any more, and twice', async () => {
    const unpacked = await take(unpack, asked(), step.host);
    await unpacked.run();
    sh('umount', root);
    expect(await unpacked.look('without result')).toMatchObject({ state: 'ours' });
    await unpacked.goBack('without result');
    await unpacked.goBack('without result');
    expect(await unpacked.look('without result')).toEqual({ state: 'gone' });
    expect(mountedPaths(device)).toEqual([]);
    sh('mount', device, root);
    expect(filled()).toEqual([]);
  });

  it('does nothing when nothing was written', async () => {
    const unpacked = await take(unpack, asked(), step.host);
    expect(await unpacked.look('without result')).toEqual({ state: 'gone' });
    sh('umount', root);
    expect(await unpacked.look('without result')).toEqual({ state: 'gone' });
  });

  it('continues after a kill half-way, with its own mount still there', async () => {
    const unpacked = await take(unpack, asked(), step.host);
    await unpacked.run();
    sh('umount', root);
    const undoing = `/run/bofh/undo-${mark}`;
    mkdirSync(undoing);
    sh('mount', device, undoing);
    sh('rm', '-r', `${undoing}/etc`);
    await unpacked.goBack('without result');
    expect(existsSync(undoing)).toBe(false);
    expect(await unpacked.look()).toEqual({ state: 'gone' });
  });

  it('removes its own mount also when the filesystem was emptied before the kill', async () => {
    const unpacked = await take(unpack, asked(), step.host);
    const undoing = `/run/bofh/undo-${mark}`;
    mkdirSync(undoing);
    expect(await unpacked.look('without result')).toMatchObject({ state: 'ours' });
    await unpacked.goBack('without result');
    expect(existsSync(undoing)).toBe(false);
  });

  it('follows no link out of the root', async () => {
    const unpacked = await take(unpack, asked(), step.host);
    await unpacked.run();
    symlinkSync(victim, join(root, 'out'));
    sh('mkdir', join(root, 'deep'));
    symlinkSync(victim, join(root, 'deep/out'));
    await unpacked.goBack();
    expect(filled()).toEqual([]);
  });

  it('leaves mounts inside the root, and reports it as busy', async () => {
    const unpacked = await take(unpack, asked([{ name: 'proc/', type: 'dir' }]), step.host);
    await unpacked.run();
    sh('mount', '--bind', victim, join(root, 'proc'));
    await expect(unpacked.goBack()).rejects.toMatchObject({ reason: 'busy' });
    expect(await unpacked.look()).toMatchObject({ state: 'ours' });
    sh('umount', join(root, 'proc'));
    await unpacked.goBack();
    expect(filled()).toEqual([]);
  });

  it('is not confused by a newer mount over the root', async () => {
    const unpacked = await take(unpack, asked(), step.host);
    await unpacked.run();
    sh('mount', '-t', 'tmpfs', 'over', root);
    expect(await unpacked.look()).toMatchObject({ state: 'ours' });
    writeFileSync(join(root, 'foreign'), 'x');
    await unpacked.goBack();
    expect(filled()).toEqual(['foreign']);
    sh('umount', root);
    expect(filled()).toEqual([]);
  });

  it('leaves another filesystem on that device alone', async () => {
    const unpacked = await take(unpack, asked(), step.host);
    await unpacked.run();
    sh('umount', root);
    sh('mkfs.ext4', '-q', '-F', device);
    sh('mount', device, root);
    writeFileSync(join(root, 'foreign'), 'x');
    expect(await unpacked.look('without result')).toEqual({ state: 'gone' });
    await unpacked.goBack('without result');
    expect(filled()).toEqual(['foreign']);
  });

  it('does nothing while the device is absent, because it may return with its content', async () => {
    const unpacked = await take(unpack, { ...asked(), device }, step.host);
    const undo = { ...(unpacked.undo as object), device: '/dev/none', identity: 'dev:none' };
    await expect(unpack.look({ undo, host: step.host })).rejects.toThrow(/is unknown/);
    await expect(unpack.revert({ undo, host: step.host })).rejects.toThrow(/is unknown/);
  });

  it('reads what a power cut left only in the journal of the filesystem', async () => {
    const unpacked = await take(unpack, asked(), step.host);
    const file = openSync(join(root, 'file'), 'w');
    // fsync commits the journal and leaves the directory's own block for later; syncfs would write that too.
    fsyncSync(file);
    closeSync(file);
    sh('cp', disk.path('a.img'), disk.path('b.img'));
    const second = sh('losetup', '--find', '--show', disk.path('b.img')).trim();
    try {
      const { identity, key } = await identityOf(step.host, second);
      const undo = { ...(unpacked.undo as object), device: second, identity, key };
      expect(sh('debugfs', '-R', 'ls -p /', second)).not.toContain('/file/');
      expect(await unpack.look({ undo, host: step.host })).toMatchObject({ state: 'ours' });
      await unpack.revert({ undo, host: step.host });
      expect(await unpack.look({ undo, host: step.host })).toEqual({ state: 'gone' });
      sh('mount', second, disk.makeDir('other'));
      expect(readdirSync(disk.path('other'))).toEqual(['lost+found']);
      sh('umount', disk.path('other'));
    } finally {
      sh('losetup', '--detach', second);
    }
  });

  it('empties an ext4 whose bitmaps are still in its journal', async () => {
    const unpacked = await take(unpack, asked(tree.slice(0, 3)), step.host);
    // As after a power cut: the descriptors of the groups are on the disk, the bitmaps only in the journal.
    const [, size] = /^Block size: +(\d+)$/m.exec(sh('dumpe2fs', '-h', disk.path('a.img'))) ?? [];
    const bitmaps = [...sh('dumpe2fs', disk.path('a.img')).matchAll(/bitmap at (\d+)/g)].slice(0, 2);
    const bytes = Number(size);
    const older = readFileSync(disk.path('a.img'));
    await unpacked.run();
    sh('sync', '-f', root);
    sh('cp', disk.path('a.img'), disk.path('b.img'));
    const image = openSync(disk.path('b.img'), 'r+');
    for (const [, block] of bitmaps)
      writeSync(image, older, Number(block) * bytes, bytes, Number(block) * bytes);
    closeSync(image);
    const second = sh('losetup', '--find', '--show', disk.path('b.img')).trim();
    try {
      const { identity, key } = await identityOf(step.host, second);
      const undo = { ...(unpacked.undo as object), device: second, identity, key };
      expect(bitmaps).toHaveLength(2);
      expect(sh('debugfs', '-R', 'features', second)).toBe('');
      expect(await step.host.run(debugfsFeatures(second))).toContain('needs_recovery');
      expect(await step.host.run(debugfsRoot(second))).toContain('lost+found');
      expect(await unpack.look({ undo, host: step.host })).toMatchObject({ state: 'ours' });
      await unpack.revert({ undo, host: step.host });
      expect(await unpack.look({ undo, host: step.host })).toEqual({ state: 'gone' });
    } finally {
      sh('losetup', '--detach', second);
    }
  });
});

describe('before anything changes', () => {
  it('a root that is not empty, not mounted, read-only, or of another device is refused', async () => {
    writeFileSync(join(root, 'file'), '');
    await expect(take(unpack, asked(), step.host)).rejects.toThrow('is not empty (file)');
    await expect(take(unpack, { ...asked(), filesystem: 'other' }, step.host)).rejects.toThrow(
      'does not hold',
    );
    await expect(take(unpack, { ...asked(), root: victim }, step.host)).rejects.toThrow(
      'must have exactly one mount',
    );
    sh('umount', root);
    await expect(take(unpack, asked(), step.host)).rejects.toThrow('must have exactly one mount');
    sh('mount', '-o', 'ro', device, root);
    await expect(take(unpack, asked(), step.host)).rejects.toThrow('read-only');
  });

  it.each(['/etc/hostname', '../x', 'etc/../../x', '', 'etc//x', 'etc/'])(
    'a file "%s" is refused',
    async (path) => {
      const refused = take(unpack, asked(tree, [{ path, content: '', mode: 0o644 }]), step.host);
      await expect(refused).rejects.toThrow('must be a path inside the root');
    },
  );

  it('a hostile archive is refused and nothing is written', async () => {
    const hostile = [{ name: 'd', type: 'link', to: victim }, { name: 'd/pwned' }] as const;
    await expect(take(unpack, asked(hostile), step.host)).rejects.toThrow('may lead out');
    expect(filled()).toEqual([]);
  });

  it('no other sequence may change the filesystem meanwhile', async () => {
    const engine = testEngine(disk.path('state'));
    const { undo } = await take(unpack, asked(), step.host);
    const { key } = await engine.on(device);
    expect(unpack.within({ args: asked(), undo })).toBe(`fs:${filesystem}`);
    expect(await unpack.claims({ args: asked(), undo, on: engine.on })).toEqual({
      changes: [`fs:${filesystem}`],
      needs: [`mnt:${root}`, key, `file:${disk.path('a.img')}`],
    });
  });
});

describe('in a sequence', () => {
  it('a root is filled through a temporary mount, and keeps its files', async () => {
    sh('umount', root);
    await sequence(testEngine(disk.path('state')), async (tx) => {
      const at = await tx.temporary(mount, { device, mode: 'rw' });
      await tx.step(unpack, { ...asked(), root: at.path });
      await at.release();
    });
    expect(mountedPaths(device)).toEqual([]);
    sh('mount', device, root);
    expect(filled()).toContain('etc');
  });

  it('a failure after the mount was released empties the root again', async () => {
    sh('umount', root);
    const failure = sequence(testEngine(disk.path('state')), async (tx) => {
      const at = await tx.temporary(mount, { device, mode: 'rw' });
      await tx.step(unpack, { ...asked(), root: at.path });
      await at.release();
      throw new Error('later');
    });
    await expect(failure).rejects.toThrow(RolledBackError);
    expect(mountedPaths(device)).toEqual([]);
    sh('mount', device, root);
    expect(filled()).toEqual([]);
  });

  it('a full filesystem is undone, and the error says why', async () => {
    const failure: unknown = await sequence(testEngine(disk.path('state')), (tx) =>
      tx.step(unpack, asked([{ name: 'big', content: 'x'.repeat(80 * 1024 * 1024) }])),
    ).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RolledBackError);
    expect(failure).toMatchObject({ cause: { reason: 'no-space' } });
    expect(filled()).toEqual([]);
  });

  it('recovery ends tar after a SIGKILL, and empties the root', async () => {
    const many = Array.from({ length: 12_000 }, (_, i) => ({ name: `f${i}`, content: 'x'.repeat(3000) }));
    const args = asked(many);
    const script = disk.path('child.ts');
    const here = (path: string): string => JSON.stringify(new URL(path, import.meta.url).pathname);
    writeFileSync(
      script,
      `import { sequence, testEngine } from ${here('./sequence.ts')};
       import { unpack } from ${here('../../src/copy/operations.ts')};
       await sequence(testEngine(${JSON.stringify(disk.path('state'))}), (tx) => tx.step(unpack, ${JSON.stringify(args)}));`,
    );
    const { child, ended } = startScript(script);
    await expect.poll(() => filled().length, { timeout: 90_000, interval: 5 }).toBeGreaterThan(0);
    child.kill('SIGKILL');
    expect(await ended).toBe('SIGKILL');
    const engine = testEngine(disk.path('state'));
    const [open] = await openJournals(engine);
    expect(open?.owner).toBe('orphan');
    expect((await recover(open?.id ?? '', { engine, yes: true })).end).toBe('rolled-back');
    expect(filled()).toEqual([]);
  });
});
