import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { files } from '../../src/copy/operations.ts';
import { readRoot } from '../../src/copy/index.ts';
import { localHost } from '../../src/host/local.ts';
import { rejectionOf } from '../support/rejection.ts';
import { scratch, take } from '../unit/file/support.ts';
import { sh, storage } from './sequence.ts';

let disk: ReturnType<typeof storage>;
let step: ReturnType<typeof scratch>;
let root: string;
let device: string;
let filesystem: string;

beforeEach(() => {
  disk = storage();
  step = scratch();
  root = disk.makeDir('root');
  ({ device, filesystem } = disk.ext4('a.img', { mebibytes: 64 }));
  sh('mount', device, root);
  mkdirSync(join(root, 'etc'));
  writeFileSync(join(root, 'etc/hostname'), 'old\n');
  chmodSync(join(root, 'etc/hostname'), 0o640);
  chownSync(join(root, 'etc/hostname'), 7, 8);
  writeFileSync(join(root, 'etc/key'), 'secret of the old system\n');
  symlinkSync('/proc/mounts', join(root, 'etc/mtab'));
});

afterEach(() => {
  disk.clean();
  step.remove();
});

const asked = () => ({
  ...{ root, device, filesystem },
  files: [
    { path: 'etc/hostname', content: 'new\n', mode: 0o644 },
    { path: 'etc/mtab', content: 'a file now\n', mode: 0o644 },
    { path: 'srv/deep/hello', content: 'hello\n', mode: 0o600 },
  ],
  remove: ['etc/key', 'etc/none'],
});
const listing = () =>
  sh('find', root, '-mindepth', '1', '-printf', '%P %y %m %U %G %l\n').split('\n').toSorted();

describe('files in the root of another system', () => {
  it('are written and removed, and nothing is kept after the commit', async () => {
    const taken = await take(files, asked(), step.host);
    expect(await taken.run()).toEqual({ files: 3 });
    expect(readFileSync(join(root, 'etc/hostname'), 'utf8')).toBe('new\n');
    expect(readFileSync(join(root, 'etc/mtab'), 'utf8')).toBe('a file now\n');
    expect(existsSync(join(root, 'etc/key'))).toBe(false);
    expect(await taken.look()).toMatchObject({ state: 'ours' });
    const { saved } = taken.undo as { readonly saved: string };
    expect(statSync('/var/lib/bofh/files').mode & 0o777).toBe(0o700);
    expect(sh('tar', '--list', '--file', saved).split('\n').filter(Boolean)).toEqual([
      ...['./etc/hostname', './etc/mtab', './etc/key'],
    ]);

    await taken.finish();

    expect(existsSync(saved)).toBe(false);
    expect(await taken.look()).toEqual({ state: 'gone' });
  });

  it.each(['mounted', 'unmounted'])('are restored by the undo, also by a second one: %s', async (state) => {
    const before = listing();
    const taken = await take(files, asked(), step.host);
    await taken.run();
    if (state === 'unmounted') sh('umount', root);

    await taken.goBack();
    await taken.goBack();

    if (state === 'unmounted') sh('mount', device, root);
    expect(listing()).toEqual(before);
    expect(readFileSync(join(root, 'etc/key'), 'utf8')).toBe('secret of the old system\n');
    expect(
      readdirSync('/var/lib/bofh/files').filter((name) =>
        name.startsWith((taken.undo as { readonly mark: string }).mark),
      ),
    ).toEqual([]);
  });

  it('are not written through a link, nor into another filesystem', async () => {
    const victim = disk.makeDir('victim');
    symlinkSync(victim, join(root, 'srv'));
    const before = listing();
    const taken = await take(files, asked(), step.host);
    expect(String(await rejectionOf(taken.run()))).toContain('is not a directory but a symbolic link');
    await taken.goBack();
    expect(listing()).toEqual(before);
    expect(readdirSync(victim)).toEqual([]);
    const elsewhere = take(files, { ...asked(), root: victim }, step.host);
    expect(String(await rejectionOf(elsewhere))).toContain('must have exactly one mount');
  });
});

describe('a root that is not mounted', () => {
  it('lists names and reads texts, and is refused while its journal contains changes', async () => {
    const wanted = {
      device,
      directories: ['etc', 'none', 'etc/key'],
      files: ['etc/hostname', 'etc/mtab', 'etc/none'],
    };
    expect(String(await rejectionOf(readRoot(localHost(), wanted)))).toContain('was not unmounted cleanly');
    sh('umount', root);

    const { paths, texts } = await readRoot(localHost(), wanted);

    expect([...paths].toSorted()).toEqual(['etc/hostname', 'etc/key', 'etc/mtab']);
    expect([...texts]).toEqual([['etc/hostname', 'old\n']]);
  });
});
