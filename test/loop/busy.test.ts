import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/atomic/engine.ts';
import type { Steps } from '../../src/atomic/index.ts';
import { recover } from '../../src/atomic/recovery/recover.ts';
import { holders, mountEntries, mountHolders } from '../../src/blockdevice/index.ts';
import { commandLine, shownName } from '../../src/command/index.ts';
import { localHost } from '../../src/host/local.ts';
import { type Holder, StuckError } from '../../src/core/errors.ts';
import { unpack } from '../../src/copy/operations.ts';
import { create as createFile, remove as removeFile } from '../../src/file/index.ts';
import { create as createFilesystem } from '../../src/filesystem/operations.ts';
import { mount } from '../../src/mount/operations.ts';
import { until } from '../support/rig/index.ts';
import { propagation } from '../support/propagation.ts';
import { mountedPaths, sequence, sh, storage, testEngine } from './sequence.ts';

let disk: ReturnType<typeof storage>;
let engine: Engine;
const started: ChildProcess[] = [];

beforeEach(() => {
  disk = storage();
  engine = testEngine(disk.path('state'));
});

afterEach(async () => {
  for (const child of started.splice(0)) {
    child.kill('SIGKILL');
    if (child.pid !== undefined) await gone(child.pid);
  }
  disk.clean();
});

/** A foreign process, once it has done its task: it prints a line then. */
async function somebody(
  tool: string,
  ...argv: readonly string[]
): Promise<ChildProcess & { readonly pid: number }> {
  const child = spawn(tool, argv, { stdio: ['ignore', 'pipe', 'inherit'], cwd: '/' });
  started.push(child);
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('exit', (code) => reject(new Error(`${tool} ended with ${code ?? 'a signal'}`)));
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${tool} was not started`);
  return Object.assign(child, { pid });
}

const shell = (script: string, ...argv: readonly string[]) => somebody('sh', '-c', script, 'sh', ...argv);

/** A change whose undo meets what `stage` puts in its way. */
async function stuckBy<T>(
  change: (tx: Steps) => Promise<T>,
  stage: (made: T) => unknown,
): Promise<StuckError> {
  const failure = await sequence(engine, async (tx) => {
    await stage(await change(tx));
    throw new Error('something else failed');
  }).catch((error: unknown) => error);
  if (!(failure instanceof StuckError)) throw failure;
  return failure;
}

/** Runs what the error says, in its order; then the retry must succeed. */
async function freed(failure: StuckError): Promise<readonly string[]> {
  const ran: string[] = [];
  for (const { free } of failure.holders) {
    const [tool, ...argv] = free ?? [];
    if (tool === undefined) continue;
    ran.push(commandLine({ tool, argv }));
    // As a person does: `kill` is the shell's own, and may be no program.
    sh('sh', '-c', '"$@"', 'sh', tool, ...argv);
    if (tool === 'kill') await gone(Number(argv.at(-1)));
  }
  expect((await recover(failure.id ?? '', { engine, yes: true })).end).toBe('rolled-back');
  return ran;
}

async function gone(pid: number): Promise<void> {
  const isGone = (): boolean =>
    !existsSync(`/proc/${pid}`) || /^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  await until({
    what: `process ${pid} is gone`,
    timeoutMs: 60_000,
    everyMs: 20,
    probe: async () => (isGone() ? true : undefined),
  });
}

/** What was found, but for what no process of this machine may look into (process 1 of some containers). */
const found = ({ holders }: StuckError): readonly Holder[] =>
  holders.filter(({ words }) => !words.startsWith('could not examine'));

const mounted = (tx: Steps) => tx.step(mount, { device: disk.ext4('a.img').device, mode: 'rw' });

describe("'target is busy' at the undo of a mount", () => {
  it('names the process that has a file open there, and how to end its hold', async () => {
    let [pid, at] = [0, ''];
    const failure = await stuckBy(mounted, async ({ path }) => {
      at = path;
      ({ pid } = await shell('exec sleep 1000 3>"$1" <&- >&- 2>&- & echo; wait', join(path, 'log')));
      pid = await until({
        what: 'the sleep has the file',
        timeoutMs: 60_000,
        everyMs: 20,
        probe: async () => childOf(pid),
      });
    });

    expect(found(failure)).toEqual([
      expect.objectContaining({ kind: 'process', pid, command: 'sleep', free: ['kill', String(pid)] }),
    ]);
    expect(failure.blocked[0]?.why).toMatch(
      new RegExp(`is in use: process ${pid} \\(sleep\\) has open .*/log \\[kill ${pid}\\]`),
    );
    expect(await freed(failure)).toEqual([`kill ${pid}`]);
    expect(mountedPaths()).not.toContain(at);
  });

  it('names the process that works there', async () => {
    const failure = await stuckBy(mounted, ({ path }) => shell('cd "$1"; echo; exec sleep 1000', path));

    expect(found(failure).map(({ words }) => words)).toEqual([
      expect.stringMatching(/^process \d+ \(sleep\) works in \/run\/bofh\/mnt\//),
    ]);
    await freed(failure);
  });

  it('names a shell that ignores SIGTERM with a signal that ends it', async () => {
    const failure = await stuckBy(mounted, ({ path }) =>
      shell('trap "" TERM; cd "$1"; echo; sleep 1000', path),
    );

    expect(found(failure).map(({ free }) => free?.slice(0, 2))).toEqual([
      ['kill', '-HUP'],
      ['kill', '-HUP'],
    ]);
    await freed(failure);
  });

  it('names the process that runs a program from there', async () => {
    const failure = await stuckBy(mounted, async ({ path }) => {
      copyFileSync('/bin/sleep', join(path, 'prog'));
      execFileSync('chmod', ['755', join(path, 'prog')]);
      await shell('echo; exec "$1" 1000', join(path, 'prog'));
    });

    expect(found(failure).map(({ words }) => words)).toEqual([expect.stringMatching(/ runs .*\/prog/)]);
    await freed(failure);
  });

  it('names the process that has a file of it mapped and nothing open', async () => {
    const failure = await stuckBy(mounted, async ({ path }) => {
      copyFileSync(library(), join(path, 'lib.so'));
      await shell('echo; LD_PRELOAD="$1" exec sleep 1000', join(path, 'lib.so'));
    });

    expect(found(failure).map(({ words }) => words)).toEqual([
      expect.stringMatching(/^process \d+ \(sleep\) has a file mapped$/),
    ]);
    await freed(failure);
  });

  it('names the process whose file there was deleted', async () => {
    const failure = await stuckBy(mounted, ({ path }) =>
      shell('exec 3>"$1"; rm "$1"; echo; exec sleep 1000', join(path, 'log')),
    );

    expect(found(failure).map(({ words }) => words)).toEqual([expect.stringMatching(/\/log \(deleted\)$/)]);
    await freed(failure);
  });

  it('names the process that has a socket there', async () => {
    const failure = await stuckBy(mounted, ({ path }) =>
      somebody(
        'perl',
        '-MSocket',
        '-e',
        'socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un($ARGV[0])) or die; $| = 1; print "\\n"; sleep 1000',
        join(path, 'sock'),
      ),
    );

    expect(found(failure).map(({ words }) => words)).toEqual([
      expect.stringMatching(/^process \d+ \(perl\) has a socket at .*\/sock$/),
    ]);
    await freed(failure);
  });

  it('names the mounts inside, bind mounts too, the innermost first', async () => {
    const failure = await stuckBy(mounted, ({ path }) => {
      mkdirSync(join(path, 'a'));
      sh('mount', '--bind', disk.makeDir('elsewhere'), join(path, 'a'));
      mkdirSync(join(path, 'a/b'));
      sh('mount', '-t', 'tmpfs', 'b', join(path, 'a/b'));
    });

    expect(found(failure).map(({ free }) => free?.join(' '))).toEqual([
      expect.stringMatching(/^umount \/run\/bofh\/mnt\/.*\/a\/b$/),
      expect.stringMatching(/^umount \/run\/bofh\/mnt\/.*\/a$/),
    ]);
    await freed(failure);
  });

  it('names the loop device over a file in it, and first the mounts of that device', async () => {
    const failure = await stuckBy(mounted, ({ path }) => {
      const image = join(path, 'inner.img');
      writeFileSync(image, '');
      truncateSync(image, 4 * 1024 ** 2);
      sh('mkfs.ext4', '-q', image);
      const device = sh('losetup', '--find', '--show', image).trim();
      sh('mount', device, disk.makeDir('inner'));
    });

    expect(found(failure).map(({ kind, free }) => [kind, free?.[0]])).toEqual([
      ['mount', 'umount'],
      ['loop', 'losetup'],
    ]);
    await freed(failure);
  });

  it('names the swap file in it', async () => {
    const failure = await stuckBy(mounted, ({ path }) => {
      const file = join(path, 'swap');
      writeFileSync(file, new Uint8Array(4 * 1024 ** 2), { mode: 0o600 });
      sh('mkswap', file);
      sh('swapon', file);
    });

    expect(found(failure)).toEqual([expect.objectContaining({ kind: 'swap' })]);
    expect(await freed(failure)).toEqual([expect.stringMatching(/^swapoff .*\/swap$/)]);
  });

  it('names the process in another mount namespace that keeps a copy of the mount busy', async () => {
    const shared = disk.makeDir('shared');
    sh('mount', '-t', 'tmpfs', 'shared', shared);
    sh('mount', '--make-shared', shared);
    mkdirSync(join(shared, 'at'));
    const { device } = disk.ext4('a.img');
    const failure = await stuckBy(
      (tx) => tx.step(mount, { device, path: join(shared, 'at'), mode: 'rw' }),
      ({ path }) =>
        somebody(
          'unshare',
          ...['--mount', '--propagation', propagation('slave'), 'sh', '-c'],
          ...['cd "$1"; echo; exec sleep 1000', 'sh', path],
        ),
    );

    expect(found(failure).map(({ words }) => words)).toEqual([expect.stringMatching(/ \(sleep\) works in /)]);
    await freed(failure);
  });
});

describe("'device is busy' at the undo of a filesystem", () => {
  let device: string;
  const formatted = async (tx: Steps) => {
    ({ device } = disk.ext4('a.img'));
    sh('wipefs', '--all', device);
    return tx.step(createFilesystem, { device, type: 'ext4' });
  };

  it('names the mount, and before it the process with its working directory there', async () => {
    const failure = await stuckBy(formatted, async () => {
      const path = disk.makeDir('mnt');
      sh('mount', device, path);
      await shell('cd "$1"; echo; exec sleep 1000', path);
    });

    expect(found(failure).map(({ kind }) => kind)).toEqual(['process', 'mount']);
    expect((await freed(failure)).at(-1)).toBe(`umount ${disk.path('mnt')}`);
    expect(() => sh('blkid', '-p', device)).toThrow();
  });

  it('names a mount in another mount namespace, with the command that enters it', async () => {
    let pid = 0;
    const failure = await stuckBy(formatted, async () => {
      const path = disk.makeDir('mnt');
      ({ pid } = await somebody(
        'unshare',
        ...['--mount', '--propagation', propagation('private'), 'sh', '-c'],
        ...['mount "$1" "$2"; echo; exec sleep 1000', 'sh', device, path],
      ));
    });

    expect(found(failure)).toEqual([
      expect.objectContaining({
        kind: 'mount',
        path: disk.path('mnt'),
        namespaceOf: { pid, command: 'sleep' },
      }),
    ]);
    expect(await freed(failure)).toEqual([`nsenter -t ${pid} -m -r umount ${disk.path('mnt')}`]);
  });

  it('names the process that has opened the device exclusively', async () => {
    const failure = await stuckBy(formatted, () =>
      somebody(
        'perl',
        '-MFcntl',
        '-e',
        'sysopen(F, $ARGV[0], O_RDONLY | O_EXCL) or die; $| = 1; print "\\n"; sleep 1000',
        device,
      ),
    );

    expect(found(failure).map(({ words }) => words)).toEqual([
      expect.stringMatching(new RegExp(`^process \\d+ \\(perl\\) has open ${device}$`)),
    ]);
    await freed(failure);
  });

  it('names the loop device over it', async () => {
    const failure = await stuckBy(formatted, () => sh('losetup', '--find', device));

    expect(found(failure).map(({ kind }) => kind)).toEqual(['loop']);
    await freed(failure);
  });

  it('names every mount of a filesystem that is mounted twice', async () => {
    const [one, two] = [disk.makeDir('one'), disk.makeDir('two')];
    const failure = await stuckBy(formatted, () => {
      sh('mount', device, one);
      sh('mount', '--bind', one, two);
    });

    expect(await freed(failure)).toEqual([`umount ${two}`, `umount ${one}`]);
  });
});

describe("'device is busy' at the undo of swap", () => {
  it('names the swap area', async () => {
    let device = '';
    const failure = await stuckBy(
      (tx) => {
        ({ device } = disk.ext4('a.img'));
        sh('wipefs', '--all', device);
        return tx.step(createFilesystem, { device, type: 'swap' });
      },
      () => sh('swapon', device),
    );

    expect(await freed(failure)).toEqual([`swapoff ${device}`]);
  });
});

describe("'Device or resource busy' at the removal of a file", () => {
  it('names the mount on it', async () => {
    const path = disk.path('file');
    const failure = await stuckBy(
      (tx) => tx.step(createFile, { path, content: 'x', mode: 0o644 }),
      () => sh('mount', '--bind', path, path),
    );

    expect(await freed(failure)).toEqual([`umount ${path}`]);
    expect(existsSync(path)).toBe(false);
  });

  it('refuses to remove a swap file in use, before it tries', async () => {
    const path = disk.path('swap');
    writeFileSync(path, new Uint8Array(4 * 1024 ** 2), { mode: 0o600 });
    sh('mkswap', path);
    sh('swapon', path);

    const error = await sequence(engine, (tx) => tx.step(removeFile, { path })).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'in-use', holders: [{ kind: 'swap', free: ['swapoff', path] }] });
    sh('swapoff', path);
    await sequence(engine, (tx) => tx.step(removeFile, { path }));
    expect(existsSync(path)).toBe(false);
  });
});

describe("'Device or resource busy' at the undo of an unpacked archive", () => {
  it('names the mount in one of its directories', async () => {
    const { device, filesystem } = disk.ext4('a.img');
    const root = disk.makeDir('root');
    sh('mount', device, root);
    mkdirSync(join(disk.makeDir('in'), 'dir'));
    sh('tar', '-cf', disk.path('in.tar'), '-C', disk.path('in'), 'dir');
    const failure = await stuckBy(
      (tx) => tx.step(unpack, { device, filesystem, root, source: disk.path('in.tar'), files: [] }),
      () => sh('mount', '-t', 'tmpfs', 'x', join(root, 'dir')),
    );

    expect(await freed(failure)).toEqual([`umount ${join(root, 'dir')}`]);
  });
});

describe('a device that is in use', () => {
  it('is not formatted, and the error says why, who uses it and what to run', async () => {
    const { device } = disk.ext4('a.img');
    const path = disk.makeDir('mnt');
    sh('mount', device, path);
    const { pid } = await shell('cd "$1"; echo; exec sleep 1000', path);

    const refused = sequence(engine, (tx) => tx.step(createFilesystem, { device, type: 'ext4' }));

    await expect(refused).rejects.toMatchObject({
      name: 'RefusedError',
      remedy: `end that use first: kill ${pid}; umount ${path}`,
      holders: expect.arrayContaining([
        expect.objectContaining({ kind: 'process', pid }),
        expect.objectContaining({ kind: 'mount', path }),
      ]) as unknown,
    });
  });
});

function childOf(pid: number): Promise<number | undefined> {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return Promise.resolve(text === '' ? undefined : Number(text));
}

/** Any library that this machine's programs can load. */
function library(): string {
  const line = /=> (?<path>\/\S+\/libc\.so\.6) /.exec(sh('ldd', '/bin/sleep'))?.groups?.path;
  if (line === undefined) throw new Error('no libc to copy');
  return line;
}

describe('a bind mount of a directory', () => {
  const mapping = 'echo; LD_PRELOAD="$1" exec sleep 1000';
  let all = '';
  let part = '';

  beforeEach(() => {
    const top = disk.makeDir('all');
    sh('mount', disk.ext4('a.img', { mebibytes: 32 }).device, top);
    for (const name of ['dir', 'elsewhere']) {
      mkdirSync(join(top, name));
      copyFileSync(library(), join(top, name, 'file'));
      sh('truncate', '-s', '1M', join(top, name, 'image'));
    }
    all = top;
    part = disk.makeDir('part');
    sh('mount', '--bind', join(all, 'dir'), part);
  });

  async function holdersOf(path: string): Promise<readonly Holder[]> {
    const host = localHost();
    const entry = (await mountEntries(host)).findLast((each) => each.path === path);
    if (entry === undefined) throw new Error(`${path} is not mounted`);
    return (await mountHolders(host, entry)).filter(({ kind }) => kind !== 'unknown');
  }

  it('is not held by processes that use the same files through another mount, or other files of the filesystem', async () => {
    for (const from of [join(all, 'dir'), join(all, 'elsewhere')]) {
      await shell(mapping, join(from, 'file'));
      await shell('exec 3<"$1"; echo; exec sleep 1000', join(from, 'file'));
      await shell('cd "$1"; echo; exec sleep 1000', from);
    }
    const loop = sh('losetup', '--find', '--show', join(all, 'elsewhere', 'image')).trim();
    try {
      expect(await holdersOf(part)).toEqual([]);
      // What has no holder can be unmounted.
      sh('umount', part);
    } finally {
      sh('losetup', '--detach', loop);
    }
  });

  it('is not held by a process with another mount at the same path in its own mount namespace', async () => {
    await somebody(
      'unshare',
      ...['--mount', '--propagation', 'private', 'sh', '-c'],
      ...['umount "$2"; mount --bind "$1" "$2"; cd "$2"; exec 3<file; echo; exec sleep 1000', 'sh'],
      ...[join(all, 'elsewhere'), part],
    );

    expect(await holdersOf(part)).toEqual([]);
    sh('umount', part);
  });

  it('is held by processes with files or the working directory in it, and by loop devices over its files', async () => {
    const users = [
      await shell(mapping, join(part, 'file')),
      await shell('exec 3<"$1"; echo; exec sleep 1000', join(part, 'file')),
      await shell('cd "$1"; echo; exec sleep 1000', part),
    ];
    const loop = sh('losetup', '--find', '--show', join(part, 'image')).trim();
    try {
      const names = (await holdersOf(part)).map(({ free }) => free?.join(' '));
      expect(names.toSorted()).toEqual(
        [...users.map(({ pid }) => `kill ${pid}`), `losetup --detach ${loop}`].toSorted(),
      );
      expect(() => sh('umount', part)).toThrow('target is busy');
    } finally {
      sh('losetup', '--detach', loop);
    }
  });
});

describe('a mount whose path is not UTF-8', () => {
  it('is distinct from similar paths, is shown in octal, and is passed to no program', async () => {
    const { device } = disk.ext4('odd.img', { mebibytes: 32 });
    const above = disk.makeDir('odd');
    const both = ['\\377', '\\376'].map((byte) => join(above, `a${byte}`));
    const [first = '', second = ''] = both;
    sh(
      'sh',
      '-c',
      'for at do at=$(printf "%b." "$at"); mkdir "${at%.}"; mount "$0" "${at%.}"; done',
      device,
      first,
      second,
    );
    try {
      const host = localHost();
      const entries = (await mountEntries(host)).filter(({ path }) => both.includes(shownName(path)));

      expect(new Set(entries.map(({ path }) => path)).size).toBe(2);
      const said = (await holders(host, device)).map(({ words }) => shownName(words)).join();
      for (const path of both) expect(said).toContain(path);
      await expect(host.stat(entries[0]?.path ?? '')).rejects.toThrow(/a\\37[67] is not UTF-8/);
    } finally {
      sh('umount', '--all-targets', device);
    }
  });
});
