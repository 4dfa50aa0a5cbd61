import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bofh, type Ended } from '../unit/cli/support/built.ts';

const uid = 65_534;
const mib = 1024 ** 2;
let home = '';
let root = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'bofh-root-'));
  home = mkdtempSync(join(tmpdir(), 'bofh-user-'));
  chmodSync(home, 0o700);
  chownSync(home, uid, uid);
});
afterEach(() => {
  for (const directory of [home, root]) rmSync(directory, { recursive: true, force: true });
});

const asUser = (args: readonly string[]): Promise<Ended> =>
  bofh(args, { uid, cwd: home, env: { HOME: home } });

/**
 * mkfs.btrfs looks at the source of every mount of the host, and gives up at one below a directory
 * that is closed to the user: another test may have such a mount for a moment.
 */
async function pastForeignMounts(args: readonly string[]): Promise<Ended> {
  for (let tries = 1; ; tries += 1) {
    const ended = await asUser(args);
    if (tries === 60 || !ended.stderr.includes('cannot check mount status')) return ended;
    await sleep(1000);
  }
}

const attach = (file: string): string =>
  execFileSync('losetup', ['--find', '--show', file], { encoding: 'utf8' }).trim();

/** The body of a sequence, in a script that the user runs. */
async function script(body: string): Promise<Ended> {
  const file = join(home, 'script.ts');
  writeFileSync(file, `import { atomic } from 'bofh';\nawait atomic('x', async (tx) => {\n${body}\n});\n`);
  return asUser(['run', file]);
}

describe('without root', () => {
  it.each([
    ['ext2', '8m', ['e2fsck', '-fn']],
    ['ext3', '8m', ['e2fsck', '-fn']],
    ['ext4', '8m', ['e2fsck', '-fn']],
    ['xfs', '300m', ['xfs_repair', '-n', '-f']],
    ['btrfs', '120m', ['btrfs', 'check', '--readonly']],
    ['vfat', '8m', ['fsck.vfat', '-n']],
    ['swap', '8m', undefined],
  ] as const)('an image with %s is created, and valid', async (type, size, check) => {
    const label = type === 'vfat' ? 'WEB1' : 'web1';
    const ended = await pastForeignMounts([
      ...['block', 'image', 'create', 'disk.img', size, '--type', type, '--label', label, '--json'],
    ]);

    expect(ended).toMatchObject({ exitCode: 0 });
    const image = join(home, 'disk.img');
    const { uuid } = JSON.parse(ended.stdout) as { readonly uuid: string };
    const seen = execFileSync('blkid', ['--probe', '--output', 'export', image], { encoding: 'utf8' });
    expect(seen).toContain(`\nTYPE=${type}\n`);
    expect(seen).toContain(`\nUUID=${uuid}\n`);
    expect(seen).toContain(`LABEL=${label}\n`);
    if (check !== undefined) {
      const [program, ...argv] = check;
      execFileSync(program, [...argv, image], { stdio: 'pipe' });
    }
    expect(readdirSync(home).sort()).toEqual(['.local', 'disk.img']);
    expect(
      await asUser(['block', 'image', 'create', 'disk.img', size, '--type', type, '--ensure']),
    ).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('unchanged') as string });
  });

  it('refuses a btrfs beside a mount whose source the user cannot read, and leaves nothing behind', async () => {
    const closed = join(root, 'other.img');
    const at = join(root, 'mnt');
    mkdirSync(at);
    writeFileSync(closed, Buffer.alloc(8 * mib));
    execFileSync('mkfs.ext2', ['-q', closed]);
    const device = attach(closed);
    try {
      execFileSync('mount', [device, at]);
      const ended = await asUser(['block', 'image', 'create', 'disk.img', '120m', '--type', 'btrfs']);

      expect(ended.exitCode).toBe(5);
      expect(ended.stderr).toContain('next: run it as root, for example with sudo');
      expect(readdirSync(home)).toEqual(['.local']);
    } finally {
      spawnSync('umount', [at]);
      execFileSync('losetup', ['--detach', device]);
    }
  });

  it('a later failure undoes images and files; the journal is in the state directory of the user', async () => {
    const ended = await script(`
      await tx.filesystem.createImage({ file: '${home}/disk.img', size: ${8 * mib}, type: 'ext4' });
      await tx.file.create({ path: '${home}/note', content: 'x', mode: 0o600 });
      throw new Error('later');`);

    expect(ended.exitCode).toBe(5);
    expect(readdirSync(home).sort()).toEqual(['.local', 'script.ts']);
    expect(readdirSync(join(home, '.local/state/bofh/journal/history'))).toHaveLength(1);
  });

  it('leaves an image that root has attached meanwhile, and names it; other loop devices do not matter', async () => {
    const other = join(root, 'other.img');
    writeFileSync(other, Buffer.alloc(mib));
    const devices = [attach(other)];
    const swap = join(root, 'swap');
    writeFileSync(swap, Buffer.alloc(mib), { mode: 0o600 });
    execFileSync('mkswap', [swap], { stdio: 'pipe' });
    try {
      execFileSync('swapon', [swap]);
      const body = `await tx.filesystem.createImage({ file: '${home}/disk.img', size: ${8 * mib}, type: 'ext4' });`;
      expect(await script(`${body}\nthrow new Error('later');`)).toMatchObject({ exitCode: 5 });
      expect(existsSync(join(home, 'disk.img'))).toBe(false);

      const killed = await script(
        `${body}\nprocess.kill(process.pid, 'SIGKILL');\nawait new Promise(() => undefined);`,
      );
      expect(killed.exitCode).toBeUndefined();
      devices.push(attach(join(home, 'disk.img')));
      const stuck = await asUser(['recover', '--yes']);
      expect(stuck.exitCode).toBe(3);
      expect(stuck.stderr).toContain(`behind the loop device ${devices[1] ?? ''}`);
      execFileSync('losetup', ['--detach', devices.pop() ?? '']);
      expect(await asUser(['recover'])).toMatchObject({ exitCode: 0 });
      expect(existsSync(join(home, 'disk.img'))).toBe(false);
    } finally {
      spawnSync('swapoff', [swap]);
      for (const device of devices) execFileSync('losetup', ['--detach', device]);
    }
  });

  it('refuses what needs root, and undoes the steps before it', async () => {
    const ended = await script(`
      const { file } = await tx.block.createImage({ file: '${home}/disk.img', size: ${8 * mib} });
      await tx.block.attachLoop({ file });`);

    expect(ended.stderr).toContain('block.attachLoop needs root, and this process runs as uid 65534');
    expect(ended.stderr).toContain('run it as root, for example with sudo');
    expect(existsSync(join(home, 'disk.img'))).toBe(false);
  });

  it('the user recovers an interrupted sequence', async () => {
    const ended = await script(`
      await tx.filesystem.createImage({ file: '${home}/disk.img', size: ${8 * mib}, type: 'ext4' });
      process.kill(process.pid, 'SIGKILL');
      await new Promise(() => undefined);`);
    expect(ended.exitCode).toBeUndefined();
    expect(existsSync(join(home, 'disk.img'))).toBe(true);

    const recovered = await asUser(['recover']);

    expect(recovered).toMatchObject({ exitCode: 0 });
    expect(recovered.stderr).toContain('these are your own journals');
    expect(readdirSync(home).sort()).toEqual(['.local', 'script.ts']);
  });
});
