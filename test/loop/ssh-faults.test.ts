import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Answer, ReadCommand } from '../../src/command/index.ts';
import { ConnectionError } from '../../src/core/errors.ts';
import { sshHost, type SshHost, type SshHostOptions } from '../../src/host/ssh/host.ts';
import { rejectionOf } from '../support/rejection.ts';
import { makeKey, procText, type Sshd, startSshd } from '../support/sshd/index.ts';
import { propagation } from '../support/propagation.ts';

// Whatever is in the way of a host is one clear sentence; and nothing is taken for an answer that is none.

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

async function server(options: Parameters<typeof startSshd>[0] = {}): Promise<Sshd> {
  const sshd = await startSshd(options);
  cleanups.push(() => sshd.stop());
  return sshd;
}

function overSsh(sshd: Sshd, more: Partial<SshHostOptions> = {}): SshHost {
  const host = sshHost({ name: 'there', configFile: sshd.configFile, ...more });
  cleanups.push(() => host.close());
  return host;
}

/** The sentence that a person gets in place of the facts, and what to do. */
async function complaint(host: SshHost): Promise<string> {
  const failed = await rejectionOf(host.facts());
  expect(failed).toBeInstanceOf(ConnectionError);
  expect(failed).toMatchObject({ host: 'there', connection: 'none' });
  const { message, remedy } = failed as ConnectionError;
  expect(message).not.toContain('\n');
  return `${message}; ${remedy ?? ''}`;
}

/** Reads with a shell script in the place of `tar`. */
const reading: ReadCommand<Answer> = { tool: 'tar', argv: [], access: 'read', parse: (answer) => answer };

function script(sshd: Sshd, body: string): Pick<SshHostOptions, 'tools'> {
  const path = join(sshd.directory, 'program');
  writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return { tools: { tar: path } };
}

describe('a host that cannot be reached', () => {
  test('whose name cannot be resolved', async () => {
    const sshd = await server({ client: ['HostName host.invalid'] });

    expect(await complaint(overSsh(sshd))).toMatch(
      /^there is no host there: .*; correct the name, or add it to hosts in the site file/,
    );
  });

  test('that is down', async () => {
    const sshd = await server({ client: ['Port 1'] });

    expect(await complaint(overSsh(sshd))).toMatch(
      new RegExp(
        `^there does not answer .*refused.*; see whether the host and its sshd run: ssh -F ${sshd.configFile} there$`,
      ),
    );
  });

  test('that accepts no key of ours', async () => {
    const sshd = await server();
    makeKey(join(sshd.directory, 'other'));
    copyFileSync(join(sshd.directory, 'other.pub'), join(sshd.directory, 'id.pub'));
    chmodSync(join(sshd.directory, 'id'), 0o600);
    writeFileSync(join(sshd.directory, 'id'), readFileSync(join(sshd.directory, 'other')));
    makeKey(join(sshd.directory, 'third'));
    copyFileSync(join(sshd.directory, 'third.pub'), join(sshd.directory, 'id.pub'));

    expect(await complaint(overSsh(sshd))).toMatch(
      /^there accepts none of your keys \(.*; see which keys are offered: ssh -v -F \S+ there/,
    );
  });

  test('that asks for a password without a terminal', async () => {
    const sshd = await server({
      server: ['PasswordAuthentication yes', 'PermitRootLogin yes', 'PubkeyAuthentication no'],
    });

    expect(await complaint(overSsh(sshd))).toMatch(
      /asks for a password that could not be typed.*ssh-copy-id/,
    );
  });

  test('whose key is not known', async () => {
    const sshd = await server();
    writeFileSync(sshd.knownHosts, '');

    expect(await complaint(overSsh(sshd))).toMatch(
      /^the key of there is not in known_hosts.*; compare the fingerprint, and accept it: ssh -F \S+ there/,
    );
    expect(readFileSync(sshd.knownHosts, 'utf8')).toBe('');
  });

  test('whose key has changed', async () => {
    const sshd = await server();
    makeKey(join(sshd.directory, 'other'));
    const key = readFileSync(join(sshd.directory, 'other.pub'), 'utf8');
    writeFileSync(sshd.knownHosts, `[127.0.0.1]:${String(sshd.port)} ${key}`);

    const said = await complaint(overSsh(sshd));

    expect(said).toMatch(
      /^the key of there is not the one in \S+\/known:1: .*another machine answers in its place/,
    );
    expect(said).toContain('compare the key on the console of the host');
  });

  test('is tried again once it is back', async () => {
    const sshd = await server();
    const known = readFileSync(sshd.knownHosts);
    writeFileSync(sshd.knownHosts, '');
    const host = overSsh(sshd);
    await complaint(host);

    writeFileSync(sshd.knownHosts, known);

    expect((await host.facts()).boot).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('a connection that breaks', () => {
  test('while a program runs: its partial output is discarded', async () => {
    const sshd = await server();
    const host = overSsh(sshd, script(sshd, `echo half; touch ${sshd.directory}/runs; sleep 60`));
    const failed = rejectionOf(host.run(reading));
    await vi.waitUntil(() => exists(`${sshd.directory}/runs`), { timeout: 30_000 });

    for (const pid of sshd.connections()) kill(pid, 'SIGKILL');

    const error = await failed;
    expect(error).toMatchObject({ name: 'ConnectionError', connection: 'lost' });
    expect(String(error)).toContain('the connection to there was lost while tar ran there');
  });

  test('is opened again for the next command', async () => {
    const sshd = await server();
    const host = overSsh(sshd);
    const before = await host.facts();
    for (const pid of sshd.connections()) kill(pid, 'SIGKILL');

    expect(await host.facts()).toEqual(before);
  });

  test('is given up when it hangs', async () => {
    const sshd = await server();
    const host = overSsh(sshd, {
      ...script(sshd, `touch ${sshd.directory}/runs; sleep 60`),
      options: { ServerAliveInterval: '1' },
    });
    const failed = rejectionOf(host.run(reading));
    await vi.waitUntil(() => exists(`${sshd.directory}/runs`), { timeout: 30_000 });

    const [connection = -1] = sshd.connections();
    kill(connection, 'SIGSTOP');

    expect(await failed).toMatchObject({ name: 'ConnectionError', connection: 'lost' });
    kill(connection, 'SIGKILL');
  });
});

/** The shell that answers one question after the other. */
function readerOf(sshd: Sshd): number {
  const commands = sshd.connections().map((pid) => [pid, procText(pid, 'cmdline')] as const);
  const [pid] = commands.find(([, command]) => command.includes('while IFS= read -r line')) ?? [];
  if (pid === undefined) throw new Error('there is none');
  return pid;
}

describe('a host', () => {
  test('that allows one session at a time works', async () => {
    const sshd = await server({ server: ['MaxSessions 1'] });
    const host = overSsh(sshd, script(sshd, 'sleep 0.6; echo here'));

    const answers = await Promise.all(Array.from({ length: 6 }, () => host.run(reading)));

    expect(answers).toEqual(Array.from({ length: 6 }, () => ({ exitCode: 0, stdout: 'here\n', stderr: '' })));
  });

  test('runs one command after the other in one session', async () => {
    const sshd = await server({ server: ['LogLevel VERBOSE'] });
    const host = overSsh(sshd, script(sshd, 'echo here'));
    for (let i = 0; i < 5; i += 1) {
      await host.run(reading);
      await host.stat('/');
    }

    // One to say hello.
    expect(sshd.log().match(/Starting session/g)).toHaveLength(2);
  });

  test('works again when its shell ended between two commands', async () => {
    const sshd = await server();
    const host = overSsh(sshd, script(sshd, 'echo here'));
    await host.facts();

    kill(readerOf(sshd), 'SIGKILL');

    for (let i = 0; i < 2; i += 1) expect(await host.run(reading)).toMatchObject({ stdout: 'here\n' });
    expect(readerOf(sshd)).toBeGreaterThan(1);
  });

  test('that allows no session says so', async () => {
    const sshd = await server({ server: ['MaxSessions 0'] });

    expect(String(await rejectionOf(overSsh(sshd).facts()))).toMatch(/MaxSessions/);
  });

  test('has no connection left after it is closed', async () => {
    const sshd = await server();
    const host = overSsh(sshd);
    await host.facts();
    const sockets = () =>
      execFileSync('find', ['/run/bofh', '-path', '*/bofh-ssh-*/s'], { encoding: 'utf8' });
    expect(sshd.connections()).not.toEqual([]);
    const open = sockets().split('\n').length;

    await host.close();

    await vi.waitUntil(() => sshd.connections().length === 0, { timeout: 20_000 });
    expect(sockets().split('\n').length).toBe(open - 1);
  });
});

/** An sshd in whose mount namespace these files stand in the place of the system's. */
async function serverWith(
  files: Readonly<Record<string, string>>,
  config: readonly string[] = [],
): Promise<Sshd> {
  const directory = execFileSync('mktemp', ['-d'], { encoding: 'utf8' }).trim();
  cleanups.push(() => execFileSync('rm', ['-r', directory]));
  const mounts = Object.entries(files).map(([path, content], i) => {
    const own = join(directory, String(i));
    writeFileSync(own, content, { mode: path === '/etc/sudoers' ? 0o440 : 0o644 });
    return `mount --bind ${own} ${path}`;
  });
  chmodSync(directory, 0o755);
  const script_ = [...mounts, 'exec "$@"'].join('; ');
  const within = `exec unshare -m --propagation ${propagation('private')} /bin/sh -ec '${script_}' sh "$@"`;
  return server({ within, server: config });
}

const passwd = (name: string, shell: string, home: string): string =>
  `root:x:0:0:root:${home}:${shell}\nsshd:x:105:65534::/run/sshd:/usr/sbin/nologin\n${name}:x:7007:7007::${home}:${shell}\n`;
/** A login that is not root, and what it may do. */
const admin = (may: string): Readonly<Record<string, string>> => ({
  '/etc/passwd': passwd('bofh-admin', '/bin/sh', '/'),
  '/etc/shadow': 'root:*:1:0:99999:7:::\nbofh-admin:*:1:0:99999:7:::\n',
  '/etc/sudoers': `bofh-admin ALL=(ALL:ALL) ${may}\n`,
});

describe('a login', () => {
  test('whose shell prints something first works', async () => {
    const home = execFileSync('mktemp', ['-d'], { encoding: 'utf8' }).trim();
    cleanups.push(() => execFileSync('rm', ['-r', home]));
    writeFileSync(join(home, '.bashrc'), 'echo welcome; echo careful >&2\n');
    const users = { '/etc/passwd': passwd('nobody', '/bin/bash', home) };
    const sshd = await serverWith(users, ['SetEnv SHLVL=0']);
    const host = overSsh(sshd, script(sshd, 'echo here'));

    expect(execFileSync('ssh', ['-F', sshd.configFile, 'there', 'true'], { encoding: 'utf8' })).toBe(
      'welcome\n',
    );
    expect(await host.run(reading)).toEqual({ exitCode: 0, stdout: 'here\n', stderr: '' });
  });

  test('without a shell is refused', async () => {
    const sshd = await serverWith({ '/etc/passwd': passwd('nobody', '/usr/sbin/nologin', '/') });

    expect(await complaint(overSsh(sshd))).toMatch(
      /^the login shell on there does not run commands .*not available.*; change the login shell, on that host/,
    );
  });

  test('that is not root becomes root by sudo', async () => {
    const sshd = await serverWith(admin('NOPASSWD: ALL'));
    const options = { User: 'bofh-admin' };
    const host = overSsh(sshd, { ...script(sshd, 'id -u; printf "<%s>" "$@"; env'), options });

    const { stdout } = await host.run({ ...reading, argv: ["a b'c", '$x', ''] });

    expect(stdout.split('\n')[0]).toBe('0');
    expect(stdout).toContain("<a b'c><$x><>");
    expect(stdout).not.toContain('SUDO_USER');
    expect(new TextDecoder().decode(await host.readFile('/etc/sudoers'))).toContain('bofh-admin');
  });

  test('that is not root is refused if sudo needs a password, or stays that user', async () => {
    const sshd = await serverWith(admin('ALL'));
    const options = { User: 'bofh-admin' };

    const refused = await rejectionOf(overSsh(sshd, { options }).facts());

    expect(refused).toMatchObject({ name: 'RefusedError' });
    expect(String(refused)).toMatch(
      /the login user on there is not root, and cannot become root with sudo: .*sudo: a password is required/,
    );
    const login = overSsh(sshd, { ...script(sshd, 'id -u'), options, become: 'login' });
    expect((await login.run(reading)).stdout).toBe('7007\n');
    expect(await rejectionOf(login.readFile('/etc/sudoers'))).toMatchObject({ reason: 'denied' });
  });
});

function exists(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch {
    return false;
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}
