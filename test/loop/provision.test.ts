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
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type FileRequest,
  type HostBuilder,
  RefusedError,
  RolledBackError,
  Secret,
} from '../../src/index.ts';
import { rejectionOf } from '../support/rejection.ts';
import { describedDirectory } from './described.ts';
import { sh } from './sequence.ts';

const { applied, apply, at, disk, journals, root, undoLater } = describedDirectory();

/** Type, owner, mode, target or content of everything, and what `getfacl` and `getcap` would read. */
const tree = (): string =>
  sh('find', root(), '-printf', '%P %y %U:%G %m %l\n') +
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
    root(),
    '.',
  );
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

  it('runs a script, undoes also one that failed half-way, and checks its probe', async () => {
    const index = (end: string) => (h: HostBuilder) => {
      h.script('index', {
        isDone: `test -e '${at('index')}/done'`,
        run: `mkdir '${at('index')}'\n${end}\ntouch '${at('index')}/done'`,
        undo: ['rm', '--recursive', '--force', at('index')],
        seconds: 2,
      });
      h.file(at('index/more'), { content: 'x' });
    };
    const before = tree();
    expect(String(await rejectionOf(apply(index('echo no room >&2; false'))))).toContain('no room');
    expect(tree()).toBe(before);
    await rejectionOf(apply(index('sleep 30')));
    expect(tree()).toBe(before);
    expect(await apply(index('true'))).toMatchObject([{ kind: 'script' }, { kind: 'file' }]);
    expect(readdirSync(at('index'))).toEqual(['done', 'more']);
    expect(await apply(index('true'))).toEqual([]);
  });

  it('runs a script that cannot be undone after the commit', async () => {
    const describe = (last: string) => (h: HostBuilder) => {
      h.script('once', {
        isDone: ['test', '-e', at('once')],
        run: `cat '${at('b')}' > '${at('once')}'`,
        undo: 'none',
      });
      h.file(last, { content: 'written before\n' });
    };
    await rejectionOf(apply(describe(at('none/b'))));
    expect(existsSync(at('once'))).toBe(false);
    await apply(describe(at('b')));
    expect(readFileSync(at('once'), 'utf8')).toBe('written before\n');
  });

  it('edits values in a file, keeps its ACL and comments, and restores it', async () => {
    writeFileSync(at('app.yaml'), '# app\nserver:\n    port: 80 # web\n');
    sh('setfacl', '--modify', 'user:12345:r', at('app.yaml'));
    const before = tree();
    const edit = (h: HostBuilder): void => {
      h.edit(at('app.yaml'), { yaml: { server: { port: 8080, hosts: ['a'] } } });
      h.edit(at('new.toml'), { toml: { a: { b: 1 } } });
    };
    await rejectionOf(
      apply((h) => {
        edit(h);
        h.ensure.mount.mount({ device: '/dev/none', path: root(), mode: 'rw' });
      }),
    );
    expect(tree()).toBe(before);
    expect(await apply(edit)).toHaveLength(2);
    expect(readFileSync(at('app.yaml'), 'utf8')).toBe(
      '# app\nserver:\n    port: 8080 # web\n    hosts:\n        - a\n',
    );
    expect(sh('getfacl', '--absolute-names', '--numeric', at('app.yaml'))).toContain('user:12345:r--');
    expect(await apply(edit)).toEqual([]);
  });

  it('writes the result of a template beside the description', async () => {
    writeFileSync(disk().path('site.liquid'), '{% for port in ports %}listen {{ port }};\n{% endfor %}');
    const site = (ports: readonly number[]) => (h: HostBuilder) =>
      h.template(at('site.conf'), { file: disk().path('site.liquid'), data: { ports } });
    expect(await apply(site([80, 443]))).toHaveLength(1);
    expect(readFileSync(at('site.conf'), 'utf8')).toBe('listen 80;\nlisten 443;\n');
    expect(await apply(site([80, 443]))).toEqual([]);
    expect(await apply(site([80]))).toMatchObject([{ action: 'change', kind: 'file' }]);
  });

  it('is applied with owners and modes, and a second run changes nothing', async () => {
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
    expect(readdirSync(root()).filter((name) => name.startsWith('.bofh'))).toEqual([]);

    const [after, known] = [tree(), journals()];
    expect(known).toHaveLength(1);
    expect(await apply(web)).toEqual([]);
    expect([tree(), journals()]).toEqual([after, known]);
  });

  it('is undone as a whole when a later step fails', async () => {
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

  it('is undone by bofh undo days later, completely, and once', async () => {
    const before = tree();
    const id = await applied(web);

    writeFileSync(at('lines'), 'by others\n');
    const edited = tree();
    const refused = await rejectionOf(undoLater(id));
    expect(refused).toBeInstanceOf(RefusedError);
    expect(String(refused)).toContain(`${at('lines')} was edited since`);
    expect([tree(), journals()]).toEqual([edited, [`history/${id}.journal`]]);

    writeFileSync(at('lines'), 'one\ntwo');
    expect(await undoLater(id)).toMatchObject({ end: 'rolled-back', leftUntouched: [] });
    expect(tree()).toBe(before);
    expect(String(await rejectionOf(undoLater(id)))).toContain('has undone it already');
    expect(existsSync(disk().path(`state/journal/history/${id}.kept`))).toBe(false);
  });

  it('cannot be undone later if it replaced a secret, because no copy is kept', async () => {
    await apply((h) => h.file(at('key'), { content: new Secret('old secret'), mode: 0o644 }));
    const id = await applied((h) => h.file(at('key'), { content: new Secret('new one'), mode: 0o644 }));
    expect(String(await rejectionOf(undoLater(id)))).toContain(
      `file.change (${at('key')}) needs: ${at('key')} is not kept: its content is secret`,
    );
    expect(readFileSync(at('key'), 'utf8')).toBe('new one');
    expect(spawnSync('grep', ['--recursive', 'old secret', disk().path('state')]).status).toBe(1);
  });

  it('refuses hard links and bind mounts before the first step', async () => {
    linkSync(at('changed'), at('second'));
    const before = tree();
    const linked = await rejectionOf(apply(web));
    expect(linked).toBeInstanceOf(RefusedError);
    expect(String(linked)).toMatch(/provision\.test\.ts:\d+: .*changed has another hard link/);
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

  it('creates an image, a filesystem in it, its mount and a file there', async () => {
    const storageOf = (h: HostBuilder): void => {
      h.directory(at('mnt'));
      h.ensure.block.createImage({ file: disk().path('photos.img'), size: '16m' });
      const loop = h.ensure.block.attachLoop({ file: disk().path('photos.img') });
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
    expect([existsSync(disk().path('photos.img')), existsSync(at('mnt'))]).toEqual([false, false]);

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

describe.skipIf(process.getuid?.() !== 0)('a description of a file on ext4', () => {
  let file: string;

  beforeEach(() => {
    sh('mount', disk().ext4('image').device, root());
    file = at('tool');
    writeFileSync(file, 'same\n', { mode: 0o755 });
    sh('setfattr', '--name', 'user.bofh', '--value', 'x', file);
    sh('setfacl', '--modify', 'user:12345:rwx', file);
    // Last: chown and writes remove it.
    sh('setcap', 'cap_net_raw=ep', file);
  });

  const attributes = (path = file): readonly string[] => [
    sh('getfattr', '--absolute-names', '--only-values', '--name', 'user.bofh', path),
    sh('getcap', path).replace(path, '').trim(),
    ...sh('getfacl', '--absolute-names', '--omit-header', '--numeric', '--no-effective', path)
      .trim()
      .split('\n'),
  ];
  const acl = (group: string, other: string): readonly string[] => [
    'user::rwx',
    'user:12345:rwx',
    'group::r-x',
    `mask::${group}`,
    `other::${other}`,
  ];

  const wanted: readonly (readonly [string, FileRequest, readonly string[]])[] = [
    ['content', { content: 'new\n' }, acl('rwx', 'r-x')],
    ['mode', { content: 'same\n', mode: 0o750 }, acl('r-x', '---')],
    ['owner', { content: 'same\n', owner: 12345, group: 54321 }, acl('rwx', 'r-x')],
    ['content, owner and mode', { content: 'new\n', owner: 12345, mode: 0o750 }, acl('r-x', '---')],
  ];

  it.each(wanted)('with another %s keeps its ACL, xattr and capability', async (_, request, entries) => {
    const before = attributes();
    const failed = await rejectionOf(
      apply((h) => {
        h.file(file, request);
        h.file(at('none/x'), { content: '' });
      }),
    );
    expect(failed).toBeInstanceOf(RolledBackError);
    expect(attributes()).toEqual(before);

    const id = await applied((h) => h.file(file, request));
    expect(attributes()).toEqual(['x', 'cap_net_raw=ep', ...entries]);
    expect(await apply((h) => h.file(file, request))).toEqual([]);

    expect(await undoLater(id)).toMatchObject({ end: 'rolled-back', leftUntouched: [] });
    expect(attributes()).toEqual(before);
  });

  it('restores a removed one completely by bofh undo, unless another exists', async () => {
    const whole = () => [
      ...attributes(),
      sh('stat', '--format=%A %u:%g %s %y', file),
      readFileSync(file, 'utf8'),
    ];
    const before = whole();
    const id = await applied((h) => h.absent(file));
    writeFileSync(file, 'theirs\n');
    expect(String(await rejectionOf(undoLater(id)))).toContain(`there is a file at ${file} again`);
    expect(readFileSync(file, 'utf8')).toBe('theirs\n');
    sh('rm', file);
    await undoLater(id);
    expect(whole()).toEqual(before);
  });

  const immutable: readonly (readonly [string, (h: HostBuilder) => void])[] = [
    ['content', (h) => h.file(file, { content: 'new\n' })],
    ['mode', (h) => h.file(file, { content: 'same\n', mode: 0o700 })],
    ['owner', (h) => h.file(file, { content: 'same\n', owner: 12345 })],
    ['lines', (h) => h.lines(file, { present: ['new'] })],
    ['no file', (h) => h.absent(file)],
  ];

  it.each(
    immutable.flatMap(([what, describeIt]) =>
      (['immutable', 'append-only'] as const).map((state) => [state, what, describeIt] as const),
    ),
  )('refuses one that is %s before the first step: %s', async (state, _, describeIt) => {
    const flag = state === 'immutable' ? 'i' : 'a';
    const both = (h: HostBuilder): void => {
      h.file(at('first'), { content: '' });
      describeIt(h);
    };
    sh('chattr', `+${flag}`, file);
    try {
      const before = attributes();
      const error = await rejectionOf(apply(both));
      expect(error).toBeInstanceOf(RefusedError);
      expect(error).toMatchObject({ code: 'denied', remedy: `chattr -${flag} ${file}` });
      expect(String(error)).toMatch(new RegExp(`provision\\.test\\.ts:\\d+: ${file} is ${state}`));
      expect([attributes(), existsSync(at('first')), journals()]).toEqual([before, false, []]);
    } finally {
      sh('chattr', `-${flag}`, file);
    }
    expect(await apply(both)).toHaveLength(2);
  });
});
