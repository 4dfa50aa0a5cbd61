import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import * as z from 'zod/mini';
import type { Answer, ReadCommand } from '../../../src/command/index.ts';
import { Secret } from '../../../src/command/index.ts';
import { CommandError, ParseError, ToolError, UsageError } from '../../../src/core/errors.ts';
import { type LocalHostOptions, localHost } from '../../../src/host/local.ts';
import type { HostEvent } from '../../../src/host/setting.ts';
import { rejectionOf } from '../../support/rejection.ts';
import {
  blkidLabel,
  blkidProbe,
  dropCache,
  loopBacking,
  readsAsBlank,
} from '../../../src/blockdevice/commands.ts';
import { readTable } from '../../../src/blockdevice/partitions/commands.ts';
import { blkidProbes } from '../../../src/blockdevice/many-commands.ts';
import { magicsOn } from '../../../src/blockdevice/wipe/commands.ts';
import { subvolumeList } from '../../../src/btrfs/read-commands.ts';
import { cryptStatus } from '../../../src/crypt/read-commands.ts';
import { dumpe2fs } from '../../../src/filesystem/commands/ext.ts';
import { swapLastPage } from '../../../src/filesystem/commands/other.ts';
import { xfsSuperblock } from '../../../src/filesystem/commands/xfs.ts';
import {
  asProcess,
  changing,
  hostWith,
  program,
  reading,
  runScript,
  runs,
  temporaryDirectory,
  textOf,
  until,
} from './support.ts';

const said = ({ stdout }: Answer): string => stdout.trim();

describe('a read', () => {
  test('returns its exact output to parse', async () => {
    const { host } = hostWith('printf " a\\n\\n"; printf "warning\\n" >&2');

    const answer = await host.run(reading());

    expect(answer).toEqual({ exitCode: 0, stdout: ' a\n\n', stderr: 'warning\n' });
  });

  test('is not too late if bofh itself was stopped meanwhile', async () => {
    const tool = program(
      temporaryDirectory(),
      'tar',
      "head -c 300000 /dev/zero | tr '\\0' x; sleep 0.2; echo done",
    );
    const script = join(import.meta.dirname, 'stopped.ts');
    const child = spawn(process.execPath, [...asProcess(script), tool], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (part: Buffer) => (said += part.toString()));
    const ended = new Promise((resolve) => child.on('close', resolve));
    await until('the tool runs', () => said.includes('program started'));

    child.kill('SIGSTOP');
    await delay(2000);
    child.kill('SIGCONT');
    await ended;

    expect(said).toBe('program started\nprogram ended\ndone\n');
  });

  test('gets its arguments as they are, never through a shell', async () => {
    const { host } = hostWith('for word; do printf "<%s>" "$word"; done');

    const { stdout } = await host.run(reading(['a b', '$(id)', `'"`, '', '*', '-n']));

    expect(stdout).toBe(`<a b><$(id)><'"><><*><-n>`);
  });

  test('runs once while the file in `sameWhile` reads the same', async () => {
    const { host, change, directory } = hostWith('echo run >> "$1"; wc -l < "$1"');
    const [state, runsSoFar] = [join(directory, 'state'), join(directory, 'runs')];
    const command = { ...reading([runsSoFar]), parse: said, sameWhile: state };
    const answers = async () => [await host.run(command), await change.run(command)];

    expect(await answers()).toEqual(['1', '2']);
    writeFileSync(state, '7');
    expect(await answers()).toEqual(['3', '3']);
    writeFileSync(state, '8');
    expect(await answers()).toEqual(['4', '4']);
    expect(await host.run({ ...command, parse: ({ stdout }) => [stdout] })).toEqual(['4\n']);
  });

  test('runs once for concurrent calls', async () => {
    const { host, directory } = hostWith('echo run >> "$1"; wc -l < "$1"');
    const [state, runsSoFar] = [join(directory, 'state'), join(directory, 'runs')];
    writeFileSync(state, '7');
    const command = { ...reading([runsSoFar]), parse: said, sameWhile: state };

    expect(await Promise.all([1, 2, 3].map(() => host.run(command)))).toEqual(['1', '1', '1']);
  });

  test.each([
    ['changes while it runs', 'echo run >> "$1"; wc -l < "$1" | tee "$2"'],
    ['stays, but the program fails', 'echo run >> "$1"; exit 1'],
  ])('runs again if that file %s', async (_, script) => {
    const { host, directory } = hostWith(script);
    const [state, runsSoFar] = [join(directory, 'state'), join(directory, 'runs')];
    const command = { ...reading([runsSoFar, state]), sameWhile: state };
    for (const _ of [1, 2]) {
      writeFileSync(state, '0');
      await host.run(command).catch(() => undefined);
    }

    expect(readFileSync(runsSoFar, 'utf8')).toBe('run\nrun\n');
  });

  test('finds nothing in its environment but the allow-list', async () => {
    process.env.BOFH_TEST_LEAK = 'leaked';
    const { host } = hostWith('exec cat /proc/$$/environ', { env: { LVM_SYSTEM_DIR: '/nowhere' } });

    const { stdout } = await host.run(reading());
    delete process.env.BOFH_TEST_LEAK;

    // dash adds PWD for what it starts.
    const names = stdout.split('\0').filter((each) => each !== '' && !each.startsWith('PWD='));
    expect(names.sort()).toEqual([
      'HOME=/root',
      'LC_ALL=C',
      'LVM_SUPPRESS_FD_WARNINGS=1',
      'LVM_SYSTEM_DIR=/nowhere',
      'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
    ]);
  });

  test('has /dev/null as standard input, / as directory, and its own session', async () => {
    const { host } = hostWith('readlink /proc/self/fd/0; pwd; echo $$; cut -d" " -f6 /proc/$$/stat');

    const { stdout } = await host.run(reading());

    const [input, directory, pid, session] = stdout.split('\n');
    expect([input, directory]).toEqual(['/dev/null', '/']);
    expect(session).toBe(pid);
  });

  test('gets a secret on standard input only', async () => {
    const key = 'correct horse\nbattery\0staple';
    const { host } = hostWith(
      'cat; tr "\\0" "\\n" </proc/$$/cmdline; tr "\\0" "\\n" </proc/$$/environ; readlink /proc/$$/fd/0',
    );

    const { stdout } = await host.run(reading(['x'], { stdin: new Secret(key) }));

    expect(stdout.startsWith(`${key}/bin/sh\n`)).toBe(true);
    expect(stdout.split('horse')).toHaveLength(2);
    // Its file has no name any more.
    expect(stdout).toMatch(/\.bofh-stdin-[0-9a-f]+ \(deleted\)\n$/);
  });

  test('that exits with another code than 0 is a CommandError with all that is known', async () => {
    const { host } = hostWith('echo part; echo "it is not there" >&2; exit 5');
    const classify = ({ stderr }: { readonly stderr: string }) =>
      stderr.includes('not there') ? ('not-found' as const) : ('unknown' as const);

    const error = await rejectionOf(host.run(reading(['x'], { classify })));

    expect(error).toBeInstanceOf(CommandError);
    expect(error).toMatchObject({
      tool: 'tar',
      argv: ['x'],
      reason: 'not-found',
      exitCode: 5,
      stdout: 'part\n',
      stderr: 'it is not there\n',
    });
  });

  test('may accept other exit codes, and then 0 only when listed', async () => {
    const { host } = hostWith('exit $1');
    const accepts = [2];

    const answer = await host.run(reading(['2'], { accepts }));
    const error = await rejectionOf(host.run(reading(['0'], { accepts })));

    expect(answer.exitCode).toBe(2);
    expect(error).toMatchObject({ exitCode: 0, reason: 'unknown' });
  });

  test('that a signal ends is "killed", also when its exit code would be accepted', async () => {
    const { host } = hostWith('kill -SEGV $$');

    const error = await rejectionOf(host.run(reading([], { accepts: [0, 139] })));

    expect(error).toMatchObject({ reason: 'killed', exitCode: undefined });
    expect(String(error)).toContain('SIGSEGV');
  });

  test('is killed with its children at its time limit, and the error claims nothing', async () => {
    const { host, directory } = hostWith('sleep 60 & echo $! >"$1"; wait');
    const pidFile = join(directory, 'pid');

    const error = await rejectionOf(host.run(reading([pidFile], { timeoutMs: 300 })));

    expect(error).toMatchObject({ reason: 'timeout' });
    expect(String(error)).toContain('it may have done all or a part of its work');
    const child = Number(textOf(pidFile));
    expect(child).toBeGreaterThan(1);
    await until('the child is gone', () => !runs(child));
  });

  test('does not wait beyond its time limit for a daemon that keeps its output open', async () => {
    const { host, directory } = hostWith('setsid sleep 600 & echo $! >"$1"; echo done');
    const pidFile = join(directory, 'pid');

    const error = await rejectionOf(host.run(reading([pidFile], { timeoutMs: 400 })));

    // It throws if the daemon has ended.
    process.kill(Number(textOf(pidFile)), 'SIGKILL');
    expect(error).toMatchObject({ reason: 'timeout' });
  });

  test('leaves no process behind after its time limit', () => {
    const { directory } = hostWith('setsid sleep 600 & echo $! >"$1"; echo done');
    const pidFile = join(directory, 'pid');

    const said = runScript(
      directory,
      `const host = localHost({ tools: { tar: ${JSON.stringify(join(directory, 'tar'))} } });
       const argv = [${JSON.stringify(pidFile)}];
       const read = host.run({ tool: 'tar', argv, access: 'read', parse: String, timeoutMs: 300 });
       await read.catch((error) => console.log(error.reason));`,
    );

    process.kill(Number(textOf(pidFile)), 'SIGKILL');
    expect(said).toBe('timeout\n');
  });

  test('of more than 64 MiB is an error', async () => {
    const { host } = hostWith('head -c 70000000 /dev/zero');

    const error = await rejectionOf(host.run(reading()));

    expect(error).toBeInstanceOf(CommandError);
    expect(String(error)).toContain('more than 64 MiB');
  });

  test('is tried five times when busy, and then throws', async () => {
    const events: HostEvent[] = [];
    const { host, directory } = hostWith('echo try >>"$1"; exit 1', { log: (event) => events.push(event) });
    const tries = join(directory, 'tries');

    const error = await rejectionOf(host.run(reading([tries], { classify: () => 'busy' })));

    expect(error).toMatchObject({ reason: 'busy' });
    expect(textOf(tries)).toBe('try\n'.repeat(5));
    expect(events.filter(({ event }) => event === 'program is tried again')).toHaveLength(4);
  });

  test('stops retrying at the first success, and fails at once for any other reason', async () => {
    const { host, directory } = hostWith('echo try >>"$1"; test $(wc -l <"$1") -ge "$2"');
    const [some, one] = [join(directory, 'some'), join(directory, 'one')];

    await host.run(reading([some, '3'], { classify: () => 'busy' }));
    await rejectionOf(host.run(reading([one, '3'], { classify: () => 'denied' })));

    expect(textOf(some)).toBe('try\n'.repeat(3));
    expect(textOf(one)).toBe('try\n');
  });
});

describe('output that could not be parsed', () => {
  const misread = (): never => {
    throw new TypeError('column lv_name is missing');
  };

  test('is a ParseError with tool, version, arguments, reason, and its beginning', async () => {
    const { host } = hostWith('[ "$1" = --version ] && echo "tar 9.9" || echo "odd answer"');

    const error = await rejectionOf(host.run(reading(['--list'], { parse: misread })));

    expect(error).toBeInstanceOf(ParseError);
    for (const part of ['tar --list', 'tar 9.9', 'column lv_name is missing', 'odd answer'])
      expect(String(error)).toContain(part);
  });

  test('is a ParseError also without a version, and where parse throws a UsageError', async () => {
    const { host } = hostWith('[ "$1" = --version ] && exit 64; echo 10x');
    const parse = (): never => {
      throw new UsageError('"10x" is not a size');
    };

    const error = await rejectionOf(host.run(reading([], { parse })));

    expect(error).toBeInstanceOf(ParseError);
    expect(String(error)).toContain('version unknown');
  });

  test('names the first value that its schema refuses, in one line', async () => {
    const { host } = hostWith('echo odd');
    const parse = (): never => z.array(z.string()).parse(Array(100).fill(1)) as never;

    const error = await rejectionOf(host.run(reading([], { parse })));

    expect(String(error)).toMatch(/could not be parsed: \[0\]: Invalid input.*, and 99 more; it begins/);
    expect(String(error)).not.toContain('\n');
  });

  test('includes output that is not UTF-8', async () => {
    const { host } = hostWith('printf "caf\\351\\n"');

    const error = await rejectionOf(host.run(reading()));

    expect(error).toBeInstanceOf(ParseError);
  });
});

describe('a program', () => {
  test('that is not installed is a ToolError that names its package', async () => {
    const host = localHost({ tools: { xl: '/nowhere/xl' } });

    const error = await rejectionOf(host.run({ ...reading(), tool: 'xl' }));

    expect(error).toBeInstanceOf(ToolError);
    expect((error as ToolError).remedy).toContain('apt-get install xen-utils-common');
    expect(String(error)).toContain('/nowhere/xl');
  });

  test('that cannot be executed counts as not installed, a directory too', async () => {
    for (const path of ['/etc/passwd', '/usr'])
      expect(String(await rejectionOf(localHost({ tools: { tar: path } }).run(reading())))).toContain(
        'ToolError: tar is not installed',
      );
  });

  test('whose interpreter is missing is a ToolError', async () => {
    const { host } = hostWith('#!/nowhere/interpreter\n');

    expect(await rejectionOf(host.run(reading()))).toBeInstanceOf(ToolError);
  });

  test('is found in the fixed directories, whatever PATH contains', async () => {
    const { directory } = hostWith('echo from PATH');
    const path = process.env.PATH;
    process.env.PATH = directory;
    try {
      const { stdout } = await localHost().run(reading(['--version']));
      expect(stdout).toMatch(/^tar \(GNU tar\)/);
    } finally {
      process.env.PATH = path;
    }
  });

  test('of lvm2 gets the configured arguments first, and no other does', async () => {
    const { directory } = hostWith('echo "$@"');
    const echo = join(directory, 'tar');
    const host = localHost({ tools: { lvs: echo, tar: echo }, lvmConfig: ['--driverloaded', 'n'] });

    const lvs = await host.run({ ...reading(['vg0']), tool: 'lvs' });
    const tar = await host.run(reading(['vg0']));

    expect([lvs.stdout, tar.stdout]).toEqual(['--driverloaded n vg0\n', 'vg0\n']);
  });

  test('is refused a NUL byte in an argument, and a path that is not absolute', async () => {
    const options: LocalHostOptions = { tools: { tar: 'bin/tar' } };

    expect(await rejectionOf(localHost().run(reading(['a\0b'])))).toBeInstanceOf(UsageError);
    expect(() => localHost(options)).toThrow(UsageError);
  });
});

test('a change on the host itself, outside a step, is a UsageError and does not run', async () => {
  const { host, directory } = hostWith('touch "$1"');
  const made = join(directory, 'made');
  // The types refuse it: what a script without types could do.
  const smuggled = changing([made]) as unknown as ReadCommand<unknown>;

  expect(await rejectionOf(host.run(smuggled))).toBeInstanceOf(UsageError);
  expect(() => readFileSync(made)).toThrow();
});

test('a listener that throws has no effect', async () => {
  const { host } = hostWith('echo ok', {
    log: () => {
      throw new Error('from the log');
    },
  });

  expect((await host.run(reading())).stdout).toBe('ok\n');
});

test('facts are the boot id and the host name', async () => {
  const facts = await localHost().facts();

  expect(facts.boot).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect(facts.hostname).toBe(textOf('/proc/sys/kernel/hostname').trim());
});

describe('a program without permission', () => {
  // What each says to another user than root: from Debian 12, the last four from their source.
  test.each<[string, ReadCommand<unknown>, number, string]>([
    ['blkid -p', blkidProbe('/dev/x'), 2, 'blkid: error: /dev/x: Permission denied'],
    ['blkid of several', blkidProbes(['/dev/x', '/dev/y']), 2, 'blkid: error: /dev/x: Permission denied'],
    ['blkid of a label', blkidLabel('/dev/x'), 2, 'blkid: error: /dev/x: Permission denied'],
    ['debugfs', readsAsBlank('/dev/x'), 0, 'debugfs: Permission denied while trying to open /dev/x'],
    ['dd', dropCache('/dev/x'), 1, "dd: failed to open '/dev/x': Permission denied"],
    ['losetup', loopBacking('/dev/x'), 1, 'losetup: /dev/x: failed to use device: Permission denied'],
    [
      'wipefs',
      magicsOn('/dev/x'),
      1,
      'wipefs: error: /dev/x: probing initialization failed: Permission denied',
    ],
    [
      'dumpe2fs',
      dumpe2fs('/dev/x'),
      13,
      "dumpe2fs: Permission denied while trying to open /dev/x\nCouldn't find valid filesystem superblock.",
    ],
    ['swaplabel', swapLastPage('/dev/x'), 1, 'swaplabel: /dev/x: unable to probe device: Permission denied'],
    ['sfdisk', readTable('/dev/x'), 1, 'sfdisk: cannot open /dev/x: Permission denied'],
    [
      'xfs_db',
      xfsSuperblock('/dev/x'),
      1,
      "/dev/x: Permission denied\n\nfatal error -- couldn't initialize XFS library",
    ],
    ['btrfs', subvolumeList('/srv', 'plain'), 1, "ERROR: can't perform the search: Operation not permitted"],
    ['cryptsetup', cryptStatus('x'), 1, 'Cannot initialize device-mapper, running as non-root user.'],
  ])('is denied: %s', async (_name, command, exitCode, said) => {
    const directory = temporaryDirectory();
    const body = `cat >/dev/null; printf '%s\\n' ${JSON.stringify(said)} >&2; exit ${String(exitCode)}`;
    const host = localHost({ tools: { [command.tool]: program(directory, command.tool, body) } });

    const error = await rejectionOf(host.run(command));

    expect(error).toBeInstanceOf(CommandError);
    expect(error).toMatchObject({ reason: 'denied', code: 'denied' });
  });
});
