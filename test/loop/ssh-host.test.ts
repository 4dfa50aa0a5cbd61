import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Answer, type ReadCommand, Secret } from '../../src/command/index.ts';
import { CommandError, ParseError, ToolError } from '../../src/core/errors.ts';
import { localHost } from '../../src/host/local.ts';
import { sshHost, type SshHost, type SshHostOptions } from '../../src/host/ssh/host.ts';
import { rejectionOf } from '../support/rejection.ts';
import { type Sshd, startSshd } from '../support/sshd/index.ts';
import { shellWord } from '../support/words.ts';

// What a host over ssh answers is what it answers to a bofh that runs on it. Here both are one machine.

let sshd: Sshd;
let there: SshHost;
let directory: string;
let programs = 0;
const hosts: SshHost[] = [];
const here = localHost();

function overSsh(more: Partial<SshHostOptions> = {}): SshHost {
  const host = sshHost({ name: 'there', configFile: sshd.configFile, ...more });
  hosts.push(host);
  return host;
}

beforeAll(async () => {
  sshd = await startSshd();
  there = overSsh();
  directory = mkdtempSync(join(tmpdir(), 'bofh-ssh-'));
});

afterAll(async () => {
  await Promise.all(hosts.map((host) => host.close()));
  await sshd.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Reads with a program of ours in the place of `tar`; every exit code is an answer. */
function reading(argv: readonly string[] = [], more: Partial<ReadCommand<Answer>> = {}): ReadCommand<Answer> {
  const accepts = Array.from({ length: 256 }, (_, code) => code);
  return {
    tool: 'tar',
    argv,
    access: 'read',
    accepts,
    parse: (answer) => answer,
    encoding: 'latin1',
    ...more,
  };
}

/** What a shell script answers as a program on both hosts. */
async function both(script: string): Promise<{ readonly there: Answer; readonly here: Answer }> {
  const tools = { tar: program(script) };
  return {
    there: await overSsh({ tools }).run(reading()),
    here: await localHost({ tools }).run(reading()),
  };
}

function program(body: string): string {
  const path = join(directory, `program-${String((programs += 1))}`);
  writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return path;
}

describe('a command over ssh', () => {
  test('gets its arguments byte for byte', async () => {
    const host = overSsh({ tools: { tar: program('printf "%s\\0" "$@"') } });
    await fc.assert(
      fc.asyncProperty(fc.array(shellWord, { maxLength: 6 }), async (words) => {
        const { stdout } = await host.run(reading(['', ...words]));
        expect(stdout).toBe(
          Buffer.from(['', ...words].map((each) => `${each}\0`).join('')).toString('latin1'),
        );
      }),
      { numRuns: 25 },
    );
  }, 300_000);

  test.each([
    ['output without a newline at its end', 'printf a; printf b >&2'],
    ['no output', 'exit 0'],
    ['bytes that are no text', "printf '\\377\\000\\376\\n'"],
    ['a lot of both', 'head -c 3000000 /dev/zero; head -c 2000000 /dev/zero | tr "\\0" x >&2'],
    ['its directory', 'pwd'],
    ['standard input that is empty', 'wc -c; readlink /proc/self/fd/0'],
    ['its environment', 'tr "\\0" "\\n" < /proc/$$/environ | sort'],
    ['its umask', 'umask'],
  ])('prints the same as here: %s', async (_what, script) => {
    const answers = await both(script);

    expect(answers.there).toEqual(answers.here);
  });

  test('ends with its own exit code, 255 too', async () => {
    for (const code of [0, 1, 2, 100, 123, 124, 125, 200, 254, 255]) {
      const answers = await both(`exit ${String(code)}`);
      expect(answers.there.exitCode).toBe(code);
      expect(answers.there).toEqual(answers.here);
    }
  });

  test('that a signal ends fails as it does here', async () => {
    const tools = { tar: program('kill -9 $$') };

    const failed = await rejectionOf(overSsh({ tools }).run(reading()));

    expect(failed).toMatchObject({ reason: 'killed', exitCode: undefined });
    expect(await rejectionOf(localHost({ tools }).run(reading()))).toEqual(failed);
  });

  test('gets a secret by its standard input only', async () => {
    const key = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const secret = { stdin: new Secret(key) };

    const host = overSsh({ tools: { tar: program('od -An -tx1 -v | tr -d " \\n"') } });

    expect((await host.run(reading([], secret))).stdout).toBe(key.toString('hex'));
  });

  test('is ended on that host at its time limit', async () => {
    const pidFile = join(directory, 'pid');
    const host = overSsh({ tools: { tar: program(`echo $$ > ${pidFile}; exec sleep 60`) } });

    const failed = await rejectionOf(host.run(reading([], { timeoutMs: 1500 })));

    expect(failed).toMatchObject({ reason: 'timeout' });
    const process = `/proc/${readFileSync(pidFile, 'utf8').trim()}`;
    await vi.waitUntil(() => !existsSync(process), { timeout: 20_000 });
  });

  test('throws a ParseError with the version on that host when its output could not be parsed', async () => {
    const parse = (): never => {
      throw new Error('odd');
    };
    const failed = await rejectionOf(there.run(reading(['-n', '/'], { tool: 'findmnt', parse })));

    expect(failed).toBeInstanceOf(ParseError);
    expect(String(failed)).toMatch(/\(findmnt from util-linux .*\) could not be parsed: odd/);
  });

  test('throws a ToolError when it cannot be started, as here', async () => {
    const failed = await rejectionOf(overSsh({ tools: { tar: '/nowhere/tar' } }).run(reading()));

    expect(failed).toBeInstanceOf(ToolError);
    expect(String(failed)).toContain('/nowhere/tar');
  });
});

describe('files over ssh', () => {
  test('have the same content, names, links and lstat as here', async () => {
    const paths = await odd();
    for (const path of paths)
      for (const verb of ['readFile', 'readDir', 'readLink', 'stat'] as const)
        expect({ path, verb, ...(await told(there[verb](path))) }).toEqual({
          ...{ path, verb },
          ...(await told(here[verb](path))),
        });
  }, 300_000);

  test('that are read together share one round trip, and each has its own answer', async () => {
    const paths = Array.from({ length: 700 }, (_, i) => join(directory, `f${String(i)}`));
    for (const [i, path] of paths.entries()) if (i % 3 > 0) writeFileSync(path, `content ${String(i)}`);

    const begun = sshd.log().split('\n').length;
    const read = await Promise.all(paths.map((path) => told(there.readFile(path))));

    expect(read).toEqual(await Promise.all(paths.map((path) => told(here.readFile(path)))));
    expect(sshd.log().split('\n').length - begun).toBeLessThan(100);
  });

  test('a path with a NUL byte is refused', async () => {
    expect(await rejectionOf(there.readFile('/a\0b'))).toBeInstanceOf(Error);
  });
});

describe('the facts of a host over ssh', () => {
  test('are those of that host', async () => {
    expect(await there.facts()).toEqual(await here.facts());
  });
});

async function told(asked: Promise<unknown>): Promise<object> {
  try {
    return { answer: await asked };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const { message, reason, tool, argv } = error;
    return { message, reason, tool, argv };
  }
}

/** Things that are there, and things that are not. */
async function odd(): Promise<readonly string[]> {
  const at = (name: string): string => join(directory, name);
  mkdirSync(at('dir'), { mode: 0o2750 });
  for (const name of ['a b', '-n', "it's", 'new\nline', 'é€', '*', '\\', '$HOME'])
    writeFileSync(at(`dir/${name}`), `this is ${name}\n`, { mode: 0o640 });
  writeFileSync(at('bytes'), Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 256)));
  writeFileSync(at('empty'), '');
  symlinkSync('dir/new\nline', at('link'));
  symlinkSync('nowhere', at('dangling'));
  symlinkSync('loop', at('loop'));
  execFileSync('mkfifo', [at('fifo')]);
  return [
    ...['dir', 'dir/a b', 'dir/-n', "dir/it's", 'dir/new\nline', 'dir/é€', 'dir/*', 'dir/\\'].map(at),
    ...['bytes', 'empty', 'link', 'dangling', 'loop', 'fifo', 'nowhere', 'empty/below', 'dir/'].map(at),
    ...[`${directory}/${'x'.repeat(300)}`, '/dev/null', '/dev/full', '/', '/proc/1/cmdline', '/proc/swaps'],
    ...['/sys/kernel/mm/transparent_hugepage/enabled', '/proc/1/environ'],
  ];
}
