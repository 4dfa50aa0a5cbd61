import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** An sshd of the test's own on 127.0.0.1, with its own keys and configuration, in a directory that goes away with it. */
export interface Sshd {
  readonly directory: string;
  readonly port: number;
  /** For `ssh -F`: the host `there` is this sshd. */
  readonly configFile: string;
  readonly knownHosts: string;
  /** The processes that serve connections. */
  connections(): readonly number[];
  /** What it has logged. */
  log(): string;
  stop(): Promise<void>;
}

/** Lines of sshd_config(5) and of ssh_config(5); of two for one keyword, both programs take the first. */
interface SshdOptions {
  readonly server?: readonly string[];
  readonly client?: readonly string[];
  /** A shell script that ends with `exec "$@"`, in which sshd is started: for a mount namespace of its own. */
  readonly within?: string;
}

/**
 * Starts one, and waits until it listens. If another process has taken the free port meanwhile, another port
 * is tried.
 */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  for (let tries = 1; ; tries += 1)
    try {
      return await startedOnce(options);
    } catch (error) {
      if (tries === 3 || !String(error).includes('Address already in use')) throw error;
    }
}

async function startedOnce(options: SshdOptions): Promise<Sshd> {
  const directory = mkdtempSync(join(tmpdir(), 'bofh-sshd-'));
  const at = (name: string): string => join(directory, name);
  // The user who logs in reads id.pub, and only root lists the rest.
  chmodSync(directory, 0o711);
  const port = await freePort();
  for (const name of ['host', 'id']) makeKey(at(name));
  // Where sshd separates its privileges; the package has it made at boot, where systemd runs.
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  writeFileSync(at('sshd_config'), serverConfig(directory, port, options.server ?? []));
  writeFileSync(at('ssh_config'), clientConfig(directory, port, options.client ?? []));
  writeFileSync(at('known'), `[127.0.0.1]:${String(port)} ${readFileSync(at('host.pub'), 'utf8')}`);
  const words = ['/usr/sbin/sshd', '-D', '-E', at('log'), '-f', at('sshd_config')];
  appendFileSync(at('log'), '');
  const child = spawn('/bin/sh', ['-c', options.within ?? 'exec "$@"', 'sh', ...words], { stdio: 'inherit' });
  const log = (): string => readFileSync(at('log'), 'utf8');
  try {
    await listening(child, log);
  } catch (error) {
    await ended(child);
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
  return {
    directory,
    port,
    configFile: at('ssh_config'),
    knownHosts: at('known'),
    connections: () => descendants(child.pid ?? -1),
    log,
    stop: async () => {
      for (const pid of descendants(child.pid ?? -1)) end(pid);
      await ended(child);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export function makeKey(path: string): void {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'bofh-test', '-f', path]);
}

function serverConfig(directory: string, port: number, more: readonly string[]): string {
  const lines = [
    ...more,
    `Port ${String(port)}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${directory}/host`,
    `AuthorizedKeysFile ${directory}/id.pub`,
    'StrictModes no',
    'UsePAM no',
    'PidFile none',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin prohibit-password',
    // bash, started by sshd, reads ~/.bashrc of the one who runs the tests only as the first shell (shell.c, shell_level).
    'SetEnv SHLVL=5',
  ];
  return `${lines.join('\n')}\n`;
}

function clientConfig(directory: string, port: number, more: readonly string[]): string {
  const lines = [
    'Host there',
    ...more,
    'HostName 127.0.0.1',
    `Port ${String(port)}`,
    'User root',
    `IdentityFile ${directory}/id`,
    'IdentitiesOnly yes',
    'IdentityAgent none',
    `UserKnownHostsFile ${directory}/known`,
    'GlobalKnownHostsFile none',
  ];
  return `${lines.join('\n  ')}\n`;
}

async function listening(child: ChildProcess, log: () => string): Promise<void> {
  const limit = performance.now() + 30_000;
  while (!log().includes('Server listening')) {
    if (child.exitCode !== null || performance.now() > limit) throw new Error(`no sshd: ${log()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function descendants(pid: number): readonly number[] {
  const children = childrenOf(pid);
  return [...children, ...children.flatMap(descendants)];
}

function childrenOf(pid: number): readonly number[] {
  try {
    const text = readFileSync(`/proc/${String(pid)}/task/${String(pid)}/children`, 'utf8');
    return text
      .split(' ')
      .filter((word) => word !== '')
      .map(Number);
  } catch {
    return [];
  }
}

/** A file of a process; empty when it has ended. */
export function procText(pid: number, file: 'comm' | 'cmdline'): string {
  try {
    return readFileSync(`/proc/${String(pid)}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended since.
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const over = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await over;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
