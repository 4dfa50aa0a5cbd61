import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtCommand } from '../unit/cli/support/built.ts';

let work = '';
let command = '';
beforeAll(async () => {
  work = realpathSync(mkdtempSync(join(tmpdir(), 'bofh-detached-')));
  command = await builtCommand();
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

const bofh = (...args: readonly string[]) =>
  spawnSync(process.execPath, [command, '--state-dir', join(work, 'state'), ...args], { encoding: 'utf8' });
const losetup = (...args: readonly string[]): string => {
  const { status, stdout, stderr } = spawnSync('losetup', args, { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  return stdout.trim();
};
const attached = (file: string): string => losetup('--noheadings', '--output', 'NAME', '--associated', file);

const writeFile = `const { path } = await tx.mount.mount({ device, mode: 'rw' });
  await tx.file.createDirectory({ path: path + '/etc' });
  await tx.file.create({ path: path + '/etc/motd', content: 'hello' });`;

/** A killed sequence whose loop device was detached, and its mount unmounted, as a reboot does it too. */
function killed(type: string, { withFile = false } = {}): string {
  const file = join(work, `${type}.img`);
  const script = join(work, `${type}.ts`);
  writeFileSync(
    script,
    `import { atomic } from 'bofh';
await atomic('killed', async (tx) => {
  await tx.block.createImage({ file: '${file}', size: '400m' });
  const { device } = await tx.block.attachLoop({ file: '${file}' });
  await tx.filesystem.create({ device, type: '${type}' });
  ${withFile ? writeFile : ''}
  process.kill(process.pid, 'SIGKILL');
  await new Promise(() => undefined);
});
`,
  );
  expect(bofh('run', script).signal ?? 'SIGKILL').toBe('SIGKILL');
  if (withFile) expect(spawnSync('umount', [attached(file)]).status).toBe(0);
  losetup('--detach', attached(file));
  expect(attached(file)).toBe('');
  return file;
}

/** The files in an image, while it is mounted elsewhere. */
function inImage<T>(file: string, look: (at: string) => T): T {
  const at = mkdtempSync(join(work, 'at-'));
  expect(spawnSync('mount', ['-o', 'loop', file, at]).status).toBe(0);
  try {
    return look(at);
  } finally {
    expect(spawnSync('umount', [at]).status).toBe(0);
  }
}

describe.skipIf(process.getuid?.() !== 0)('a killed sequence whose mount and loop device are gone', () => {
  it.each([
    ['ext4', 'its own place'],
    ['xfs', 'a private place'],
    ['btrfs', 'its own place'],
  ])('has its files undone in an older filesystem: %s, at %s', (type, where) => {
    const [file, script, place] = ['img', 'ts', 'at'].map((end) => join(work, `before-${type}.${end}`));
    if (file === undefined || script === undefined || place === undefined) throw new TypeError('three names');
    mkdirSync(place);
    writeFileSync(file, '');
    truncateSync(file, 400 * 1024 ** 2);
    expect(spawnSync(`mkfs.${type}`, ['-q', file]).status).toBe(0);
    inImage(file, (at) => writeFileSync(join(at, 'kept'), 'from before'));
    writeFileSync(
      script,
      `import { atomic } from 'bofh';
await atomic('killed', async (tx) => {
  const { device } = await tx.block.attachLoop({ file: '${file}' });
  const { path } = await tx.mount.mount({ device, mode: 'rw'${where === 'its own place' ? `, path: '${place}'` : ''} });
  await tx.file.create({ path: path + '/new', content: 'new' });
  await tx.file.remove({ path: path + '/kept' });
  process.kill(process.pid, 'SIGKILL');
  await new Promise(() => undefined);
});
`,
    );
    expect(bofh('run', script).signal ?? 'SIGKILL').toBe('SIGKILL');
    expect(spawnSync('umount', [attached(file)]).status).toBe(0);
    losetup('--detach', attached(file));

    const { status, stdout } = bofh('recover', '--yes');

    expect([status, stdout]).toEqual([0, expect.stringMatching(/undone +killed/)]);
    expect(attached(file)).toBe('');
    const left = inImage(file, (at) => readdirSync(at).filter((name) => name !== 'lost+found'));
    expect(left).toEqual(['kept']);
  });
});

describe.skipIf(process.getuid?.() !== 0)('a killed sequence whose loop device is detached', () => {
  it.each(['ext4', 'xfs', 'btrfs', 'vfat', 'swap'])('is undone by recovery: %s', (type) => {
    const file = killed(type);

    const { status, stdout, stderr } = bofh('recover', '--yes');

    expect([status, stdout]).toEqual([0, expect.stringMatching(/undone +killed/)]);
    expect(stderr).toContain('losetup --detach');
    expect(existsSync(file)).toBe(false);
    expect(readdirSync(work).filter((name) => name.startsWith('.bofh'))).toEqual([]);
  });

  it.each(['ext4', 'xfs', 'btrfs'])('is undone with the files that it wrote there: %s', (type) => {
    const file = killed(type, { withFile: true });

    const { status, stdout } = bofh('recover', '--yes');

    expect([status, stdout]).toEqual([0, expect.stringMatching(/undone +killed/)]);
    expect(existsSync(file)).toBe(false);
    expect(readdirSync(work).filter((name) => name.startsWith('.bofh'))).toEqual([]);
  });

  it('keeps a file that others wrote there', () => {
    const file = killed('ext4');
    const at = mkdtempSync(join(work, 'at-'));
    try {
      expect(spawnSync('mount', ['-o', 'loop', file, at]).status).toBe(0);
      writeFileSync(join(at, 'letter'), 'mine');
      expect(spawnSync('umount', [at]).status).toBe(0);

      const { status, stderr } = bofh('recover', '--yes');

      expect([status, stderr]).toEqual([3, expect.stringContaining('letter')]);
      expect(existsSync(file)).toBe(true);
      const { id = '', object = '' } =
        /bofh recover (?<id>\w{12}) --discard '?(?<object>[^\s';]+)/.exec(stderr)?.groups ?? {};
      expect(bofh('--yes', 'recover', id, '--discard', object)).toMatchObject({ status: 0 });
      expect([existsSync(file), attached(file)]).toEqual([false, '']);
    } finally {
      const device = existsSync(file) ? attached(file) : '';
      if (device !== '') losetup('--detach', device);
    }
  });
});
