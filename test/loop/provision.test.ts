import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  connect,
  defineHost,
  provision,
  type HostBuilder,
  RefusedError,
  RolledBackError,
  withBofh,
} from '../../src/index.ts';
import { rejectionOf } from '../support/rejection.ts';
import { sh, storage } from './sequence.ts';

let disk: ReturnType<typeof storage>;
let root: string;

beforeEach(() => {
  disk = storage();
  root = disk.makeDir('root');
});
afterEach(() => disk.clean());

const at = (name: string): string => join(root, name);
const apply = (describe: (h: HostBuilder) => void) =>
  withBofh(connect({ stateDir: disk.path('state') }), () => provision.apply(defineHost(describe)));
/** Type, owner, mode, target or content of everything, and what `getfacl` and `getcap` would read. */
const tree = (): string =>
  sh('find', root, '-printf', '%P %y %U:%G %m %l\n') +
  sh(
    'tar',
    '--create',
    '--acls',
    '--xattrs',
    '--sort=name',
    '--mtime=@0',
    '--format=posix',
    '--pax-option=delete=atime,delete=ctime,delete=mtime',
    '--directory',
    root,
    '.',
  );
const journals = (): readonly string[] =>
  existsSync(disk.path('state/journal'))
    ? readdirSync(disk.path('state/journal'), { recursive: true })
        .map(String)
        .filter((name) => name.endsWith('.journal'))
    : [];

describe.skipIf(process.getuid?.() !== 0)('a description on real files', () => {
  const web = (h: HostBuilder): void => {
    h.file(at('new'), { content: new Uint8Array([0, 255, 10]), owner: 12345, group: 54321, mode: 0o4750 });
    h.file(at('changed'), { content: 'new\n' });
    h.file(at('owned'), { content: 'same\n', owner: 12345 });
    h.file(at('mode'), { content: 'same\n', mode: 0o600 });
    h.directory(at('directory'), { owner: 12345, mode: 0o2750 });
    h.link(at('link'), { to: 'b' });
    h.lines(at('lines'), { present: ['two'] });
    h.absent(at('old'));
    h.absent(at('empty'));
  };

  beforeEach(() => {
    for (const name of ['changed', 'owned', 'mode']) writeFileSync(at(name), 'same\n');
    writeFileSync(at('lines'), 'one');
    writeFileSync(at('old'), 'x');
    mkdirSync(at('directory'), { mode: 0o755 });
    mkdirSync(at('empty'), { mode: 0o700 });
    symlinkSync('a', at('link'));
    chownSync(at('changed'), 7, 8);
    chmodSync(at('changed'), 0o4711);
  });

  it('is made so, with owners and modes, and the second time nothing happens', async () => {
    expect(await apply(web)).toHaveLength(9);
    const of = (name: string) => {
      const { uid, gid, mode } = statSync(at(name));
      return [uid, gid, mode & 0o7777];
    };
    expect(of('new')).toEqual([12345, 54321, 0o4750]);
    expect([of('changed'), readFileSync(at('changed'), 'utf8')]).toEqual([[7, 8, 0o4711], 'new\n']);
    expect([of('owned'), of('mode')[2], of('directory')]).toEqual([
      [12345, 0, 0o644],
      0o600,
      [12345, 0, 0o2750],
    ]);
    expect([readlinkSync(at('link')), readFileSync(at('lines'), 'utf8')]).toEqual(['b', 'one\ntwo']);
    expect([existsSync(at('old')), existsSync(at('empty'))]).toEqual([false, false]);
    expect(readdirSync(root).filter((name) => name.startsWith('.bofh'))).toEqual([]);

    const [after, known] = [tree(), journals()];
    expect(known).toHaveLength(1);
    expect(await apply(web)).toEqual([]);
    expect([tree(), journals()]).toEqual([after, known]);
  });

  it('is taken back as a whole when a later step fails', async () => {
    writeFileSync(join(at('directory'), 'x'), '');
    const before = tree();
    const error = await rejectionOf(
      apply((h) => {
        web(h);
        h.absent(at('directory2'));
        h.file(at('none/x'), { content: '' });
      }),
    );
    expect(error).toBeInstanceOf(RolledBackError);
    expect(tree()).toBe(before);
  });

  it.skipIf(!existsSync('/usr/bin/setfattr'))('keeps extended attributes', async () => {
    sh('setfattr', '--name', 'user.bofh', '--value', 'x', at('changed'));
    await apply(web);
    expect(sh('getfattr', '--only-values', '--name', 'user.bofh', at('changed'))).toBe('x');
  });

  it('refuses hard links and bind mounts before the first step', async () => {
    linkSync(at('changed'), at('second'));
    const before = tree();
    const linked = await rejectionOf(apply(web));
    expect(linked).toBeInstanceOf(RefusedError);
    expect(String(linked)).toMatch(/provision\.test\.ts:\d+: .*changed has another name/);
    sh('rm', at('second'));
    sh('mount', '--bind', at('mode'), at('changed'));
    try {
      const bound = await rejectionOf(apply(web));
      expect(bound).toBeInstanceOf(RefusedError);
      expect(String(bound)).toContain('is a mount point');
    } finally {
      sh('umount', at('changed'));
    }
    linkSync(at('changed'), at('second'));
    expect(tree()).toBe(before);
  });

  it('makes an image, a filesystem in it, its mount and a file on that', async () => {
    const storageOf = (h: HostBuilder): void => {
      h.directory(at('mnt'));
      h.ensure.block.createImage({ file: disk.path('photos.img'), size: '16m' });
      const loop = h.ensure.block.attachLoop({ file: disk.path('photos.img') });
      h.ensure.filesystem.create(() => ({ device: loop().device, type: 'ext4' }));
      h.ensure.mount.mount(() => ({ device: loop().device, path: at('mnt'), mode: 'rw' }));
    };
    const failed = await rejectionOf(
      apply((h) => {
        storageOf(h);
        h.file(at('mnt/none/x'), { content: '' });
      }),
    );
    expect(failed).toBeInstanceOf(RolledBackError);
    expect([existsSync(disk.path('photos.img')), existsSync(at('mnt'))]).toEqual([false, false]);

    const all = (h: HostBuilder): void => {
      storageOf(h);
      h.file(at('mnt/a.conf'), { content: 'a=1\n', mode: 0o640 });
    };
    try {
      expect(await apply(all)).toHaveLength(6);
      expect(sh('findmnt', '--noheadings', '--output', 'FSTYPE', at('mnt')).trim()).toBe('ext4');
      expect(readFileSync(at('mnt/a.conf'), 'utf8')).toBe('a=1\n');
      expect(await apply(all)).toEqual([]);
    } finally {
      const device = sh('findmnt', '--noheadings', '--output', 'SOURCE', at('mnt')).trim();
      sh('umount', at('mnt'));
      sh('losetup', '--detach', device);
    }
  });
});
