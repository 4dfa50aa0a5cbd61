import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect, vm, withBofh } from '../../src/index.ts';
import { localHost } from '../../src/host/local.ts';
import { parseSite } from '../../src/site.ts';
import { chroot } from '../../src/copy/chroot.ts';
import { planTree } from '../../src/vm/tree.ts';
import { rejectionOf } from '../support/rejection.ts';
import { mountedPaths, sh, storage } from './sequence.ts';

let disk: ReturnType<typeof storage>;
let root: string;
let data: string;

beforeEach(() => {
  disk = storage();
  [root, data] = [disk.ext4('root.img', { mebibytes: 64 }).device, disk.ext4('data.img').device];
  const uuid = sh('blkid', '-p', '-o', 'value', '-s', 'UUID', data).trim();
  mkdirSync(disk.path('xen'));
  writeFileSync(
    disk.path('xen/web1.cfg'),
    `name = "web1"\nmemory = 64\nkernel = "/vmlinuz"\nroot = "/dev/xvda rw"\ndisk = ["phy:${data},xvdc,w", "phy:${root},xvda,w"]\n`,
  );
  // What xl of a dom0 without guests prints.
  const { stdout } = JSON.parse(readFileSync('test/fixtures/xl/list-alone@4.17.7.json', 'utf8')) as {
    readonly stdout: string;
  };
  writeFileSync(disk.path('list'), stdout);
  writeFileSync(disk.path('xl'), `#!/bin/sh\ncat ${disk.path('list')}\n`);
  chmodSync(disk.path('xl'), 0o755);
  const at = disk.makeDir('made');
  sh('mount', root, at);
  for (const name of ['etc', 'proc', 'sys', 'dev', 'srv', 'tmp']) mkdirSync(join(at, name));
  writeFileSync(join(at, 'etc/fstab'), `/dev/xvda / ext4 defaults 0 1\nUUID=${uuid} /srv ext4 noatime 0 2\n`);
  for (const program of ['/bin/sh', '/bin/cat', '/bin/sleep', '/bin/readlink', '/bin/ls'])
    for (const file of [program, ...libraries(program)]) {
      mkdirSync(join(at, dirname(file)), { recursive: true });
      cpSync(file, join(at, file), { dereference: true });
    }
  sh('umount', at);
});
afterEach(async () => {
  await withBofh(bofh(), () => vm.unmount('web1'));
  disk.clean();
});

function libraries(program: string): readonly string[] {
  return [...sh('ldd', program).matchAll(/\/\S+\.so\S*/g)].map(([file]) => file);
}

function bofh() {
  const host = localHost({ tools: { xl: disk.path('xl') } });
  const site = parseSite({ volumeGroup: 'vg0', guestConfigDirs: [disk.path('xen')] }, 'the test');
  return connect({ host, site, stateDir: disk.path('state') });
}

/** The program of `vm chroot web1 -- COMMAND`. */
async function program(...command: readonly string[]): Promise<readonly [string, readonly string[]]> {
  const { host, site } = bofh();
  const { tool, argv } = chroot(await planTree(host, { site, name: 'web1' }), command);
  return [tool, argv];
}

const ended = async (...command: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(...(await program(...command)), { encoding: 'utf8' });
  return { status, stdout, stderr };
};

describe('the tree of a guest', () => {
  it('is mounted by its own fstab, and unmounted again', async () => {
    const made = await withBofh(bofh(), () => vm.mount('web1'));
    const options = (path: string) => sh('findmnt', '--noheadings', '--output', 'OPTIONS', path);

    expect(made.mounts.map(({ device, path }) => [device, path.slice(made.path.length)])).toEqual([
      [root, ''],
      [data, '/srv'],
    ]);
    expect(options(join(made.path, 'srv'))).toMatch(/nosuid,nodev,noatime/);
    expect(await withBofh(bofh(), () => vm.mount('web1'))).toMatchObject({ path: made.path, changed: false });
    expect((await withBofh(bofh(), () => vm.unmount('web1'))).mounts.map(({ device }) => device)).toEqual([
      data,
      root,
    ]);
    expect([...mountedPaths(root), ...mountedPaths(data)]).toEqual([]);
    expect(await withBofh(bofh(), () => vm.unmount('web1'))).toEqual({ mounts: [], closed: [] });
  });

  it('is held by a process that works in it, and that is named', async () => {
    const { path } = await withBofh(bofh(), () => vm.mount('web1'));
    const child = spawn('sleep', ['60'], { cwd: join(path, 'srv'), stdio: 'ignore' });

    const error = await rejectionOf(withBofh(bofh(), () => vm.unmount('web1')));
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('close', resolve));

    expect((error as Error).message).toMatch(new RegExp(`srv: .*sleep.*${String(child.pid)}`));
    expect(mountedPaths(data)).toEqual([join(path, 'srv')]);
  });

  it('stays unmounted if a mount point in it is a link', async () => {
    const at = disk.path('made');
    sh('mount', root, at);
    sh('rmdir', join(at, 'srv'));
    sh('ln', '-s', '/tmp', join(at, 'srv'));
    sh('umount', at);

    expect((await rejectionOf(withBofh(bofh(), () => vm.mount('web1')))) as Error).toHaveProperty(
      'message',
      expect.stringMatching(/srv is a symlink/),
    );
    expect([...mountedPaths(root), ...mountedPaths(data)]).toEqual([]);
    expect(await ended('/bin/sh', '-c', 'exit 0')).toMatchObject({
      status: 125,
      stderr: 'bofh: /srv: no such directory in the guest, or a symbolic link\n',
    });
  });
});

describe('a command in the tree of a guest', () => {
  it('sees its disks, its own processes, /sys and /dev, and its exit code is passed on', async () => {
    const seen =
      'cat /etc/fstab; readlink /proc/self/exe; ls /sys/class/net/lo/mtu /dev/null; echo x > /srv/made; ls /proc | cat; exit 7';

    const { status, stdout, stderr } = await ended('/bin/sh', '-c', seen);

    expect([status, stderr]).toEqual([7, '']);
    expect(stdout).toMatch(
      /^\/dev\/xvda \/ .*\n.*\/srv ext4.*\n\/(?:usr\/)?bin\/readlink\n\/dev\/null\n\/sys\/class\/net\/lo\/mtu\n1\n/,
    );
    expect([...mountedPaths(root), ...mountedPaths(data)]).toEqual([]);
    sh('mount', data, disk.path('made'));
    expect(readFileSync(disk.path('made/made'), 'utf8')).toBe('x\n');
  });

  it('ends with all its processes, and the disks are free at once', async () => {
    expect(await ended('/bin/sh', '-c', 'sleep 300 > /dev/null 2>&1 & exit 0')).toMatchObject({ status: 0 });

    expect([isMountedSomewhere(root), isMountedSomewhere(data)]).toEqual([false, false]);
    expect(await withBofh(bofh(), () => vm.mount('web1'))).toMatchObject({ changed: true });
  });

  it('is invisible to others, and ends when bofh is killed', async () => {
    const [tool, argv] = await program('/bin/sh', '-c', 'echo there > /srv/made; sleep 300');
    // Stands for bofh: it starts the program, and is killed.
    const start = `require('node:child_process').spawn(${JSON.stringify(tool)}, ${JSON.stringify(argv)}, { stdio: 'ignore' }); setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['-e', start], { stdio: 'ignore' });
    const held = async () => String(await rejectionOf(withBofh(bofh(), () => vm.mount('web1'))));
    await until(() => isMountedSomewhere(data));

    expect([...mountedPaths(root), ...mountedPaths(data)]).toEqual([]);
    expect(await held()).toMatch(/is in use: /);
    parent.kill('SIGKILL');
    await until(() => !isMountedSomewhere(root) && !isMountedSomewhere(data));

    expect(await withBofh(bofh(), () => vm.mount('web1'))).toMatchObject({ changed: true });
  });
});

/** In any mount namespace. */
const isMountedSomewhere = (device: string): boolean => existsSync(`/sys/fs/ext4/${basename(device)}`);

async function until(check: () => boolean): Promise<void> {
  for (let left = 100; left > 0 && !check(); left -= 1) await delay(100);
  expect(check()).toBe(true);
}
