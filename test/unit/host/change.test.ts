import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nothing, type Progress, Secret } from '../../../src/command/index.ts';
import { CommandError, ParseError, ToolError } from '../../../src/core/errors.ts';
import { localHost } from '../../../src/host/local.ts';
import { launch } from '../../../src/host/start.ts';
import { stopping } from '../../../src/host/watch.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { asProcess, changing, hostWith, openFile, program, reading, runs, textOf, until } from './support.ts';

/** The command lines of the processes that have this file open, by pid. */
function holders(path: string): ReadonlyMap<number, readonly string[]> {
  const { ino, dev } = statSync(path);
  const held = (pid: string): boolean => {
    try {
      return readdirSync(`/proc/${pid}/fd`).some((file) => {
        const found = statSync(`/proc/${pid}/fd/${file}`, { throwIfNoEntry: false });
        return found?.ino === ino && found.dev === dev;
      });
    } catch {
      return false;
    }
  };
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && held(name));
  return new Map(pids.map((pid) => [Number(pid), textOf(`/proc/${pid}/cmdline`).split('\0')]));
}

describe('a change', () => {
  test('returns its output to parse, through files of mode 0600 in the outputs of the step', async () => {
    const { change, step } = hostWith('printf "out\\n"; printf "err\\n" >&2; readlink /proc/$$/fd/1');

    const answer = await change.run(changing());

    const [err, out] = readdirSync(step.outputs)
      .sort()
      .map((name) => join(step.outputs, name));
    expect(answer).toEqual({ exitCode: 0, stdout: `out\n${out ?? ''}\n`, stderr: 'err\n' });
    expect([out, err].map((path) => basename(path ?? ''))).toEqual(['out.1', 'err.1']);
    expect(statSync(out ?? '').mode & 0o777).toBe(0o600);
  });

  test('takes the next free name where another process has written to the same directory', async () => {
    const { change, step } = hostWith('echo mine');
    writeFileSync(join(step.outputs, 'out.1'), 'theirs');
    writeFileSync(join(step.outputs, 'err.2'), 'theirs');

    await change.run(changing());
    await change.run(changing());

    expect(readdirSync(step.outputs).sort()).toEqual(['err.2', 'err.3', 'err.4', 'out.1', 'out.3', 'out.4']);
    expect(textOf(join(step.outputs, 'out.1'))).toBe('theirs');
  });

  test('gets its arguments as they are, and only the allow-list as environment', async () => {
    const { change } = hostWith(
      'for word; do printf "<%s>" "$word"; done; echo; tr "\\0" "\\n" </proc/$$/environ',
    );

    const { stdout } = await change.run(changing(['a b', '$(id)', '"; exit 9', '', '-n']));

    const [words, ...environment] = stdout.trimEnd().split('\n');
    expect(words).toBe('<a b><$(id)><"; exit 9><><-n>');
    // PWD comes from the shell around it.
    expect(environment.sort()).toEqual([
      'HOME=/root',
      'LC_ALL=C',
      'LVM_SUPPRESS_FD_WARNINGS=1',
      'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
      'PWD=/',
    ]);
  });

  test('does not inherit the lock or any other descriptor, while the shell around it holds the lock', async () => {
    const { change, directory } = hostWith(
      'touch "$1"; ls -l /proc/self/fd; while [ -e "$1" ]; do sleep 0.02; done',
    );
    const [flag, lock] = [join(directory, 'flag'), join(directory, 'lock')];

    const running = change.run(changing([flag]));
    await until('the tool runs', () => existsSync(flag));
    const others = [...holders(lock)].filter(([pid]) => pid !== process.pid);
    unlinkSync(flag);
    const { stdout } = await running;

    expect(stdout).not.toContain('lock');
    expect(stdout).not.toMatch(/ [4-9] -> /);
    expect(others).toHaveLength(1);
    expect(others[0]?.[1].slice(0, 2)).toEqual(['/bin/sh', '-c']);
    expect(others[0]?.[1].slice(3)).toEqual([
      'bofh-wait',
      expect.stringMatching(/\/outputs\/session\.1$/),
      join(directory, 'tar'),
      flag,
      '',
    ]);
  });

  test('has no descriptor 3 when its step has no lock', async () => {
    const { change } = hostWith('readlink /proc/$PPID/fd/3 /proc/$PPID/fd/10; echo done', {
      step: { lock: -1 },
    });

    expect((await change.run(changing())).stdout).toBe('done\n');
  });

  test('gets a secret on standard input only', async () => {
    const { change } = hostWith(
      'cat; cat /proc/$$/cmdline /proc/$$/environ /proc/$PPID/cmdline /proc/$PPID/environ',
    );

    const { stdout } = await change.run(changing([], { stdin: new Secret('a\nkey\0') }));

    expect(stdout.startsWith('a\nkey\0/bin/sh\0')).toBe(true);
    expect(stdout.split('key')).toHaveLength(2);
  });

  test('that fails is a CommandError with the end of its output', async () => {
    const { change } = hostWith('head -c 3000000 /dev/zero | tr "\\0" x; echo last; echo why >&2; exit 5');

    const error = await rejectionOf(change.run(changing(['x'], { classify: () => 'no-space' })));

    expect(error).toBeInstanceOf(CommandError);
    expect(error).toMatchObject({ exitCode: 5, reason: 'no-space', stderr: 'why\n' });
    const { stdout } = error as CommandError;
    expect(stdout).toHaveLength(1024 * 1024);
    expect(stdout.endsWith('xlast\n')).toBe(true);
  });

  test('may print more than bofh would read when its output is not parsed, in any encoding', async () => {
    const { change } = hostWith('head -c 70000000 /dev/zero; printf "\\377"');

    await expect(change.run({ ...changing(), parse: nothing })).resolves.toBeUndefined();
    expect(String(await rejectionOf(change.run(changing())))).toContain('more than 64 MiB');
  });

  test('throws a ParseError when its output could not be parsed', async () => {
    const { change } = hostWith('echo odd');
    const parse = (): never => {
      throw new Error('what is that');
    };

    expect(await rejectionOf(change.run(changing([], { parse })))).toBeInstanceOf(ParseError);
  });

  test('that ends by a signal is "killed", by 128 and the number through the shell', async () => {
    const { change } = hostWith('kill -"$1" $$');

    for (const signal of ['KILL', 'TERM', 'SEGV']) {
      const error = await rejectionOf(change.run(changing([signal], { accepts: [0, 137, 143] })));
      expect(error).toMatchObject({ reason: 'killed', exitCode: undefined });
      expect(String(error)).toContain(`SIG${signal}`);
    }
  });

  test('that exits 255, as xl does, was not ended by a signal', async () => {
    const { change } = hostWith('exit 255');

    expect(await rejectionOf(change.run(changing()))).toMatchObject({ reason: 'unknown', exitCode: 255 });
  });

  test('that cannot be started is a ToolError: interpreter missing (127), not executable (126)', async () => {
    const { directory, step } = hostWith('true');
    for (const interpreter of ['/nowhere/interpreter', '/etc/passwd']) {
      const tar = program(directory, 'broken', `#!${interpreter}\n`);
      const error = await rejectionOf(localHost({ tools: { tar } }).during(step).run(changing()));
      expect(error).toBeInstanceOf(ToolError);
    }
  });

  test('ends with its process: a daemon that it leaves is not waited for, and does not hold the lock', async () => {
    const { change, directory } = hostWith('setsid sleep 60 & echo $!');

    const { stdout } = await change.run(changing());

    const daemon = Number(stdout);
    const alive = runs(daemon);
    const holding = [...holders(join(directory, 'lock')).keys()];
    process.kill(daemon, 'SIGKILL');
    expect(alive).toBe(true);
    expect(holding).toEqual([process.pid]);
  });

  test('that survives a killed bofh completes, prints, and keeps the lock until then', async () => {
    const body =
      'echo started; while [ -d "$1" ] && [ ! -e "$1/go" ]; do sleep 0.02; done; echo more; echo finished >"$1/done"';
    const { directory, step, host } = hostWith(body);
    const lock = join(directory, 'orphan-lock');
    const script = join(import.meta.dirname, 'outliving.ts');
    const child = spawn(
      process.execPath,
      [...asProcess(script), join(directory, 'tar'), step.outputs, lock, directory],
      { stdio: 'inherit' },
    );
    const dead = new Promise((resolve) => child.on('exit', resolve));
    await until('the tool runs', () => textOf(join(step.outputs, 'out.1')) === 'started\n');
    const ours = openFile(lock);

    child.kill('SIGKILL');
    await dead;
    const whileItRuns = await host.flock([{ fd: ours, mode: 'exclusive' }]);
    const orphans = [...holders(lock).values()].filter((words) => words[0] === '/bin/sh');
    writeFileSync(join(directory, 'go'), '');
    await until('the tool has finished', () => textOf(join(directory, 'done')) === 'finished\n');
    await until('the shell has ended', () => holders(lock).size === 1);

    expect(whileItRuns).toBe(0);
    expect(orphans).toHaveLength(1);
    expect(orphans[0]?.[3]).toBe('bofh-wait');
    expect(textOf(join(step.outputs, 'out.1'))).toBe('started\nmore\n');
    expect(await host.flock([{ fd: ours, mode: 'exclusive' }])).toBeUndefined();
  });

  test('on the host of a step: a read stays a read', async () => {
    const { change, step } = hostWith('echo read');

    expect((await change.run(reading())).stdout).toBe('read\n');
    expect(readdirSync(step.outputs)).toEqual([]);
  });

  test('reports its progress, each fraction once', async () => {
    const told: Progress[] = [];
    const body = 'for i in 0 1 2 4; do printf "$i/4\\b\\b\\b"; sleep 0.2; done; echo >&2';
    const { change } = hostWith(body, { step: { onProgress: (progress) => told.push(progress) } });
    const progress = (output: string): number | undefined => {
      const last = /(\d)\/4[\b\n]*$/.exec(output)?.[1];
      return last === undefined ? undefined : Number(last) / 4;
    };

    await change.run(changing(['x'], { progress }));

    expect(told[0]).toEqual({ command: { tool: 'tar', argv: ['x'] } });
    expect(told.map(({ fraction }) => fraction)).toEqual([undefined, 0, 0.25, 0.5, 1]);
  });

  test('continues when a progress listener fails', async () => {
    const body = 'echo 1; sleep 0.2; echo 2; sleep 0.2; echo 3';
    const fail = (): never => {
      throw new Error('nobody listens');
    };
    const { change } = hostWith(body, {
      step: { onProgress: ({ fraction }) => fraction !== undefined && fail() },
    });

    expect((await change.run(changing([], { progress: () => 0.5 }))).stdout).toBe('1\n2\n3\n');
    expect((await change.run(changing([], { progress: fail }))).stdout).toBe('1\n2\n3\n');
  });
});

describe('a change that is busy', () => {
  test('is retried, five times in all, when it is repeatable', async () => {
    const { change, directory } = hostWith('echo try >>"$1"; exit 1');
    const tries = join(directory, 'tries');

    const error = await rejectionOf(
      change.run(changing([tries], { repeatable: true, classify: () => 'busy' })),
    );

    expect(error).toMatchObject({ reason: 'busy', exitCode: 1 });
    expect(textOf(tries)).toBe('try\n'.repeat(5));
  });

  test('runs once when it is not repeatable, or fails for another reason', async () => {
    const { change, directory } = hostWith('echo try >>"$1"; exit 1');
    const [once, other] = [join(directory, 'once'), join(directory, 'other')];

    await rejectionOf(change.run(changing([once], { classify: () => 'busy' })));
    await rejectionOf(change.run(changing([other], { repeatable: true, classify: () => 'exists' })));

    expect([textOf(once), textOf(other)]).toEqual(['try\n', 'try\n']);
  });

  test('gets its standard input again at each try', async () => {
    const { change, directory } = hostWith('cat >>"$1"; test "$(cat "$1")" = kkk');
    const file = join(directory, 'file');

    await change.run(changing([file], { repeatable: true, classify: () => 'busy', stdin: 'k' }));

    expect(textOf(file)).toBe('kkk');
  });
});

describe('a change in an interrupted step', () => {
  const cleaningUp =
    'trap "sleep 0.3; echo cleaned >\\"$1/cleaned\\"; exit 0" TERM; echo $$ >"$1/pid"; while [ -d "$1" ]; do sleep 0.02; done';

  test('is ended by SIGTERM when it is "safe", and bofh waits for its end and cleanup', async () => {
    const interrupt = new AbortController();
    const { change, directory } = hostWith(cleaningUp, { step: { signal: interrupt.signal } });

    const running = rejectionOf(change.run(changing([directory], { stop: 'safe' })));
    await until('it runs', () => textOf(join(directory, 'pid')) !== '');
    interrupt.abort();
    // While it cleans up, the shell keeps the lock, under the name by which recovery may end it.
    let held = holders(join(directory, 'lock'));
    await until('the trap runs', () => (held = holders(join(directory, 'lock'))).size === 2);
    const names = [...held.values()].map((words) => words[3]);
    const error = await running;

    expect(names).toContain('bofh-safe');
    // It exited 0, but only because it was ended.
    expect(error).toMatchObject({ reason: 'killed' });
    expect(textOf(join(directory, 'cleaned'))).toBe('cleaned\n');
    expect([...holders(join(directory, 'lock')).keys()]).toEqual([process.pid]);
  });

  test('is ended by its own signal when it is "safe", and a pipeline is ended whole', async () => {
    const { change, directory } = hostWith(cleaningUp);
    const own = new AbortController();
    const running = rejectionOf(
      change.pipe({
        commands: [
          changing([directory], { stop: 'safe' }),
          { ...changing([directory], { stop: 'safe' }), signal: own.signal },
        ],
        parse: () => undefined,
      }),
    );
    await until('it runs', () => textOf(join(directory, 'pid')) !== '');
    own.abort();

    expect(await running).toMatchObject({ reason: 'killed' });
    expect(textOf(join(directory, 'cleaned'))).toBe('cleaned\n');
    const late = { ...changing([directory], { stop: 'safe' }), signal: own.signal } as const;
    expect(await rejectionOf(change.run(late))).toMatchObject({ reason: 'killed' });
  });

  test('may finish when it is not "safe", and may still start', async () => {
    const interrupt = new AbortController();
    const { change } = hostWith('echo started; sleep 0.3; echo finished', {
      step: { signal: interrupt.signal },
    });

    const running = change.run(changing());
    setTimeout(() => interrupt.abort(), 100);

    expect((await running).stdout).toBe('started\nfinished\n');
    expect((await change.run(changing())).stdout).toBe('started\nfinished\n');
  });

  test('does not start when it is "safe"', async () => {
    const { change, directory, step } = hostWith('touch "$1/made"', {
      step: { signal: AbortSignal.abort() },
    });

    const error = await rejectionOf(change.run(changing([directory], { stop: 'safe' })));

    expect(error).toMatchObject({ reason: 'killed' });
    expect(readdirSync(directory)).not.toContain('made');
    expect(readdirSync(step.outputs)).toEqual([]);
  });

  test('is ended at its time limit when it is "safe"; no other change has one', async () => {
    const { change, directory } = hostWith(
      `if [ $# = 1 ]; then ${cleaningUp}; else sleep 0.5; echo done; fi`,
    );

    const error = await rejectionOf(change.run(changing([directory], { stop: 'safe', timeoutMs: 200 })));
    const { stdout } = await change.run(changing([], { timeoutMs: 200 }));

    expect(error).toMatchObject({ reason: 'timeout' });
    expect(textOf(join(directory, 'cleaned'))).toBe('cleaned\n');
    expect(stdout).toBe('done\n');
  });

  test('is killed, with its shell, when it does not end in time', async () => {
    const { directory } = hostWith('true');
    const pidFile = join(directory, 'pid');
    const words = [
      '/bin/sh',
      '-c',
      'trap "" TERM; echo $$ >"$0"; while [ -e "$0" ]; do sleep 0.02; done',
      pidFile,
    ];
    const shell = await launch({
      script: 'trap : TERM; "$@"; exit $?',
      name: 'bofh-safe',
      words,
      stdio: [undefined, undefined, undefined],
      env: { PATH: '/usr/bin' },
    });
    await until('it runs', () => textOf(pidFile) !== '');
    const begun = performance.now();

    const stop = stopping(shell, { signals: [AbortSignal.abort()], graceMs: 300, log: () => undefined });
    const end = await shell.ended;
    stop.end();

    expect(end).toEqual({ how: 'signal', signal: 'SIGKILL' });
    expect(performance.now() - begun).toBeGreaterThan(250);
    await until('the tool is gone', () => !runs(Number(textOf(pidFile))));
  });
});
