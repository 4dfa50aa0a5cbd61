import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '../../src/atomic/engine.ts';
import { AtomicOperationSequence, type Steps } from '../../src/atomic/index.ts';
import { lockTable } from '../../src/atomic/locks/lock.ts';
import type { AnyOperation } from '../../src/atomic/operation.ts';
import { hostProcesses } from '../../src/atomic/locks/processes.ts';
import { diskStore } from '../../src/atomic/journal/store.ts';
import * as btrfs from '../../src/btrfs/operations.ts';
import { keysOf } from '../../src/blockdevice/index.ts';
import { image, script, unpack } from '../../src/copy/operations.ts';
import { save } from '../../src/copy/save.ts';
import { create, remove } from '../../src/file/index.ts';
import { create as createFilesystem } from '../../src/filesystem/operations.ts';
import { localHost } from '../../src/host/local.ts';
import { addFstab, bind, mount, unmount } from '../../src/mount/operations.ts';

const operations = [
  create,
  remove,
  mount,
  bind,
  unmount,
  addFstab,
  unpack,
  image,
  save,
  script,
  createFilesystem,
  ...Object.values(btrfs),
] as readonly unknown[] as readonly AnyOperation[];

const compiled = new URL('../../.cache/jiti', import.meta.url).pathname;

/** A script in a process of its own, and how that ends. What jiti compiles is kept: it takes half a minute of a busy processor. */
export function startScript(script: string, stderr: 'ignore' | number = 'ignore') {
  mkdirSync(compiled, { recursive: true });
  const child = spawn(process.execPath, ['--import', 'jiti/register', script], {
    stdio: ['ignore', 'ignore', stderr],
    env: { ...process.env, JITI_FS_CACHE: compiled },
  });
  const ended = new Promise((done) => child.on('exit', (code, signal) => done(signal ?? code)));
  return { child, ended };
}

/** The engine on this machine, with its state in a directory of the test's own. */
export function testEngine(directory: string): Engine {
  const host = localHost();
  return {
    host,
    flock: host.flock,
    store: diskStore(join(directory, 'journal')),
    locks: lockTable([join(directory, 'locks')], host),
    processes: hostProcesses(),
    who: { user: 'root', argv: ['test'], bofh: '0.0.0' },
    currentNames: (_host, undo) => Promise.resolve(undo),
    find: async (kind, version) => operations.find((one) => one.kind === kind && one.version === version),
    on: (path) => keysOf(host, path),
  };
}

/** A sequence of its own: its value, or what it threw. */
export function sequence<T>(engine: Engine, body: (tx: Steps) => Promise<T>): Promise<T> {
  return new AtomicOperationSequence({ engine, name: 'test' }).run(body);
}

/** A temporary directory, and loop devices with ext4 that go away with it. */
export function storage() {
  const dir = mkdtempSync(join(tmpdir(), 'bofh-loop-'));
  const loops: string[] = [];
  return {
    dir,
    path: (name: string): string => join(dir, name),
    makeDir: (name: string): string => {
      mkdirSync(join(dir, name));
      return join(dir, name);
    },
    ext4: (
      name: string,
      {
        mebibytes = 16,
        attach = [],
      }: { readonly mebibytes?: number; readonly attach?: readonly string[] } = {},
    ): { readonly device: string; readonly filesystem: string } => {
      const image = join(dir, name);
      writeFileSync(image, '');
      truncateSync(image, mebibytes * 1024 * 1024);
      sh('mkfs.ext4', '-q', image);
      const device = sh('losetup', '--find', '--show', ...attach, image).trim();
      loops.push(device);
      return { device, filesystem: sh('blkid', '-p', '-o', 'value', '-s', 'UUID', device).trim() };
    },
    /** A loop device with a btrfs of 128 MiB, which is not mounted. */
    btrfs: (name: string): string => {
      const image = join(dir, name);
      writeFileSync(image, '');
      truncateSync(image, 128 * 1024 * 1024);
      sh('mkfs.btrfs', '-q', image);
      const device = sh('losetup', '--find', '--show', image).trim();
      loops.push(device);
      return device;
    },
    /** A blank loop device. */
    blank: (name: string, mebibytes: number): string => {
      const image = join(dir, name);
      writeFileSync(image, '');
      truncateSync(image, mebibytes * 1024 * 1024);
      const device = sh('losetup', '--find', '--show', image).trim();
      loops.push(device);
      return device;
    },
    /** Everything below the directory is unmounted, newest first, and its devices go. */
    clean: (): void => {
      for (const path of mountedPaths()
        .filter((one) => one.startsWith(`${dir}/`))
        .toReversed())
        sh('umount', path);
      for (const device of loops) {
        for (const path of mountedPaths(device).toReversed()) sh('umount', path);
        sh('losetup', '--detach', device);
      }
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Starts a program of the test's own, not of bofh's. */
export function sh(tool: string, ...argv: readonly string[]): string {
  return execFileSync(tool, argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Where something, or that device, is mounted. */
export function mountedPaths(device?: string): readonly string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .trimEnd()
    .split('\n')
    .filter((line) => device === undefined || line.split(' - ')[1]?.split(' ')[1] === device)
    .map((line) =>
      (line.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_, code: string) =>
        String.fromCharCode(parseInt(code, 8)),
      ),
    );
}
